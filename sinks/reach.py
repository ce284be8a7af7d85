"""Reports at a sink's start whether ClickHouse can be reached: a wrong address would otherwise show with the first
row."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from clickhouse_connect.driver.client import Client

from sinks.clickhouse.errors import in_short
from sinks.clickhouse.tables import TABLES
from sinks.clickhouse.writer import FIRST_PAUSE, LONGEST_PAUSE

log = logging.getLogger(__name__)


class Reach:
    """Looks for ClickHouse and its tables until it finds them. A service beside the sink's app, which need not wait:
    what cannot be stored yet stays in Kafka.

    connect: makes a client whose database has the tables; called in a thread.
    found: called with such a client once they are there, in a thread; what it raises is a reason to look again.
    pause: how it waits, asyncio.sleep; tests pass another.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        found: Callable[[Client], object] = lambda client: None,
    ) -> None:
        self._connect, self._pause, self._found = connect, pause, found
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._looking = asyncio.ensure_future(self.look())

    async def stop(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def look(self) -> None:
        """Return once ClickHouse and all tables are there. Logs why they are not, each time that the reason changes."""
        said, seconds = "", FIRST_PAUSE
        while (wrong := await asyncio.to_thread(self._wrong)) is not None:
            if wrong != said:
                log.error("nothing can be stored until this is mended, and Kafka keeps it: %s", wrong)
                said = wrong
            await self._pause(seconds)
            seconds = min(2 * seconds, LONGEST_PAUSE)
        if said:
            log.info("ClickHouse is there, with all tables")

    def _wrong(self) -> str | None:
        """A sentence that says why nothing can be stored; None if it can."""
        try:
            with contextlib.closing(self._connect()) as client:
                missing = [table.store for table in TABLES.values() if not client.command(f"EXISTS {table.store}")]
                if not missing:
                    self._found(client)
        except Exception as error:  # the sink goes on in any case, and reports the same error with its first rows
            return in_short(error)
        return f"ClickHouse has no table {missing[0]}: rihla migrate makes what is missing" if missing else None
