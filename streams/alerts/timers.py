"""When each customer's next alert is due: an index beside the table, built from the states after a rebalance.

A timer fires by the **clock** of its partition. That is the worker's own clock while it has read all records of the
partition. While it catches up (after a pause, or while a history is loaded), it is the time of the newest event read,
because an event that would have stopped a timer in time may still follow. While state is rebuilt from ClickHouse, no
timer fires.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from streams.alerts.watch import Watch


def due_of(watch: Watch | None) -> int:
    """When a watch's next timer is due, epoch ms; 0: none. At once (1) where an alert may be unpublished."""
    if watch is None:
        return 0
    return 1 if watch.fired else watch.due


class Timers:
    """Keys by due time, of one partition."""

    def __init__(self) -> None:
        self._due: dict[bytes, int] = {}
        self._queue: list[tuple[int, bytes]] = []

    def __len__(self) -> int:
        return len(self._due)

    def update(self, due: Mapping[bytes, int]) -> None:
        """Set due times (epoch ms); 0 takes a key out."""
        for key, at in due.items():
            if not at:
                self._due.pop(key, None)
            elif self._due.get(key) != at:
                self._due[key] = at
                heapq.heappush(self._queue, (at, key))

    def take(self, until: int, most: int) -> list[bytes]:
        """Take out at most `most` keys that are due by `until`, the earliest first."""
        taken: list[bytes] = []
        while self._queue and self._queue[0][0] <= until and len(taken) < most:
            at, key = heapq.heappop(self._queue)
            if self._due.get(key) == at:  # otherwise it was set to another time, or taken out, since
                del self._due[key]
                taken.append(key)
        return taken
