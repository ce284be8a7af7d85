"""Kafka for Faust in batches: one Faust event is one chunk of a partition's records.

Only this module, streams.kafka.consumer_thread and streams.kafka.producer know the inside of Faust's transport. An app
whose broker URL begins with `kafka-batch://` gets a RecordBatch as the value of every event: what one fetch brought of
one partition, in offset order. Faust's own accounting of acks and gaps is made for single messages, so a Progress
(streams.kafka.progress) replaces it in each partition: batches are delivered without overlap and without gaps, and the
offset committed is the end of the longest prefix of batches that the worker has acked.

Faust drops what was fetched but not delivered when a rebalance, a pause or a stop comes between. Here the delivered
offset is the truth: a chunk that begins elsewhere is cut or refused, and the partition is read again from there.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any

from aiokafka.errors import ConsumerStoppedError
from faust.transport import drivers
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from mode import Service
from mode.utils.futures import notify

from streams import metrics
from streams.kafka.commit_policy import CommitPolicy
from streams.kafka.consumer_thread import ConsumerThread, faust_log, now
from streams.kafka.gaps import GapError
from streams.kafka.missed import Missed, tell
from streams.kafka.open_transactions import OpenTransactions
from streams.kafka.producer import Producer
from streams.kafka.progress import Progress, RecordBatch
from streams.kafka.record_batch import RecordColumns
from streams.topology import CHANNEL_TOPICS

SCHEME = "kafka-batch"
FETCH_WAIT = 1.0  # seconds to wait for records before looking around
LOOK_WAIT = 1.0  # seconds between looks for open transactions
IDLE_WAIT = 0.05  # seconds between looks while no partition may be read
ACK_WAIT = 0.2  # seconds between looks at what is still in progress
CREATE_TIME = 0  # a record's timestamp_type, which Faust asks for and does not use
REREADS = 2  # times that a partition is read again before a hole is believed

log = logging.getLogger(__name__)


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer, delivering batches."""

    logger = faust_log
    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.progress: dict[TP, Progress] = {}
        #: Counts this worker's assignments. Not the group's generation: on the embedded broker that may stay the same.
        self.generation = 0
        self.revoking_since: float | None = None
        #: Partitions of the last assignment, changelogs included; None before the first one and while they are revoked.
        self.held: frozenset[TP] | None = None
        #: When the reading loop last began a turn (time.monotonic); None while it waits for the flow or for an agent.
        self.polled_at: float | None = None
        self._undelivered: set[TP] = set()
        # Positions that perform_seek found. resume_flow moves them to `progress`, and delivery begins.
        self._located: dict[TP, Progress] = {}
        # Topics whose logs legitimately have gaps.
        self._compacted: set[str] = set(getattr(self.app, "compacted_topics", ()))
        self._transactional: set[str] = set()
        #: Ranges of records that were deleted before the group had read them, and are still to be reported by WorkerIO.
        self.missed: list[Missed] = []
        #: Transactions that hold records back; the embedded broker has none.
        self.open_transactions = OpenTransactions(self.app.settings)
        self._looked_at = 0.0  # time.monotonic, when that was last brought up to date
        self._begun: set[TP] = set()  # partitions located before: their missed records are reported already
        self._commit_policy = CommitPolicy(self.commit_interval)
        self._to_commit = asyncio.Event()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def ping(self) -> None:
        """Return when the consumer's thread has answered."""
        await self._thread.call_thread(self._thread.ping)

    async def committed_of(self, tp: TP) -> int:
        """See ConsumerThread.committed_of."""
        return int(await self._thread.call_thread(self._thread.committed_of, tp))

    # -- reading ----------------------------------------------------------------------------------------------

    async def _drain_messages(self, fetcher: Any) -> None:
        """Fetch and deliver until the consumer or the fetcher stops."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                await asyncio.sleep(0)
                if not self.flow_active:
                    self.polled_at = None
                    await self.wait(self.can_resume_flow)
                    continue
                self.polled_at = time.monotonic()
                generation = self.generation
                for tp in self._undelivered & self.progress.keys():
                    await self._rewind(tp)
                active = set(self._get_active_partitions())
                if not active:
                    await self.sleep(IDLE_WAIT)
                    continue
                chunks = await self._getmany(active, FETCH_WAIT)
                self._look_for_open_transactions()
                for tp, chunk in chunks.items():
                    if not await self._deliver(driver_tp(tp), chunk, generation):
                        await self._rewind(driver_tp(tp))
                if not chunks:
                    await self._look_behind(generation)
        except GapError as exc:
            await self.app.crash(exc)
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not self.app.should_stop:
                raise

    def _look_for_open_transactions(self) -> None:
        now = time.monotonic()
        if now - self._looked_at >= LOOK_WAIT and not getattr(self.app, "embedded", False):
            self._looked_at = now
            self.open_transactions.look(self._thread.ends_of(self.progress))

    async def _deliver(self, tp: TP, chunk: RecordColumns, generation: int) -> bool:
        """Hand a chunk to the agents. False: it was not handed over, and the partition must be read again."""
        progress = self.progress.get(tp)
        if (
            progress is None
            or not self.flow_active
            or self.generation != generation
            or tp not in self._active_partitions | self._buffered_partitions
        ):
            return False
        records = await self._without_gaps(tp, progress, chunk)
        if records is None or self.progress.get(tp) is not progress:
            return False
        batch = RecordBatch(records, tp.topic, tp.partition, generation)
        about = (tp.topic, tp.partition, batch.offsets[-1], batch.timestamps[-1] / 1000, CREATE_TIME)
        group_generation = self.app.consumer_generation_id
        message = ConsumerMessage(*about, [], None, batch, None, 0, 0, tp, generation_id=group_generation)
        progress.deliver(batch)
        for unreadable in batch.unreadable.values():
            log.error("%s[%d]: %s; they go to the dead letters as one", tp.topic, tp.partition, unreadable.detail)
            metrics.BATCHES_UNREADABLE.labels(tp.topic).inc()
        self.polled_at = None
        await self.wait_first(self.callback(message), self.suspend_flow.wait())
        self.polled_at = time.monotonic()
        return True

    async def _without_gaps(self, tp: TP, progress: Progress, chunk: RecordColumns) -> RecordColumns | None:
        """The part of a chunk that continues what was delivered; None: read the partition again from there.

        Raises GapError when records are missing without explanation.
        """
        expected, offsets = progress.delivered, chunk.offsets
        if offsets[0] < expected <= offsets[-1]:
            chunk = chunk.take(range(bisect_left(offsets, expected), len(offsets)))
            offsets = chunk.offsets
        first = offsets[0]
        if first != expected:
            # Most often the chunk was under way while the partition was sought, so reading again comes first, and the
            # broker's log is asked last.
            if progress.rereads_of(first) < REREADS:
                return None
            if first < expected:
                raise GapError(tp.topic, tp.partition, expected, first)
            await self._explain(tp, expected, first)
        if offsets[-1] - first + 1 != len(offsets):
            for at, (left, right) in enumerate(itertools.pairwise(offsets)):
                following = chunk.unreadable[at].following if at in chunk.unreadable else left + 1
                if right != following:
                    await self._explain(tp, following, right)
        return chunk

    async def _explain(self, tp: TP, expected: int, got: int) -> None:
        """Return if the log explains why offsets [expected, got) are missing, else raise GapError."""
        if tp.topic in self._compacted or (tp.topic in self._transactional and got == expected + 1):
            return
        reason = await self._thread.call_thread(self._thread.explain, tp, expected, got)
        if reason is None:
            raise GapError(tp.topic, tp.partition, expected, got)
        if reason == "retention":
            self._miss(Missed(tp.topic, tp.partition, expected, got, committed=True))
        elif reason == "refused":
            log.warning("%s[%d]: the broker refused a batch at offset %d", tp.topic, tp.partition, expected)
        else:
            (self._compacted if reason == "compaction" else self._transactional).add(tp.topic)

    def _miss(self, missed: Missed) -> None:
        worker, channels = self.app.worker, {self.app.settings.topic(name) for name in CHANNEL_TOPICS}
        if tell(missed, worker, channels):
            self.missed.append(missed)

    async def _look_behind(self, generation: int) -> None:
        """After an empty fetch: where aiokafka's position is past what was delivered, read again or explain the gap."""
        for tp, progress in list(self.progress.items()):
            position = self._thread.position_of(tp)
            if position is None or position <= progress.delivered or self.generation != generation:
                continue
            if progress.rereads_of(position) < REREADS:
                await self._rewind(tp)
            else:
                await self._explain(tp, progress.delivered, position)
                progress.skip_to(position)
                self._note_progress()

    async def _rewind(self, tp: TP) -> None:
        """Seek a partition to the end of what was delivered."""
        progress = self.progress.get(tp)
        if progress is None:
            self._undelivered.add(tp)  # the flow has not been resumed
        else:
            self._undelivered.discard(tp)
            await self._thread.call_thread(self._thread.seek_to, tp, progress.delivered)

    async def perform_seek(self) -> None:
        """Seek every assigned partition to its group's offset. Faust calls this at the end of each rebalance.

        Delivery begins with resume_flow, not here: in between Faust empties the agents' queues
        (`FlowControlEvent.resume`), and a batch delivered before that would be waited for and never handled.
        """
        generation = self.generation
        changelogs = set(self.app.tables.changelog_topics)
        located = await self._thread.call_thread(self._thread.locate, changelogs)
        if generation == self.generation:
            self._located = {tp: Progress(offset, committed) for tp, (offset, committed) in located.items()}
            for tp, (offset, committed) in located.items():
                if committed is None and offset and tp not in self._begun:
                    self._miss(Missed(tp.topic, tp.partition, 0, offset, committed=False))
                self._begun.add(tp)

    def resume_flow(self) -> None:
        """Begin to deliver. Faust also calls this earlier in a rebalance, before perform_seek: then nothing begins."""
        if self._located:
            self.progress, self._located = self._located, {}
            self._note_progress()  # a log that begins past 0 has a first offset to commit
        super().resume_flow()

    async def seek(self, partition: TP, offset: int) -> None:
        """Read a partition from `offset`. Its batches in progress are forgotten, so their acks are never committed."""
        tp = driver_tp(partition)
        if await self._thread.call_thread(self._thread.seek_to, tp, offset) and tp in self.progress:
            self.progress[tp] = Progress(offset, self.progress[tp].committed)

    # -- acknowledging ----------------------------------------------------------------------------------------

    def ack(self, message: Any) -> bool:
        """Note that the agent is done with a message. An abandoned batch does not advance the offset to commit."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        batch, progress = message.value, self.progress.get(message.tp)
        # Faust also acks what it skips because it arrived late: such a message was never tracked.
        if progress is not None and message.tracked and not batch.abandoned:
            progress.ack(batch)
            self._note_progress()
        notify(self._waiting_for_ack)
        return True

    async def abandon(self, batch: RecordBatch) -> None:
        """Give a batch up without ack. After a rebalance the owner of its partition gets it again."""
        batch.abandoned = True
        if batch.generation == self.generation:  # else the rebalance has been
            await self.rejoin()

    async def rejoin(self) -> None:
        """Join the group again, which locates every partition and recovers every table anew."""
        await self._thread.call_thread(self._thread.request_rejoin)

    # -- committing -------------------------------------------------------------------------------------------

    def _note_progress(self) -> None:
        """Tell the commit policy that the acked offset may have grown."""
        self._commit_policy.acked(time.monotonic())
        self._to_commit.set()

    @Service.task  # type: ignore[untyped-decorator]
    async def _commit_handler(self) -> None:
        """Commit as `streams.kafka.commit_policy` says; Faust's own handler commits at fixed times."""
        while not self.should_stop:
            in_progress = any(progress.outstanding for progress in self.progress.values())
            wait = self._commit_policy.wait(time.monotonic(), in_progress)
            if wait is None:
                self._to_commit.clear()
                await self.wait(self._to_commit)
            elif wait > 0:
                await self.sleep(wait)
            elif not self._something_to_commit():
                self._commit_policy.settled()
            else:
                self._commit_policy.committing(time.monotonic())
                await self.commit()
                if self._something_to_commit():
                    self._note_progress()  # acked meanwhile, or refused because of a rebalance

    def _something_to_commit(self) -> bool:
        return any(progress.committable() is not None for progress in self.progress.values())

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in list(self.progress) if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        progress = self.progress.get(tp)
        return None if progress is None else progress.committable()

    def _should_commit(self, tp: TP, offset: int) -> bool:
        return True

    async def _handle_attached(self, commit_offsets: Mapping[TP, int]) -> None:
        """Nothing is attached to offsets: what a batch sends is acknowledged before the batch is acked."""

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        """Commit; without Faust's table of the offsets for a log that nobody reads, and its flush of a producer."""
        held = self.assignment()
        accounts = {tp: self.progress[tp] for tp in offsets if tp in held and tp in self.progress}
        if not accounts or not await self._commit({tp: offsets[tp] for tp in accounts}):
            return False
        for tp, progress in accounts.items():
            progress.committed = offsets[tp]
        return True

    async def wait_empty(self) -> None:
        """Wait for the batches in progress, then commit. Waits at most half of the rebalance timeout: the group would
        go on without a worker that takes all of it.

        A batch that takes longer keeps running after its partition is lost: the table refuses its changes
        (still_owner), and its ack does not count.
        """
        deadline = now() + self.app.conf.broker_rebalance_timeout / 2
        while not self.should_stop and self._unacked_messages and now() < deadline:
            self._waiting_for_ack = self.loop.create_future()
            await asyncio.wait([self._waiting_for_ack], timeout=ACK_WAIT)
            self._waiting_for_ack = None
            self._clean_unacked_messages()
        if self.app.crashed:
            return  # the consumer's thread has ended, too
        if self._unacked_messages:
            log.warning("%d batches are still in progress, and are given up", len(self._unacked_messages))
            self._unacked_messages.clear()
        await self.commit_and_end_transactions()

    # -- rebalancing ------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self.revoking_since = now()
        self.held = None
        await super().on_partitions_revoked(revoked)  # waits for the batches in progress, and commits them
        self._forget_progress()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self._forget_progress()
        self.generation += 1
        self._thread.heartbeat_at = now()
        self.revoking_since = None
        self.held = frozenset(assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    def _forget_progress(self) -> None:
        self.progress.clear()
        self._located.clear()
        self._undelivered.clear()

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Report empty changelogs, so that Faust recovers nothing: streams.kafka.changelog_table reads them itself."""
        return dict.fromkeys(partitions, 0)

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """See highwaters."""
        return dict.fromkeys(partitions, 0)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust's check for stuck partitions assumes single messages; see `lags`."""


class Transport(driver.Transport):  # type: ignore[misc]
    """aiokafka's transport with our consumer and producer."""

    Consumer = Consumer
    Producer = Producer


drivers.TRANSPORTS.aliases[SCHEME] = f"{__name__}:Transport"


def driver_tp(tp: Any) -> TP:
    """Faust's form of aiokafka's topic and partition."""
    return tp if isinstance(tp, TP) else TP(tp.topic, tp.partition)
