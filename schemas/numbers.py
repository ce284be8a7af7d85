"""Numbers of a datum, written and read (Avro specification, "Binary Encoding"): zigzag, then seven bits a byte, the
lowest first. Kafka's record batches have the same. Fast if compiled."""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64, u8

COMPILED: Final = not __file__.endswith(".py")
"""Whether the compiled modules run in compiled form. They are one library, so either all of them do or none."""

NOT_ASCII: Final[i64] = -0x7F7F7F7F7F7F7F80
"""The bits of eight octets of which none is set where all are ASCII."""
PADDING: Final = 16
"""Octets of padding behind joined texts: a view copies this many, wherever its text ends."""

_SIGN: Final[i64] = -0x8000000000000000
_SEPTETS: Final[i64] = 0x01FFFFFFFFFFFFFF
"""What 57 bits hold: those of a word without its lowest seven."""


class UnfitError(Exception):
    """Bytes that do not follow the schema, or a value that the schema does not allow."""


def varint(number: int) -> bytes:
    """The encoding of a long."""
    out = BytesWriter()
    write_long(number, out)
    return out.getvalue()


def write_long(number: i64, out: BytesWriter) -> None:
    """Append the encoding of a long."""
    if -64 <= number < 64:
        out.append(u8(number << 1 ^ number >> 63))
        return
    rest = number << 1 ^ number >> 63
    if rest < 0:  # of an unsigned number, whose sign is its 64th bit
        out.append(u8(rest & 127 | 128))
        rest = rest >> 7 & _SEPTETS
    while rest > 127:
        out.append(u8(rest & 127 | 128))
        rest >>= 7
    out.append(u8(rest))


def read_long(data: bytes, at: i64) -> tuple[i64, i64]:
    """The long that begins there, and where it ends. Raises UnfitError, IndexError."""
    octet: i64 = data[at]
    at += 1
    if octet < 128:
        return octet >> 1 ^ -(octet & 1), at
    rest = octet & 127
    shift: i64 = 7
    while octet > 127:
        octet = data[at]
        at += 1
        if shift == 63 and octet > 1:
            raise UnfitError
        rest |= (octet & 127) << shift
        shift += 7
    half = rest >> 1
    if half < 0:  # of an unsigned number
        half ^= _SIGN
    return half ^ -(rest & 1), at


def read_within(data: bytes, at: i64, least: i64, largest: i64) -> tuple[i64, i64]:
    """As `read_long`; raises UnfitError for a number out of these bounds."""
    number, end = read_long(data, at)
    if not least <= number <= largest:
        raise UnfitError
    return number, end


def read_size(data: bytes, at: i64) -> tuple[i64, i64]:
    """The octets of the text that begins there: their number and place. They, and PADDING, are within the data."""
    size, start = read_long(data, at)
    check_size(data, start, size)
    return size, start


def check_size(data: bytes, start: i64, size: i64) -> None:
    """Raise UnfitError unless this many octets, and PADDING, are within the data."""
    if not 0 <= size <= len(data) or start + size > len(data) - PADDING:
        raise UnfitError


def read_items(data: bytes, at: i64) -> tuple[i64, i64]:
    """How many items of an array follow in the block that begins there, and where they begin."""
    count, at = read_long(data, at)
    if count < 0:
        count = -count
        at = read_long(data, at)[1]  # how many bytes they take
    if not 0 <= count <= len(data):  # each takes a byte at least
        raise UnfitError
    return count, at
