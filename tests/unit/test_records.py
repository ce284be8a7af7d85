"""Records in columns, against aiokafka's own of the same bytes: by its own classes, whose inside this checks."""

from __future__ import annotations

import gc
import gzip
import struct
import weakref
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY

import pytest
import zstandard
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, FetchError, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams.kafka import fetch
from streams.kafka.decompress import LIMIT
from streams.kafka.record_batch import UNREADABLE, Reader, RecordColumns, Unreadable

INPUT = TopicPartition("input", 0)
AT = 1_700_000_000_000
GZIP = 1
ABORT, COMMIT = 0, 1
"""Kinds of control records."""
RECORDS: list[Any] = [(0, AT, b"a", b"one", []), (1, AT + 9, None, b"", [("term", b"7"), ("é", b"")]),
                      (2, AT - 5, b"", None, []), (3, 0, b"b" * 70, b"x" * 9000, [("h", b"")])]  # fmt: skip


def batch(first: int, rows: list[Any], codec: int = 0, producer: int = -1, flags: int = 0, magic: int = 2) -> bytes:
    """A record batch whose offsets begin at `first`, of (offset from there, timestamp, key, value, headers)."""
    if magic < 2:
        legacy = LegacyRecordBatchBuilder(magic, codec, 1 << 20)
        for offset, timestamp, key, value, _ in rows:
            legacy.append(first + offset, timestamp, key, value)
        return bytes(legacy.build())
    builder = DefaultRecordBatchBuilder(2, codec, False, producer, 0, 0, 1 << 20)
    for row in rows:
        builder.append(*row)
    made = builder.build()
    made[22] |= flags
    return struct.pack(">q", first) + bytes(made[8:])


def control(offset: int, producer: int, kind: int) -> bytes:
    """The control batch at the end of a transaction."""
    return batch(offset, [(0, AT, struct.pack(">hh", 0, kind), bytes(6), [])], producer=producer, flags=0x30)


class Position:
    """As much of a subscription as a FetchResult asks for."""

    active, paused = True, False

    def __init__(self, position: int) -> None:
        self.position = position

    def state_value(self, _: TopicPartition) -> Position:
        """Itself."""
        return self

    def consumed_to(self, position: int) -> None:
        """Note how far it has come."""
        self.position = position


def fetched(
    data: bytes, offset: int = 0, crcs: bool = True, isolation: int = READ_UNCOMMITTED, aborted: Any = ()
) -> Any:
    """What a fetch brought, as aiokafka has it."""
    parsed = PartitionRecords(INPUT, fetcher.MemoryRecords(data), aborted, offset, None, None, crcs, isolation)
    return FetchResult(INPUT, assignment=Position(offset), partition_records=parsed, backoff=0.0)


def handed_out(result: Any) -> Any:
    """A result in a consumer that hands out columns."""
    consumer: Any = SimpleNamespace(_fetcher=SimpleNamespace(_records={}))
    fetch.hand_out_columns(consumer)
    consumer._fetcher._records[INPUT] = result
    return result


def drained(result: Any, limit: int | None) -> list[tuple[int, list[Any]]]:
    """All of a result, `limit` records at a time: the position then, and the records."""
    found = []
    while result.has_more():
        some = result.getall(limit)
        if isinstance(some, RecordColumns):
            assert some.size == sum(len(part or b"") for part in (*some.keys, *some.values))
            headers = [tuple(some.headers.get(at, ())) for at in range(len(some))]
            rows = list(zip(some.offsets, some.timestamps, some.keys, some.values, headers, strict=True))
        else:
            rows = [(each.offset, each.timestamp, each.key, each.value, each.headers) for each in some]
        found.append((result._assignment.position, rows))
    return found


