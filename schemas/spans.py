"""Finds where the values of a datum lie, so that parts of it can be copied without decoding. Fast if compiled.

It accepts only the form in which this package writes a datum: numbers in the fewest bytes, arrays in one block. The
other forms that Avro allows are refused; such a datum has to be decoded and encoded again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from librt.strings import read_f64_le, read_i64_le
from mypy_extensions import i64

from schemas.numbers import NOT_ASCII, UnfitError, read_long
from schemas.records import Schema, frame_type


class Span(ABC):
    """A value of one type: `begin` and `end` of the last one found."""

    def __init__(self) -> None:
        self.begin: i64 = 0
        self.end: i64 = 0
        self.following: Span | None = None

    @abstractmethod
    def find(self, data: bytes, at: i64) -> i64:
        """Find the value at a place; returns where it ends. Raises UnfitError, IndexError, UnicodeDecodeError."""


class Long(Span):
    """A long; `value` is its number."""

    def __init__(self) -> None:
        super().__init__()
        self.value: i64 = 0

    def find(self, data: bytes, at: i64) -> i64:
        self.begin = at
        self.value, self.end = _long(data, at)
        return self.end


class Enum(Span):
    """A symbol; `index` is its position among `symbols`."""

    def __init__(self, symbols: Sequence[str]) -> None:
        super().__init__()
        self.symbols = [*symbols]
        self._count: i64 = len(symbols)
        self.index: i64 = 0

    def find(self, data: bytes, at: i64) -> i64:
        self.begin = at
        self.index, self.end = _long(data, at)
        if not 0 <= self.index < self._count:
            raise UnfitError
        return self.end


class Double(Span):
    """A double; `value` is its number."""

    def __init__(self) -> None:
        super().__init__()
        self.value = 0.0

    def find(self, data: bytes, at: i64) -> i64:
        self.begin, self.end = at, at + 8
        self.value = read_f64_le(data, at)
        return self.end


class Text(Span):
    """A text; `start` is where its octets begin."""

    def __init__(self) -> None:
        super().__init__()
        self.start: i64 = 0

    def find(self, data: bytes, at: i64) -> i64:
        self.begin = at
        size, start = _long(data, at)
        if not 0 <= size <= len(data) - start:
            raise UnfitError
        end = start + size
        high: i64 = 0
        place = start
        while place + 8 <= end:
            high |= read_i64_le(data, place)
            place += 8
        while place < end:
            high |= data[place]
            place += 1
        if high & NOT_ASCII:
            data[start:end].decode()  # is it UTF-8?
        self.start, self.end = start, end
        return end


class Nullable(Span):
    """A value (`of`) or null; `there` says which."""

    def __init__(self, of: Span, null: int) -> None:
        """null: its position in the union."""
        super().__init__()
        self.of = of
        self.there = False
        self._absent: i64 = 2 * null

    def find(self, data: bytes, at: i64) -> i64:
        self.begin = at
        branch: i64 = data[at]
        if branch == self._absent:
            self.there = False
            self.end = at + 1
            return at + 1
        if branch != 2 - self._absent:
            raise UnfitError
        self.there = True
        self.end = self.of.find(data, at + 1)
        return self.end


class Record(Span):
    """A record; `fields` are the spans of its fields by name."""

    def __init__(self, names: Sequence[str], fields: Sequence[Span]) -> None:
        super().__init__()
        self.fields = dict(zip(names, fields, strict=True))
        self._first: Span | None = fields[0] if fields else None
        for field, following in pairwise(fields):
            field.following = following

    def find(self, data: bytes, at: i64) -> i64:
        self.begin = at
        field = self._first
        while field is not None:
            at = field.find(data, at)
            field = field.following
        self.end = at
        return at


class Array(Span):
    """An array of `count` values that begin at `start`; `items` finds each."""

    def __init__(self, items: Span) -> None:
        super().__init__()
        self.items = items
        self.count: i64 = 0
        self.start: i64 = 0

    def find(self, data: bytes, at: i64) -> i64:
        self.begin = at
        count, at = _long(data, at)
        self.count, self.start = count, at
        if count < 0:
            raise UnfitError
        if count:
            items = self.items
            while count:
                at = items.find(data, at)
                count -= 1
            if data[at]:
                raise UnfitError
            at += 1
        self.end = at
        return at


def record(fields: Sequence[dict[str, Any]]) -> Record:
    """The span of a record of these fields, of a schema without references.

    Raises TypeError where it has a type that is not looked into.
    """
    return Record([str(field["name"]) for field in fields], [_span(field["type"]) for field in fields])


def _span(type_: Schema) -> Span:
    if isinstance(type_, list):
        frame_type(type_)  # null and one type, or TypeError
        if "null" not in type_ or len(type_) != 2:
            raise TypeError(f"{type_} is not looked into")
        return Nullable(_span(type_[1 if type_[0] == "null" else 0]), type_.index("null"))
    kind = type_["type"] if isinstance(type_, dict) else type_
    if kind == "record":
        return record(type_["fields"])
    if kind == "array":
        return Array(_span(type_["items"]))
    if kind == "enum":
        return Enum(type_["symbols"])
    if kind == "long":
        return Long()
    if kind == "double":
        return Double()
    if kind == "string":
        return Text()
    raise TypeError(f"{kind!r} is not looked into")


def _long(data: bytes, at: i64) -> tuple[i64, i64]:
    """As `read_long`; raises UnfitError for one that takes more bytes than it needs, too."""
    number, end = read_long(data, at)
    if end - at > 1 and not data[end - 1]:
        raise UnfitError
    return number, end
