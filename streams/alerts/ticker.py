"""Fires the timers of the partitions that a worker holds; looks every second which are due.

Only the states say which of them has a timer. After a recovery they are read in slices between messages, which have
priority. Until a state is read, or a message reaches it, its alert is late.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any

from streams.alerts.index import Index
from streams.alerts.watch import Watch
from streams.clock import now_ms
from streams.kafka.changelog_table import BatchTable
from streams.kafka.ownership import OwnershipLost
from streams.kafka.progress import lags
from streams.worker.sift import is_of_record

EVERY = 1.0
"""Seconds between checks: a timer is at most this late while its worker is up and has read everything."""
AT_ONCE = 200
"""Customers in one turn of timers: bounds how long it holds up the messages."""
REBUILT_AFTER = 5.0
"""Seconds without a restored event after which state counts as rebuilt. Restored events come in no order of time, so
until then one that stops a timer may still follow."""
SLICE = 0.003
"""Seconds that a slice takes: a message may have to wait for as long."""
PAUSE, PAUSE_WHEN_BUSY = 0.003, 0.027
"""Seconds between slices: they take half of the time while no messages are handled, a tenth of it otherwise."""

Fire = Callable[[int, list[bytes], int], Awaitable[None]]
"""Given a partition, keys that are due, and the time until which: raises, stores and publishes their alerts."""

Unreadable = Callable[[BaseException], None]

log = logging.getLogger(__name__)


class Ticker:
    """The timers of a worker.

    topics: full names of what the worker reads; a partition is caught up when it has read all of them to their end.
    anything: False where there is no rule, and so no alert: states are then not read. busy: whether messages are being
    handled. unreadable: called with the error of a state that cannot be read; it has no timer.
    watch_of: what an encoded state remembers of its alerts.
    """

    def __init__(
        self,
        app: Any,
        table: BatchTable,
        topics: Iterable[str],
        fire: Fire,
        unreadable: Unreadable,
        watch_of: Callable[[bytes], Watch | None],
        anything: bool = True,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app, self._table, self._fire, self._anything, self._busy = app, table, fire, anything, busy
        self._unreadable, self._watch_of = unreadable, watch_of
        self._topics = tuple(topics)
        self._indexes: dict[int, tuple[object, Index]] = {}
        self._looking: asyncio.Future[None] | None = None
        self._newest: dict[int, int] = {}
        self._restored_at: float | None = None

    def note(
        self, partition: int, due: Mapping[bytes, int], opened: Mapping[bytes, tuple[tuple[str, str], ...]]
    ) -> None:
        """Take in what a batch has changed: due times and open alerts, by key."""
        self._index(partition).tell(due, opened)

    def look_again(self, partition: int, keys: Iterable[bytes]) -> None:
        """Read the timers of some states again: their last turn may not have been published."""
        if partition in self._indexes:
            self._indexes[partition][1].look_again(keys)

    def read(self, partition: int, newest: int) -> None:
        """Note the time of the newest event (epoch ms) of a batch."""
        if newest > self._newest.get(partition, 0):
            self._newest[partition] = newest

    def restoring(self) -> None:
        """Note that restored events have come: for a while no timer fires."""
        self._restored_at = time.monotonic()

    async def tick(self) -> None:
        """Fire what is due in the partitions held; errors are handled as in streams.worker.batching."""
        try:
            for partition in [one for one in self._indexes if self._table.reading(one) is None]:
                del self._indexes[partition]
            for partition in sorted(self._table.partitions_held):
                index, until = self._index(partition), self._clock(partition)
                while keys := index.timers.take(until, AT_ONCE):
                    try:
                        await self._fire(partition, keys, until)
                    except BaseException:
                        index.look_again(keys)
                        raise
            if self._looking is None or self._looking.done():
                self._looking = self._app.add_future(self._look())
        except OwnershipLost as exc:
            log.warning("timers wait for their partitions: %s", exc)
            await self._app.consumer.rejoin()
        except Exception as exc:
            await self._app.crash(exc)

    def _index(self, partition: int) -> Index:
        """The index of a partition; a new one if states have come that the old one does not know."""
        read = self._table.reading(partition)
        known = self._indexes.get(partition)
        if known is None or known[0] is not read:
            known = self._indexes[partition] = (read, Index(self._table.keys(partition) if self._anything else []))
        return known[1]

    async def _look(self) -> None:
        """Read the states of the partitions held, a slice at a time, until all have been read."""
        began, count = time.monotonic(), 0
        try:
            while (partition := self._incomplete()) is not None:
                index = self._index(partition)
                index.read(partial(self._table.get, partition), SLICE, self._watch)
                if index.complete:
                    count += self._table.count(partition)
                await asyncio.sleep(PAUSE_WHEN_BUSY if self._busy() else PAUSE)
            if count:
                log.info("timers of %d states are known, after %.1f s", count, time.monotonic() - began)
        except OwnershipLost as exc:
            log.info("the look at timers is broken off: %s", exc)  # the next tick begins it again
        except Exception as exc:
            await self._app.crash(exc)

    def _incomplete(self) -> int | None:
        """A partition whose states have not all been looked at."""
        held = sorted(self._table.partitions_held)
        return next((partition for partition in held if not self._index(partition).complete), None)

    def _watch(self, state: bytes) -> Watch | None:
        try:
            return self._watch_of(state)
        except Exception as error:
            if not is_of_record(error):
                raise
            self._unreadable(error)
            return None

    @property
    def pending(self) -> int:
        """How many customers have a timer running, as far as it is known."""
        return sum(len(index.timers) for index in self._of_held())

    @property
    def open_alerts(self) -> Counter[tuple[str, str]]:
        """How many alerts are open in the partitions held, as far as it is known, by (rule, severity)."""
        return sum((index.opened.count for index in self._of_held()), Counter())

    def _of_held(self) -> list[Index]:
        held = self._table.partitions_held
        return [index for partition, (_, index) in self._indexes.items() if partition in held]

    def _clock(self, partition: int) -> int:
        """The clock of a partition's timers, epoch ms (see streams.alerts.timers)."""
        if self._restored_at is not None and time.monotonic() - self._restored_at < REBUILT_AFTER:
            return 0
        behind = lags(self._app)
        if all(behind.get((topic, partition)) == 0 for topic in self._topics):
            return now_ms()
        return min(now_ms(), self._newest.get(partition, 0))
