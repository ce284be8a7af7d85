"""What a report says, out of the rows of named queries. Pure: who asks ClickHouse is passed in."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streams.report.period import Period

Rows = list[dict[str, Any]]
Ask = Callable[[str, Mapping[str, str]], Rows]
"""Given the name of a query and its parameters: the rows."""

FEWEST = 5
"""Answers below which no score is said: it would rest on too little."""
SCORES = ("nps", "csat", "ces")
ASPECTS = 8
CALLS = 10


@dataclass(frozen=True, slots=True)
class Change:
    """A score now and in the period before. margin: of each, at 95 %; null where there is none to say."""

    name: str
    n: int
    now: float | None
    margin: float | None
    before: float | None
    before_margin: float | None

    @property
    def difference(self) -> float | None:
        """How much it rose."""
        return None if self.now is None or self.before is None else round(self.now - self.before, 2)

    @property
    def is_real(self) -> bool:
        """Whether the difference is larger than its margin, sqrt(a^2 + b^2): both samples are independent."""
        if self.difference is None or self.margin is None or self.before_margin is None:
            return False
        return abs(self.difference) > math.hypot(self.margin, self.before_margin)


@dataclass(frozen=True, slots=True)
class Driver:
    """What an aspect adds to the change of the mean score of all that was said; the effects sum to that change."""

    aspect: str
    effect: float
    score: float | None
    mentions: int


@dataclass(frozen=True, slots=True)
class Content:
    """All that a report says. unit: the one that it is of; empty: all."""

    period: Period
    before: Period
    unit: str
    interactions: int
    scores: tuple[Change, ...]
    mood: float | None
    """Change of the mean score of all that was said."""
    drivers: tuple[Driver, ...]
    calls: Rows
    profiles: Rows
    cases: dict[str, Any] | None
    recovery: Rows
    halal: Rows
    """Halal readiness of the unit at the end of the period; empty for all units."""


def content(ask: Ask, period: Period, before: Period, unit: str = "") -> Content:
    """Ask for all of it."""
    held = {"unit": unit} if unit else {}

    def within(name: str, span: Period, **more: str) -> Rows:
        return ask(name, {**held, **more, "since": f"{span.since} 00:00:00", "until": f"{span.until} 00:00:00"})

    scores = tuple(change(name, within(name, period), within(name, before)) for name in SCORES)
    mood, drivers = drivers_of(within("aspects", period), within("aspects", before))
    # Cases and recovery have no filters: of a unit, the row of that unit.
    plain = {"since": f"{period.since} 00:00:00", "until": f"{period.until} 00:00:00"}
    cases = ask("cases", {**plain, "by": "unit" if unit else "all"})
    return Content(
        period,
        before,
        unit,
        sum(row["volume"] for row in within("journey_map", period, by="all")),
        scores,
        mood,
        drivers,
        within("calls", period, limit=str(CALLS)),
        within("profile_change", period),
        next((row for row in cases if row["segment"] == (unit or "all")), None),
        [] if unit else ask("service_recovery", plain),
        ask("halal_readiness", {"unit": unit, "until": plain["until"]}) if unit else [],
    )


def change(name: str, now: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]) -> Change:
    """A score of the query `name`, of one row each."""
    n, score, margin = _score(name, now)
    _, was, was_margin = _score(name, before)
    return Change(name, n, score, margin, was, was_margin)


def _score(name: str, rows: Sequence[Mapping[str, Any]]) -> tuple[int, float | None, float | None]:
    row = rows[0] if rows else {"n": 0}
    return (row["n"], row[name], row["margin"]) if row["n"] >= FEWEST else (row["n"], None, None)


def drivers_of(
    now: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]
) -> tuple[float | None, tuple[Driver, ...]]:
    """The change of the mean score of all scored mentions, and what each aspect adds to it, the worst first.

    The mean is the sum over aspects of share x score, so the change is the sum of the changes of these products.
    """
    parts, counts = [], []
    for rows in (now, before):
        total = sum(row["scored"] for row in rows)
        counts.append(total)
        parts.append({row["aspect"]: row["scored"] / total * (row["score"] or 0.0) for row in rows if total})
    if min(counts) < FEWEST:
        return None, ()
    said = {row["aspect"]: row for row in now}
    found = [
        Driver(
            aspect,
            parts[0].get(aspect, 0.0) - parts[1].get(aspect, 0.0),
            said[aspect]["score"] if aspect in said else None,
            said[aspect]["scored"] if aspect in said else 0,
        )
        for aspect in {**parts[0], **parts[1]}
    ]
    mood = sum(one.effect for one in found)
    largest = sorted(found, key=lambda one: -abs(one.effect))[:ASPECTS]
    return mood, tuple(sorted(largest, key=lambda one: (one.effect, one.aspect)))
