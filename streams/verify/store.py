"""What ClickHouse holds, in the columns in which `recompute` takes and gives it."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from typing import Any

import polars as pl

from schemas.decode import BatchDecoder
from schemas.records import fields, polars_schema
from schemas.registry import LocalRegistry
from streams.errors import RihlaError
from streams.model.dead_letter import EXPIRED, UNPROCESSABLE
from streams.verify import units
from streams.verify.recompute import COLUMNS

BLOCK_ROWS = 200_000
"""Rows that ClickHouse sends at a time: bounds what is held twice while a table is read."""

STORE = "interactions_store"
"""Where the interactions are, every copy."""

LEFT_OUT = "left_out"
"""Which of them are in no table, since stitch could not process them, by epoch."""

_IDENTIFIERS = pl.List(pl.Struct({"kind": pl.String, "value": pl.String}))
_LOG = ("subject", *COLUMNS)
_NOT_SHOWN = {"version", "withdrawn", "duplicates"}

VIEWS: dict[str, dict[str, pl.DataType]] = {
    "interactions": dict.fromkeys(("subject", "event_id", "customer_id", "journey_id"), pl.String()),
    **{
        table: {name: polars_schema(record)[name] for name in fields(record) if name not in _NOT_SHOWN}
        for table, record in (("journeys", "journey"), ("customers", "customer"), ("cases", "case"))
    },
    "identities": {"kind": pl.String(), "value": pl.String(), "customer_id": pl.String(), "shared": pl.Boolean()},
}
"""The exact views and what is read of them; in the frame form of their records."""
VIEWS["customers"]["identifiers"] = _IDENTIFIERS

_UNITS = {
    "units": {name: polars_schema("unit")[name] for name in fields("unit") if name not in _NOT_SHOWN},
    "unit_levels": {**units.SHOWN, "valid_from": pl.Int64(), "valid_until": pl.Int64()},
}
"""The views of units: what is said of them, and what holds."""

_SELECTED = {
    "spend": "CAST(spend, 'Array(Tuple(currency String, amount_minor Int64))')",
    "attributes": "CAST(attributes, 'Array(Tuple(key String, value String))')",
}
"""Columns that are not, as they stand, in the frame form."""


def check(client: Any, database: str) -> None:
    """Raise RihlaError unless the database has the tables."""
    answer = client.query(
        "SELECT name FROM system.tables WHERE database = {database:String}", parameters={"database": database}
    )
    missing = sorted({STORE, LEFT_OUT, *VIEWS, *_UNITS, "deliveries"} - {name for (name,) in answer.result_rows})
    if missing:
        raise RihlaError(
            f"there is no {database}.{missing[0]} in that ClickHouse",
            "is --database right? rihla migrate makes what is missing on a server, rihla run or rihla up in a folder",
        )


def interactions(client: Any) -> pl.DataFrame:
    """All stored interactions, each (subject, event_id) once: `subject` and recompute.COLUMNS, in frame form."""
    schema = polars_schema("interaction")
    return _read(client, f"{STORE} FINAL", {name: schema[name] for name in _LOG})


def left_out(client: Any) -> pl.DataFrame:
    """`subject` and `event_id` of the stored interactions that are in no table."""
    table = f"{STORE} FINAL WHERE (subject, event_id, epoch) IN (SELECT subject, event_id, epoch FROM {LEFT_OUT})"
    return _read(client, table, dict.fromkeys(("subject", "event_id"), pl.String()))


def refused(client: Any, record: str, topic: str, reasons: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
    """What records of this history say that became dead letters and were not replayed.

    record: their schema. topic: its name without prefix. reasons: of these. columns: of the record, in frame form.
    """
    rows = client.query(
        "SELECT base64Encode(payload) FROM dead_letters_store FINAL "
        "WHERE endsWith(topic, {topic:String}) AND reason IN {reasons:Array(String)} "
        f"AND epoch = (SELECT max(epoch) FROM {STORE}) AND (topic, partition, offset, epoch, payload_hash) NOT IN "
        "(SELECT topic, partition, offset, epoch, payload_hash FROM replays_store)",
        {"topic": f".{topic}", "reasons": list(reasons)},
    ).result_rows
    payloads = [b64decode(payload) for (payload,) in rows]
    return BatchDecoder(record, LocalRegistry()).decode(payloads, columns).frame


def left_out_links(client: Any) -> set[tuple[str, str]]:
    """The links (subject, identifier) that identity could not process."""
    return set(refused(client, "link", "links", [UNPROCESSABLE], ["subject", "identifier"]).iter_rows())


def not_stored(client: Any, stored: pl.DataFrame) -> pl.DataFrame:
    """The interactions that the sink could not store, as `interactions` has the others (`stored`)."""
    found = refused(client, "interaction", "interactions", [UNPROCESSABLE, "unstorable"], _LOG)
    return found.join(stored, on=["subject", "event_id"], how="anti").unique(["subject", "event_id"], keep="first")


def of_units(client: Any, name: str) -> pl.DataFrame:
    """The rows of a view of units: `units` or `unit_levels`."""
    return _read(client, name, _UNITS[name])


def view(client: Any, name: str) -> pl.DataFrame:
    """The rows of one of VIEWS."""
    return _read(client, name, VIEWS[name])


def missed(client: Any) -> list[str]:
    """What workers have said that was deleted before they had read it (streams.kafka.missed), a sentence each."""
    rows = client.query(
        "SELECT topic, partition, detail, failed_at FROM dead_letters WHERE reason = {reason:String} "
        "ORDER BY failed_at DESC LIMIT 20",
        {"reason": EXPIRED},
    ).result_rows
    return [f"{at:%Y-%m-%d %H:%M}: {topic}[{partition}]: {detail}" for topic, partition, detail, at in rows]


def _read(client: Any, table: str, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    columns = ", ".join(f"{_SELECTED[name]} AS {name}_" if name in _SELECTED else name for name in schema)
    settings = {"max_block_size": BLOCK_ROWS, "output_format_arrow_string_as_string": 1}
    parts = [pl.DataFrame(schema=schema)]
    with client.query_arrow_stream(f"SELECT {columns} FROM {table}", settings=settings) as blocks:
        for block in blocks:
            part = pl.from_arrow(block)
            assert isinstance(part, pl.DataFrame)
            part = part.rename({f"{name}_": name for name in _SELECTED}, strict=False)
            parts.append(part.select(_as(name, part.schema[name], dtype) for name, dtype in schema.items()))
    return pl.concat(parts, rechunk=True)


def _as(name: str, stored: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    """A column of a table in frame form: timestamps as epoch milliseconds, a record that is not there as null."""
    column = pl.col(name)
    if isinstance(wanted, pl.Struct) and isinstance(stored, pl.Struct):
        nobody = pl.all_horizontal(column.struct.field(field.name).is_null() for field in stored.fields)
        column = pl.when(~nobody).then(column)
    return column.cast(wanted)
