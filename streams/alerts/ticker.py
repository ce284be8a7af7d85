"""Looks at the timers of the partitions that a worker holds, every second, and has those fire that are due."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from streams.alerts.tally import OpenAlerts, open_of
from streams.alerts.timers import Timers, due_of, watch_of
from streams.clock import now_ms
from streams.table import BatchTable
from streams.transport import OwnershipLost, lags

EVERY = 1.0
"""Seconds between looks: the most by which a timer is late while its worker is up and has read everything."""
AT_ONCE = 200
"""Customers in one turn of timers: bounds how long it holds up the messages."""
REBUILT_AFTER = 5.0
"""Seconds without a restored event after which state counts as rebuilt: they come in no order of time, so that until
then what stops a timer may be among those to come."""
_CHUNK = 5000

Fire = Callable[[int, list[bytes], int], Awaitable[None]]
"""Given a partition, keys that are due, and the time until which: raises, stores and publishes their alerts."""

log = logging.getLogger(__name__)


class Ticker:
    """The timers of a worker.

    topics: full names of what the worker reads; a partition is caught up when it has read all of them to their end.
    """

    def __init__(self, app: Any, table: BatchTable, topics: Iterable[str], fire: Fire) -> None:
        self._app, self._table, self._fire = app, table, fire
        self._topics = tuple(topics)
        self._timers: dict[int, Timers] = {}
        self._open: dict[int, OpenAlerts] = {}
        self._built: dict[int, int] = {}
        self._newest: dict[int, int] = {}
        self._restored_at: float | None = None

    def note(
        self, partition: int, due: Mapping[bytes, int], opened: Mapping[bytes, tuple[tuple[str, str], ...]]
    ) -> None:
        """Take in what a batch has changed: due times and open alerts, by key."""
        self._timers.setdefault(partition, Timers()).update(due)
        self._open.setdefault(partition, OpenAlerts()).update(opened)

    def read(self, partition: int, newest: int) -> None:
        """Take note of the time of the newest event (epoch ms) of a batch."""
        if newest > self._newest.get(partition, 0):
            self._newest[partition] = newest

    def restoring(self) -> None:
        """Take note that restored events have come: no timer goes off for a while."""
        self._restored_at = time.monotonic()

    async def tick(self) -> None:
        """Fire what is due in the partitions held; whatever goes wrong ends as in streams.gather."""
        try:
            generation = self._app.consumer_generation_id
            held = self._table.partitions_held
            for partition in self._timers.keys() - held:
                del self._timers[partition]
                self._open.pop(partition, None)
                self._built.pop(partition, None)
            for partition in sorted(held):
                if self._built.get(partition) != generation:
                    await self._build(partition)
                    self._built[partition] = generation
                until = self._clock(partition)
                while keys := self._timers[partition].take(until, AT_ONCE):
                    await self._fire(partition, keys, until)
        except OwnershipLost as exc:
            log.warning("timers wait for their partitions: %s", exc)
            self._built.clear()
            await self._app.consumer.rejoin()
        except Exception as exc:
            await self._app.crash(exc)

    async def _build(self, partition: int) -> None:
        """Make the index of a partition that has come, or come back, to this worker."""
        timers, opened = self._timers.setdefault(partition, Timers()), OpenAlerts()
        self._open[partition] = opened
        keys = [key for key, _ in self._table.items(partition)]
        for at in range(0, len(keys), _CHUNK):
            chunk = ((key, self._table.get(partition, key)) for key in keys[at : at + _CHUNK])
            watches = {key: watch_of(state) for key, state in chunk if state is not None}
            timers.update({key: due for key, watch in watches.items() if (due := due_of(watch))})
            opened.update({key: open_of(watch) for key, watch in watches.items()})
            await asyncio.sleep(0)  # messages go on meanwhile

    @property
    def pending(self) -> int:
        """How many customers have a timer running."""
        return sum(map(len, self._timers.values()))

    @property
    def open_alerts(self) -> Counter[tuple[str, str]]:
        """How many alerts are open in the partitions held, by (rule, severity)."""
        return sum((opened.count for opened in self._open.values()), Counter())

    def _clock(self, partition: int) -> int:
        """The time by which timers of a partition go (see streams.alerts.timers)."""
        if self._restored_at is not None and time.monotonic() - self._restored_at < REBUILT_AFTER:
            return 0
        behind = lags(self._app)
        if all(behind.get((topic, partition)) == 0 for topic in self._topics):
            return now_ms()
        return min(now_ms(), self._newest.get(partition, 0))
