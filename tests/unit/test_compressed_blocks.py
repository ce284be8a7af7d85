"""ClickHouse's compressed blocks, against one that ClickHouse's own Go library made."""

from __future__ import annotations

import pytest

from streams.embedded.clickhouse.compressed_blocks import BLOCK, compress, decompress
from streams.embedded.clickhouse.engine_error import EngineError

FOREIGN = bytes.fromhex(
    "8ef6bec5ad769454de5ec67c32dbdd97822700000020000000806a6f75726e6579200800000800000800c06e6579206a6f75726e657920"
)
"""`compress.NewWriter(compress.LevelZero, compress.LZ4)` of github.com/ClickHouse/ch-go 0.75.0."""
DATA = b"journey " * 300_000 + b"x"


@pytest.mark.parametrize("method", ["NONE", "LZ4", "LZ4HC", "ZSTD"])
def test_what_is_compressed_comes_back(method: str) -> None:
    body = compress(DATA, method)
    assert decompress(body, len(DATA)) == (DATA, False)
    assert decompress(body, BLOCK)[1]  # there is more than is wanted
    assert compress(b"", method) == b""


@pytest.mark.parametrize("at", [0, 20, -1])
def test_a_changed_byte_is_noticed(at: int) -> None:
    body = bytearray(compress(b"journey " * 100))
    body[at] ^= 1
    with pytest.raises(EngineError, match="CANNOT_DECOMPRESS"):
        decompress(bytes(body), 1 << 20)


@pytest.mark.parametrize("length", [3, 30])
def test_a_cut_body_is_noticed(length: int) -> None:
    with pytest.raises(EngineError, match="cut short"):
        decompress(compress(b"journey " * 100)[:length], 1 << 20)


def test_a_block_of_another_library_is_read() -> None:
    assert decompress(FOREIGN, 100) == (b"journey " * 4, False)
