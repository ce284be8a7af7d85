"""The view anomalies: what must hold of each day that was judged.

Days may have been restated by later events, so they are not judged again: an alarm is outside its interval, an interval
is around what was expected, and a back-test counts no more alarms than days.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from streams.verify.compare import DIFFERENCE, Comparison

TABLE = "anomalies"
_ROWS = (
    "SELECT metric, unit, toString(day), actual, expected, low, high, score, alarm, tested_days, tested_alarms, "
    "tested_within FROM anomalies ORDER BY metric, unit, day"
)


def anomalies(client: Any) -> Comparison:
    """What is not as it must be. client: of clickhouse-connect, on the database of the tables."""
    differences = []
    rows = client.query(_ROWS).result_rows
    for metric, unit, day, actual, expected, low, high, score, alarm, days, alarms, within in rows:
        fine = low <= expected <= high and (actual < expected) == (score < 0)
        fine = fine and not (alarm and low <= actual <= high) and max(alarms, within) <= days and days > 0
        if not fine:
            figures = f"{actual} {expected} {low} {high} {score} {alarm} {days} {alarms} {within}"
            differences.append((TABLE, f"{metric} {unit} {day}", "figures", "in order", figures))
    return Comparison(TABLE, len(rows), pl.DataFrame(differences, schema=DIFFERENCE, orient="row"))
