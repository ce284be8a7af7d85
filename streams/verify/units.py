"""The properties of each unit at each time, the plain way: up the parents, one at a time, for every time in a row.

The view unit_levels cuts time into pieces by joins; here nothing is cut.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import polars as pl

LEVELS = 6
"""Number of ancestors from which a unit inherits what it does not say."""
INHERITED = ("brand", "region", "timezone", "currency", "prayer_method")
SHOWN = {
    **dict.fromkeys(("unit", "name", "kind", "parent", *INHERITED), pl.String()),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "capacity": pl.Int64(),
}
KEY = ("unit", "valid_at")

_Row = Mapping[str, Any]


def unit_levels(said: pl.DataFrame, found: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What must hold, and what is found to hold, of every unit at every time from which anything is said to hold.

    Args:
        said: the rows of the view units. found: those of unit_levels; times of both are epoch milliseconds.
    """
    usable = said.filter(pl.col("unit") != "", pl.col("valid_from").is_between(0, _EVER, closed="left"))
    times = sorted({0, *usable["valid_from"], *found["valid_from"], *found["valid_until"]} - {_EVER})
    history: dict[str, list[_Row]] = defaultdict(list)
    for row in usable.sort("unit", "valid_from").iter_rows(named=True):
        history[row["unit"]].append(row)
    rows = [{"valid_at": at, **_holds(unit, at, history)} for unit in history for at in times]
    expected = pl.DataFrame(rows, schema={**SHOWN, "valid_at": pl.Int64})
    at = pl.col("valid_at")
    shown = (
        found.join(pl.DataFrame({"valid_at": times}, schema={"valid_at": pl.Int64}), how="cross")
        .filter(at >= pl.col("valid_from"), at < pl.col("valid_until"))
        .select(*SHOWN, "valid_at")
    )
    return expected, shown


_EVER = 7_258_118_400_000
"""2200-01-01: until then holds what still holds."""


def _at(unit: str, at: int, history: Mapping[str, list[_Row]]) -> _Row | None:
    """What is said of a unit at a time: the latest row that has begun, else the first."""
    rows = history.get(unit)
    return None if not rows else ([row for row in rows if row["valid_from"] <= at] or rows[:1])[-1]


def _holds(unit: str, at: int, history: Mapping[str, list[_Row]]) -> dict[str, Any]:
    own = _at(unit, at, history)
    assert own is not None
    holds = {
        "unit": unit,
        "name": unit if own["name"] is None else own["name"],
        "kind": own["kind"] or "",
        "parent": own["parent"] or "",
        "capacity": own["capacity"],
        **dict.fromkeys(INHERITED, ""),
        "latitude": None,
        "longitude": None,
    }
    above: _Row | None = own
    for _ in range(LEVELS + 1):
        if above is None:
            break
        _lend(holds, above)
        if holds["latitude"] is None and None not in (above["latitude"], above["longitude"]):
            holds["latitude"], holds["longitude"] = above["latitude"], above["longitude"]
        above = _at(above["parent"] or "", at, history)
    brand = _at(holds["brand"], at, history)
    if brand is not None:
        _lend(holds, brand)
    return holds


def _lend(holds: dict[str, Any], row: _Row) -> None:
    for name in INHERITED:
        itself = row["unit"] if row["kind"] == name else None  # a brand is its own brand, a region its own region
        holds[name] = holds[name] or itself or row[name] or ""
