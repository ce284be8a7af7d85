"""Decompresses batches in each of Kafka's codecs, with a bound: a batch of a megabyte may claim to be a terabyte.

Formats: gzip (RFC 1952), snappy, raw and in the xerial framing of Java's clients, the LZ4 frame (KIP-57), zstd (RFC
8878).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from io import BytesIO
from typing import Final

import zstandard

LIMIT: Final = 256 << 20
"""Bytes that a batch may have when it is decompressed; Kafka's own limit is on the compressed batch only."""
CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
"""Names by the number that a record batch gives (its attributes, bits 0 to 2)."""

_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER: Final = 16
_LZ4_MAGIC: Final = b"\x04\x22\x4d\x18"
_LZ4_LARGEST: Final = {4: 64 << 10, 5: 256 << 10, 6: 1 << 20, 7: 4 << 20}
"""Code in the frame's header -> bytes of a block when decompressed, at most."""
_ONCE: Final = 1 << 20


class UnreadableBatchError(ValueError):
    """The records of a batch cannot be had; the message says why, as a part of a sentence."""


def decompress(codec: int, data: bytes, limit: int = LIMIT) -> bytes:
    """The records in `data`, compressed by the codec of this number. Raises UnreadableBatchError."""
    if not 0 <= codec < len(CODECS):
        raise UnreadableBatchError(f"its codec has the number {codec}, which this version of Rihla does not know")
    name = CODECS[codec]
    try:
        return _DECODERS[name](data, limit)
    except UnreadableBatchError:
        raise
    except ModuleNotFoundError as error:
        raise UnreadableBatchError(f"{name} needs the package {error.name}, which is not installed") from error
    except MemoryError:
        raise
    except Exception as error:  # each library has errors of its own for what is not its format
        raise UnreadableBatchError(f"what is inside is not {name}: {error}") from error


def missing() -> list[str]:
    """Names of the codecs that are not to be had in this installation."""
    return [] if find_spec("cramjam") else ["snappy", "lz4"]


def _gzip(data: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while data:
        member = zlib.decompressobj(wbits=31)
        part = member.decompress(data, limit - size + 1)
        size += len(part)
        _within(size, limit)
        if not member.eof:
            raise UnreadableBatchError("what is inside is not gzip: it ends too early")
        parts.append(part)
        data = member.unused_data
    return b"".join(parts)


def _snappy(data: bytes, limit: int) -> bytes:
    if not data.startswith(_XERIAL):
        return _snappy_block(data, 0, limit)
    parts: list[bytes] = []
    at, size = _XERIAL_HEADER, 0
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        at += 4
        if length < 0 or at + length > len(data):
            raise UnreadableBatchError(f"what is inside is not snappy: a block of {length} bytes")
        part = _snappy_block(data[at : at + length], size, limit)
        parts.append(part)
        at += length
        size += len(part)
    return b"".join(parts)


def _snappy_block(data: bytes, before: int, limit: int) -> bytes:
    from cramjam import snappy

    _within(before + snappy.decompress_raw_len(data), limit)
    return bytes(snappy.decompress_raw(data))


def _lz4(data: bytes, limit: int) -> bytes:
    from cramjam import lz4

    _within(_most_of_lz4(data), limit)
    return bytes(lz4.decompress(data))


def _most_of_lz4(data: bytes) -> int:
    """Bytes that an LZ4 frame can decompress to at most, by the number and the kind of its blocks."""
    if data[:4] != _LZ4_MAGIC or len(data) < 7:
        raise UnreadableBatchError("what is inside is not lz4: it does not begin as a frame")
    flags, largest = data[4], _LZ4_LARGEST.get(data[5] >> 4 & 7)
    if largest is None:
        raise UnreadableBatchError("what is inside is not lz4: its blocks have no size")
    at, total = 7 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0), 0
    while True:
        (word,) = struct.unpack_from("<I", data, at)
        if not word:
            return total
        total += largest
        at += 4 + (word & 0x7FFFFFFF) + (4 if flags & 16 else 0)


def _zstd(data: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    with zstandard.ZstdDecompressor().stream_reader(BytesIO(data), read_across_frames=True) as reader:
        while part := reader.read(_ONCE):
            size += len(part)
            _within(size, limit)
            parts.append(part)
    return b"".join(parts)


def _within(size: int, limit: int) -> None:
    if size > limit:
        raise UnreadableBatchError(f"it is more than {limit >> 20} MiB when decompressed")


_DECODERS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "none": lambda data, limit: data,
    "gzip": _gzip,
    "snappy": _snappy,
    "lz4": _lz4,
    "zstd": _zstd,
}
