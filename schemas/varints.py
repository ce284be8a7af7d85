"""Longs in Avro's encoding, many at once: zigzag, then seven bits a byte, the lowest first.

Up to eight bytes of a number are made in the lanes of one unsigned word: its septets are drawn apart to octets in three
steps (28 bits to 32, 14 to 16, 7 to 8), each of which is a few operations on whole columns.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.numbers import varint
from schemas.pieces import TYPE, Array, Ints, fixed, from_sizes

Words = npt.NDArray[np.uint64]

_TABLE_SIZE: Final = 1 << 14
"""Numbers of up to two bytes are looked up, which covers counts, lengths and most quantities."""
_THRESHOLDS: Final = [np.uint64(1 << bits) for bits in range(7, 64, 7)]
_MORE: Final = np.array([sum(0x80 << 8 * byte for byte in range(size - 1)) for size in range(9)], dtype=np.uint64)
"""Of a number of so many bytes: the bit of each but the last that says that another follows."""
_MANY: Final = 12
"""So many numbers are cheaper at once than one by one."""
_PLACES: Final = np.arange(10, dtype=np.uint8)


def varints(numbers: Ints) -> Array:
    """Each number as a value of a pyarrow.LargeBinaryArray."""
    zigzag = _zigzag(numbers)
    most = int(zigzag.max()) if len(zigzag) else 0
    if most < 1 << 7:
        return fixed(zigzag.astype(np.uint8).reshape(-1, 1))
    if most < _TABLE_SIZE:
        return _table().take(pa.array(zigzag))
    sizes = _sizes(zigzag, most)
    if most < 1 << 56:
        return _packed(_septets(zigzag) | _MORE[sizes], sizes)
    digits = ((zigzag[:, None] >> np.arange(0, 70, 7, dtype=np.uint64)) & np.uint64(0x7F)).astype(np.uint8)
    digits[sizes[:, None] - 1 > _PLACES] |= 0x80
    return from_sizes(sizes, digits[sizes[:, None] > _PLACES])


def varints_of(numbers: Ints) -> list[bytes]:
    """Each number as bytes of its own."""
    zigzag = _zigzag(numbers)
    if len(numbers) < _MANY or (most := int(zigzag.max())) >= 1 << 56:
        return [varint(number) for number in numbers.tolist()]
    words = _septets(zigzag) | _MORE[_sizes(zigzag, most)]
    # numpy drops the zeros at the end of a text: the last byte of a number is none, but where the number is 0
    encoded: list[bytes] = words.astype("<u8", copy=False).view("S8").tolist()
    return encoded if zigzag.all() else [octets or b"\0" for octets in encoded]


def _zigzag(numbers: Ints) -> Words:
    return ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)


def _sizes(zigzag: Words, most: int) -> npt.NDArray[np.uint8]:
    """How many bytes each takes; most: the largest of them."""
    sizes = np.ones(len(zigzag), dtype=np.uint8)
    for threshold in _THRESHOLDS:
        if most < threshold:
            break
        sizes += zigzag >= threshold
    return sizes


def _septets(words: Words) -> Words:
    """The 56 low bits, of which the others are 0, seven to a byte."""
    for mask, shift in (0x0FFFFFFF, 4), (0x00003FFF_00003FFF, 2), (0x007F007F_007F007F, 1):
        low = words & np.uint64(mask)
        words = low | (words ^ low) << np.uint64(shift)
    return words


def _packed(words: Words, sizes: npt.NDArray[np.uint8]) -> Array:
    """The low bytes of each word, as many as its size says."""
    octets = words.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)
    most = int(sizes.max())
    if sizes.min() == most:  # as times of these decades are
        return fixed(octets[:, :most])
    return from_sizes(sizes, octets[sizes[:, None] > _PLACES[:8]])


@functools.cache
def _table() -> Array:
    numbers = (n >> 1 if n % 2 == 0 else -((n + 1) >> 1) for n in range(_TABLE_SIZE))
    return pa.array([varint(n) for n in numbers], TYPE)
