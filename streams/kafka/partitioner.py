"""Kafka's default partitioner: murmur2 of the key, as in Kafka's Utils.murmur2. Fast if compiled."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from librt.strings import read_i32_le
from mypy_extensions import i64

_WORD: Final = 0xFFFFFFFF
_M: Final = 0x5BD1E995

_turns = itertools.count()  # partitions of keyless rows go on in turn from call to call


def partitions_of(keys: Sequence[bytes | None], partitions: int) -> list[int]:
    """Partition of each key as Kafka's default partitioner has it; rows whose key is None take turns."""
    among: i64 = partitions
    return [int((murmur2(key) & 0x7FFFFFFF) % among) if key is not None else next(_turns) % partitions for key in keys]


def rows_by(values: Sequence[int]) -> dict[int, list[int]]:
    """Distinct values -> positions where each stands, ascending."""
    found: dict[int, list[int]] = {}
    for row, value in enumerate(values):
        rows = found.get(value)
        if rows is None:
            found[value] = [row]
        else:
            rows.append(row)
    return found


def murmur2(key: bytes) -> i64:
    """The hash of a key, below 2^32."""
    size: i64 = len(key)
    h: i64 = 0x9747B28C ^ size
    at: i64 = 0
    while at + 4 <= size:
        k = (i64(read_i32_le(key, at)) & _WORD) * _M & _WORD
        k = (k ^ k >> 24) * _M & _WORD
        h = h * _M & _WORD ^ k
        at += 4
    if at < size:
        tail: i64 = 0
        for place in range(size - 1, at - 1, -1):
            tail = tail << 8 | key[place]
        h = (h ^ tail) * _M & _WORD
    h = (h ^ h >> 13) * _M & _WORD
    return h ^ h >> 15
