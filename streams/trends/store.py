"""Reads the figures of units by day, and writes down what actions changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from streams.model.forms import DoneForm
from streams.trends.effects import Cell, Effect

METRICS: Final = ("nps", "csat", "sentiment")

# Of NPS an answer counts 100, 0 or -100, of CSAT 100 or 0: means are the scores, in points.
_CELLS: Final = """
    SELECT place, day, count() AS n, sum(value) AS total, sum(value * value) AS squares
    FROM
    (
        SELECT
            assumeNotNull(attributed_unit) AS place, toDate(occurred_at, 'UTC') AS day,
            multiIf(
                {metric:String} = 'nps',
                    if(survey.instrument = 'nps', 100. * ((survey.score >= 9) - (survey.score <= 6)), NULL),
                {metric:String} = 'csat', if(survey.instrument = 'csat', 100. * (survey.score >= 4), NULL),
                score) AS value
        FROM interactions_attributed
        WHERE attributed_unit IS NOT NULL AND occurred_at >= {since:DateTime64(3,'UTC')}
            AND occurred_at < {until:DateTime64(3,'UTC')}
    )
    WHERE value IS NOT NULL
    GROUP BY place, day
    ORDER BY place, day
"""


def cells(client: Any, metric: str, since: date, until: date) -> list[Cell]:
    """Answers by unit and day (UTC), `until` no longer counted. client: of clickhouse-connect, on the tables' database.

    metric: one of METRICS.
    """
    given = {"metric": metric, "since": f"{since} 00:00:00", "until": f"{until} 00:00:00"}
    rows = client.query(_CELLS, parameters=given).result_rows
    return [Cell(str(unit), day, int(n), float(total), float(squares)) for unit, day, n, total, squares in rows]


def split(found: Sequence[Cell], done: DoneForm) -> tuple[list[Cell], set[str]]:
    """The cells of comparable units and of those acted upon, and the names of the latter. Pure."""

    def fits(unit: str, patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(unit, pattern) for pattern in patterns)

    acted = {cell.unit for cell in found if fits(cell.unit, done.units)}
    return [cell for cell in found if cell.unit in acted or not fits(cell.unit, done.not_compared)], acted


def save_effect(client: Any, done: DoneForm, metric: str, days: int, found: Effect) -> None:
    """Store what an action changed; the view action_effects shows the latest of an action and metric."""
    about = (done.name, metric, done.on, list(done.units), days, datetime.now(UTC))
    columns = ["action_name", "metric", "acted_on", "units", "days", "computed_at", "verdict"]
    columns += ["units_acted", "comparable", *Effect._fields[2:]]
    client.insert("action_effects_store", [[*about, found.verdict, *found]], column_names=columns)
