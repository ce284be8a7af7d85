"""How much a sender may send a second, and how much a collector holds at once. No clock of its own, no I/O."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

BURST_SECONDS = 5.0
"""After a pause, as many requests as this many seconds allow may come at once."""


class Throttle:
    """A token bucket that fills by `rate` a second (None: never empty). Its level may become negative: a request is
    admitted whole, and the next one waits until the deficit is made up."""

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._level = 0.0 if rate is None else rate * BURST_SECONDS
        self._looked = clock()

    def wait(self) -> int:
        """Whole seconds until more is admitted; 0: now."""
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
    """Limits the bytes of requests in memory: as received, unzipped, and until Kafka has acknowledged them.

    One sender may have at most half, so that it cannot keep out the others.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0
        self._of: dict[str, int] = {}

    def take(self, number: int, sender: str) -> None:
        """Raises Full if that would exceed the limit; a request on its own always fits."""
        own = self._of.get(sender, 0)
        if (self.held and self.held + number > self.limit) or (own and own + number > self.limit // 2):
            raise Full
        self.held += number
        self._of[sender] = own + number

    def release(self, number: int, sender: str) -> None:
        """Give back what was taken."""
        self.held -= number
        self._of[sender] -= number
        if not self._of[sender]:
            del self._of[sender]


class Unknown:
    """A request whose sender is not known yet. give_way: called when another request needs its place."""

    def __init__(self, address: str, give_way: Callable[[], None]) -> None:
        self.address, self.give_way, self.held = address, give_way, 0


class Lobby:
    """Limits the bytes of signed requests, whose sender is not known before they are complete, to `limit` in all.

    A slow sender makes nobody wait, and a large one makes nobody be refused: the address that holds most gives way,
    with its oldest request first.
    """

    def __init__(self, limit: int) -> None:
        """limit: bytes; larger than the largest request."""
        self.limit, self.held = limit, 0
        self._inside: dict[Unknown, None] = {}  # by age
        self._of: dict[str, int] = {}

    def take(self, one: Unknown, number: int) -> None:
        """Raises Full for one that has given way itself, or would have to."""
        if one.held and one not in self._inside:
            raise Full
        while self.held + number > self.limit:
            most = max(self._of, key=self._of.__getitem__, default=one.address)
            oldest = next((other for other in self._inside if other.address == most), one)
            self.leave(oldest)
            oldest.give_way()
            if oldest is one:
                raise Full
        self._inside[one] = None
        one.held += number
        self.held += number
        self._of[one.address] = self._of.get(one.address, 0) + number

    def leave(self, one: Unknown) -> None:
        """Give back what it has. Idempotent."""
        if one not in self._inside:
            return
        del self._inside[one]
        self.held -= one.held
        self._of[one.address] -= one.held
        if not self._of[one.address]:
            del self._of[one.address]
