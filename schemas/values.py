"""Records to Avro value by value, for rows and for small batches of columns (schemas.columnar is for large ones).

Each type of a schema has an encoder that turns a column of values into a *piece*, which is what the column contributes
to every record: the same bytes for all of them (`bytes`), or some for each (`list[bytes]`). A loop that does a look-up
a value costs more at a thousand of them than numpy and Arrow do, and far less at a few dozen: what a column costs by
itself is a microsecond or two.
"""

from __future__ import annotations

import functools
import sys
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import Any, Final

import numpy as np

from schemas.numbers import varint
from schemas.records import Schema, frame_type
from schemas.varints import varints_of

Piece = bytes | list[bytes]
Encoder = Callable[[Sequence[Any]], Piece]
"""Encodes a column of one value at least: None for a null, a record as a tuple of its fields, a list as any sequence.
Raises BadValueError."""

_SMALL: Final = range(-64, 1024)
"""Numbers that are looked up: counts, lengths, most quantities."""
_SAMPLE, _DISTINCT = 32, 16
"""A column repeats itself if of so many values at its beginning at most so many are different."""
_WRONG: Final = (TypeError, ValueError, KeyError, AttributeError, OverflowError)


class BadValueError(ValueError):
    """A value that the schema does not allow, in a row of the column at hand; `path` leads to it within the value."""

    def __init__(self, row: int, why: str, path: str = "") -> None:
        super().__init__(why)
        self.row = row
        self.why = why
        self.path = path

    def of(self, field: str) -> ValueError:
        """The same, said of a field's column."""
        return ValueError(f"field {field}{self.path}, row {self.row}: {self.why}")


class Values:
    """Encodes values of a record's fields."""

    def __init__(self, fields: Sequence[dict[str, Any]]) -> None:
        """`fields` are those of a schema without references. Raises TypeError where one has no frame form."""
        self._encoders = {field["name"]: encoder(field["type"]) for field in fields}

    def write(
        self, columns: Mapping[str, Sequence[Any]], rows: int, header: bytes, defaults: Mapping[str, bytes]
    ) -> list[bytes]:
        """`header` and datum for each of so many rows, one at least; a column that is not there takes its default.

        Raises ValueError, naming field and row, for a value that the schema does not allow.
        """
        parts: list[Piece] = [header]
        large: list[tuple[Longs, Sequence[Any], array[int]]] = []
        places: list[int] = []
        for name, encode in self._encoders.items():
            values = columns.get(name)
            try:
                if values is None:
                    parts.append(defaults[name])
                elif not isinstance(encode, Longs):
                    parts.append(encode(values))
                elif (piece := encode.small(values)) is not None:
                    parts.append(piece)
                else:
                    large.append((encode, values, encode.numbers(values)))
                    places.append(len(parts))
                    parts.append(b"")
            except BadValueError as error:
                raise error.of(name) from None
        if large:
            for place, found in zip(places, encode_all(large), strict=True):
                parts[place] = found
        return join(parts, rows)


def encoder(type_: Schema) -> Encoder:
    """The encoder of a type without references. TypeError for a type that has no frame form."""
    if not isinstance(type_, list):
        return _encoder(type_, b"", None)
    frame_type(type_)  # null and one type, or TypeError
    absent = varint(type_.index("null")) if "null" in type_ else None
    which = next(index for index, branch in enumerate(type_) if branch != "null")
    return _encoder(type_[which], varint(which), absent)


def join(pieces: Iterable[Piece], rows: int) -> list[bytes]:
    """The pieces of each of so many records, one after the other."""
    merged: list[Piece] = [b""]
    for piece in pieces:
        last = merged[-1]
        if isinstance(piece, bytes) and isinstance(last, bytes):
            merged[-1] = last + piece
        else:
            merged.append(piece)
    if len(merged) == 1 and isinstance(merged[0], bytes):
        return merged * rows  # type: ignore[return-value]
    if not merged[0]:
        del merged[0]
    if len(merged) == 1:
        return merged[0]  # type: ignore[return-value]
    columns = [repeat(piece, rows) if isinstance(piece, bytes) else piece for piece in merged]
    return list(map(b"".join, zip(*columns, strict=True)))


