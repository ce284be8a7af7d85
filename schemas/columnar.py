"""Columns of a frame to Avro, without a loop over records: for large batches (schemas.values is for small ones).

Each type of the schema has an encoder that turns a column of it into pieces (schemas.pieces).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas import pieces
from schemas.numbers import varint
from schemas.pieces import Array, Piece
from schemas.records import Schema, frame_type
from schemas.together import Numbers
from schemas.values import BadValueError
from schemas.varints import varints

Encoder = Callable[[Array], list[Piece]]
"""Encodes a column: one pyarrow array in, pieces for its rows out. Raises BadValueError."""

_OLDEST: Final = pl.CompatLevel.oldest()
"""Arrow types with offsets, which are what the pieces are made of; not views."""


class Columns:
    """Encodes columns of a record's fields."""

    def __init__(self, fields: list[dict[str, Any]]) -> None:
        """`fields` are those of a schema without references. Raises TypeError where one has no frame form."""
        self._encoders = {field["name"]: _encoder(field["type"]) for field in fields}
        self._numbers = Numbers((field["name"], field["type"]) for field in fields)

    def write(self, frame: pl.DataFrame, header: bytes, defaults: dict[str, bytes]) -> list[bytes]:
        """`header` and datum for each row of a frame in frame form, of one row at least; see DatumWriter.write."""
        batch = frame.rechunk().to_arrow(compat_level=_OLDEST).to_batches()[0]
        columns = dict(zip(frame.columns, batch.columns, strict=True))
        numbers = self._numbers.encode(columns)
        parts: list[Piece] = [header]
        for name, encoder in self._encoders.items():
            column = columns.get(name)
            if column is None:
                parts.append(defaults[name])
                continue
            try:
                parts += numbers[name] if name in numbers else encoder(column)
            except BadValueError as error:
                raise error.of(name) from None
        values: list[bytes] = pieces.join(parts, frame.height).to_pylist()
        return values


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
            raise BadValueError(_first(pc.is_null(column)), "null where the schema has no null")
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
            raise BadValueError(_first(pc.is_null(column)), "null where the schema has no null")
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
        except BadValueError as error:
            raise BadValueError(int(np.flatnonzero(valid)[error.row]), error.why, error.path) from None
        return [pieces.optional(compact, valid, present[0], absent[0])]

    return encode


def _record(type_: dict[str, Any]) -> Encoder:
    encoders = [(field["name"], _encoder(field["type"])) for field in type_["fields"]]

    def encode(column: Array) -> list[Piece]:
        parts: list[Piece] = []
        for (name, encoder), child in zip(encoders, column.flatten(), strict=True):
            try:
                parts += encoder(child)
            except BadValueError as error:
                raise BadValueError(error.row, error.why, f".{name}{error.path}") from None
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
        except BadValueError as error:
            row = int(np.searchsorted(np.cumsum(counts), error.row, side="right"))
            raise BadValueError(row, error.why, f"[]{error.path}") from None
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
            raise BadValueError(row, f"{column[row].as_py()!r} is none of {', '.join(symbols)}")
        return [encoded.take(indices)]

    return encode


def _long(column: Array) -> list[Piece]:
    return [varints(column.to_numpy())]


def _int(column: Array) -> list[Piece]:
    numbers = column.to_numpy()
    outside = (numbers < -(1 << 31)) | (numbers >= 1 << 31)
    if outside.any():
        row = int(outside.argmax())
        raise BadValueError(row, f"{numbers[row]} does not fit 32 bits")
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
