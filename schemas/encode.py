"""A batch of columns to Avro values, without a loop over records.

Each type of the schema has an encoder that turns a column of it into pieces (schemas.pieces); the pieces of all fields,
joined row by row, are the records. The bytes are those that fastavro.schemaless_writer writes.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from fastavro import parse_schema, schemaless_writer

from schemas import pieces, records
from schemas.block import varint
from schemas.pieces import Array, Piece
from schemas.records import Schema, frame_type, inline
from schemas.registry import Registry
from schemas.together import Numbers
from schemas.varints import varints
from schemas.wire import SINGLE_OBJECT, Wire

Encoder = Callable[[Array], list[Piece]]
"""Encodes a column: one pyarrow array in, pieces for its rows out. Raises _BadValueError."""

_OLDEST: Final = pl.CompatLevel.oldest()
"""Arrow types with offsets, which are what the pieces are made of; not views."""


class _BadValueError(ValueError):
    """A value that the schema does not allow, in a row of the column at hand."""

    def __init__(self, row: int, why: str, path: str = "") -> None:
        super().__init__(why)
        self.row = row
        self.why = why
        self.path = path


class BatchEncoder:
    """Encodes frames of one record schema of this package, in its current version."""

    def __init__(self, name: str, registry: Registry, wire: Wire = SINGLE_OBJECT) -> None:
        """`name` is the record (schemas.records.NAMES), `wire` the header's form. May ask the registry."""
        self._header = registry.header_for(name, wire)
        self._writer = DatumWriter(records.schema(name))

    def encode(self, frame: pl.DataFrame) -> list[bytes]:
        """One value, header first, for each row of a frame in frame form; an absent column takes its default.

        Raises ValueError, naming field and row, for a null or symbol that the schema does not allow, and, naming the
        column, for one that is missing without default, unknown, or of another type.
        """
        return self._writer.write(frame, self._header)


class DatumWriter:
    """Encodes frames of any record schema that has a frame form."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """`schema` is a record parsed by fastavro. Raises TypeError where it has no frame form."""
        self._name = schema["name"].rpartition(".")[2]
        fields = inline(schema)["fields"]
        self._types = {field["name"]: frame_type(field["type"]) for field in fields}
        self._encoders = [(field["name"], _encoder(field["type"])) for field in fields]
        self._numbers = Numbers((field["name"], field["type"]) for field in fields)
        self._defaults = {field["name"]: _default(field) for field in fields if "default" in field}

    def write(self, frame: pl.DataFrame, header: bytes = b"") -> list[bytes]:
        """`header` and datum for each row; errors as BatchEncoder.encode."""
        columns = self._columns(frame)
        if not frame.height:
            return []
        numbers = self._numbers.encode(columns)
        parts: list[Piece] = [header]
        for name, encoder in self._encoders:
            column = columns.get(name)
            if column is None:
                parts.append(self._defaults[name])
                continue
            try:
                parts += numbers[name] if name in numbers else encoder(column)
            except _BadValueError as error:
                raise ValueError(f"{self._name}: field {name}{error.path}, row {error.row}: {error.why}") from None
        values: list[bytes] = pieces.join(parts, frame.height).to_pylist()
        return values

    def _columns(self, frame: pl.DataFrame) -> dict[str, Array]:
        """The columns as arrays of one chunk, by name; of no rows, none."""
        if frame.schema != self._types:
            frame = self._conform(frame)
        batches = frame.rechunk().to_arrow(compat_level=_OLDEST).to_batches()
        return dict(zip(frame.columns, batches[0].columns, strict=True)) if batches else {}

    def _conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with each column in its type, where that loses nothing; ValueError where it is another."""
        unknown = [name for name in frame.columns if name not in self._types]
        missing = [name for name in self._types if name not in frame.columns and name not in self._defaults]
        if unknown or missing:
            raise ValueError(
                f"{self._name}: "
                + "; ".join(
                    f"{what} {', '.join(names)}"
                    for what, names in (("no field", unknown), ("missing field", missing))
                    if names
                )
            )
        casts = []
        for name, dtype in frame.schema.items():
            due = self._types[name]
            if dtype == due:
                continue
            if not _fits(dtype, due):
                raise ValueError(f"{self._name}: field {name} is {dtype}, where {due} is due")
            casts.append(pl.col(name).cast(due))
        try:
            return frame.with_columns(casts)
        except pl.exceptions.PolarsError as error:
            raise ValueError(f"{self._name}: {error}") from error


def _fits(dtype: pl.DataType, due: pl.DataType) -> bool:
    """Whether every value of a column type is one of the type due, perhaps written otherwise."""
    if dtype == due or dtype == pl.Null:
        return True
    if due == pl.Int64:
        return dtype.is_integer()
    if due == pl.Float64:
        return dtype.is_float() or dtype.is_integer()
    if due == pl.String:
        return isinstance(dtype, (pl.Categorical, pl.Enum))
    if isinstance(dtype, pl.List) and isinstance(due, pl.List):
        return _fits(_instance(dtype.inner), _instance(due.inner))
    if isinstance(dtype, pl.Struct) and isinstance(due, pl.Struct):
        return [field.name for field in dtype.fields] == [field.name for field in due.fields] and all(
            _fits(_instance(have.dtype), _instance(want.dtype))
            for have, want in zip(dtype.fields, due.fields, strict=True)
        )
    return False


def _instance(dtype: Any) -> pl.DataType:
    return dtype if isinstance(dtype, pl.DataType) else dtype()


