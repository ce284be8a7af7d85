"""Numbers, texts and the heads of arrays and maps as msgpack, without an object between them and their bytes.

The format: https://github.com/msgpack/msgpack/blob/master/spec.md. What is written is the shortest form of each value,
as msgspec writes it.
"""

from __future__ import annotations

from typing import Final

from librt.strings import (
    BytesWriter,
    read_f64_be,
    read_i16_be,
    read_i32_be,
    read_i64_be,
    write_f64_be,
    write_i16_be,
    write_i32_be,
    write_i64_be,
)
from mypy_extensions import i16, i32, i64, u8

from schemas.numbers import UnfitError

NIL: Final = 0xC0
FALSE: Final = 0xC2
TRUE: Final = 0xC3
_DOUBLE: Final = 0xCB
_DEPTH: Final = 32
"""Arrays and maps in each other; what we write has five."""


def put_flag(out: BytesWriter, value: bool) -> None:
    """Append true or false."""
    out.append(TRUE if value else FALSE)


def put_float(out: BytesWriter, value: float) -> None:
    """Append a float of 64 bits."""
    out.append(_DOUBLE)
    write_f64_be(out, value)


def put_int(out: BytesWriter, value: i64) -> None:
    """Append an integer."""
    if value >= 0:
        if value < 0x80:
            out.append(u8(value))
        elif value <= 0xFF:
            out.append(0xCC)
            out.append(u8(value))
        elif value <= 0xFFFF:
            out.append(0xCD)
            write_i16_be(out, i16(value))
        elif value <= 0xFFFFFFFF:
            out.append(0xCE)
            write_i32_be(out, i32(value))
        else:
            out.append(0xCF)
            write_i64_be(out, value)
    elif value >= -0x20:
        out.append(u8(value & 0xFF))
    elif value >= -0x80:
        out.append(0xD0)
        out.append(u8(value & 0xFF))
    elif value >= -0x8000:
        out.append(0xD1)
        write_i16_be(out, i16(value))
    elif value >= -0x80000000:
        out.append(0xD2)
        write_i32_be(out, i32(value))
    else:
        out.append(0xD3)
        write_i64_be(out, value)


def _put_size(out: BytesWriter, size: i64, head: i64) -> None:
    """Append a size behind its head: that of 16 bits, which that of 32 follows."""
    if size <= 0xFFFF:
        out.append(u8(head))
        write_i16_be(out, i16(size))
    else:
        out.append(u8(head + 1))
        write_i32_be(out, i32(size))


def put_array(out: BytesWriter, size: i64) -> None:
    """Append the head of an array of so many values, which follow."""
    if size < 16:
        out.append(u8(0x90 | size))
    else:
        _put_size(out, size, 0xDC)


def put_map(out: BytesWriter, size: i64) -> None:
    """Append the head of a map of so many keys, each of which its value follows."""
    if size < 16:
        out.append(u8(0x80 | size))
    else:
        _put_size(out, size, 0xDE)


def put_text(out: BytesWriter, text: str) -> None:
    """Append a text. Raises UnicodeEncodeError for half of a surrogate pair."""
    encoded = text.encode("utf-8")
    size: i64 = len(encoded)
    if size < 32:
        out.append(u8(0xA0 | size))
    elif size <= 0xFF:
        out.append(0xD9)
        out.append(u8(size))
    else:
        _put_size(out, size, 0xDA)
    out.write(encoded)


def put_text_or_nil(out: BytesWriter, text: str | None) -> None:
    """Append a text, or nil. Raises like `put_text`."""
    if text is None:
        out.append(NIL)
    else:
        put_text(out, text)


def put_octets(out: BytesWriter, octets: bytes) -> None:
    """Append bytes."""
    size: i64 = len(octets)
    if size <= 0xFF:
        out.append(0xC4)
        out.append(u8(size))
    else:
        _put_size(out, size, 0xC5)
    out.write(octets)