@pytest.fixture(params=[True, False], ids=["our reader", "aiokafka's parser"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are read in either way: the second is that of an installation in which nothing is compiled."""
    monkeypatch.setattr(fetch, "COMPILED", request.param)


FETCHES: dict[str, dict[str, Any]] = {
    "plain": {"data": batch(0, RECORDS) + batch(4, RECORDS)},
    "from the midst of a batch": {"data": batch(0, RECORDS) + batch(4, RECORDS), "offset": 2},
    "cut off": {"data": batch(0, RECORDS) + batch(4, RECORDS)[:-1]},
    "compacted": {"data": batch(0, RECORDS[:1] + RECORDS[2:]) + batch(9, RECORDS[1:2]) + batch(11, RECORDS)},
    "compressed": {"data": batch(0, RECORDS, GZIP) + batch(4, RECORDS)},
    "an old format": {"data": batch(0, [(at, AT, b"key", b"%d" % at, []) for at in range(4)], magic=1)},
    "timestamps of the log": {"data": batch(0, RECORDS, flags=8), "crcs": False},
    "a control batch": {"data": batch(0, RECORDS) + control(4, 5, COMMIT) + batch(5, RECORDS), "crcs": False},
    "an aborted transaction": {
        "data": batch(0, RECORDS, producer=5, flags=0x10)
        + control(4, 5, ABORT)
        + batch(5, RECORDS, producer=5, flags=0x10),
        "crcs": False,
        "isolation": READ_COMMITTED,
        "aborted": [(5, 0)],
    },
}


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("limit", [None, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", FETCHES)
def test_columns_are_those_of_aiokafkas_records(name: str, limit: int | None) -> None:
    expected = drained(fetched(**FETCHES[name]), limit)
    assert sum(len(rows) for _, rows in expected) > 2
    assert drained(handed_out(fetched(**FETCHES[name])), limit) == expected


_bytes = st.none() | st.binary(max_size=300)
_headers = st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=200)), max_size=2)
_rows = st.lists(st.tuples(st.integers(0, 1 << 62), _bytes, _bytes, _headers), min_size=1, max_size=8)


@given(st.lists(_rows, min_size=1, max_size=3), st.integers(0, 5), st.none() | st.integers(1, 9))
def test_whatever_is_in_a_record(batches: list[list[Any]], offset: int, limit: int | None) -> None:
    data, first = b"", 0
    for rows in batches:
        data += batch(first, [(at, *row) for at, row in enumerate(rows)])
        first += len(rows)
    assert drained(handed_out(fetched(data, offset)), limit) == drained(fetched(data, offset), limit)


@pytest.mark.usefixtures("reading")
def test_a_batch_with_a_wrong_checksum_is_fetched_again_and_then_given_up() -> None:
    data = bytearray(batch(0, RECORDS) + batch(4, RECORDS) + batch(8, RECORDS))
    data[-len(batch(8, RECORDS)) - 1] ^= 1
    consumer: Any = SimpleNamespace(_fetcher=SimpleNamespace(_records={}))
    fetch.hand_out_columns(consumer)
    results, position = consumer._fetcher._records, 0
    for came in (4, 0):
        results[INPUT] = fetched(bytes(data), position)
        assert len(results[INPUT].getall(100)) == came
        assert not results[INPUT].has_more()
        position = results[INPUT]._assignment.position
        assert position == 4
    results[INPUT] = fetched(bytes(data), position)
    columns = results[INPUT].getall(100)
    assert list(columns.offsets) == [4, 8, 9, 10, 11]
    assert columns.values[0] == UNREADABLE
    assert columns.unreadable == {0: Unreadable(8, bytes(data[len(batch(0, RECORDS)) : -len(batch(8, RECORDS))]), ANY)}
    assert "checksum" in columns.unreadable[0].detail


def sealed(made: bytes) -> bytes:
    """A batch with the checksum that fits it."""
    return made[:17] + struct.pack(">I", calc_crc32c(made[21:])) + made[21:]


def changed(made: bytes, at: int, *octets: int) -> bytes:
    """A batch with other bytes at a place, and the checksum that fits them."""
    return sealed(made[:at] + bytes(octets) + made[at + len(octets) :])


def compressed(codec: int, body: bytes, count: int = 4) -> bytes:
    """A batch that says to have so many records, compressed, and has that."""
    head = batch(0, RECORDS[:count])[:61]
    return changed(head[:8] + struct.pack(">i", 49 + len(body)) + head[12:] + body, 22, codec)


PLAIN = batch(0, RECORDS)[61:]
UNREADABLE_BATCHES = {
    "an unknown codec": (compressed(5, PLAIN), 0, "codec has the number 5"),
    **{
        f"garbage for {name}": (compressed(codec, b"\x82SNAPPY\0garbage garbage garbage"), 0, f"not {name}")
        for codec, name in ((1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd"))
    },
    "an endless block of snappy": (
        compressed(2, b"\x82SNAPPY\0" + bytes(8) + struct.pack(">i", -4) + b"abcd"),
        0,
        "a block of -4 bytes",
    ),
    "too large": (compressed(4, zstandard.compress(bytes(LIMIT + 1))), 0, "more than 256 MiB"),
    "garbage that is compressed well": (compressed(1, gzip.compress(b"garbage" * 9)), 0, "record"),
    "garbage behind two records": (changed(batch(0, RECORDS), 61 + 34, 255, 255, 255), 2, "record"),
    "fewer records than it says": (changed(batch(0, RECORDS), 60, 9), 4, None),
    "offsets of others": (changed(batch(0, [(0, AT, b"a", b"one", []), (9, AT, b"", b"two", [])]), 26, 1), 1, "record"),
    "one offset for all": (changed(batch(0, [(0, AT, b"a", b"one", [])] * 3), 26, 2), 1, "record"),
}


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("limit", [None, 1, 2, 5])
@pytest.mark.parametrize("name", UNREADABLE_BATCHES)
def test_records_that_cannot_be_read_stand_as_one_among_their_neighbours(name: str, limit: int | None) -> None:
    bad, good, why = UNREADABLE_BATCHES[name]
    following = struct.unpack_from(">i", bad, 23)[0] + 1
    data = bad + batch(following, RECORDS)
    offset, got = 0, RecordColumns()
    result = handed_out(fetched(data))
    while result.has_more():
        some = result.getall(limit)
        assert some.size == sum(len(part or b"") for part in (*some.keys, *some.values))
        assert len(some.keys) == len(some.values) == len(some.timestamps) == len(some.offsets)
        for at in range(len(some)):
            assert some.offsets[at] == offset
            offset = some.unreadable[at].following if at in some.unreadable else offset + 1
            if at in some.unreadable:
                assert (some.keys[at], some.values[at]) == (None, UNREADABLE)
                assert some.unreadable[at].batch == bad
                assert f"{some.offsets[at]} to {following - 1}" in some.unreadable[at].detail
                assert why is not None
                assert why in some.unreadable[at].detail
                got.unreadable[len(got)] = some.unreadable[at]
            got.append(some.offsets[at], some.timestamps[at], some.keys[at], some.values[at])
    assert offset == following + len(RECORDS)
    assert len(got) == good + (following > good) + len(RECORDS)
    assert list(got.unreadable) == ([good] if following > good else [])
    assert got.values[-len(RECORDS) :] == [value for _, _, _, value, _ in RECORDS]


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_every_codec_of_kafkas_is_read(codec: int) -> None:
    rows = [(at, AT + at, b"key %d" % at, b"value " * (at % 50), []) for at in range(2000)]
    columns = handed_out(fetched(batch(0, rows, codec))).getall()
    assert list(zip(columns.keys, columns.values, strict=True)) == [(key, value) for _, _, key, value, _ in rows]
    assert not columns.unreadable


@given(st.sampled_from([1, 2, 3, 4]), st.binary(max_size=200), st.integers(0, 300))
def test_no_bytes_stop_the_reading(codec: int, garbage: bytes, at: int) -> None:
    body = bytearray(batch(0, [*RECORDS[:3], (3, 0, None, garbage, [])], codec)[61:])
    body[at % len(body)] ^= 0x55
    columns = handed_out(fetched(compressed(codec, bytes(body)) + batch(4, RECORDS))).getall()
    assert columns.values[-len(RECORDS) :] == [value for _, _, _, value, _ in RECORDS]
    assert columns.offsets[0] == 0


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_record_that_does_not_end_where_it_says_is_corrupt(at: int, byte: int) -> None:
    data = bytearray(batch(0, RECORDS[:3])[61:])
    data[at % len(data)] = byte
    columns = RecordColumns()
    try:
        Reader(bytes(data), 0, len(data), 3, 0, AT, None, 3).read(columns, 0, 100)
    except CorruptRecordException:
        assert len(columns.keys) == len(columns.values) == len(columns.timestamps) == len(columns.offsets) == 0
        return
    assert len(columns.keys) == len(columns.values) == len(columns.timestamps) == len(columns.offsets)


def test_nothing_of_a_fetch_stays_when_it_has_been_handed_out() -> None:
    result = handed_out(fetched(batch(0, RECORDS)))
    kept = weakref.ref(result._partition_records)
    gc.disable()
    try:
        found = result.getall()
        assert kept() is None
        gone = weakref.ref(result)
        del result
        assert gone() is None
    finally:
        gc.enable()
    assert len(found) == len(RECORDS)


def test_errors_are_kept_as_they_are() -> None:
    error = FetchError(error=OSError(), backoff=0.1)
    assert handed_out(error) is error
