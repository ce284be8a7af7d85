"""Has customer and journey resolved in ClickHouse soon after each insert (sinks.clickhouse.resolved): a service beside
the sink's app, in the one worker that has the first partition of interactions.

That one may be of an earlier release, which makes no passes, while workers are upgraded. So the others look now and
then, too, and make passes where nobody else does. Two that make passes at once do no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from clickhouse_connect.driver.client import Client

from sinks.clickhouse.errors import in_short
from sinks.clickhouse.resolved import Mark, Resolver
from streams import metrics

TOPICS = ("interactions", "identities", "journeys")
"""Topics whose rows leave marks."""
SOON = 0.5
"""Seconds from an insert to the pass that resolves it, where nothing else is to do."""
LOOK = 5.0
"""Seconds after which marks of other workers' inserts are looked for."""
LEFT_LYING = 20.0
"""Seconds between two looks of a worker that has not the first partition; it makes passes if both see the same mark."""
SHARE = 10
"""So many times what the last pass took lie between it and the next: passes are an eleventh of the time, at most."""
LONGEST = 60.0
"""Seconds between two passes at most, however long the last one took."""

log = logging.getLogger(__name__)


class Resolving:
    """Makes passes while this worker is the one that should.

    connect: makes a client on the database; called in a thread. is_mine: whether this worker is the one.
    """

    def __init__(self, connect: Callable[[], Client], database: str, is_mine: Callable[[], bool]) -> None:
        self._connect, self._database, self._is_mine = connect, database, is_mine
        self._stored = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._looked = -LEFT_LYING
        self._seen: Mark | None = None
        """The first mark at the last look, while this worker was not the one."""

    def stored(self, topic: str) -> None:
        """Tell that rows of a topic were stored."""
        if topic in TOPICS:
            self._stored.set()

    async def start(self) -> None:
        """Begin to work."""
        self._working = asyncio.ensure_future(self._work())

    async def stop(self) -> None:
        """Stop. A pass under way is finished first: it is in a thread, and takes seconds."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)

    async def _work(self) -> None:
        said = ""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stored.wait(), LOOK)
            self._stored.clear()
            await asyncio.sleep(SOON)
            began = time.monotonic()
            if not self._is_mine():
                if began - self._looked < LEFT_LYING:
                    continue
                self._looked = began
            try:
                await asyncio.shield(asyncio.to_thread(self._settle))
                said = ""
            except Exception as error:  # the marks are there still; without ClickHouse nothing else is stored either
                why = in_short(error)
                (log.debug if why == said else log.warning)("customers and journeys wait to be resolved: %s", why)
                said = why
            took = time.monotonic() - began
            await asyncio.sleep(min(SHARE * took, LONGEST))

    def _settle(self) -> None:
        with contextlib.closing(self._connect()) as client:
            resolver = Resolver(client, self._database)
            if not (is_mine := self._is_mine()):
                before, self._seen = self._seen, resolver.first_mark()
                if self._seen is None or self._seen != before:
                    return
            began = time.perf_counter()
            # It stops when partitions move and with them whose work this is: the next round asks again.
            while (marks := resolver.marks()) and self._is_mine() == is_mine:
                metrics.SINK_UNRESOLVED.set(marks)
                metrics.SINK_ROWS_RESOLVED.inc(resolver.one_pass())
                metrics.SINK_RESOLVE_SECONDS.observe(time.perf_counter() - began)
                began = time.perf_counter()
            metrics.SINK_UNRESOLVED.set(marks)
