"""Where calls and what followed them are read from and written to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from streams.uplift.calls import Call, Candidate
from streams.uplift.study import OUTCOMES

CALLING = ("answer_alert", "call_about_case", "manager_call", "follow_up_detractor")
"""Actions that are calls."""
FOLLOWS_DAYS = 30
"""Days after a call of which the sentiment is what followed."""

# The unit is where the customer was last; who was never anywhere is on no unit's list.
_CANDIDATES = """
    SELECT n.customer_id, u.place, n.action, n.priority, n.evidence, ifNull(l.language, ''), ifNull(k.touchpoint, '')
    FROM next_best_actions AS n
    INNER JOIN
    (
        SELECT customer_id, argMax(toString(unit), (occurred_at, event_id)) AS place FROM interactions
        WHERE unit IS NOT NULL GROUP BY customer_id
    ) AS u ON u.customer_id = n.customer_id
    LEFT ANY JOIN
    (
        SELECT customer_id, arrayFirst(one -> one.key = 'language', preferences).value AS language FROM customers
    ) AS l ON l.customer_id = n.customer_id
    LEFT ANY JOIN
    (
        SELECT customer_id, argMax(toString(touchpoint), ifNull(opened_at, toDateTime64(0, 3, 'UTC'))) AS touchpoint
        FROM cases GROUP BY customer_id
    ) AS k ON k.customer_id = n.customer_id
    WHERE n.action IN {actions:Array(String)}
    ORDER BY n.customer_id, n.priority, n.evidence
"""
_FOLLOWED = """
    SELECT
        c.day AS day, toString(c.unit) AS unit, toString(c.action) AS action, c.priority AS priority,
        c.chosen AS chosen,
        toString(c.language) AS language, toString(c.case_touchpoint) AS case_touchpoint,
        if(c.day + {days:UInt16} < {today:Date}, ifNull(s.felt, 0), NULL) AS sentiment,
        if(c.day + {return_days:UInt16} < {today:Date}, toFloat64(ifNull(r.back, 0)), NULL) AS returned
    FROM calls AS c
    LEFT ANY JOIN
    (
        SELECT c.day AS day, c.customer_id AS customer_id,
            sum(ifNull(i.score_weight, 0) * i.score) / (sum(ifNull(i.score_weight, 0)) + 1) AS felt
        FROM calls AS c INNER JOIN interactions AS i ON i.customer_id = c.customer_id
        WHERE i.score IS NOT NULL AND toDate(i.occurred_at) > c.day AND toDate(i.occurred_at) <= c.day + {days:UInt16}
        GROUP BY day, customer_id
    ) AS s ON s.day = c.day AND s.customer_id = c.customer_id
    LEFT ANY JOIN
    (
        SELECT c.day AS day, c.customer_id AS customer_id, toUInt8(1) AS back
        FROM calls AS c INNER JOIN journeys AS j ON j.customer_id = c.customer_id
        WHERE j.booked_at IS NOT NULL AND toDate(j.booked_at) > c.day
            AND toDate(j.booked_at) <= c.day + {return_days:UInt16} AND j.status != 'cancelled'
        GROUP BY day, customer_id
    ) AS r ON r.day = c.day AND r.customer_id = c.customer_id
    WHERE c.drawn
    ORDER BY day, unit, priority, c.place
    SETTINGS join_use_nulls = 1
"""
_COLUMNS = (
    *("day", "unit", "place", "customer_id", "action", "priority", "about", "capacity", "chosen", "drawn"),
    *("propensity", "language", "case_touchpoint", "decided_at"),
)
_SCHEMA: Mapping[str, pl.DataType] = {
    "day": pl.Date(),
    **dict.fromkeys(("unit", "action"), pl.String()),
    "priority": pl.Int64(),
    "chosen": pl.Boolean(),
    **dict.fromkeys(("language", "case_touchpoint"), pl.String()),
    **dict.fromkeys(OUTCOMES, pl.Float64()),
}


def candidates(client: Any) -> list[Candidate]:
    """Everybody who needs a call now. client: of clickhouse-connect, on the database of the tables."""
    rows = client.query(_CANDIDATES, {"actions": list(CALLING)}).result_rows
    return [
        Candidate(customer, unit, action, int(priority), about, language, case)
        for customer, unit, action, priority, about, language, case in rows
    ]


def decided(client: Any, day: date) -> set[str]:
    """The units whose list of a day stands already."""
    rows = client.query("SELECT DISTINCT toString(unit) FROM calls WHERE day = {day:Date}", {"day": day}).result_rows
    return {str(unit) for (unit,) in rows}


def save(client: Any, day: date, calls: Sequence[Call], capacities: Mapping[str, int]) -> None:
    """Log the calls of a day. capacities: of each unit."""
    now = datetime.now(UTC)
    rows = []
    for call in calls:
        one = call.candidate
        about = (one.customer_id, one.action, one.priority, one.about, capacities[one.unit])
        what = (call.chosen, call.drawn, call.propensity, one.language, one.case, now)
        rows.append((day, one.unit, call.place, *about, *what))
    if rows:
        client.insert("calls_store", rows, column_names=list(_COLUMNS))


def chosen(client: Any, day: date, units: Collection[str] = ()) -> list[tuple[Any, ...]]:
    """(unit, place, customer_id, action, about, propensity) of a day's calls. units: only these; none: of all."""
    rows = client.query(
        "SELECT unit, place, customer_id, action, about, propensity FROM calls WHERE day = {day:Date} AND chosen "
        "AND (empty({units:Array(String)}) OR has({units:Array(String)}, unit)) ORDER BY unit, place",
        {"day": day, "units": list(units)},
    ).result_rows
    return [tuple(row) for row in rows]


def followed(client: Any, today: date, return_days: int) -> pl.DataFrame:
    """The calls that chance decided, with what followed, as streams.uplift.study takes them."""
    parameters = {"today": today, "days": FOLLOWS_DAYS, "return_days": return_days}
    rows = client.query(_FOLLOWED, parameters).result_rows
    return pl.DataFrame([tuple(row) for row in rows], schema=dict(_SCHEMA), orient="row", strict=False)
