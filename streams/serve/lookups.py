"""Who looked at whom, and why: a record of cx.lookups for each customer that an answer showed."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from streams.clock import now_ms

WAITING = 10_000
"""Most look-ups that may wait for the broker. Beyond that nothing is shown, because it could not be recorded."""
EVERY = 0.2

log = logging.getLogger(__name__)


class Lookup(NamedTuple):
    """One look-up. asked: customer, batch, search, arrivals, figure, story or correction. reason: as given, or None."""

    bearer: str
    role: str
    asked: str
    customer_id: str
    reason: str | None


Row = tuple[str, int, str, str, str, str, str | None]
"""A row of lookup.avsc: id, time, and the fields of a Lookup."""


class Lookups:
    """Records look-ups in the background. send: returns once the rows are durable."""

    def __init__(self, send: Callable[[Sequence[Row]], Awaitable[None]]) -> None:
        self._send = send
        self._waiting: list[Row] = []
        self._task: asyncio.Task[None] | None = None

    def write(self, lookup: Lookup) -> bool:
        """Queue a look-up; False if too many are waiting already."""
        if len(self._waiting) >= WAITING:
            return False
        self._waiting.append((str(uuid.uuid4()), now_ms(), *lookup))
        return True

    async def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Write what is waiting, and stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._flush()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self._flush()

    async def _flush(self) -> None:
        while self._waiting:
            some = self._waiting[:1000]
            try:
                await self._send(some)
            except Exception as error:  # they wait until the broker accepts them
                log.warning("look-ups cannot be written down now: %s", error)
                return
            del self._waiting[: len(some)]
