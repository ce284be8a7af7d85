"""Records to Avro, row by row. Compiled, this is the cheapest way to encode; interpreted, it gives the same bytes.
Values are checked while they are written. Only a value that is refused is looked at again, to say which it is and why.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from librt.strings import BytesWriter, write_f64_le
from mypy_extensions import i64, u8

from schemas.numbers import UnfitError, varint, write_long
from schemas.records import Schema, frame_type

_WORD: Final = 1 << 60
"""Numbers up to here are compared as machine words in compiled code."""
_LONG: Final = 1 << 63
_NULL: Final = "null where the schema has no null"


class RowWriter:
    """Writes rows of a record's fields."""

    def __init__(self, fields: Sequence[dict[str, Any]]) -> None:
        """`fields` are those of a schema without references. Raises TypeError where one has no frame form."""
        self._fields = _Fields(fields)

    def write(self, rows: Iterable[object], header: bytes = b"") -> list[bytes]:
        """`header` and datum of each row: a tuple of the fields' values, in the schema's order.

        None is a null, a record a tuple of its fields' values, an array a list or a tuple. Raises ValueError, naming
        field and row, for a value that the schema does not allow.
        """
        encoded: list[bytes] = []
        out = BytesWriter()
        out.write(header)
        size: i64 = len(header)
        row: object = None
        try:
            for row in rows:
                out.truncate(size)
                self._fields.write(row, out)
                encoded.append(out.getvalue())
        except (UnfitError, UnicodeEncodeError):
            path, why = self._fields.fault(row)
            at = f"row {len(encoded)}"
            raise ValueError(f"field {path[1:]}, {at}: {why}" if path else f"{at}: {why}") from None
        return encoded


class _Encoder(ABC):
    """Encodes values of one type."""

    def __init__(self, noun: str) -> None:
        """noun: what a value that is refused is none of."""
        self._noun = noun

    @abstractmethod
    def write(self, value: object, out: BytesWriter) -> None:
        """Append a value's encoding. Raises UnfitError, UnicodeEncodeError."""

    def fault(self, value: object) -> tuple[str, str]:
        """Of a value that is refused: the path to what is wrong within it, and a clause that says what that is."""
        return "", _NULL if value is None else f"{value!r} is {self._noun}"

    def takes(self, value: object) -> bool:
        """Whether `write` would."""
        try:
            self.write(value, BytesWriter())
        except (UnfitError, UnicodeEncodeError):
            return False
        return True


class _Union(_Encoder):
    def __init__(self, encoder: _Encoder, present: int, absent: int) -> None:
        """present, absent: positions of the type and of null in the union, below 0 where it has no null."""
        super().__init__("")
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

    def fault(self, value: object) -> tuple[str, str]:
        return self._encoder.fault(value)


class _Long(_Encoder):
    def __init__(self, bits: int) -> None:
        super().__init__("no whole number")
        self._bits = bits
        self._bound: i64 = min(1 << (bits - 1), _WORD)

    def write(self, value: object, out: BytesWriter) -> None:
        if not isinstance(value, int):
            value = _index(value)
        if -_WORD <= value < _WORD:
            number: i64 = value
            if not -self._bound <= number < self._bound:
                raise UnfitError
            write_long(number, out)
        elif self._bits == 64 and -_LONG <= value < _LONG:
            write_long(value, out)
        else:
            raise UnfitError

    def fault(self, value: object) -> tuple[str, str]:
        if value is not None:
            try:
                return "", f"{_index(value)} does not fit {self._bits} bits"
            except UnfitError:
                pass
        return super().fault(value)


class _Double(_Encoder):
    def write(self, value: object, out: BytesWriter) -> None:
        if isinstance(value, float):
            write_f64_le(out, value)
        elif isinstance(value, int):
            try:
                write_f64_le(out, float(value))
            except OverflowError:
                raise UnfitError from None
        else:
            raise UnfitError


class _Boolean(_Encoder):
    def write(self, value: object, out: BytesWriter) -> None:
        if not isinstance(value, bool) and value not in (0, 1):
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
        super().__init__(f"none of {', '.join(symbols)}")
        self._encoded: dict[str, bytes] = {symbol: varint(index) for index, symbol in enumerate(symbols)}

    def write(self, value: object, out: BytesWriter) -> None:
        octets = self._encoded.get(value) if isinstance(value, str) else None
        if octets is None:
            raise UnfitError
        out.write(octets)


class _Fields(_Encoder):
    """A record."""

    def __init__(self, fields: Sequence[dict[str, Any]], name: str = "") -> None:
        super().__init__(f"no {name}" if name else f"no row of {len(fields)} values")
        self._names = [str(field["name"]) for field in fields]
        self._encoders = [_encoder(field["type"]) for field in fields]

    def write(self, value: object, out: BytesWriter) -> None:
        encoders = self._encoders
        values = value if isinstance(value, tuple) else _tuple(value)
        if len(values) != len(encoders):
            raise UnfitError
        for at, encoder in enumerate(encoders):
            encoder.write(values[at], out)

    def fault(self, value: object) -> tuple[str, str]:
        if isinstance(value, (tuple, list)) and len(value) == len(self._encoders):
            for name, encoder, one in zip(self._names, self._encoders, value, strict=True):
                if not encoder.takes(one):
                    path, why = encoder.fault(one)
                    return f".{name}{path}", why
        return super().fault(value)


class _Array(_Encoder):
    def __init__(self, items: _Encoder) -> None:
        super().__init__("no list")
        self._items = items

    def write(self, value: object, out: BytesWriter) -> None:
        some = value if isinstance(value, list) else [*_tuple(value)]
        if some:  # one block of all items, and an empty one to end with, which is all there is of an empty array
            write_long(len(some), out)
            for item in some:
                self._items.write(item, out)
        out.append(0)

    def fault(self, value: object) -> tuple[str, str]:
        if isinstance(value, Collection):
            for item in value:
                if not self._items.takes(item):
                    path, why = self._items.fault(item)
                    return f"[]{path}", why
        return super().fault(value)


def _index(value: object) -> int:
    """A whole number of another class, such as numpy's."""
    try:
        number: int = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise UnfitError from None
    return number


def _tuple(value: object) -> tuple[object, ...]:
    """The items of another collection than the usual one."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, Collection) or isinstance(value, (str, bytes)):
        raise UnfitError
    return (*value,)


def _encoder(type_: Schema) -> _Encoder:
    """The encoder of a type without references. TypeError for a type that has no frame form."""
    if isinstance(type_, list):
        frame_type(type_)  # null and one type, or TypeError
        present = next(index for index, branch in enumerate(type_) if branch != "null")
        return _Union(_encoder(type_[present]), present, type_.index("null") if "null" in type_ else -1)
    kind = type_["type"] if isinstance(type_, dict) else type_
    if kind == "record":
        return _Fields(type_["fields"], type_["name"])
    if kind == "array":
        return _Array(_encoder(type_["items"]))
    if kind == "enum":
        return _Enum(type_["symbols"])
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    raise TypeError(f"no rows encode {kind!r}")


_SIMPLE: Final[dict[str, _Encoder]] = {
    "int": _Long(32),
    "long": _Long(64),
    "double": _Double("no double"),
    "boolean": _Boolean("no boolean"),
    "string": _String("no string"),
    "bytes": _Bytes("no bytes"),
}
