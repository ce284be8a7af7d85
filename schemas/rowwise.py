"""Records to Avro, row by row. Compiled, this is the cheapest of the encoders; as Python it is the slowest.

It accepts values of exactly the schema's types and refuses all others without saying why. schemas.values, which writes
the same bytes, then encodes them or says what is wrong.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Final

from librt.strings import BytesWriter, write_f64_le
from mypy_extensions import i64, u8

from schemas.numbers import UnfitError, varint, write_long
from schemas.records import Schema, frame_type

_LIMIT: Final = 1 << 60
"""Numbers up to here fit one machine word in compiled code. A larger one in a field is a mistake."""


class Rows:
    """Encodes rows of a record's fields."""

    def __init__(self, fields: Sequence[dict[str, Any]]) -> None:
        """`fields` are those of a schema without references. Raises TypeError where one has no frame form."""
        self._fields = _encoders(fields)

    def write(self, rows: Iterable[object], header: bytes) -> list[bytes] | None:
        """`header` and datum of each row; a row is a tuple of all fields' values. None: some value is not accepted."""
        encoded: list[bytes] = []
        out = BytesWriter()
        out.write(header)
        size: i64 = len(header)
        try:
            for row in rows:
                out.truncate(size)
                _write_fields(self._fields, row, out)
                encoded.append(out.getvalue())
        except (UnfitError, UnicodeEncodeError):
            return None
        return encoded


class _Encoder(ABC):
    """Encodes values of one type."""

    @abstractmethod
    def write(self, value: object, out: BytesWriter) -> None:
        """Append a value's encoding. Raises UnfitError, UnicodeEncodeError."""


class _Union(_Encoder):
    def __init__(self, encoder: _Encoder, present: int, absent: int) -> None:
        """present, absent: positions of the type and of null in the union, below 0 where it has no null."""
        self._encoder = encoder
        self._present: i64 = 2 * present
        self._absent: i64 = 2 * absent

    def write(self, value: object, out: BytesWriter) -> None:
        if value is not None:
            out.append(u8(self._present))
            self._encoder.write(value, out)
        elif self._absent >= 0:
            out.append(u8(self._absent))
        else:
            raise UnfitError


class _Long(_Encoder):
    def __init__(self, bound: int) -> None:
        """bound: numbers are in [-bound, bound)."""
        self._bound: i64 = bound

    def write(self, value: object, out: BytesWriter) -> None:
        if not isinstance(value, int) or not -_LIMIT <= value < _LIMIT:
            raise UnfitError
        number: i64 = value
        if not -self._bound <= number < self._bound:
            raise UnfitError
        write_long(number, out)


class _Double(_Encoder):
    def write(self, value: object, out: BytesWriter) -> None:
        if not isinstance(value, float):
            raise UnfitError
        write_f64_le(out, value)


class _Boolean(_Encoder):
    def write(self, value: object, out: BytesWriter) -> None:
        if not isinstance(value, bool):
            raise UnfitError
        out.append(1 if value else 0)


class _String(_Encoder):
    def write(self, value: object, out: BytesWriter) -> None:
        if not isinstance(value, str):
            raise UnfitError
        octets = value.encode()
        write_long(len(octets), out)
        out.write(octets)


class _Bytes(_Encoder):
    def write(self, value: object, out: BytesWriter) -> None:
        if not isinstance(value, bytes):
            raise UnfitError
        write_long(len(value), out)
        out.write(value)


class _Enum(_Encoder):
    def __init__(self, symbols: Sequence[str]) -> None:
        self._encoded: dict[str, bytes] = {symbol: varint(index) for index, symbol in enumerate(symbols)}

    def write(self, value: object, out: BytesWriter) -> None:
        octets = self._encoded.get(value) if isinstance(value, str) else None
        if octets is None:
            raise UnfitError
        out.write(octets)


class _Record(_Encoder):
    def __init__(self, fields: Sequence[dict[str, Any]]) -> None:
        self._fields = _encoders(fields)

    def write(self, value: object, out: BytesWriter) -> None:
        _write_fields(self._fields, value, out)


class _Array(_Encoder):
    def __init__(self, items: _Encoder) -> None:
        self._items = items

    def write(self, value: object, out: BytesWriter) -> None:
        if isinstance(value, tuple):
            value = list(value)
        if not isinstance(value, list):
            raise UnfitError
        if value:  # one block of all items, and an empty one to end with, which is all there is of an empty array
            write_long(len(value), out)
            for item in value:
                self._items.write(item, out)
        out.append(0)


def _write_fields(encoders: list[_Encoder], values: object, out: BytesWriter) -> None:
    if not isinstance(values, tuple) or len(values) != len(encoders):
        raise UnfitError
    for at, encoder in enumerate(encoders):
        encoder.write(values[at], out)


def _encoders(fields: Sequence[dict[str, Any]]) -> list[_Encoder]:
    return [_encoder(field["type"]) for field in fields]


def _encoder(type_: Schema) -> _Encoder:
    """The encoder of a type without references. TypeError for a type that has no frame form."""
    if isinstance(type_, list):
        frame_type(type_)  # null and one type, or TypeError
        present = 1 if type_[0] == "null" else 0
        return _Union(_encoder(type_[present]), present, type_.index("null") if "null" in type_ else -1)
    kind = type_["type"] if isinstance(type_, dict) else type_
    if kind == "record":
        return _Record(type_["fields"])
    if kind == "array":
        return _Array(_encoder(type_["items"]))
    if kind == "enum":
        return _Enum(type_["symbols"])
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    raise TypeError(f"no rows encode {kind!r}")


_SIMPLE: Final[dict[str, _Encoder]] = {
    "int": _Long(1 << 31),
    "long": _Long(_LIMIT),
    "double": _Double(),
    "boolean": _Boolean(),
    "string": _String(),
    "bytes": _Bytes(),
}
