"""Columns of bytes: what the columnar Avro encoder puts side by side to make records.

A *piece* is what one or more fields contribute to every record: either the same bytes for all rows (`bytes`), or one
value a row (`pyarrow.LargeBinaryArray` without nulls).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.block import varint

Array = Any
"""A pyarrow array (pyarrow ships no types)."""
Piece = Any
"""bytes, or a pyarrow.LargeBinaryArray."""
Ints = npt.NDArray[np.int64]

_TYPE: Final = pa.large_binary()
_NOTHING: Final = pa.scalar(b"", _TYPE)
_TABLE_SIZE: Final = 1 << 14
"""Numbers of up to two bytes are looked up, which covers counts, lengths and most quantities."""
_THRESHOLDS: Final = np.array([1 << bits for bits in range(7, 64, 7)], dtype=np.uint64)


def varints(numbers: Ints) -> Array:
    """Longs in Avro's encoding: zigzag, then seven bits a byte, the lowest first."""
    zigzag = ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)
    if not len(zigzag) or zigzag.max() < _TABLE_SIZE:
        return _table().take(pa.array(zigzag))
    sizes = np.searchsorted(_THRESHOLDS, zigzag, side="right") + 1
    width = int(sizes.max())
    shifts = np.arange(0, 7 * width, 7, dtype=np.uint64)
    digits = ((zigzag[:, None] >> shifts) & np.uint64(0x7F)).astype(np.uint8)
    places = np.arange(width)
    digits[places < sizes[:, None] - 1] |= 0x80
    return from_sizes(sizes, digits.ravel() if sizes.min() == width else digits[places < sizes[:, None]])


@functools.cache
def _table() -> Array:
    numbers = (n >> 1 if n % 2 == 0 else -((n + 1) >> 1) for n in range(_TABLE_SIZE))
    return pa.array([varint(n) for n in numbers], _TYPE)


def fixed(matrix: npt.NDArray[np.uint8]) -> Array:
    """Values of one size: a row of bytes each, shape (rows, size)."""
    rows, size = matrix.shape
    offsets = np.arange(0, size * rows + 1, size, dtype=np.int64) if size else np.zeros(rows + 1, dtype=np.int64)
    return _from_offsets(offsets, pa.py_buffer(np.ascontiguousarray(matrix)))


def from_sizes(sizes: npt.NDArray[Any], data: npt.NDArray[np.uint8]) -> Array:
    """Values of the given sizes in bytes, that lie in `data` one after the other."""
    return _from_offsets(_offsets(sizes), pa.py_buffer(np.ascontiguousarray(data)))


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
    columns = [pa.scalar(piece, _TYPE) if isinstance(piece, bytes) else piece for piece in merged]
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


def spread(values: Array, present: npt.NDArray[np.bool_], absent: bytes) -> Array:
    """The values, in order, in the rows that are `present`, and `absent` in the others."""
    indices = np.where(present, np.cumsum(present) - 1, len(values))
    return pa.concat_arrays([values, pa.array([absent], _TYPE)]).take(pa.array(indices))


def group(values: Array, counts: Ints) -> Array:
    """Values joined as they lie, `counts` of them a row."""
    offsets = np.frombuffer(values.buffers()[1], dtype=np.int64)[values.offset : values.offset + len(values) + 1]
    return _from_offsets(offsets[_offsets(counts)], values.buffers()[2])


def _offsets(sizes: npt.NDArray[Any]) -> Ints:
    offsets = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets


def _from_offsets(offsets: Ints, data: Any) -> Array:
    return pa.LargeBinaryArray.from_buffers(_TYPE, len(offsets) - 1, [None, pa.py_buffer(offsets), data])
