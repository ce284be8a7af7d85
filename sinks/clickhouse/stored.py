"""Reads the stored interactions, each event once, in the frame form of an interaction. State is rebuilt from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from schemas.records import polars_schema
from streams.model.linked import LINKED

CHUNK = 50_000
"""Interactions read at a time: bounds the memory that a restore takes."""

# Columns of the store that differ from the frame form of an interaction.
_SELECTED = {
    "occurred_at": "toUnixTimestamp64Milli(occurred_at)",
    "attributes": "CAST(attributes, 'Array(Tuple(key String, value String))')",
}


def last_event_at(client: Any) -> datetime:
    """When the latest stored interaction happened, UTC; 1970 where there is none. client: as below."""
    found: datetime = client.query("SELECT max(occurred_at) FROM interactions_store").result_rows[0][0]
    return found.replace(tzinfo=UTC)


def interactions(client: Any, chunk: int = CHUNK, before: int | None = None) -> Iterator[pl.DataFrame]:
    """All stored interactions in frames of at most `chunk` rows.

    client: of clickhouse-connect, on the database of the tables. before: only those of epochs before this one.
    Reads in order of the table's key, a chunk a query, so neither side holds more than one chunk.
    """
    after = {"subject": "", "event_id": "", "chunk": chunk}
    earlier = "" if before is None else f"epoch < {before:d} AND "
    while True:
        frame = _read(
            client,
            earlier + "subject >= {subject:String} AND (subject, event_id) > ({subject:String}, {event_id:String}) "
            "ORDER BY subject, event_id LIMIT {chunk:UInt32}",
            after,
        )
        if frame.is_empty():
            return
        yield frame
        after |= {"subject": frame["subject"][-1], "event_id": frame["event_id"][-1]}


def interactions_of(client: Any, subjects: Sequence[str]) -> pl.DataFrame:
    """The stored interactions of some subjects (kind:value), sorted by subject; not those that are left out, or
    that only link.

    client: as for `interactions`. All in one frame. On a cluster, a replica that lags behind a quorum of inserts
    refuses to answer (select_sequential_consistency); without insert_quorum, ask the replica that is written to.
    """
    return _read(
        client,
        f"subject IN {{subjects:Array(String)}} AND touchpoint != '{LINKED}' AND "
        "(subject, event_id, epoch) NOT IN (SELECT subject, event_id, epoch FROM left_out) "
        "ORDER BY subject, event_id SETTINGS select_sequential_consistency = 1",
        {"subjects": list(subjects)},
    )


def _read(client: Any, where: str, parameters: Mapping[str, Any]) -> pl.DataFrame:
    schema = polars_schema("interaction")
    columns = ", ".join(f"{_SELECTED[name]} AS {name}_" if name in _SELECTED else name for name in schema)
    table = client.query_arrow(
        f"SELECT {columns} FROM interactions_store FINAL WHERE {where}", dict(parameters), use_strings=True
    )
    stored = pl.from_arrow(table)
    assert isinstance(stored, pl.DataFrame)
    frame = stored.rename({f"{name}_": name for name in _SELECTED}).with_columns(
        _null_without("survey", "instrument"), _null_without("money", "currency")
    )
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _null_without(column: str, field: str) -> pl.Expr:
    """A column of structs, null where one of the fields is null: ClickHouse has no nullable tuples."""
    return pl.when(pl.col(column).struct.field(field).is_not_null()).then(pl.col(column)).alias(column)