class Source:
    """Reads values one after the other. Each method raises UnfitError or IndexError for other bytes than it reads."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at: i64 = 0

    @property
    def ended(self) -> bool:
        """Whether all has been read."""
        at: i64 = self._at
        size: i64 = len(self._data)
        return at == size

    def is_nil(self) -> bool:
        """Whether nil comes next; it is read then."""
        if self._data[self._at] != NIL:
            return False
        self._at += 1
        return True

    def flag(self) -> bool:
        """The next value, true or false."""
        head: i64 = self._head()
        if head not in (TRUE, FALSE):
            raise UnfitError
        return head == TRUE

    def number(self) -> float:
        """The next value, a float."""
        if self._head() != _DOUBLE:
            raise UnfitError
        at = self._at
        self._at = at + 8
        return read_f64_be(self._data, at)

    def integer(self) -> i64:
        """The next value, an integer."""
        head: i64 = self._head()
        if head < 0x80:
            return head
        if head >= 0xE0:
            return head - 0x100
        at: i64 = self._at
        data = self._data
        if head == 0xCF or head == 0xD3:
            self._at = at + 8
            value = read_i64_be(data, at)
            if head == 0xCF and value < 0:
                raise UnfitError
            return value
        if head == 0xCE or head == 0xD2:
            self._at = at + 4
            long = i64(read_i32_be(data, at))
            return long & 0xFFFFFFFF if head == 0xCE else long
        if head == 0xCD or head == 0xD1:
            self._at = at + 2
            short = i64(read_i16_be(data, at))
            return short & 0xFFFF if head == 0xCD else short
        if head == 0xCC or head == 0xD0:
            byte: i64 = self._head()
            return byte if head == 0xCC or byte < 0x80 else byte - 0x100
        raise UnfitError

    def array_size(self) -> i64:
        """How many values the next one, an array, has; they follow."""
        head: i64 = self._head()
        if 0x90 <= head < 0xA0:
            return head & 0x0F
        return self._size(head, 0xDC)

    def array_of(self, size: i64) -> None:
        """The head of the next value, an array of so many values; they follow."""
        if self.array_size() != size:
            raise UnfitError

    def map_size(self) -> i64:
        """How many keys the next value, a map, has; they follow, each with its value."""
        head: i64 = self._head()
        if 0x80 <= head < 0x90:
            return head & 0x0F
        return self._size(head, 0xDE)

    def text(self) -> str:
        """The next value, a text. Raises UnicodeDecodeError, too."""
        head: i64 = self._head()
        if 0xA0 <= head < 0xC0:
            return self._take(head & 0x1F).decode("utf-8")
        return self._take(self._head() if head == 0xD9 else self._size(head, 0xDA)).decode("utf-8")

    def text_or_none(self) -> str | None:
        """The next value, a text or nil. Raises like `text`."""
        return None if self.is_nil() else self.text()

    def octets(self) -> bytes:
        """The next value, bytes."""
        head: i64 = self._head()
        return self._take(self._head() if head == 0xC4 else self._size(head, 0xC5))

    def whole(self) -> bytes:
        """The bytes of the next value, whatever it is made of."""
        before = self._at
        self._skip(_DEPTH)
        return self._data[before : self._at]

    def _skip(self, depth: i64) -> None:
        if depth == 0:
            raise UnfitError
        head: i64 = self._data[self._at]
        if head < 0x80 or head >= 0xE0 or (0xCC <= head <= 0xD3 and head != _DOUBLE):
            self.integer()
        elif head < 0x90 or head == 0xDE or head == 0xDF:
            for _ in range(2 * self.map_size()):
                self._skip(depth - 1)
        elif head < 0xA0 or head == 0xDC or head == 0xDD:
            for _ in range(self.array_size()):
                self._skip(depth - 1)
        elif head == _DOUBLE:
            self.number()
        elif head in (NIL, TRUE, FALSE):
            self._at += 1
        elif 0xC4 <= head <= 0xC6:
            self.octets()
        else:
            self.text()

    def _head(self) -> i64:
        at: i64 = self._at
        head: i64 = self._data[at]
        self._at = at + 1
        return head

    def _size(self, head: i64, of_16_bits: i64) -> i64:
        """The size behind a head, of which there are two."""
        at: i64 = self._at
        if head == of_16_bits:
            self._at = at + 2
            short = i64(read_i16_be(self._data, at))
            return short & 0xFFFF
        if head != of_16_bits + 1:
            raise UnfitError
        self._at = at + 4
        size = i64(read_i32_be(self._data, at))
        if size < 0:
            raise UnfitError
        return size

    def _take(self, size: i64) -> bytes:
        at: i64 = self._at
        end: i64 = at + size
        there: i64 = len(self._data)
        if end > there:
            raise UnfitError
        self._at = end
        return self._data[at:end]
