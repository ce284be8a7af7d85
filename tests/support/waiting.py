"""Waiting for a condition, in tests and benchmarks: with patience that no load exhausts.

What never comes true has to fail in the end, and what comes late on a busy machine must not. So the patience of `until`
and `wait_until` is counted in seconds of a machine that has time: while twice as many processes want to run as there
are cores, two seconds count as one. Limits that only a clock can hold (a child process, a request) are HUNG.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

POLL = 0.05  # seconds between looks at a condition
PATIENCE = 120.0  # seconds of a machine that has time
HUNG = 1800.0  # seconds: for what takes a few; at a hundredth of the usual speed it would still be in time


def slowdown() -> float:
    """How many processes want to run for each core, as the kernel counts them over a minute; at least 1."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


class Patience:
    """Seconds of a machine that has time, of which there are only so many.

    clock, load: for tests of this class.
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic, load: Callable[[], float] = slowdown
    ) -> None:
        self._seconds, self._clock, self._load = seconds, clock, load
        self._spent, self._last = 0.0, clock()

    def look(self) -> bool:
        """Count the time since the last look; whether any is left."""
        now = self._clock()
        self._spent += (now - self._last) / self._load()
        self._last = now
        return self._spent <= self._seconds

    def error(self, condition: Callable[[], Any], what: str) -> AssertionError:
        """What to raise when none is left."""
        awaited = what or getattr(condition, "__doc__", None) or condition
        return AssertionError(f"not within {self._seconds:.0f} s (those of a busy machine count less): {awaited}")


def wait_until(condition: Callable[[], Any], seconds: float = PATIENCE, what: str = "") -> Any:
    """Wait until `condition` returns something true, and return that; fail after `seconds` of Patience."""
    patience = Patience(seconds)
    while True:
        found = condition()
        if found:
            return found
        if not patience.look():
            raise patience.error(condition, what)
        time.sleep(POLL)


async def until(condition: Callable[[], Any], seconds: float = PATIENCE, what: str = "") -> Any:
    """wait_until for a test that is a coroutine; `condition` may be one, too."""
    patience = Patience(seconds)
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        if not patience.look():
            raise patience.error(condition, what)
        await asyncio.sleep(POLL)