def _default(field: dict[str, Any]) -> bytes:
    """The encoded default of a field."""
    out = io.BytesIO()
    alone = parse_schema({"type": "record", "name": "Alone", "fields": [{**field, "name": "value"}]})
    schemaless_writer(out, alone, {})
    return out.getvalue()


def _encoder(type_: Schema) -> Encoder:
    """The encoder of a type without references. TypeError for a type that has no frame form."""
    if isinstance(type_, list):
        return _nullable(type_)
    kind = type_["type"] if isinstance(type_, dict) else type_
    if kind == "record":
        return _record(type_)
    if kind == "array":
        return _required(_array(_encoder(type_["items"])))
    if kind == "enum":
        return _required(_enum(type_["symbols"]))
    if kind in _SIMPLE:
        return _required(_SIMPLE[kind])
    raise TypeError(f"no columns encode {kind!r}")


def _required(encoder: Encoder) -> Encoder:
    """Refuses nulls."""

    def encode(column: Array) -> list[Piece]:
        if column.null_count:
            raise _BadValueError(_first(pc.is_null(column)), "null where the schema has no null")
        return encoder(column)

    return encode


def _nullable(union: list[Schema]) -> Encoder:
    frame_type(union)  # null and one type, or TypeError
    absent = varint(union.index("null")) if "null" in union else b""
    which = next(index for index, branch in enumerate(union) if branch != "null")
    present, encoder = varint(which), _encoder(union[which])
    texts = union[which] in ("string", "bytes")

    def encode(column: Array) -> list[Piece]:
        if not column.null_count:
            return [present, *encoder(column)]
        if not absent:
            raise _BadValueError(_first(pc.is_null(column)), "null where the schema has no null")
        if column.null_count == len(column):
            return [absent]
        valid = pieces.valid_of(column)
        if texts:
            offsets, octets = pieces.bytes_of(column)
            sizes = np.diff(offsets)
            if not sizes[~valid].any():  # nothing lies where nulls are
                heads = pieces.optional(varints(sizes[valid]), valid, present[0], absent[0])
                return [heads, pieces.from_offsets(offsets, pa.py_buffer(octets))]
        try:
            compact = pieces.join(encoder(column.drop_null()), int(valid.sum()))
        except _BadValueError as error:
            raise _BadValueError(int(np.flatnonzero(valid)[error.row]), error.why, error.path) from None
        return [pieces.optional(compact, valid, present[0], absent[0])]

    return encode


def _record(type_: dict[str, Any]) -> Encoder:
    encoders = [(field["name"], _encoder(field["type"])) for field in type_["fields"]]

    def encode(column: Array) -> list[Piece]:
        parts: list[Piece] = []
        for (name, encoder), child in zip(encoders, column.flatten(), strict=True):
            try:
                parts += encoder(child)
            except _BadValueError as error:
                raise _BadValueError(error.row, error.why, f".{name}{error.path}") from None
        return parts

    return _required(encode)


def _array(items: Encoder) -> Encoder:
    def encode(column: Array) -> list[Piece]:
        counts = pc.list_value_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
        if not counts.any():
            return [b"\0"]
        flat = column.flatten()
        try:
            encoded = pieces.join(items(flat), len(flat))
        except _BadValueError as error:
            row = int(np.searchsorted(np.cumsum(counts), error.row, side="right"))
            raise _BadValueError(row, error.why, f"[]{error.path}") from None
        # one block of all items and an empty one to end with, which is all there is of an empty array
        return [varints(counts), pieces.group(encoded, counts), pieces.repeat(b"\0", counts > 0)]

    return encode


def _enum(symbols: list[str]) -> Encoder:
    value_set = pa.array(symbols, pa.large_string())
    encoded = pa.array([varint(index) for index in range(len(symbols))], pa.large_binary())

    def encode(column: Array) -> list[Piece]:
        indices = pc.index_in(column, value_set=value_set)
        if indices.null_count:
            row = _first(pc.is_null(indices))
            raise _BadValueError(row, f"{column[row].as_py()!r} is none of {', '.join(symbols)}")
        return [encoded.take(indices)]

    return encode


def _long(column: Array) -> list[Piece]:
    return [varints(column.to_numpy())]


def _int(column: Array) -> list[Piece]:
    numbers = column.to_numpy()
    outside = (numbers < -(1 << 31)) | (numbers >= 1 << 31)
    if outside.any():
        row = int(outside.argmax())
        raise _BadValueError(row, f"{numbers[row]} does not fit 32 bits")
    return [varints(numbers)]


def _double(column: Array) -> list[Piece]:
    return [pieces.fixed(column.to_numpy().astype("<f8", copy=False).view(np.uint8).reshape(-1, 8))]


def _boolean(column: Array) -> list[Piece]:
    return [pieces.fixed(_booleans(column).view(np.uint8).reshape(-1, 1))]


def _bytes(column: Array) -> list[Piece]:
    offsets, octets = pieces.bytes_of(column)
    return [varints(np.diff(offsets)), pieces.from_offsets(offsets, pa.py_buffer(octets))]


_SIMPLE: Final[dict[str, Encoder]] = {
    "long": _long,
    "int": _int,
    "double": _double,
    "boolean": _boolean,
    "string": _bytes,
    "bytes": _bytes,
}


def _booleans(column: Array) -> npt.NDArray[np.bool_]:
    result: npt.NDArray[np.bool_] = column.to_numpy(zero_copy_only=False)
    return result


def _first(mask: Array) -> int:
    """Row of the first true value."""
    return int(_booleans(mask).argmax())
