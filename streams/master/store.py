"""Master data in ClickHouse: what is stored, and what a file changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import polars as pl

from schemas.records import polars_schema
from sinks.clickhouse.tables import TABLES, to_arrow
from streams.master.units import Placed

UNITS = TABLES["units"]


class Stored(NamedTuple):
    """What loading a file has done: rows written, and rows taken back."""

    written: int
    withdrawn: int


def histories(client: Any) -> dict[str, dict[int, str | None]]:
    """The units that are stored: unit: {since, epoch ms: parent}."""
    rows = client.query("SELECT unit, toUnixTimestamp64Milli(valid_from), parent FROM units").result_rows
    found: dict[str, dict[int, str | None]] = {}
    for unit, since, parent in rows:
        found.setdefault(unit, {})[since] = parent
    return found


def write(client: Any, units: Sequence[Placed], now: int, *, replace: bool = False) -> Stored:
    """Store the units of a file.

    client: of clickhouse-connect, as the owner. now: epoch ms, the version of what is written; never less than what is
    stored already, so that the file counts, whatever the clocks of those who write to the topic say.
    replace: takes back what is stored and not in the file.
    """
    rows = [_row(unit) for _, unit in units]
    gone = []
    if replace:
        here = {(row["unit"], row["valid_from"]) for row in rows}
        stored = ((unit, since) for unit, history in histories(client).items() for since in history)
        gone = [
            {"unit": unit, "valid_from": since, "withdrawn": True}
            for unit, since in stored
            if (unit, since) not in here
        ]
    (latest,) = client.query("SELECT max(version) FROM units_store").result_rows[0]
    schema = polars_schema("unit")
    frame = pl.DataFrame([*rows, *gone], schema=schema).with_columns(
        pl.col("withdrawn").fill_null(False), version=pl.lit(max(now, latest + 1), dtype=pl.Int64)
    )
    client.insert_arrow(UNITS.store, to_arrow(frame, UNITS, 0))
    return Stored(len(rows), len(gone))


def _row(unit: Any) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(unit)
    return {**said, "valid_from": unit.since}
