"""The view targets against the model, and the named query of that name against a plain computation of its own."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from math import sqrt
from statistics import stdev
from typing import Any

import polars as pl

from streams.model.company import Model
from streams.model.targets import Target, of_unit
from streams.targets import store
from streams.verify.compare import DIFFERENCE, Comparison

TABLE = "targets"
_ANSWERS = (
    "SELECT toDate(occurred_at, 'UTC'), ifNull(toString(attributed_unit), ''), survey.instrument, survey.score, score "
    "FROM interactions_attributed WHERE score IS NOT NULL OR survey.instrument IN ('nps', 'csat', 'ces')"
)


def targets(client: Any, model: Model) -> Comparison:
    """What is not as the model and the answers have it. client: of clickhouse-connect, on the tables' database."""
    said = client.query("SELECT metric, period, target, units, minimum FROM targets ORDER BY rank").result_rows
    there = [Target(metric, period, wanted, tuple(units), minimum) for metric, period, wanted, units, minimum in said]
    differences: list[tuple[str, str, str, str | None, str | None]] = []
    if there != [*model.targets]:
        differences.append((TABLE, "the model's", "targets", str([*model.targets]), str(there)))
    found = {
        (row["metric"], row["period"], row["unit"], row["starts"]): (
            *(row["actual"], row["low"], row["high"], row["n"], row["status"]),
        )
        for row in store.judged(client, {"periods": "4000000000"})
    }
    expected = _expected(client, model.targets) if model.targets else {}
    for key in sorted(found.keys() | expected.keys()):
        one, other = expected.get(key), found.get(key)
        if one is None or other is None or not _same(one, other):
            differences.append((TABLE, " ".join(map(str, key)), "figures", str(one), str(other)))
    return Comparison(TABLE, len(found.keys() | expected.keys()), pl.DataFrame(differences, DIFFERENCE, orient="row"))


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether figures agree to what is shown of them: a digit at the end may be rounded the other way."""
    return one[3:] == other[3:] and all(
        (mine is None) == (theirs is None) and (mine is None or abs(mine - theirs) <= bound)
        for mine, theirs, bound in zip(one[:3], other[:3], (0.11, 0.002, 0.002), strict=True)
    )


def _expected(client: Any, wanted: tuple[Target, ...]) -> dict[tuple[str, str, str, date], tuple[Any, ...]]:
    values: dict[tuple[Target, str, date], list[float]] = defaultdict(list)
    for day, unit, instrument, answer, score in client.query(_ANSWERS).result_rows:
        said = {"sentiment": score, instrument: None if answer is None else _value(instrument, answer)}
        for metric, value in said.items():
            if value is None:
                continue
            whole = [one for one in wanted if one.metric == metric and not one.units]
            own = [of_unit(wanted, metric, period, unit) for period in {one.period for one in wanted}] if unit else []
            for one in (*whole, *own):
                if one is not None:
                    values[one, unit if one.units else "", _start(day, one.period)].append(value)
    return {(one.metric, one.period, unit, starts): _judged(one, some) for (one, unit, starts), some in values.items()}


def _value(instrument: str, answer: float) -> float | None:
    match instrument:
        case "nps":
            return 100.0 if answer >= 9 else 0.0 if answer > 6 else -100.0
        case "csat":
            return 100.0 if answer >= 4 else 0.0
        case "ces":
            return answer
    return None


def _start(day: date, period: str) -> date:
    match period:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1)


def _judged(target: Target, some: list[float]) -> tuple[Any, ...]:
    n = len(some)
    mean = sum(some) / n
    low: float | None
    high: float | None
    if target.metric == "nps":
        up, down = ((sum(value * sign > 0 for value in some) + 0.75) / (n + 3) for sign in (1, -1))
        margin = 196 * sqrt((up + down - (up - down) ** 2) / (n + 3))
        low, high = max(100 * (up - down) - margin, -100), min(100 * (up - down) + margin, 100)
    elif target.metric == "csat":
        z, share = 1.96, mean / 100
        middle = (share + z * z / 2 / n) / (1 + z * z / n)
        half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + (z / 2 / n) ** 2)
        low, high = 100 * (middle - half), 100 * (middle + half)
    elif n < 2 or max(some) - min(some) < 1e-9:
        low = high = None
    else:
        low, high = (mean + sign * 1.96 * stdev(some) / sqrt(n) for sign in (-1, 1))
    status = "not enough answers" if n < target.minimum else "met" if mean >= target.target else "missed"
    return mean, low, high, n, status
