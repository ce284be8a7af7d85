"""Columns of bytes: what the columnar Avro encoder puts side by side to make records.

A *piece* is what one or more fields contribute to every record: either the same bytes for all rows (`bytes`), or one
value a row (`pyarrow.LargeBinaryArray` without nulls).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Array = Any
"""A pyarrow array (pyarrow ships no types)."""
Ints = npt.NDArray[np.int64]
Piece = Any
"""bytes, or a pyarrow.LargeBinaryArray."""

TYPE: Final = pa.large_binary()
_NOTHING: Final = pa.scalar(b"", TYPE)


def fixed(matrix: npt.NDArray[np.uint8]) -> Array:
    """Values of one size: a row of bytes each, shape (rows, size)."""
    rows, size = matrix.shape
    offsets = np.arange(0, size * rows + 1, size, dtype=np.int64) if size else np.zeros(rows + 1, dtype=np.int64)
    return from_offsets(offsets, pa.py_buffer(np.ascontiguousarray(matrix)))


def from_sizes(sizes: npt.NDArray[Any], data: npt.NDArray[np.uint8]) -> Array:
    """Values of the given sizes in bytes, that lie in `data` one after the other."""
    return from_offsets(offsets_of(sizes), pa.py_buffer(np.ascontiguousarray(data)))


def offsets_of(sizes: npt.NDArray[Any]) -> Ints:
    """Where values of these sizes begin, and the last one ends."""
    offsets = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets


def from_offsets(offsets: Ints, data: Any) -> Array:
    """Values that lie in a buffer between these offsets."""
    return pa.LargeBinaryArray.from_buffers(TYPE, len(offsets) - 1, [None, pa.py_buffer(offsets), data])


def bytes_of(values: Array) -> tuple[Ints, npt.NDArray[np.uint8]]:
    """Where values begin, and the last one ends, in the bytes, and these; of strings likewise. Nulls are overlooked."""
    _, starts, data = values.buffers()
    offsets = np.frombuffer(starts, dtype=np.int64)[values.offset : values.offset + len(values) + 1]
    return offsets, np.frombuffer(data or b"", dtype=np.uint8)


def valid_of(values: Array) -> npt.NDArray[np.bool_]:
    """Which values of any kind are no nulls."""
    bits = values.buffers()[0]
    if bits is None:
        return np.ones(len(values), dtype=np.bool_)
    some = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=values.offset + len(values), bitorder="little")
    return some[values.offset :].view(np.bool_)


def repeat(value: bytes, present: npt.NDArray[np.bool_]) -> Array:
    """`value` in rows that are `present`, nothing in the others."""
    data = np.frombuffer(value * int(present.sum()), dtype=np.uint8)
    return from_sizes(present * len(value), data)


def join(pieces: Sequence[Piece], rows: int) -> Array:
    """The pieces of each row, one after the other, as an array of `rows` values."""
    merged = merge(pieces)
    if not merged:
        return repeat(b"", np.ones(rows, dtype=np.bool_))
    if len(merged) == 1:
        return merged[0] if not isinstance(merged[0], bytes) else repeat(merged[0], np.ones(rows, dtype=np.bool_))
    columns = [pa.scalar(piece, TYPE) if isinstance(piece, bytes) else piece for piece in merged]
    return pc.binary_join_element_wise(*columns, _NOTHING)


def merge(pieces: Sequence[Piece]) -> list[Piece]:
    """The same with neighbouring constants made one."""
    merged: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += piece
        elif not isinstance(piece, bytes) or piece:
            merged.append(piece)
    return merged


def optional(values: Array, present: npt.NDArray[np.bool_], lead: int, absent: int) -> Array:
    """The byte `lead` and one of the values, in order, in rows that are `present`, the byte `absent` in the others."""
    starts, octets = bytes_of(values)
    sizes = np.ones(len(present), dtype=np.int64)
    sizes[present] += np.diff(starts)
    offsets = offsets_of(sizes)
    heads = offsets[:-1]
    data = np.empty(offsets[-1], dtype=np.uint8)
    rest = np.ones(offsets[-1], dtype=np.bool_)
    rest[heads] = False
    data[heads] = np.where(present, lead, absent)
    data[rest] = octets[starts[0] : starts[-1]]
    return from_offsets(offsets, pa.py_buffer(data))


def group(values: Array, counts: Ints) -> Array:
    """Values joined as they lie, `counts` of them a row."""
    offsets, octets = bytes_of(values)
    return from_offsets(offsets[offsets_of(counts)], pa.py_buffer(octets))
