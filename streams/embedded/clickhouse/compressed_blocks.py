"""ClickHouse's own compression (compress=1, decompress=1), which its JDBC driver and Go client use over HTTP.

A body is a run of blocks, each for itself: 16 bytes of CityHash128 over all that follows; the method; the length of
what follows the hash, and of the data, four bytes each; the data. The hash is of ClickHouse's own version 1.0.2.
"""

from __future__ import annotations

import struct

import cramjam
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from streams.embedded.clickhouse.engine_error import EngineError, refusal

METHODS = {"NONE": 0x02, "LZ4": 0x82, "LZ4HC": 0x82, "ZSTD": 0x90}
BLOCK = 1 << 20
"""Bytes of data in a block that is made here, as ClickHouse makes them."""
_HEAD = struct.Struct("<BII")
_HASH = 16
_MOST = 1 << 30
"""Bytes of the largest block that is read, of which clients make one for each insert."""


def compress(data: bytes, method: str = "LZ4") -> bytes:
    """The data as blocks. method: a name of METHODS."""
    return b"".join(_block(data[at : at + BLOCK], METHODS[method]) for at in range(0, len(data), BLOCK))


def decompress(body: bytes, most: int) -> tuple[bytes, bool]:
    """The data of blocks, up to a number of bytes, and whether there are more.

    Raises EngineError where a block is cut short, or its hash is another.
    """
    made: list[bytes] = []
    size = at = 0
    while at < len(body):
        if len(body) < at + _HASH + _HEAD.size:
            raise _broken("a block is cut short")
        method, packed, plain = _HEAD.unpack_from(body, at + _HASH)
        end = at + _HASH + packed
        if packed < _HEAD.size or packed > _MOST or end > len(body):
            raise _broken("a block is cut short")
        size += plain
        if size > most:
            return b"", True
        if _hash(body[at + _HASH : end]) != body[at : at + _HASH]:
            raise _broken("the checksum of a block is another")
        made.append(_plain(method, body[at + _HASH + _HEAD.size : end], plain))
        at = end
    return b"".join(made), False


def _block(data: bytes, method: int) -> bytes:
    if method == METHODS["LZ4"]:
        packed = bytes(cramjam.lz4.compress_block(data, store_size=False))
    elif method == METHODS["ZSTD"]:
        packed = zstandard.compress(data, 1)
    else:
        packed = data
    block = _HEAD.pack(method, len(packed) + _HEAD.size, len(data)) + packed
    return _hash(block) + block


def _plain(method: int, packed: bytes, size: int) -> bytes:
    try:
        if method == METHODS["LZ4"]:
            data = bytes(cramjam.lz4.decompress_block(packed, output_len=size))
        elif method == METHODS["ZSTD"]:
            data = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
        elif method == METHODS["NONE"]:
            data = packed
        else:
            raise _broken(f"the method 0x{method:02x} is none of {', '.join(METHODS)}")
    except (cramjam.DecompressionError, zstandard.ZstdError) as error:
        raise _broken(str(error)) from None
    if len(data) != size:
        raise _broken("a block has another length than it says")
    return data


def _hash(block: bytes) -> bytes:
    high, low = divmod(int(CityHash128(block)), 1 << 64)
    return high.to_bytes(8, "little") + low.to_bytes(8, "little")


def _broken(why: str) -> EngineError:
    return refusal(271, "CANNOT_DECOMPRESS", f"Cannot decompress the body (decompress=1): {why}")
