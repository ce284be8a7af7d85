"""The queries that clients have named by query_id, so that they can stop them: KILL QUERY WHERE query_id = 'ID'.

chDB gives statements ids of its own, and KILL QUERY would look for those.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

from streams.embedded.clickhouse.engine import Engine, Stoppable
from streams.embedded.clickhouse.engine_error import refusal
from streams.embedded.clickhouse.statements import first_words

ASK_AGAIN = 0.2
"""Seconds until the engine is asked again to stop a statement that has not ended."""

WAIT = 2.0
"""Seconds that who stops a statement waits for its end at most."""

_KILL = re.compile(
    rb"\s*KILL\s+QUERY\s+(?:ON\s+CLUSTER\s+\S+\s+)?WHERE\s+query_id\s*=\s*'([^'\\]*)'\s*(?:SYNC|ASYNC)?\s*;?\s*",
    re.IGNORECASE,
)


def killed(text: bytes) -> str | None:
    """The id of the query that a statement wants to be stopped; None for any other statement.

    Raises EngineError for KILL QUERY with another condition: the engine knows neither ids nor users of HTTP, so that it
    would find nothing.
    """
    if first_words(text, 2) != [b"KILL", b"QUERY"]:
        return None
    if (found := _KILL.fullmatch(text)) is None:
        raise refusal(48, "NOT_IMPLEMENTED", "KILL QUERY stops a query by its client's id: WHERE query_id = 'ID'")
    return found.group(1).decode(errors="replace")


class RunningQueries:
    """Which statements run under which id, and how they are stopped. Of one event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._named: dict[str, dict[Stoppable, str]] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    @contextmanager
    def during(self, named: str, user: str, statement: Stoppable) -> Iterator[None]:
        """A statement runs. named: by its client; empty: nobody can ask for it. One whose client goes is stopped."""
        statements = self._named.setdefault(named, {}) if named else {}
        statements[statement] = user
        try:
            yield
        except asyncio.CancelledError:
            self._stop(statement)
            raise
        finally:
            del statements[statement]
            if not statements and self._named.get(named) is statements:
                del self._named[named]

    async def stop(self, named: str, user: str | None) -> list[str]:
        """Stop the statements that run under an id, and return whose they are. user: only this one's; None: all.

        Returns when each has ended or will not begin, or after WAIT: its client may be slow to take what it sent.
        """
        found = {self._stop(each): who for each, who in self._named.get(named, {}).items() if user in (None, who)}
        if found:
            await asyncio.wait(found, timeout=WAIT)
        return list(found.values())

    def _stop(self, statement: Stoppable) -> asyncio.Task[None]:
        async def until_it_ends() -> None:
            while True:
                if not await asyncio.to_thread(self._engine.kill, statement):
                    return
                await asyncio.sleep(ASK_AGAIN)

        task = asyncio.create_task(until_it_ends())
        self._stopping.add(task)  # asyncio itself keeps only a weak reference
        task.add_done_callback(self._stopping.discard)
        return task
