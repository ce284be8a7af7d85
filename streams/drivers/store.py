"""Reads answers with what went before them in their journeys, and writes what explains them.

What is said of a driver comes from other interactions of the same journey, before the answer: what somebody writes
beside an answer explains it in their own words, and would win by saying the same thing twice.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from streams.drivers.estimate import Floats, Found, Sample

METRICS: Final = ("nps", "csat")
ASPECTS, UNITS = 6, 15
"""Most aspects and units that are drivers: those of the most answers; other units are one together."""
LEAST_SPOKEN: Final = 20
"""Answers before which an aspect was spoken of."""

# Waits and delays: the longest before the answer. Aspects: the mean score of each, as sums and counts.
_ANSWERS: Final = """
    WITH answers AS
    (
        SELECT event_id, customer_id, journey_id, occurred_at, survey.score AS answer,
            ifNull(toString(attributed_unit), '') AS place
        FROM interactions_attributed
        WHERE survey.instrument = {metric:String} AND survey.score IS NOT NULL
            AND occurred_at >= {since:DateTime64(3,'UTC')} AND occurred_at < {until:DateTime64(3,'UTC')}
            AND ({unit:String} = '' OR attributed_unit = {unit:String})
    ),
    before AS
    (
        SELECT journey_id, event_id, occurred_at, package, wait_seconds, delay_minutes, aspects FROM interactions
        WHERE journey_id IN (SELECT journey_id FROM answers WHERE journey_id IS NOT NULL)
            AND (package IS NOT NULL OR wait_seconds IS NOT NULL OR delay_minutes IS NOT NULL OR notEmpty(aspects))
    )
    SELECT
        a.customer_id AS customer, a.answer AS answer, a.place AS place, ifNull(h.season, '') AS season,
        ifNull(e.sold, '') AS sold, e.waited AS waited, e.late AS late, e.names AS names, e.means AS means
    FROM answers AS a
    LEFT JOIN
    (
        SELECT
            a.event_id AS event_id, argMax(toString(b.package), (b.package IS NOT NULL, b.occurred_at)) AS sold,
            max(b.wait_seconds) AS waited, max(b.delay_minutes) AS late,
            (sumMap(arrayMap(x -> toString(x.1), arrayFilter(x -> x.2 IS NOT NULL, b.aspects)),
                arrayMap(x -> toFloat64(assumeNotNull(x.2)), arrayFilter(x -> x.2 IS NOT NULL, b.aspects)),
                arrayMap(x -> toFloat64(1), arrayFilter(x -> x.2 IS NOT NULL, b.aspects))) AS summed).1 AS names,
            arrayMap((total, number) -> total / number, summed.2, summed.3) AS means
        FROM answers AS a INNER JOIN before AS b ON b.journey_id = a.journey_id
        WHERE b.event_id != a.event_id AND b.occurred_at <= a.occurred_at
        GROUP BY event_id
    ) AS e ON e.event_id = a.event_id
    LEFT ANY JOIN (SELECT date, season FROM hijri) AS h ON h.date = toDate(a.occurred_at)
    ORDER BY a.occurred_at, a.event_id
    SETTINGS join_use_nulls = 0
"""


def sample(client: Any, metric: str, unit: str, since: datetime, until: datetime) -> Sample:
    """The answers of a span, as estimate takes them. client: of clickhouse-connect, on the database of the tables.

    metric: one of METRICS. unit: the one whose answers count; empty: all, and units are a driver.
    """
    given = {"metric": metric, "unit": unit, "since": _moment(since), "until": _moment(until)}
    return sample_of(client.query(_ANSWERS, parameters=given).result_rows, metric, by_unit=not unit)


def sample_of(rows: Sequence[Sequence[Any]], metric: str, by_unit: bool) -> Sample:
    """The columns of answers. Pure.

    rows: customer, answer, unit, season, package, longest wait (seconds) and delay (minutes) or None, names and mean
    scores of aspects; in order of time. An answer counts as in the score: of NPS 100, 0 or -100, of CSAT 100 or 0.
    """
    customers = {name: at for at, name in enumerate(dict.fromkeys(row[0] for row in rows))}
    drivers: dict[str, Floats] = {}
    spoken = Counter(name for row in rows for name in row[7])
    chosen = sorted(sorted(name for name in spoken if spoken[name] >= LEAST_SPOKEN), key=lambda name: -spoken[name])
    for name in chosen[:ASPECTS]:
        column = [dict(zip(row[7], row[8], strict=True)).get(name, 0.0) for row in rows]
        drivers[f"aspect {name}"] = np.array(column, float)[:, None]
    for at, name in ((5, "wait"), (6, "delay")):
        column = [float(row[at] or 0) for row in rows]
        if sum(value > 0 for value in column) >= LEAST_SPOKEN:
            minutes = np.maximum(np.array(column), 0) / (60 if name == "wait" else 1)
            drivers[name] = np.log2(1 + minutes)[:, None]  # the tenth minute annoys less than the second
    if by_unit and (units := _dummies([row[2] for row in rows], UNITS)).shape[1]:
        drivers["unit"] = units
    controls = np.hstack([_dummies([row[at] for row in rows], UNITS) for at in (3, 4)])
    answers = [_value(metric, row[1]) for row in rows]
    return Sample(np.array(answers, float), drivers, controls, np.array([customers[row[0]] for row in rows], np.int64))


def _value(metric: str, answer: float) -> float:
    if metric == "nps":
        return 100.0 * ((answer >= 9) - (answer <= 6))
    return 100.0 * (answer >= 4)


def _dummies(values: Sequence[str], most: int) -> Floats:
    """A column for each of the most frequent values but the first; others are one with it."""
    frequent = [name for name, count in Counter(values).most_common(most + 1) if count >= LEAST_SPOKEN][1:]
    return np.array([[value == name for name in frequent] for value in values], float).reshape(
        len(values), len(frequent)
    )


def save(client: Any, metric: str, unit: str, since: datetime, until: datetime, found: Found) -> str:
    """Store what explains the answers of a span; the view drivers shows the latest of a metric and unit."""
    run, now = str(uuid.uuid4()), datetime.now(UTC)
    about = (run, metric, unit, since, until, now, *found[:7], found.useful)
    columns = [
        *("run_id", "metric", "unit", "since", "until", "fitted_at", "n", "customers", "r2", "r2_controls", "tested"),
        *("tested_r2", "tested_r2_controls", "useful", "driver", "share", "low", "high", "effect", "effect_low"),
        "effect_high",
    ]
    client.insert("drivers_store", [[*about, *one] for one in found.drivers], column_names=columns)
    return run


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
