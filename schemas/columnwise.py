"""Datums of one Avro schema to columns. Compiled, this is the cheapest of the decoders; as Python it is the slowest,
and is not used.

A value is read once, straight into its column's buffer as Arrow has it (Arrow columnar format, "Variable-size Binary
View Layout"): texts are not copied, they stay where the datums were joined. Of a batch in which anything is not as it
should be this says no more than that it does not take it: schemas.datums then finds out what is wrong, and where.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from librt.strings import BytesWriter, read_f32_le, read_i64_le, write_f64_le, write_i64_le
from mypy_extensions import i64, u8

from schemas.numbers import NOT_ASCII, PADDING, UnfitError, read_items, read_long, read_size, read_within
from schemas.records import Schema, frame_type

_PADDING: Final = b"\0" * PADDING
"""Behind the last datum: a short text is read with what follows it."""
_LARGEST: Final = (1 << 31) - 1 - PADDING
"""Bytes of a batch: views of texts tell where they are in 32 bits."""
_WORD: Final[i64] = 0xFFFFFFFF


class Columns:
    """Reads datums of a record's fields into their frame form (schemas.records). For one thread."""

    def __init__(self, fields: Sequence[dict[str, Any]]) -> None:
        """`fields` are those of a schema without references. Raises TypeError where one has no columnar form."""
        self._fields = [(str(field["name"]), field["type"]) for field in fields]
        self._records: dict[tuple[str, ...], _Record] = {}
        for _, kind in self._fields:
            _column(kind)

    def read(self, payloads: Sequence[bytes | None], header: bytes, names: Sequence[str]) -> pl.DataFrame | None:
        """One row a payload, in order, with the fields of `names`; None where something is unfit.

        header: what each payload begins with, before its datum.
        """
        wanted = tuple(names)
        record = self._record(wanted)
        parts: list[bytes] = []
        for payload in payloads:
            if payload is None or not payload.startswith(header):
                return None
            parts.append(payload)
        count = len(parts)
        parts.append(_PADDING)
        data = b"".join(parts)
        if len(data) > _LARGEST:
            return None
        first = record.first
        before: i64 = len(header)
        at: i64 = 0
        end: i64 = 0
        try:
            for row in range(count):
                at = end + before
                end += len(parts[row])
                column = first
                while column is not None:
                    at = column.read(data, at)
                    column = column.following
                if at != end:
                    return None
            arrays = record.arrays(count, pa.py_buffer(data))
        except (UnfitError, IndexError, pa.ArrowInvalid):
            return None
        finally:
            record.forget()
        return pl.DataFrame(pa.table({name: arrays[name] for name in wanted}))

    def _record(self, wanted: tuple[str, ...]) -> _Record:
        """The readers of these fields; all other fields are skipped."""
        record = self._records.get(wanted)
        if record is None:
            columns = [_column(kind) if name in wanted else _Skipped(_column(kind)) for name, kind in self._fields]
            record = self._records[wanted] = _Record([name for name, _ in self._fields], columns)
        return record


class _Column(ABC):
    """Reads values of one type, one after the other, into a buffer. A union calls it for values that are not null."""

    following: _Column | None = None
    """The column of the field behind this one: to follow it costs less than to take it from a list."""

    @abstractmethod
    def forget(self) -> None:
        """Forget the values that were read."""

    @abstractmethod
    def read(self, data: bytes, at: i64) -> i64:
        """Read the value at a place; returns where it ends. Raises UnfitError, IndexError."""

    @abstractmethod
    def skip(self, data: bytes, at: i64) -> i64:
        """Skip the value at a place; returns where it ends. Raises UnfitError, IndexError."""

    @abstractmethod
    def array(self, count: int, joined: Any, there: Any) -> Any:
        """The values as an Arrow array, so many with those that are null.

        joined: the buffer of the data. there: of each, whether it is there (numpy, bool); None where all are.
        """


class _Skipped(_Column):
    """Skips the values of a field that was not asked for."""

    def __init__(self, column: _Column) -> None:
        self._column = column

    def forget(self) -> None:
        """Nothing was read."""

    def read(self, data: bytes, at: i64) -> i64:
        return self._column.skip(data, at)

    def skip(self, data: bytes, at: i64) -> i64:
        return self._column.skip(data, at)

    def array(self, count: int, joined: Any, there: Any) -> Any:
        return None


