"""The queries that clients have named by query_id, so that they can stop them: KILL QUERY WHERE query_id = 'ID'.

chDB gives statements ids of its own, and KILL QUERY would look for those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from streams.embedded.clickhouse.engine_error import refusal
from streams.embedded.clickhouse.statements import first_words

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
    """Which statements run under which id. Of one event loop."""

    def __init__(self) -> None:
        self._named: dict[str, dict[str, str]] = {}

    @contextmanager
    def during(self, named: str, user: str, mark: str) -> Iterator[None]:
        """A statement runs. named: by its client; empty: nobody can ask for it. mark: by which the engine stops it."""
        if not named:
            yield
            return
        marks = self._named.setdefault(named, {})
        marks[mark] = user
        try:
            yield
        finally:
            del marks[mark]
            if not marks and self._named.get(named) is marks:
                del self._named[named]

    def of(self, named: str, user: str | None) -> dict[str, str]:
        """Mark: user of the statements that run under an id. user: only this one's; None: everybody's."""
        return {mark: who for mark, who in self._named.get(named, {}).items() if user in (None, who)}
