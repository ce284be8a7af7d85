"""Reads what anomalies are found by, and writes down the days that were judged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from streams.trends import expected, store
from streams.trends.effects import Cell

METRICS: Final = (*store.METRICS, "contacts")
TESTED: Final = 365
"""Days before the last of which the back-test is."""

_CONTACTS: Final = """
    SELECT assumeNotNull(attributed_unit) AS place, toDate(occurred_at, 'UTC') AS day, count() AS n
    FROM interactions_attributed
    WHERE attributed_unit IS NOT NULL AND occurred_at >= {since:DateTime64(3,'UTC')}
        AND occurred_at < {until:DateTime64(3,'UTC')}
    GROUP BY place, day
    ORDER BY place, day
"""


def series(client: Any, metric: str, until: date) -> dict[str, expected.Series]:
    """The days of each unit before `until` that the back-test and its history need. metric: one of METRICS.

    client: of clickhouse-connect, on the database of the tables.
    """
    since = until - timedelta(days=TESTED + expected.HISTORY)
    seasons = {day: str(season) for day, season in client.query("SELECT date, season FROM hijri").result_rows}
    if metric == "contacts":
        given = {"since": f"{since} 00:00:00", "until": f"{until} 00:00:00"}
        rows = client.query(_CONTACTS, parameters=given).result_rows
        cells = [Cell(str(unit), day, int(n), float(n), float(n)) for unit, day, n in rows]
    else:
        cells = store.cells(client, metric, since, until)
    by_unit: dict[str, list[Cell]] = {}
    for cell in cells:
        by_unit.setdefault(cell.unit, []).append(cell)
    return {unit: expected.Series.of(some, seasons, metric == "contacts") for unit, some in by_unit.items()}


def save(client: Any, metric: str, unit: str, shown: Sequence[expected.Judged], tested: expected.Tested) -> None:
    """Store days that were judged, each with the back-test of its unit and metric; again, and the later one counts."""
    now = datetime.now(UTC)
    columns = [*("metric", "unit", "day", "n", "actual", "expected", "low", "high", "score", "alarm")]
    columns += ["tested_days", "tested_alarms", "tested_within", "computed_at"]
    client.insert("anomalies_store", [[metric, unit, *one, *tested, now] for one in shown], column_names=columns)