def _encoder(type_: Schema, head: bytes, absent: bytes | None) -> Encoder:
    """The encoder of a type; `head` goes before every value, `absent` is a null; None where there is none."""
    kind = type_["type"] if isinstance(type_, dict) else type_
    if kind == "record":
        return _record(type_, head, absent)
    if kind == "array":
        return _array(type_, head, absent)
    if kind in ("int", "long"):
        return Longs(kind, head, absent)
    if kind == "enum":
        symbols = {symbol: head + varint(index) for index, symbol in enumerate(type_["symbols"])}
        return _checked(_table(symbols, absent), f"none of {', '.join(symbols)}", absent)
    if kind == "boolean":
        return _checked(_table({False: head + b"\0", True: head + b"\1"}, absent), "no boolean", absent)
    if kind == "double":
        return _checked(_double(head, absent), "no double", absent)
    if kind in ("string", "bytes"):
        return _checked((_string if kind == "string" else _bytes)(head, absent), f"no {kind}", absent)
    raise TypeError(f"no columns encode {kind!r}")


def _checked(encode: Encoder, otherwise: str, absent: bytes | None) -> Encoder:
    """The encoder, which raises anything of _WRONG, as one that says which value is wrong, and, if it can, passes nulls
    by; what is wrong with a value is that it is `otherwise`."""

    def checked(values: Sequence[Any]) -> Piece:
        if values[0] is None and absent is not None and values.count(None) == len(values):
            return absent
        try:
            return encode(values)
        except BadValueError:
            raise
        except _WRONG:
            for row, value in enumerate(values):
                if value is None and absent is None:
                    raise BadValueError(row, "null where the schema has no null") from None
                try:
                    encode([value])
                except _WRONG:
                    raise BadValueError(row, f"{value!r} is {otherwise}") from None
            raise

    return checked


def _spread(encoded: Iterable[bytes], values: Sequence[Any], head: bytes, absent: bytes) -> list[bytes]:
    """What is encoded of all values but the nulls, with `head`, among the nulls."""
    following = iter(encoded)
    return [absent if value is None else head + next(following) for value in values]


def _table(encoded: dict[Any, bytes], absent: bytes | None) -> Encoder:
    known = encoded if absent is None else {None: absent, **encoded}
    return lambda values: [known[value] for value in values]


class _Leads(dict[int, bytes]):
    """Numbers, with a head before each."""

    def __init__(self, head: bytes) -> None:
        super().__init__(_small(head, None))
        self._head = head

    def __missing__(self, number: int) -> bytes:
        return self._head + varint(number)


@functools.cache
def _small(head: bytes, absent: bytes | None) -> dict[Any, bytes]:
    small: dict[Any, bytes] = {number: head + varint(number) for number in _SMALL}
    return small if absent is None else {None: absent, **small}


@functools.cache
def _leads(head: bytes) -> _Leads:
    return _Leads(head)


def _string(head: bytes, absent: bytes | None) -> Encoder:
    leads = _leads(head)

    def encode(values: Sequence[Any]) -> Piece:
        if _repeats(values):
            known = {value: leads[len(octets := value.encode())] + octets for value in {*values} - {None}}
            if absent is not None:
                known[None] = absent
            return [known[value] for value in values]
        if absent is None:
            return [leads[len(octets := value.encode())] + octets for value in values]
        return [absent if value is None else leads[len(octets := value.encode())] + octets for value in values]

    return encode


def _repeats(values: Sequence[Any]) -> bool:
    return len(values) >= _SAMPLE and len({*values[:_SAMPLE]}) <= _DISTINCT


def _bytes(head: bytes, absent: bytes | None) -> Encoder:
    leads = _leads(head)
    if absent is None:
        return lambda values: [leads[len(value)] + value for value in values]
    return lambda values: [absent if value is None else leads[len(value)] + value for value in values]


def _double(head: bytes, absent: bytes | None) -> Encoder:
    def encode(values: Sequence[Any]) -> Piece:
        there = values if absent is None else [value for value in values if value is not None]
        numbers = array("d", there)
        if sys.byteorder == "big":
            numbers.byteswap()
        encoded: list[bytes] = np.frombuffer(numbers, "V8").tolist()
        return encoded if absent is None and not head else _spread(encoded, values, head, absent or b"")

    return encode


