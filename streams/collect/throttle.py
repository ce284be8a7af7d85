"""How much a sender may send a second, and how much a collector holds at once. No clock of its own, no I/O."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

BURST_SECONDS = 5.0
"""So many seconds' worth may come at once after a pause."""


class Throttle:
    """A bucket that fills by `rate` a second (None: never empty). What is taken beyond it is owed: a request is let in
    whole, and the next one waits for what it took."""

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._level = 0.0 if rate is None else rate * BURST_SECONDS
        self._looked = clock()

    def wait(self) -> int:
        """Seconds, whole ones, after which more is let in; 0 for now."""
        if self._rate is None:
            return 0
        now = self._clock()
        self._level = min(self._rate * BURST_SECONDS, self._level + (now - self._looked) * self._rate)
        self._looked = now
        return 0 if self._level > 0 else max(1, math.ceil(-self._level / self._rate))

    def take(self, number: int) -> None:
        """Count that many requests."""
        if self._rate is not None:
            self._level -= number


class Full(Exception):
    """There is no room for more at the moment."""


class Room:
    """Bytes of requests that are held at once, at most: as they came, unzipped, and until Kafka has them."""

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0

    def take(self, number: int) -> None:
        """Raises Full where that would be too much; one request alone always fits."""
        if self.held and self.held + number > self.limit:
            raise Full
        self.held += number

    def release(self, number: int) -> None:
        """Give back what was taken."""
        self.held -= number
