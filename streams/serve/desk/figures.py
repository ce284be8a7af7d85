"""Figures of the overview: the named queries of ClickHouse, asked at most once a minute for each span."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

from sinks.clickhouse.client import connect
from sinks.clickhouse.named import load
from streams.errors import RihlaError

KEPT = 60.0
"""Seconds for which an answer is given again."""
FEWEST = 5
"""Answers below which a score is not shown: it would rest on too little."""
SCORES = frozenset(("nps", "csat", "ces", "mean", "easy", "score", "margin", "negative_share"))
TIMEOUT = 20.0

QUERIES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "nps": ("nps", {}),
    "csat": ("csat", {}),
    "ces": ("ces", {}),
    "profiles": ("profiles", {}),
    "funnel": ("funnel", {}),
    "nps_by_unit": ("nps", {"by": "unit"}),
    "csat_by_unit": ("csat", {"by": "unit"}),
    "aspects_by_unit": ("aspects", {"by": "unit"}),
}
"""Figure: the named query, and its parameters besides the span."""
OF_ALL = frozenset(("nps", "csat", "ces", "profiles", "funnel"))
"""Figures that do not say of which unit they are: not for those who work for some units alone."""

log = logging.getLogger(__name__)

Ask = Callable[[str, Mapping[str, str]], list[dict[str, Any]]]
"""Given SQL and its parameters: the rows."""


class FiguresUnavailableError(RihlaError):
    """ClickHouse does not answer; the message says so to people."""


class Figures:
    """ask: called in a thread."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._read: dict[int, tuple[float, asyncio.Task[dict[str, Any]]]] = {}

    async def read(self, days: int, units: frozenset[str] | None) -> dict[str, Any]:
        """The figures of the last days; of some units, those alone. Raises FiguresUnavailableError."""
        now = time.monotonic()
        known = self._read.get(days)
        if known is None or now - known[0] > KEPT:
            self._read = {span: one for span, one in self._read.items() if now - one[0] <= KEPT}
            known = (now, asyncio.ensure_future(asyncio.to_thread(self._all, days)))
            self._read[days] = known
        try:
            told = await asyncio.shield(known[1])
        except (RihlaError, OSError) as error:
            self._read.pop(days, None)
            raise FiguresUnavailableError("ClickHouse does not answer now") from error
        return told if units is None else of_units(told, units)

    def _all(self, days: int) -> dict[str, Any]:
        since = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S")
        named, told = load(), dict[str, Any]()
        for figure, (name, parameters) in QUERIES.items():
            query = named[name]
            has = {parameter.name for parameter in query.parameters}
            given = {**parameters, **({"since": since} if "since" in has else {})}
            told[figure] = [supported(row) for row in self._ask(query.sql, query.bind(given))]
        for row in told["profiles"]:
            del row["spend"]  # by currency: no figure of this view
        return {"days": days, "at": datetime.now(UTC).isoformat(timespec="seconds"), "fewest": FEWEST, **told}


def supported(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without its score where that rests on too few answers; how many there are stays. Pure."""
    few = row.get("n", row.get("scored", FEWEST)) < FEWEST
    return {name: None if few and name in SCORES else value for name, value in row.items()}


def of_units(told: Mapping[str, Any], units: frozenset[str]) -> dict[str, Any]:
    """The figures of some units: rows of others, and what does not say whose it is, are left out. Pure."""
    kept: dict[str, Any] = {}
    for name, value in told.items():
        if name in OF_ALL:
            continue
        kept[name] = [row for row in value if row["segment"] in units] if name in QUERIES else value
    return kept


def from_clickhouse(where: Any, database: str) -> Ask:
    """Asks a server. where: its endpoint."""

    kept: list[Client] = []  # one for all: a connection asks several questions of its own before it is there

    def ask(sql: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        try:
            client = kept[0] if kept else connect(where, database, timeout=TIMEOUT)
            kept[:] = [client]
            return list(client.query(sql, parameters=dict(parameters)).named_results())
        except Exception as error:  # whatever it is, a person sees that there are no figures now
            kept.clear()
            log.warning("ClickHouse does not answer: %s", type(error).__name__)
            raise FiguresUnavailableError("ClickHouse does not answer now") from error

    return ask
