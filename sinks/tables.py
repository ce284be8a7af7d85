"""Which topic goes into which table, by what key and version, and the Arrow form in which ClickHouse takes the rows.

Every table is a ReplacingMergeTree, and every row has an identity that is decided before it is written: its key and its
version (`migrations/`). To write a row twice is therefore the same as to write it once: the exact views show one of the
copies, whichever. That is what makes a retried insert of unknown outcome, and any replay of a topic, harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl
import pyarrow as pa

from schemas import records
from streams.dead_letters import FILE

VERSION_BITS = 44
"""The version written is epoch * 2^44 + version of the record: a later epoch wins over all of an earlier one."""


@dataclass(frozen=True, slots=True)
class Table:
    """Where the records of one topic are stored.

    topic: its name without the prefix. schema: name of the record schema. store: the table that is written; view: the
    exact view of it that is read. key: the columns that tell rows apart.
    versioned: the record carries a version, and the highest of a key is current; otherwise rows of a key are copies.
    maps: fields of the form array<{key, value}> that are a Map in ClickHouse.
    words: columns of few different texts (LowCardinality in ClickHouse), which go out as dictionaries.
    """

    topic: str
    schema: str
    store: str
    view: str
    key: tuple[str, ...]
    versioned: bool = True
    maps: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


TABLES: dict[str, Table] = {
    table.topic: table
    for table in (
        Table(
            "interactions",
            "interaction",
            "interactions_store",
            "interactions",
            ("subject", "event_id"),
            versioned=False,
            maps=("attributes",),
            words=(
                *("channel", "touchpoint", "medium", "unit", "agent_id", "locale", "country", "language"),
                *("score_source", "package", "meal_plan", "room_type", "delay_code", "facility", "service", "platform"),
            ),
        ),
        Table("journeys", "journey", "journeys_store", "journeys", ("journey_id",), maps=("spend",)),
        Table("customers", "customer", "customers_store", "customers", ("customer_id",)),
        Table("cases", "case", "cases_store", "cases", ("case_id", "customer_id")),
        Table("identities", "identity", "identities_store", "identities", ("kind", "value")),
        Table("alerts", "alert", "alerts_store", "alerts", ("alert_id",)),
        Table("moves", "move", "moves_store", "moves", ("move_id",)),
        Table(
            "dead-letters",
            "dead_letter",
            "dead_letters_store",
            "dead_letters",
            ("topic", "partition", "offset", "epoch", "payload"),
            versioned=False,
        ),
    )
}
"""By topic, without the prefix."""


def to_arrow(frame: pl.DataFrame, table: Table, epoch: int) -> pa.Table:
    """The rows of a batch as `table.store` takes them.

    frame: in the frame form of the schema `table.schema` (timestamps as Int64 epoch milliseconds).
    epoch: number of the history that is written, 0 to 2^19 - 1.
    Of a versioned table only the highest version of each key is kept, of equal ones the last.
    Raises polars' or pyarrow's errors when the frame is of another form.
    """
    if table.versioned:
        frame = frame.sort("version", maintain_order=True).unique(subset=table.key, keep="last", maintain_order=True)
        frame = frame.with_columns((pl.col("version").cast(pl.UInt64) + (epoch << VERSION_BITS)).alias("version"))
    else:
        written = pl.lit(epoch, pl.UInt32)
        if table.topic == "dead-letters":
            # A line of a file is the same line in every history: refused at each start of the embedded broker, it is
            # one letter. The offsets of topics begin anew with them.
            written = pl.when(pl.col("topic").str.starts_with(FILE)).then(pl.lit(0, pl.UInt32)).otherwise(written)
        frame = frame.with_columns(written.alias("epoch"))
    if "event_id" in frame.columns:
        # A UUID is the same in capitals, and must be the same key.
        frame = frame.with_columns(pl.col("event_id").str.to_lowercase())
    arrow = frame.cast(dict(_casts(table.schema))).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    for name in table.maps:
        index = arrow.schema.get_field_index(name)
        arrow = arrow.set_column(index, name, _as_map(arrow.column(index)))
    # Offsets of four bytes instead of eight, and a byte or two for a word: two fifths less to send and to read.
    arrow = arrow.cast(pa.schema([field.with_type(_narrow(field.type)) for field in arrow.schema]))
    for name in table.words:
        index = arrow.schema.get_field_index(name)
        arrow = arrow.set_column(index, name, _as_words(arrow.column(index)))
    return arrow


@cache
def _casts(schema: str) -> tuple[tuple[str, pl.DataType], ...]:
    """The columns of a schema's frame form that need another type, and which: timestamps and the withdrawn flag."""
    plain = records.polars_schema(schema)
    casts: list[tuple[str, pl.DataType]] = []
    for field in records.inlined(schema)["fields"]:
        name = field["name"]
        wanted = pl.UInt8() if name == "withdrawn" else _with_timestamps(field["type"], plain[name])
        if wanted != plain[name]:
            casts.append((name, wanted))
    return tuple(casts)


def _with_timestamps(avro: Any, plain: pl.DataType) -> pl.DataType:
    """The column type of an Avro type, with its timestamps as such instead of Int64."""
    if isinstance(avro, list):
        return _with_timestamps(next(branch for branch in avro if branch != "null"), plain)
    if not isinstance(avro, dict):
        return plain
    if avro.get("logicalType") == "timestamp-millis":
        return pl.Datetime("ms", "UTC")
    if isinstance(plain, pl.List):
        inner = plain.inner
        assert isinstance(inner, pl.DataType)
        return pl.List(_with_timestamps(avro["items"], inner))
    if isinstance(plain, pl.Struct):
        types = {field["name"]: field["type"] for field in avro["fields"]}
        return pl.Struct(
            [
                pl.Field(field.name, _with_timestamps(types[field.name], field.dtype))
                for field in plain.fields
                if isinstance(field.dtype, pl.DataType)
            ]
        )
    return plain


def _narrow(wide: pa.DataType) -> pa.DataType:
    """A type with offsets of four bytes: no insert comes near 2 GiB in a column (BYTES_PER_INSERT of sinks.agent)."""
    if pa.types.is_large_string(wide):
        return pa.string()
    if pa.types.is_large_binary(wide):
        return pa.binary()
    if pa.types.is_map(wide):
        return pa.map_(_narrow(wide.key_type), _narrow(wide.item_type))
    if pa.types.is_large_list(wide):
        return pa.list_(wide.value_field.with_type(_narrow(wide.value_type)))
    if pa.types.is_struct(wide):
        return pa.struct([field.with_type(_narrow(field.type)) for field in wide])
    return wide


def _as_words(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """A text column as a dictionary and the narrowest numbers that do."""
    whole = column.combine_chunks().dictionary_encode()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], whole.type)
    size = len(whole.dictionary)
    numbers = pa.int8() if size < 1 << 7 else pa.int16() if size < 1 << 15 else pa.int32()
    return pa.DictionaryArray.from_arrays(whole.indices.cast(numbers), whole.dictionary)


def _as_map(column: pa.ChunkedArray) -> pa.MapArray:
    """A list<struct<key, value>> column as map<key, value>."""
    lists = column.combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], column.type)
    keys, values = lists.values.flatten()
    return pa.MapArray.from_arrays(lists.offsets.cast(pa.int32()), keys, values)