class _Nullable(_Column):
    def __init__(self, column: _Column, null: int) -> None:
        """null: position of null in the union."""
        self._column = column
        self._absent_branch: i64 = 2 * null
        self._there = BytesWriter()

    def forget(self) -> None:
        self._column.forget()
        self._there = BytesWriter()

    def read(self, data: bytes, at: i64) -> i64:
        branch: i64 = data[at]
        if branch == self._absent_branch:
            self._there.append(0)
            return at + 1
        if branch != 2 - self._absent_branch:
            raise UnfitError
        self._there.append(1)
        return self._column.read(data, at + 1)

    def skip(self, data: bytes, at: i64) -> i64:
        branch: i64 = data[at]
        if branch == self._absent_branch:
            return at + 1
        if branch != 2 - self._absent_branch:
            raise UnfitError
        return self._column.skip(data, at + 1)

    def array(self, count: int, joined: Any, there: Any) -> Any:
        said = self._there.getvalue()
        if there is None and 0 not in said:
            return self._column.array(count, joined, None)
        return self._column.array(count, joined, _spread(np.frombuffer(said, np.bool_), count, there))


class _Plain(_Column):
    """Values of a fixed width."""

    def __init__(self, kind: Any, dtype: str) -> None:
        """kind: of Arrow. dtype: numpy's."""
        self._kind, self._dtype = kind, dtype
        self._out = BytesWriter()

    def forget(self) -> None:
        self._out = BytesWriter()

    def array(self, count: int, joined: Any, there: Any) -> Any:
        return pa.Array.from_buffers(self._kind, count, [_bits(there), self._values(count, there)])

    def _values(self, count: int, there: Any) -> Any:
        values = self._out.getvalue()
        return pa.py_buffer(values if there is None else _spread(np.frombuffer(values, self._dtype), count, there))


class _Long(_Plain):
    def read(self, data: bytes, at: i64) -> i64:
        number, end = read_long(data, at)
        write_i64_le(self._out, number)
        return end

    def skip(self, data: bytes, at: i64) -> i64:
        return read_long(data, at)[1]


class _Int(_Plain):
    def read(self, data: bytes, at: i64) -> i64:
        number, end = read_within(data, at, -0x80000000, 0x7FFFFFFF)
        write_i64_le(self._out, number)
        return end

    def skip(self, data: bytes, at: i64) -> i64:
        return read_within(data, at, -0x80000000, 0x7FFFFFFF)[1]


class _Double(_Plain):
    def read(self, data: bytes, at: i64) -> i64:
        write_i64_le(self._out, read_i64_le(data, at))
        return at + 8

    def skip(self, data: bytes, at: i64) -> i64:
        return at + 8


class _Float(_Plain):
    def read(self, data: bytes, at: i64) -> i64:
        write_f64_le(self._out, read_f32_le(data, at))
        return at + 4

    def skip(self, data: bytes, at: i64) -> i64:
        return at + 4


class _Boolean(_Plain):
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
        values = _spread(np.frombuffer(self._out.getvalue(), np.bool_), count, there)
        return pa.Array.from_buffers(pa.bool_(), count, [_bits(there), _bits(values)])


class _Octets(_Plain):
    """Texts and bytes: of each a view, 16 bytes; one of up to 12 bytes stands in its view itself."""

    def __init__(self, kind: Any) -> None:
        super().__init__(kind, "V16")
        self._ones: i64 = -1  # a literal has 32 bits in C, even in a variable that only it is given to
        self._high: i64 = 0

    def forget(self) -> None:
        self._out = BytesWriter()
        self._high = 0

    def read(self, data: bytes, at: i64) -> i64:
        size, start = read_size(data, at)
        end = start + size
        first = read_i64_le(data, start)
        if size > 12:
            high = first
            place = start + 8
            while place + 8 <= end:
                high |= read_i64_le(data, place)
                place += 8
            self._high |= high | read_i64_le(data, end - 8)
            write_i64_le(self._out, size | first << 32)
            write_i64_le(self._out, start << 32)  # of the first buffer
            return end
        second: i64 = 0
        if size < 8:
            first &= ~(self._ones << (size << 3))
        elif size > 8:
            second = read_i64_le(data, start + 8) & ~(self._ones << (size - 8 << 3))
        self._high |= first | second
        write_i64_le(self._out, size | first << 32)
        write_i64_le(self._out, first >> 32 & _WORD | second << 32)
        return end

    def skip(self, data: bytes, at: i64) -> i64:
        size, start = read_size(data, at)
        return start + size

    def array(self, count: int, joined: Any, there: Any) -> Any:
        found = pa.Array.from_buffers(self._kind, count, [_bits(there), self._values(count, there), joined])
        if self._high & NOT_ASCII:
            found.validate(full=True)  # is it UTF-8?
        return found


