"""Readers of values of one type, which fill the buffers of an Arrow column one value after another. Fast if compiled.

Texts are not copied: each is a view (Arrow columnar format, "Variable-size Binary View Layout") into the joined datums.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from librt.strings import BytesWriter, read_f32_le, read_i64_le, write_f64_le, write_i64_le
from mypy_extensions import i64, u8

from schemas.numbers import NOT_ASCII, UnfitError, check_size, read_long, read_size, read_within

_WORD: Final[i64] = 0xFFFFFFFF
_SIGN: Final[i64] = 0x80000000


class NotAllowedError(UnfitError):
    """A value that the writer's schema allows and the reader's does not."""


class Column(ABC):
    """Reads values of one type. An Optional calls it for those that are not null."""

    following: Column | None = None
    """The column of the next field. Following this reference costs less than indexing a list."""

    def __init__(self, kind: Any) -> None:
        """kind: the type of Arrow."""
        self.kind = kind

    @abstractmethod
    def forget(self) -> None:
        """Forget the values that were read."""

    @abstractmethod
    def read(self, data: bytes, at: i64) -> i64:
        """Read the value at a place; returns where it ends. Raises UnfitError, IndexError, UnicodeDecodeError."""

    @abstractmethod
    def skip(self, data: bytes, at: i64) -> i64:
        """Skip the value at a place; returns where it ends. Raises UnfitError, IndexError."""

    @abstractmethod
    def array(self, count: int, joined: Any, there: Any) -> Any:
        """The values as an Arrow array of `count`, those that are null included.

        joined: the buffer of the data. there: of each, whether it is there (numpy, bool); None where all are.
        """


class Skipped(Column):
    """Skips the values of a field that was not asked for."""

    def __init__(self, column: Column) -> None:
        super().__init__(column.kind)
        self._column = column

    def forget(self) -> None:
        """Nothing was read."""

    def read(self, data: bytes, at: i64) -> i64:
        return self._column.skip(data, at)

    def skip(self, data: bytes, at: i64) -> i64:
        return self._column.skip(data, at)

    def array(self, count: int, joined: Any, there: Any) -> Any:
        raise NotImplementedError


class _Plain(Column):
    """Values of a fixed width."""

    def __init__(self, kind: Any, dtype: str) -> None:
        """dtype: numpy's."""
        super().__init__(kind)
        self._dtype = dtype
        self._out = BytesWriter()

    def forget(self) -> None:
        self._out = BytesWriter()

    def array(self, count: int, joined: Any, there: Any) -> Any:
        return pa.Array.from_buffers(self.kind, count, [bits(there), self._values(count, there)])

    def _values(self, count: int, there: Any) -> Any:
        values = self._out.getvalue()
        return pa.py_buffer(values if there is None else spread(np.frombuffer(values, self._dtype), count, there))


class Whole(_Plain):
    """Whole numbers within bounds, kept as such or as floats."""

    def __init__(self, least: int, largest: int, floating: bool) -> None:
        super().__init__(pa.float64() if floating else pa.int64(), "f8" if floating else "i8")
        self._least: i64 = least
        self._largest: i64 = largest
        self._floating = floating

    def read(self, data: bytes, at: i64) -> i64:
        number, end = read_within(data, at, self._least, self._largest)
        if self._floating:
            write_f64_le(self._out, float(number))
        else:
            write_i64_le(self._out, number)
        return end

    def skip(self, data: bytes, at: i64) -> i64:
        return read_within(data, at, self._least, self._largest)[1]


class Double(_Plain):
    """Floats of 64 bits."""

    def __init__(self) -> None:
        super().__init__(pa.float64(), "f8")

    def read(self, data: bytes, at: i64) -> i64:
        write_i64_le(self._out, read_i64_le(data, at))
        return at + 8

    def skip(self, data: bytes, at: i64) -> i64:
        return at + 8


class Single(_Plain):
    """Floats of 32 bits, kept in 64."""

    def __init__(self) -> None:
        super().__init__(pa.float64(), "f8")

    def read(self, data: bytes, at: i64) -> i64:
        write_f64_le(self._out, read_f32_le(data, at))
        return at + 4

    def skip(self, data: bytes, at: i64) -> i64:
        return at + 4


