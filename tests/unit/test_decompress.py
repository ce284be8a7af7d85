"""Kafka's codecs, with a bound."""

from __future__ import annotations

import gzip
import os

import pytest
import zstandard
from aiokafka import codec
from hypothesis import given
from hypothesis import strategies as st

from streams.doctor import installation
from streams.kafka.decompress import CODECS, UnreadableBatchError, decompress, missing

MADE = {
    1: [codec.gzip_encode, lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:])],
    2: [codec.snappy_encode, lambda data: codec.snappy_encode(data, xerial_compatible=False)],
    3: [codec.lz4_encode],
    4: [codec.zstd_encode, lambda data: zstandard.compress(data[:5]) + zstandard.compress(data[5:])],
}
"""Codec: the forms that clients give it."""
WAYS = [(number, way) for number, ways in MADE.items() for way in ways]


@pytest.mark.parametrize(("number", "way"), WAYS)
@pytest.mark.parametrize(
    "data", [b"", b"x", os.urandom(100_000), b"text " * 100_000], ids=["none", "one", "noise", "text"]
)
def test_what_was_compressed_comes_back(number: int, way: object, data: bytes) -> None:
    assert callable(way)
    assert decompress(number, bytes(way(data))) == data


@pytest.mark.parametrize(("number", "way"), WAYS)
def test_no_batch_becomes_larger_than_may_be(number: int, way: object) -> None:
    assert callable(way)
    bomb = bytes(way(bytes(40 << 20)))
    with pytest.raises(UnreadableBatchError, match="more than 1 MiB when decompressed"):
        decompress(number, bomb, 1 << 20)


@given(
    st.integers(-1, 8),
    st.binary(max_size=60),
    st.sampled_from([b"", b"\x82SNAPPY\0", b"\x04\x22\x4d\x18", b"\x1f\x8b"]),
)
def test_garbage_is_refused_with_a_reason_or_is_some_bytes(number: int, garbage: bytes, head: bytes) -> None:
    try:
        found = decompress(number, head + garbage, 1 << 20)
    except UnreadableBatchError:  # and nothing else
        return
    assert len(found) <= 1 << 20


def test_doctor_names_the_codecs_that_are_missing() -> None:
    assert missing() == []
    assert installation.codecs(missing()).verdict == "ok"
    found = installation.codecs(["snappy", "lz4"])
    assert (found.verdict, found.remedy) == ("problem", "pip install cramjam")
    assert "snappy, lz4" in found.detail
    assert CODECS == ("none", "gzip", "snappy", "lz4", "zstd")
