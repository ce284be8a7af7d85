"""Blocks of the format Native for clients that say a version, worked out by hand."""

from __future__ import annotations

import pytest

from streams.embedded.clickhouse.engine_error import EngineError
from streams.embedded.clickhouse.native_blocks import versioned

INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"


def column(name: str, kind: str, data: bytes, word: bytes = b"") -> bytes:
    return bytes([len(name)]) + name.encode() + bytes([len(kind)]) + kind.encode() + word + data


def number(value: int) -> bytes:
    return value.to_bytes(8, "little")


COLUMNS = [
    ("UInt8", b"\x07\x08"),
    ("String", b"\x00\x03abc"),
    ("Nullable(DateTime64(3, 'Asia/Riyadh'))", b"\x00\x01" + number(5) * 2),
    ("Array(String)", number(1) + number(3) + b"\x01a\x01b\x01c"),
    ("Map(String, Int64)", number(0) + number(1) + b"\x01k" + number(9)),
    ("Tuple(at Date, `a \\` b` Decimal(18, 4))", b"\x01\x00\x02\x00" + number(1) * 2),
    # two keys (one the default), each index of one byte
    ("LowCardinality(Nullable(String))", number(1) + number(0x200) + number(2) + b"\x00\x02up" + number(2) + b"\1\0"),
    # the version of a dictionary stands before the offsets of the array around it; no elements, no dictionary
    ("Array(LowCardinality(String))", number(1) + number(0) + number(0)),
    ("Enum8('it\\'s (' = 1, 'b' = 2)", b"\x01\x02"),
    ("FixedString(3)", b"abcdef"),
    ("Polygon", number(0) + number(0)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "data"), COLUMNS)
def test_each_type_ends_where_the_next_column_begins(kind: str, data: bytes) -> None:
    """A column of the type between two others, twice, as two blocks."""
    around = ("first", "UInt8", b"\x01\x02"), ("last", "UInt8", b"\x03\x04")
    columns = [around[0], ("x", kind, data), around[1]]
    block = b"\x03\x02" + b"".join(column(*one) for one in columns)
    told = b"\x03\x02" + b"".join(column(*one, word=b"\x00") for one in columns)
    assert versioned(block * 2, 54454) == (INFO + told) * 2
    assert versioned(block * 2, 54453) == (INFO + block) * 2
    assert versioned(block, 0) == block


def test_a_block_without_rows_has_no_data() -> None:
    block = b"\x01\x00" + column("x", "LowCardinality(String)", b"")
    assert versioned(block, 54460) == INFO + b"\x01\x00" + column("x", "LowCardinality(String)", b"", b"\x00")


def test_a_type_whose_length_nobody_knows_is_refused() -> None:
    with pytest.raises(EngineError, match="type Dynamic cannot be given"):
        versioned(b"\x01\x01" + column("x", "Dynamic", b"\x00" * 9), 54460)