class _Enum(_Plain):
    """Symbols, as texts: their views are made once."""

    def __init__(self, symbols: Sequence[str]) -> None:
        super().__init__(pa.string_view(), "V16")
        octets = [symbol.encode() for symbol in symbols]
        self._symbols = pa.py_buffer(b"".join(octets))
        self._views = b""
        self._last: i64 = len(octets) - 1
        start = 0
        for symbol in octets:
            # one of more than 12 bytes stands in the second buffer
            rest = symbol[:4] + struct.pack("<ii", 1, start) if len(symbol) > 12 else symbol.ljust(12, b"\0")
            self._views += struct.pack("<i", len(symbol)) + rest
            start += len(symbol)

    def read(self, data: bytes, at: i64) -> i64:
        index, end = read_within(data, at, 0, self._last)
        write_i64_le(self._out, read_i64_le(self._views, index << 4))
        write_i64_le(self._out, read_i64_le(self._views, (index << 4) + 8))
        return end

    def skip(self, data: bytes, at: i64) -> i64:
        return read_within(data, at, 0, self._last)[1]

    def array(self, count: int, joined: Any, there: Any) -> Any:
        buffers = [_bits(there), self._values(count, there), joined, self._symbols]
        return pa.Array.from_buffers(self._kind, count, buffers)


class _Record(_Column):
    def __init__(self, names: Sequence[str], columns: Sequence[_Column]) -> None:
        if not columns:
            raise TypeError("a record without fields is no column")
        self._names, self._columns = list(names), list(columns)
        for column, following in pairwise(columns):
            column.following = following
        self.first: _Column | None = columns[0]

    def forget(self) -> None:
        for column in self._columns:
            column.forget()

    def read(self, data: bytes, at: i64) -> i64:
        column = self.first
        while column is not None:
            at = column.read(data, at)
            column = column.following
        return at

    def skip(self, data: bytes, at: i64) -> i64:
        column = self.first
        while column is not None:
            at = column.skip(data, at)
            column = column.following
        return at

    def arrays(self, count: int, joined: Any, there: Any = None) -> dict[str, Any]:
        """Of each field; None of one that is passed over."""
        return {
            name: column.array(count, joined, there) for name, column in zip(self._names, self._columns, strict=True)
        }

    def array(self, count: int, joined: Any, there: Any) -> Any:
        fields = self.arrays(count, joined, there)
        kind = pa.struct([(name, field.type) for name, field in fields.items()])
        return pa.Array.from_buffers(kind, count, [_bits(there)], children=list(fields.values()))


class _Array(_Column):
    def __init__(self, items: _Column) -> None:
        self._items = items
        self._counts = BytesWriter()
        self._all: i64 = 0

    def forget(self) -> None:
        self._items.forget()
        self._counts = BytesWriter()
        self._all = 0

    def read(self, data: bytes, at: i64) -> i64:
        count: i64 = 0
        left, at = read_items(data, at)
        while left:
            count += left
            while left:
                at = self._items.read(data, at)
                left -= 1
            left, at = read_items(data, at)
        write_i64_le(self._counts, count)
        self._all += count
        return at

    def skip(self, data: bytes, at: i64) -> i64:
        left, at = read_items(data, at)
        while left:
            while left:
                at = self._items.skip(data, at)
                left -= 1
            left, at = read_items(data, at)
        return at

    def array(self, count: int, joined: Any, there: Any) -> Any:
        counts = _spread(np.frombuffer(self._counts.getvalue(), np.int64), count, there)
        ends = np.zeros(count + 1, np.int64)
        np.cumsum(counts, out=ends[1:])
        items = self._items.array(int(self._all), joined, None)
        return pa.Array.from_buffers(
            pa.large_list(items.type), count, [_bits(there), pa.py_buffer(ends)], children=[items]
        )


def _spread(values: Any, count: int, there: Any) -> Any:
    """Values at the places where they are there, of so many, with zeros between (numpy)."""
    if there is None:
        return values
    spread = np.zeros(count, values.dtype)
    spread[there] = values
    return spread


def _bits(ones: Any) -> Any:
    """Booleans (numpy) as a buffer of bits; None of None."""
    return None if ones is None else pa.py_buffer(np.packbits(ones, bitorder="little"))


def _column(type_: Schema) -> _Column:
    """The column of a type without references. TypeError for a type that has no columnar form."""
    if isinstance(type_, list):
        frame_type(type_)  # null and one type, or TypeError
        if "null" not in type_ or len(type_) != 2:
            raise TypeError(f"{type_} is no column")
        return _Nullable(_column(type_[1 if type_[0] == "null" else 0]), type_.index("null"))
    kind = type_["type"] if isinstance(type_, dict) else type_
    if kind == "record":
        return _Record(
            [str(field["name"]) for field in type_["fields"]], [_column(field["type"]) for field in type_["fields"]]
        )
    if kind == "array":
        return _Array(_column(type_["items"]))
    if kind == "enum":
        return _Enum(type_["symbols"])
    if kind in ("int", "long"):
        return (_Int if kind == "int" else _Long)(pa.int64(), "i8")
    if kind in ("float", "double"):
        return (_Float if kind == "float" else _Double)(pa.float64(), "f8")
    if kind == "boolean":
        return _Boolean(pa.bool_(), "?")
    if kind in ("string", "bytes"):
        return _Octets(pa.string_view() if kind == "string" else pa.binary_view())
    raise TypeError(f"{kind!r} is no column")
