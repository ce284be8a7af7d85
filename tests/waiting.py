"""Waiting for a condition, in tests and benchmarks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

POLL = 0.05  # seconds between looks at a condition
PATIENCE = 120.0  # seconds: what never comes true takes so long to fail, what comes late on a busy machine does not


def wait_until(condition: Callable[[], Any], seconds: float = PATIENCE, what: str = "") -> Any:
    """Wait until `condition` returns something true, and return that; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {seconds:.0f} s: {what or getattr(condition, '__doc__', None) or condition}"
            )
        time.sleep(POLL)


async def until(condition: Callable[[], Any], seconds: float = PATIENCE, what: str = "") -> Any:
    """wait_until for a test that is a coroutine; `condition` may be one, too."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {seconds:.0f} s: {what or getattr(condition, '__doc__', None) or condition}"
            )
        await asyncio.sleep(POLL)
