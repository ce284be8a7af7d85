"""Master data in ClickHouse: what is stored, and what a file changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import polars as pl

from schemas.records import polars_schema
from sinks.clickhouse.tables import TABLES, to_arrow
from streams.master.units import Placed


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
    """Store the units of a file, as `insert` does.

    replace: takes back what is stored and not in the file.
    """
    rows = [row_of(unit) for _, unit in units]
    gone = []
    if replace:
        here = {(row["unit"], row["valid_from"]) for row in rows}
        stored = ((unit, since) for unit, history in histories(client).items() for since in history)
        gone = [
            {"unit": unit, "valid_from": since, "withdrawn": True}
            for unit, since in stored
            if (unit, since) not in here
        ]
    insert(client, "units", [*rows, *gone], now)
    return Stored(len(rows), len(gone))


def insert(client: Any, topic: str, rows: Sequence[Mapping[str, Any]], now: int) -> None:
    """Store rows of a topic of master data, by the names of its record's fields.

    client: of clickhouse-connect, as the owner. now: epoch ms, the version of what is written; never less than what is
    stored already, so that a file counts, whatever the clocks of those who write to the topic say.
    """
    table = TABLES[topic]
    (latest,) = client.query(f"SELECT max(version) FROM {table.store}").result_rows[0]
    frame = pl.DataFrame(list(rows), schema=polars_schema(table.schema)).with_columns(
        pl.col("withdrawn").fill_null(False), version=pl.lit(max(now, latest + 1), dtype=pl.Int64)
    )
    client.insert_arrow(table.store, to_arrow(frame, table, 0))


def row_of(record: Any) -> dict[str, Any]:
    """The row of a record of a file."""
    said: dict[str, Any] = msgspec.to_builtins(record)
    return {**said, "valid_from": record.since}
