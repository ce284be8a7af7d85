"""Columns of numbers of 32 or 64 bits, in which the graph keeps its nodes and links.

Compiled, reading one is a few machine instructions, where an array of the standard library makes an object of each.
Columns grow by a chunk at a time, so nothing is copied, and at most a chunk of memory is unused.
"""

from __future__ import annotations

from typing import Final

from librt.vecs import append, vec
from mypy_extensions import i32, i64

_SHIFT: Final = 14
_CHUNK: Final = 1 << _SHIFT
_WITHIN: Final = _CHUNK - 1


class Ints:
    """A column of 32-bit integers, 4 bytes each."""

    def __init__(self) -> None:
        self._chunks: vec[vec[i32]] = vec[vec[i32]]()
        self._size: i64 = 0

    def __len__(self) -> int:
        return self._size

    def add(self, number: i64) -> None:
        """Put a number behind the last one."""
        at = self._size
        if not at & _WITHIN:
            self._chunks = append(self._chunks, vec[i32]([0] * _CHUNK))
        self._size = at + 1
        self.put(at, number)

    def get(self, at: i64) -> i64:
        """The number at a position."""
        number: int = self._chunks[at >> _SHIFT][at & _WITHIN]
        return number

    def put(self, at: i64, number: i64) -> None:
        """Replace the number at a position."""
        chunk = self._chunks[at >> _SHIFT]
        word: int = number
        chunk[at & _WITHIN] = word


class Longs:
    """A column of 64-bit integers, 8 bytes each."""

    def __init__(self) -> None:
        self._chunks: vec[vec[i64]] = vec[vec[i64]]()
        self._size: i64 = 0

    def __len__(self) -> int:
        return self._size

    def add(self, number: i64) -> None:
        """Put a number behind the last one."""
        at = self._size
        if not at & _WITHIN:
            self._chunks = append(self._chunks, vec[i64]([0] * _CHUNK))
        self._size = at + 1
        self.put(at, number)

    def get(self, at: i64) -> i64:
        """The number at a position."""
        return self._chunks[at >> _SHIFT][at & _WITHIN]

    def put(self, at: i64, number: i64) -> None:
        """Replace the number at a position."""
        chunk = self._chunks[at >> _SHIFT]
        chunk[at & _WITHIN] = number