class Boolean(_Plain):
    """Booleans."""

    def __init__(self) -> None:
        super().__init__(pa.bool_(), "?")

    def read(self, data: bytes, at: i64) -> i64:
        value: i64 = data[at]
        if value > 1:
            raise UnfitError
        self._out.append(u8(value))
        return at + 1

    def skip(self, data: bytes, at: i64) -> i64:
        if data[at] > 1:
            raise UnfitError
        return at + 1

    def array(self, count: int, joined: Any, there: Any) -> Any:
        values = spread(np.frombuffer(self._out.getvalue(), np.bool_), count, there)
        return pa.Array.from_buffers(self.kind, count, [bits(there), bits(values)])


class Views(_Plain):
    """Texts and bytes: of each a view, 16 bytes; one of up to 12 bytes stands in its view itself."""

    def __init__(self, text: bool, size: int | None) -> None:
        """text: whether they must be UTF-8. size: bytes of each; None: each says it."""
        super().__init__(pa.string_view() if text else pa.binary_view(), "V16")
        self._text = text
        self._size: i64 = -1 if size is None else size
        self._ones: i64 = -1  # a literal has 32 bits in C, even in a variable that only it is given to

    def read(self, data: bytes, at: i64) -> i64:
        size, start = self._extent(data, at)
        end = start + size
        first = read_i64_le(data, start)
        second: i64 = 0
        if size > 12:
            high = first
            place = start + 8
            while place + 8 <= end:
                high |= read_i64_le(data, place)
                place += 8
            high |= read_i64_le(data, end - 8)
            second = start << 32  # of the first buffer
        else:
            if size < 8:
                first &= ~(self._ones << (size << 3))
            elif size > 8:
                second = read_i64_le(data, start + 8) & ~(self._ones << (size - 8 << 3))
            high = first | second
            second = first >> 32 & _WORD | _signed(second) << 32
        if self._text and high & NOT_ASCII:
            data[start:end].decode()  # is it UTF-8?
        write_i64_le(self._out, size | _signed(first) << 32)
        write_i64_le(self._out, second)
        return end

    def skip(self, data: bytes, at: i64) -> i64:
        size, start = self._extent(data, at)
        return start + size

    def _extent(self, data: bytes, at: i64) -> tuple[i64, i64]:
        """How many bytes there are, and where they begin."""
        if self._size < 0:
            return read_size(data, at)
        check_size(data, at, self._size)
        return self._size, at

    def array(self, count: int, joined: Any, there: Any) -> Any:
        return pa.Array.from_buffers(self.kind, count, [bits(there), self._values(count, there), joined])


class Enum(_Plain):
    """Symbols, as texts: their views are made once."""

    def __init__(self, symbols: Sequence[str | None]) -> None:
        """symbols: by index; None for one that is not allowed."""
        super().__init__(pa.string_view(), "V16")
        octets = [None if symbol is None else symbol.encode() for symbol in symbols]
        self._allowed = [symbol is not None for symbol in octets]
        self._symbols = pa.py_buffer(b"".join([symbol for symbol in octets if symbol is not None]))
        self._views = b""
        self._count: i64 = len(octets)
        start = 0
        for one in octets:
            symbol = b"" if one is None else one
            # one of more than 12 bytes stands in the second buffer
            rest = symbol[:4] + struct.pack("<ii", 1, start) if len(symbol) > 12 else symbol.ljust(12, b"\0")
            self._views += struct.pack("<i", len(symbol)) + rest
            start += len(symbol)

    def read(self, data: bytes, at: i64) -> i64:
        index, end = read_long(data, at)
        if not 0 <= index < self._count or not self._allowed[index]:
            raise NotAllowedError
        write_i64_le(self._out, read_i64_le(self._views, index << 4))
        write_i64_le(self._out, read_i64_le(self._views, (index << 4) + 8))
        return end

    def skip(self, data: bytes, at: i64) -> i64:
        return read_long(data, at)[1]

    def array(self, count: int, joined: Any, there: Any) -> Any:
        buffers = [bits(there), self._values(count, there), joined, self._symbols]
        return pa.Array.from_buffers(self.kind, count, buffers)


def _signed(word: i64) -> i64:
    """The lower 32 bits as a number with a sign, which can be shifted by 32 without overflow, in Python, too."""
    return (word & _WORD ^ _SIGN) - _SIGN


def spread(values: Any, count: int, there: Any) -> Any:
    """Values at the places where they are there, of `count`, with zeros between (numpy)."""
    if there is None:
        return values
    wide = np.zeros(count, values.dtype)
    wide[there] = values
    return wide


def bits(ones: Any) -> Any:
    """Booleans (numpy) as a buffer of bits; None of None."""
    return None if ones is None else pa.py_buffer(np.packbits(ones, bitorder="little"))
