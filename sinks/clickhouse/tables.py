"""Which topic goes into which table, by what key and version, and the Arrow form in which ClickHouse takes the rows.

Every table is a ReplacingMergeTree, and every row has an identity that is decided before it is written: its key and its
version (`migrations/`). So to write a row twice has the same result as to write it once: the exact views show one of
the copies. This makes a repeated insert whose outcome is unknown, and any replay of a topic, harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas import records
from streams.model.dead_letter import FILE
from streams.topology import TOPICS

VERSION_BITS = 44
"""The version written is epoch * 2^44 + version of the record: a later epoch wins over all of an earlier one."""
WORDS_FROM = 3_000
"""Batches of at least this many rows send words as dictionaries; in smaller ones a dictionary costs more than it
saves."""


@dataclass(frozen=True, slots=True)
class Table:
    """Where the records of one topic are stored.

    topic: its name without the prefix. schema: name of the record schema. store: the table that is written.
    The other fields: see streams.topology.Stored.
    """

    topic: str
    schema: str
    store: str
    view: str
    key: tuple[str, ...]
    versioned: bool
    derived: bool
    maps: tuple[str, ...]
    words: tuple[str, ...]
    linger: float
    patience: float


TABLES: dict[str, Table] = {
    topic.name: Table(
        topic=topic.name,
        schema=topic.record,
        store=f"{topic.stored.view}_store",
        **{field.name: getattr(topic.stored, field.name) for field in fields(topic.stored)},
    )
    for topic in TOPICS
    if topic.stored and topic.record
}
"""By topic, without the prefix."""


def to_arrow(frame: pl.DataFrame, table: Table, epoch: int) -> pa.Table:
    """The rows of a batch as `table.store` takes them: one piece a column.

    frame: in the frame form of the schema `table.schema` (timestamps as Int64 epoch milliseconds).
    epoch: number of the history that is written, 0 to 2^19 - 1.
    Of a versioned table only the highest version of each key is kept, of equal ones the last.
    Raises polars' or pyarrow's errors when the frame is of another form.
    """
    types, casts = _types(table)
    if frame.columns != list(types):
        frame = frame.select(*types)
    if table.versioned:
        frame = _current(frame, table.key)
    # Polars' columns as they are, texts as views. From here on pyarrow alone: Polars takes twice as long for texts, and
    # would hand each step to its own thread.
    plain = pa.table(frame.rechunk())
    words = table.words if frame.height >= WORDS_FROM else ()
    columns = {}
    for name, kind in types.items():
        column = _whole(plain.column(name))
        if name in words:
            columns[name] = _as_words(column)
        elif name in table.maps:
            columns[name] = _as_map(column, kind)
        elif column.type == kind:
            columns[name] = column
        elif kind == _TIMESTAMP:
            columns[name] = column.view(kind)
        else:
            columns[name] = pc.cast(column, options=casts[name])
    if table.versioned:
        if (pc.max(columns["version"]).as_py() or 0) >> VERSION_BITS:
            raise pa.ArrowInvalid(f"a version of more than {VERSION_BITS} bits, which would win over every later epoch")
        if table.derived:
            columns["version"] = pc.add(columns["version"], pa.scalar(epoch << VERSION_BITS, pa.uint64()))
    else:
        columns["epoch"] = _epochs(columns, table, epoch, frame.height)
    if "event_id" in columns:
        # A UUID is the same in capitals, and must be the same key.
        columns["event_id"] = pc.ascii_lower(columns["event_id"])
    return pa.table(columns)


def _current(frame: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
    """The rows with the highest version of their key, of equal ones the last."""
    keys = frame.select(*key, "version").with_row_index("row")
    rows = keys.sort("version", maintain_order=True).unique(subset=key, keep="last")["row"]
    return frame if len(rows) == frame.height else frame[rows.sort()]


def _epochs(columns: dict[str, pa.Array], table: Table, epoch: int, rows: int) -> pa.Array:
    """The column `epoch` of a table without versions."""
    if table.topic != "dead-letters":
        return pa.repeat(pa.scalar(epoch, pa.uint32()), rows)
    # A line of a file is the same line in every history: refused at each start of the embedded broker, it is one
    # letter. The offsets of topics begin anew with them.
    files = pc.starts_with(columns["topic"], FILE)
    return pc.if_else(files, pa.scalar(0, pa.uint32()), pa.scalar(epoch, pa.uint32()))


@cache
def _types(table: Table) -> tuple[dict[str, pa.DataType], dict[str, pc.CastOptions]]:
    """The columns of a table's records, in order, and the types in which they go out; how to bring them there."""
    plain = records.polars_schema(table.schema)
    types = {}
    for field in records.inlined(table.schema)["fields"]:
        types[field["name"]] = _type(field["type"], plain[field["name"]])
    types |= {name: pa.map_(types[name].value_type[0].type, types[name].value_type[1].type) for name in table.maps}
    types |= {"version": pa.uint64()} if table.versioned else {}
    types |= {"withdrawn": pa.uint8()} if "withdrawn" in types else {}
    return types, {name: pc.CastOptions.safe(kind) for name, kind in types.items()}


def _type(avro: Any, plain: pl.DataType) -> pa.DataType:
    """The Arrow type of an Avro type whose column has a Polars type.

    Offsets are of four bytes: no insert comes near 2 GiB in a column (BYTES_PER_INSERT of sinks.agent).
    """
    if isinstance(avro, list):
        return _type(next(branch for branch in avro if branch != "null"), plain)
    if isinstance(avro, dict) and avro.get("logicalType") == "timestamp-millis":
        return _TIMESTAMP
    if isinstance(plain, pl.List):
        assert isinstance(plain.inner, pl.DataType)
        return pa.list_(_type(avro["items"], plain.inner))
    if isinstance(plain, pl.Struct):
        kinds = {field["name"]: field["type"] for field in avro["fields"]}
        inner = [(field.name, field.dtype) for field in plain.fields]
        return pa.struct([(name, _type(kinds[name], kind)) for name, kind in inner if isinstance(kind, pl.DataType)])
    return _PLAIN[type(plain)]


_TIMESTAMP = pa.timestamp("ms", "UTC")
_PLAIN: dict[type[pl.DataType], pa.DataType] = {
    pl.String: pa.string(),
    pl.Binary: pa.binary(),
    pl.Int32: pa.int32(),
    pl.Int64: pa.int64(),
    pl.Float32: pa.float32(),
    pl.Float64: pa.float64(),
    pl.Boolean: pa.bool_(),
}


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _as_words(column: pa.Array) -> pa.DictionaryArray:
    """A text column as a dictionary and the narrowest numbers that do: a byte or two for a word."""
    found = column.dictionary_encode()
    size = len(found.dictionary)
    numbers = pa.int8() if size < 1 << 7 else pa.int16() if size < 1 << 15 else pa.int32()
    indices = found.indices.cast(numbers, safe=False)  # they are below `size`: nothing to look for in each
    return pa.DictionaryArray.from_arrays(indices, found.dictionary.cast(pa.string()), safe=False)


def _as_map(column: pa.Array, kind: pa.MapType) -> pa.MapArray:
    """A list<struct<key, value>> column as map<key, value>."""
    pair = column.type.value_type
    lists = column.cast(pa.list_(pa.struct([(pair[0].name, kind.key_type), (pair[1].name, kind.item_type)])))
    keys, values = lists.values.flatten()
    return pa.MapArray.from_arrays(lists.offsets, keys, values)
