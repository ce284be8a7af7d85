"""Figures of the overview: named queries of ClickHouse for a period and filters, and the customers behind them.

Each answer is cached for a minute, so that many viewers cost ClickHouse one query.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

from sinks.clickhouse.asking import Question, Statement
from sinks.clickhouse.client import connect
from sinks.clickhouse.conditions import Condition
from sinks.clickhouse.named import load
from sinks.clickhouse.segments import FILTERS, SEPARATOR
from streams.errors import RihlaError

KEPT = 60.0
"""Seconds for which an answer is cached."""
HELD = 640
"""Most answers in the cache."""
FEWEST = 5
"""Least number of survey answers with which a score is shown."""
SCORES = frozenset(
    ("nps", "csat", "ces", "mean", "easy", "score", "margin", "negative_share", "sentiment", "pain", "drop_off")
)
TIMEOUT = 30.0
AT_ONCE = 3
"""Most queries that run at the same time."""
IDLE = 4
"""Connections that are kept open."""
PEOPLE = ("segment", "group")
"""Filters by who the customers are: segments of the model and groups, of those figures that are of interactions."""
MOST_PEOPLE = 100
"""Most customers behind a figure that are listed."""

QUERIES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "nps": ("nps", {}),
    "csat": ("csat", {}),
    "ces": ("ces", {}),
    "profiles": ("profile_change", {}),
    "map": ("journey_map", {"by": "stage"}),
    "funnel": ("funnel", {}),
    "nps_by_unit": ("nps", {"by": "unit"}),
    "csat_by_unit": ("csat", {"by": "unit"}),
    "aspects_by_unit": ("aspects", {"by": "unit"}),
    "places": ("places", {}),
    "targets": ("targets", {"periods": "2"}),
    "drivers": ("drivers", {}),
    "effects": ("action_effects", {}),
    "anomalies": ("anomalies", {"alarms": "0"}),
}
"""For each figure the named query, and its parameters besides period and filters."""
BEHIND: Mapping[str, tuple[str, ...]] = {
    "people": ("instrument", "low", "high", "aspect", "mood", "profile"),
    "profile_change": ("from_profile", "to_profile"),
}
"""For each query that lists the customers behind a figure, the parameters that a mark of a chart gives."""

log = logging.getLogger(__name__)

Ask = Callable[[str, Mapping[str, str]], list[dict[str, Any]]]
"""Given SQL and its parameters: the rows."""


class FiguresUnavailableError(RihlaError):
    """ClickHouse does not answer; the message says so to people."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The scope of figures: the last days, or the days from `since` up to `until`, and filters: names of
    sinks.clickhouse.segments.FILTERS and of PEOPLE with their values."""

    days: int = 90
    since: date | None = None
    until: date | None = None
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def held_to(self, name: str, values: tuple[str, ...]) -> Asked:
        """The same scope with a filter added or replaced."""
        kept = tuple(one for one in self.filters if one[0] != name)
        return Asked(self.days, self.since, self.until, (*kept, (name, values)))

    def span(self, now: datetime, last: datetime | None) -> tuple[datetime, datetime]:
        """The start (inclusive) and the end (exclusive) of the period. Pure.

        now, last: the clock, and the time of the last interaction; if the last days have none, the days before it are
        used.
        """
        if self.since is not None and self.until is not None:
            start = datetime.combine(self.since, datetime.min.time(), UTC)
            return start, datetime.combine(self.until, datetime.min.time(), UTC) + timedelta(days=1)
        span = timedelta(days=self.days)
        end = now if last is None or last >= now - span else last + timedelta(milliseconds=1)
        return end - span, end


class Figures:
    """ask: called in a thread. now: the clock."""

    def __init__(self, ask: Ask, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._ask, self._now = ask, now
        self._read: dict[Any, tuple[float, asyncio.Task[Any]]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def read(self, asked: Asked) -> dict[str, Any]:
        """All figures. Raises FiguresUnavailableError."""
        last, choices = await self._known()
        now = self._now()
        since, until = asked.span(now, last)
        rows = await asyncio.gather(
            *(self._figure(name, parameters, asked, last) for name, parameters in QUERIES.values())
        )
        return {
            "days": asked.days,
            "at": now.isoformat(timespec="seconds"),
            "since": since.isoformat(timespec="seconds"),
            "until": until.isoformat(timespec="seconds"),
            "is_past": asked.since is None and until < now,
            "fewest": FEWEST,
            "choices": choices,
            **{figure: [supported(row) for row in found] for figure, found in zip(QUERIES, rows, strict=True)},
        }

    async def _figure(
        self, name: str, parameters: Mapping[str, str], asked: Asked | None, last: datetime | None
    ) -> list[dict[str, Any]]:
        """The rows of a query, through the cache; a slow query does not delay the others."""
        async with self._turns:
            found: list[dict[str, Any]] = await self._once(
                (asked, name, *parameters.items()), lambda: self._rows(name, parameters, asked, last)
            )
        return found

    async def people(self, asked: Asked, behind: Mapping[str, str]) -> list[dict[str, Any]]:
        """The customers behind a figure. behind: parameters of one of BEHIND. Raises FiguresUnavailableError."""
        last, _ = await self._known()
        name, given = _who(behind)
        key = (asked, name, *sorted(behind.items()))
        found: list[dict[str, Any]] = await self._once(key, lambda: self._rows(name, given, asked, last))
        return found

    async def definition(self, figure: str, asked: Asked) -> dict[str, Any]:
        """The definition of a figure: its query, and the parameters' values. Raises FiguresUnavailableError."""
        last, _ = await self._known()
        name, parameters = QUERIES[figure]
        question = self._question(name, parameters, asked, last)
        return described(question.statement(), [str(one) for one in question.conditions])

    async def rows(self, name: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        """The rows of any other named query, through the cache. Raises FiguresUnavailableError."""
        return await self._figure(name, parameters, None, None)

    async def end(self) -> tuple[datetime, bool]:
        """Where the last 90 days end: now, or, where nothing was heard in them, just after what was heard last; and
        whether that is in the past. Raises FiguresUnavailableError."""
        last, _ = await self._known()
        now = self._now()
        _, until = Asked().span(now, last)
        return until, until < now

    async def _known(self) -> tuple[datetime | None, dict[str, list[str]]]:
        """When the last interaction was, and the values that the filters can have."""
        rows = await self._once("choices", lambda: self._rows("choices", {}, None, None))
        last = next((_utc(row["last_at"]) for row in rows if row["filter"] == "all"), None)
        names = ("unit", "brand", "country", "medium", *PEOPLE)
        return last, {name: sorted(row["value"] for row in rows if row["filter"] == name) for name in names}

    async def _once(self, key: Any, work: Callable[[], Any]) -> Any:
        now = time.monotonic()
        known = self._read.get(key)
        if known is None or now - known[0] > KEPT:
            kept = {name: one for name, one in self._read.items() if now - one[0] <= KEPT}
            self._read = dict(sorted(kept.items(), key=lambda one: one[1][0])[-HELD:])
            known = (now, asyncio.ensure_future(asyncio.to_thread(work)))
            self._read[key] = known
        try:
            return await asyncio.shield(known[1])
        except (RihlaError, OSError) as error:
            self._read.pop(key, None)
            raise FiguresUnavailableError("ClickHouse does not answer now") from error

    def _question(
        self, name: str, parameters: Mapping[str, str], asked: Asked | None, last: datetime | None
    ) -> Question:
        query = load()[name]
        if asked is None:
            return Question(name, parameters)
        since, until = asked.span(self._now(), last)
        scope = {"since": moment(since), "until": moment(until)}
        scope |= {filter_: SEPARATOR.join(values) for filter_, values in asked.filters if filter_ not in PEOPLE}
        known = {one.name for one in query.parameters}  # targets, say, are of a unit, and of no country
        given = {**parameters, **{name: value for name, value in scope.items() if name in known}}
        of_people = [Condition(filter_, "=", values) for filter_, values in asked.filters if filter_ in PEOPLE]
        return Question(name, given, of_people if query.has("{fits}") else ())

    def _rows(
        self, name: str, parameters: Mapping[str, str], asked: Asked | None, last: datetime | None
    ) -> list[dict[str, Any]]:
        statement = self._question(name, parameters, asked, last).statement()
        return self._ask(statement.sql, statement.parameters)


def _who(behind: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The query that names customers, and its parameters."""
    if set(behind) & set(BEHIND["profile_change"]):
        return "profile_change", {**behind, "by": "customer", "limit": str(MOST_PEOPLE)}
    return "people", {**behind, "limit": str(MOST_PEOPLE)}


def described(statement: Statement, where: Sequence[str] = ()) -> dict[str, Any]:
    """A query for display: its description, columns, text, parameters and conditions. Pure."""
    query, given = statement.query, statement.parameters
    defaults = {one.name: one.default for one in query.parameters}
    changed = {name: given[name] for name, default in defaults.items() if given[name] != default}
    return {
        "query": query.name,
        "title": query.title,
        "doc": query.doc,
        "columns": [{"name": name, "about": about} for name, about in query.columns],
        "parameters": {name: value.replace(SEPARATOR, " | ") for name, value in changed.items()},
        "where": list(where),
        "sql": statement.sql,
    }


def supported(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without its score if that rests on too few answers; their number stays. Pure."""
    few = row.get("n", row.get("scored", FEWEST)) < FEWEST
    return {name: None if few and name in SCORES else value for name, value in row.items()}


def filters_of(given: Mapping[str, list[str]], units: frozenset[str] | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The filters of a request. units: those of the bearer, to which everything is restricted; None: all units. Pure.

    Raises ValueError for a unit that is not one of these, and for a value that no name has.
    """
    found = {name: tuple(value for value in given.get(name, []) if value) for name in (*FILTERS, *PEOPLE)}
    if any(SEPARATOR in value or len(value) > 200 for values in found.values() for value in values):
        raise ValueError("this is no name")
    if units is not None:
        if not units.issuperset(found["unit"]):
            raise ValueError("this unit is not one of yours")
        found["unit"] = found["unit"] or tuple(sorted(units))
    return tuple((name, values) for name, values in found.items() if values)


def moment(at: datetime) -> str:
    """A time as ClickHouse reads it. Pure."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def from_clickhouse(where: Any, database: str) -> Ask:
    """Asks a server. where: its endpoint."""

    idle: list[Client] = []  # a connection asks several questions of its own before it is there

    def ask(sql: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        try:
            client = idle.pop() if idle else connect(where, database, timeout=TIMEOUT)
            rows = list(client.query(sql, parameters=dict(parameters)).named_results())
        except Exception as error:  # after any error a person sees that there are no figures now
            log.warning("ClickHouse does not answer: %s", type(error).__name__)
            raise FiguresUnavailableError("ClickHouse does not answer now") from error
        if len(idle) < IDLE:
            idle.append(client)
        return rows

    return ask
