"""The thread in which Faust keeps its aiokafka consumer. Code of streams.kafka.transport that reaches into aiokafka is
here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any

from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.kafka.fetch import ends_of, hand_out_columns
from streams.kafka.gaps import explanation
from streams.kafka.leader import join_at_once, replace_dead_leaders
from streams.kafka.open_transactions import Ends

METADATA_PAUSE = 0.25  # seconds
EMBEDDED_FETCH_WAIT_MS = 50
"""The embedded broker looks for new records when it is asked, not when they arrive: with Faust's 1,500 ms each worker
would delay an event by 0.4 s. The broker spends at most this time on a fetch, so with less it would not reach all
partitions."""
EMBEDDED_FETCH_EVERY = 0.075
"""Seconds from a fetch that found something to the next one. For each such fetch the embedded broker goes through all
batches that a partition ever had, about a microsecond each."""

log = logging.getLogger(__name__)
faust_log = logging.getLogger("faust.transport")  # what Faust's base classes log keeps its name


def now() -> float:
    """Seconds that also pass while the process is stopped or the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def be_patient(client: Any) -> None:
    """Make an aiokafka client pause after a failed metadata request: without a pause it sends 10,000 a second."""
    update = client._metadata_update

    async def update_or_pause(cluster: Any, topics: Any) -> bool:
        updated = await update(cluster, topics)
        if not updated:
            await asyncio.sleep(METADATA_PAUSE)
        return bool(updated)

    client._metadata_update = update_or_pause


def space_out(fetcher: Any, seconds: float) -> None:
    """Make a fetcher of aiokafka wait after a fetch that found something: `seconds` from when that one was sent."""
    fetch = fetcher._proc_fetch_request
    earliest = 0.0

    async def fetch_in_time(assignment: Any, node_id: Any, request: Any) -> bool:
        nonlocal earliest
        if (left := earliest - time.monotonic()) > 0:
            try:
                await asyncio.sleep(left)
            except asyncio.CancelledError:  # the fetcher closes, and awaits what it has cancelled
                return False
        sent_at = time.monotonic()
        found = await fetch(assignment, node_id, request)
        earliest = sent_at + seconds if found else 0.0
        return bool(found)

    fetcher._proc_fetch_request = fetch_in_time


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust is untyped
    """The thread that owns the aiokafka consumer; what touches the consumer runs here."""

    logger = faust_log
    heartbeat_at = 0.0  # when the coordinator last knew us, by now()

    async def on_start(self) -> None:
        await super().on_start()
        be_patient(self._ensure_consumer()._client)
        hand_out_columns(self._ensure_consumer(), mark_transactions=getattr(self.app, "embedded", False))
        coordinator = self._ensure_consumer()._coordinator
        heartbeat, leave = coordinator._do_heartbeat, coordinator._maybe_leave_group

        async def timed_heartbeat() -> bool:
            asked_at = now()
            known = await heartbeat()
            if known:
                self.heartbeat_at = asked_at
            return bool(known)

        async def leave_from_zero() -> None:
            # aiokafka takes generation 0, the embedded broker's first, for no membership: it would not leave.
            if coordinator.generation == 0:
                coordinator.generation = 1
            await leave()

        coordinator._do_heartbeat = timed_heartbeat
        coordinator._maybe_leave_group = leave_from_zero
        if getattr(self.app, "embedded", False):
            replace_dead_leaders(coordinator, self.app.conf.broker_session_timeout)
            if self.app.settings.sole:
                join_at_once(coordinator)
            space_out(self._ensure_consumer()._fetcher, EMBEDDED_FETCH_EVERY)

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        if getattr(self.app, "embedded", False):
            consumer._fetch_max_wait_ms = EMBEDDED_FETCH_WAIT_MS
        else:
            consumer._isolation_level = "read_committed"  # a producer's aborted transaction is no input
        return consumer

    def _stopped_set(self) -> None:
        if not self.thread_loop.is_closed():
            super()._stopped_set()
            return
        self._stopped.set()  # after a crash the thread has ended by itself, with its loop: nobody there waits for this

    async def ping(self) -> None:
        """Do nothing: an answer tells that the thread lives."""

    async def locate(self, changelogs: set[str]) -> dict[TP, tuple[int, int | None]]:
        """Seek every assigned partition, changelogs aside, to where its group left off, or to its beginning.

        Returns the offset sought and the offset committed (None: never) of each; of none of them when the assignment
        changes meanwhile (the rebalance locates again). Changelogs are paused: their table reads them itself.
        """
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        sources = [tp for tp in assigned if tp.topic not in changelogs]
        try:
            found = await consumer._coordinator.fetch_committed_offsets(sources) if sources else {}
            committed = {tp: found[tp].offset for tp in sources if tp in found and found[tp].offset >= 0}
            missing = [tp for tp in sources if tp not in committed]
            earliest = await consumer.beginning_offsets(missing) if missing else {}
            for tp in assigned:
                if tp.topic in changelogs:
                    consumer.pause(tp)
                else:
                    consumer.seek(tp, committed[tp] if tp in committed else earliest[tp])
        except IllegalStateError as exc:
            log.info("partitions were taken away while they were being located: %s", exc)
            return {}
        return {TP(*tp): (committed[tp] if tp in committed else earliest[tp], committed.get(tp)) for tp in sources}

    async def committed_of(self, tp: TP) -> int:
        """The offset that the group has committed of a partition, of any of its members; -1: none."""
        partition = driver.TopicPartition(*tp)
        found = await self._ensure_consumer()._coordinator.fetch_committed_offsets([partition])
        return int(found[partition].offset) if partition in found else -1

    def position_of(self, tp: TP) -> int | None:
        """Offset after the last record that aiokafka handed out, None when it has none or the partition is not ours."""
        assignment = self._ensure_consumer()._subscription.subscription.assignment
        if assignment is None or driver.TopicPartition(*tp) not in assignment.tps:
            return None
        state = assignment.state_value(driver.TopicPartition(*tp))
        return int(state.position) if state.has_valid_position else None

    def ends_of(self, tps: Iterable[TP]) -> dict[tuple[str, int], Ends]:
        """See streams.kafka.fetch.ends_of."""
        return ends_of(self._ensure_consumer(), [driver.TopicPartition(*tp) for tp in tps])

    async def seek_to(self, tp: TP, offset: int) -> bool:
        """Seek one partition; False when it is not ours any more."""
        try:
            self._ensure_consumer().seek(driver.TopicPartition(*tp), offset)
        except IllegalStateError:
            return False
        return True

    async def request_rejoin(self) -> None:
        """Have aiokafka's coordinator join the group again."""
        self._ensure_consumer()._coordinator.request_rejoin()

    async def explain(self, tp: TP, expected: int, got: int) -> str | None:
        """Why the log of a partition has no record from `expected` up to `got`; None: there is no good reason."""
        embedded = getattr(self.app, "embedded", False)
        return await explanation(self._ensure_consumer(), driver.TopicPartition(*tp), expected, got, embedded)
