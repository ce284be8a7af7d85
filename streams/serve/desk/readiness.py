"""Halal readiness of a unit: needs with their intervals, the evidence behind them, and the times of prayer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from streams.serve.desk.figures import Figures, moment

QUOTED = ("text", "language")
"""Columns of the evidence that are a guest's own words."""


async def readiness_of(figures: Figures, unit: str, with_words: bool) -> dict[str, Any]:
    """The view of a unit. with_words: whether what guests said is shown; nobody is named in any case.

    Raises FiguresUnavailableError.
    """
    until, is_past = await figures.end()
    # A current answer gives no end, for the query takes the clock then: the same parameters, so the cache has it.
    ends = {"until": moment(until)} if is_past else {}
    midnight = datetime.combine(until.date() + timedelta(days=1), datetime.min.time(), UTC)
    needs, evidence, days = await asyncio.gather(
        figures.rows("halal_readiness", {"unit": unit, **ends}),
        figures.rows("readiness_evidence", {"unit": unit, **ends}),
        figures.rows("prayer_times", {"unit": unit, "until": moment(midnight), "limit": "1"}),
    )
    return {
        "unit": unit,
        "until": until.isoformat(timespec="seconds"),
        "is_past": is_past,
        "needs": needs,
        "evidence": [row if with_words else _without_words(row) for row in evidence],
        "with_words": with_words,
        "prayers": days[0] if days else None,
    }


def _without_words(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if name in QUOTED else value for name, value in row.items()}
