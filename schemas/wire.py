"""The header that names the writer's schema in front of every Avro value, in its two usual forms.

- `confluent`: a zero byte, then the four-byte big-endian id of the schema in a registry
  (Confluent Schema Registry documentation, "Wire format").
- `single-object`: the bytes C3 01, then the eight-byte little-endian CRC-64-AVRO fingerprint of the schema
  (Avro specification, "Single-object encoding").
"""

from __future__ import annotations

import struct
from typing import Final, Literal, NamedTuple

Wire = Literal["confluent", "single-object"]
"""Name of a header form, as settings have it."""

CONFLUENT: Final[Wire] = "confluent"
SINGLE_OBJECT: Final[Wire] = "single-object"

_CONFLUENT_SIZE: Final = 5
_SINGLE_OBJECT_MARKER: Final = b"\xc3\x01"
_SINGLE_OBJECT_SIZE: Final = 10


class WireError(ValueError):
    """The bytes begin with neither header."""


class WireHeader(NamedTuple):
    """Which schema wrote a value: `id` is the registry's id or the fingerprint, by `wire`."""

    wire: Wire
    id: int

    def __str__(self) -> str:
        return f"schema id {self.id}" if self.wire == CONFLUENT else f"schema fingerprint {self.id:016x}"


def prefix(payload: bytes) -> bytes:
    """The header of a value as raw bytes, 5 or 10 of them. Raises WireError where there is none."""
    if payload[:1] == b"\0" and len(payload) >= _CONFLUENT_SIZE:
        return payload[:_CONFLUENT_SIZE]
    if payload[:2] == _SINGLE_OBJECT_MARKER and len(payload) >= _SINGLE_OBJECT_SIZE:
        return payload[:_SINGLE_OBJECT_SIZE]
    raise WireError(f"neither Confluent's nor the single-object header in front: {payload[:10].hex(' ') or 'no bytes'}")


def parse(header: bytes) -> WireHeader:
    """The meaning of a raw header as `prefix` returns it."""
    if header[:1] == b"\0":
        return WireHeader(CONFLUENT, int.from_bytes(header[1:_CONFLUENT_SIZE], "big"))
    return WireHeader(SINGLE_OBJECT, int.from_bytes(header[2:_SINGLE_OBJECT_SIZE], "little"))


def split(payload: bytes) -> tuple[WireHeader, bytes]:
    """Header and datum of a value. Raises WireError where there is no header."""
    header = prefix(payload)
    return parse(header), payload[len(header) :]


def join(header: WireHeader) -> bytes:
    """The raw bytes of a header; the datum is to follow. Raises ValueError for an id that does not fit."""
    try:
        if header.wire == CONFLUENT:
            return b"\0" + struct.pack(">I", header.id)
        if header.wire == SINGLE_OBJECT:
            return _SINGLE_OBJECT_MARKER + struct.pack("<Q", header.id)
    except struct.error as error:
        raise ValueError(f"{header.id} is no id of the wire format {header.wire}") from error
    raise ValueError(f"no wire format {header.wire!r}; there are {CONFLUENT} and {SINGLE_OBJECT}")