class Longs:
    """Encodes columns of whole numbers; large ones of several columns are better encoded at once (`encode_all`)."""

    def __init__(self, kind: str, head: bytes, absent: bytes | None) -> None:
        """kind: long or int, of which ints are those of 32 bits."""
        self.head, self.absent = head, absent
        self._bits = 31 if kind == "int" else 63
        self._small = _small(head, absent)

    def __call__(self, values: Sequence[Any]) -> Piece:
        piece = self.small(values)
        return encode_all([(self, values, self.numbers(values))])[0] if piece is None else piece

    def small(self, values: Sequence[Any]) -> Piece | None:
        """The piece of a column of small numbers, None for any other."""
        if values[0] is None and self.absent is not None and values.count(None) == len(values):
            return self.absent
        small = self._small
        try:
            return [small[value] for value in values]
        except (KeyError, TypeError):
            return None

    def numbers(self, values: Sequence[Any]) -> array[int]:
        """The numbers of a column, without nulls."""
        try:
            found = array("q", values if self.absent is None else [value for value in values if value is not None])
        except (TypeError, OverflowError):
            raise self._bad(values) from None
        if self._bits < 63 and not -1 << self._bits <= min(found) <= max(found) < 1 << self._bits:
            raise self._bad(values)
        return found

    def _bad(self, values: Sequence[Any]) -> BadValueError:
        bound = 1 << self._bits
        for row, value in enumerate(values):
            if value is None:
                if self.absent is None:
                    return BadValueError(row, "null where the schema has no null")
            elif not isinstance(value, int):
                return BadValueError(row, f"{value!r} is no whole number")
            elif not -bound <= value < bound:
                return BadValueError(row, f"{value} does not fit {self._bits + 1} bits")
        raise AssertionError("no value is bad")


def encode_all(columns: Sequence[tuple[Longs, Sequence[Any], array[int]]]) -> list[list[bytes]]:
    """The pieces of several columns of whole numbers in one go: (encoder, values, their `numbers`) of each."""
    encoded = varints_of(np.frombuffer(b"".join([numbers for _, _, numbers in columns]), np.int64))
    pieces, start = [], 0
    for longs, values, numbers in columns:
        part, start = encoded[start : start + len(numbers)], start + len(numbers)
        plain = longs.absent is None and not longs.head
        pieces.append(part if plain else _spread(part, values, longs.head, longs.absent or b""))
    return pieces


def _record(type_: dict[str, Any], head: bytes, absent: bytes | None) -> Encoder:
    encoders = [(field["name"], encoder(field["type"])) for field in type_["fields"]]

    def encode(values: Sequence[Any]) -> Piece:
        rows = range(len(values)) if absent is None else [row for row, value in enumerate(values) if value is not None]
        there = values if absent is None else [values[row] for row in rows]
        parts: list[Piece] = [head]
        for (name, field), column in zip(encoders, zip(*there, strict=True), strict=True):
            try:
                parts.append(field(column))
            except BadValueError as error:
                raise BadValueError(rows[error.row], error.why, f".{name}{error.path}") from None
        encoded = join(parts, len(there))
        return encoded if absent is None else _spread(encoded, values, b"", absent)

    return _checked(encode, f"no {type_['name']}", absent)


def _array(type_: dict[str, Any], head: bytes, absent: bytes | None) -> Encoder:
    items, leads, empty = encoder(type_["items"]), _leads(head), head + b"\0"

    def encode(values: Sequence[Any]) -> Piece:
        lists = [() if value is None else value for value in values] if absent is not None else values
        counts = [len(some) for some in lists]
        flat = [*chain.from_iterable(lists)]
        encoded: Piece = b""
        if flat:
            try:
                encoded = items(flat)
            except BadValueError as error:
                row = int(np.searchsorted(np.cumsum(counts), error.row, side="right"))
                raise BadValueError(row, error.why, f"[]{error.path}") from None
        elif absent is None:
            return empty
        # one block of all items and an empty one to end with, which is all there is of an empty array
        following = repeat(encoded) if isinstance(encoded, bytes) else iter(encoded)
        joined = [
            empty
            if not count
            else leads[count] + (next(following) if count == 1 else b"".join(islice(following, count))) + b"\0"
            for count in counts
        ]
        if absent is None:
            return joined
        return [absent if value is None else piece for value, piece in zip(values, joined, strict=True)]

    return _checked(encode, "no list", absent)
