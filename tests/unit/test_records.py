"""Records in columns, against aiokafka's own of the same bytes: by its own classes, whose inside this checks."""

from __future__ import annotations

import gc
import struct
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, FetchError, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams import records
from streams.columns import Columns, Reader

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
    records.hand_out_columns(consumer)
    consumer._fetcher._records[INPUT] = result
    return result


def drained(result: Any, limit: int | None) -> list[tuple[int, list[Any]]]:
    """All of a result, `limit` records at a time: the position then, and the records."""
    found = []
    while result.has_more():
        some = result.getall(limit)
        if isinstance(some, Columns):
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
    monkeypatch.setattr(records, "COMPILED", request.param)


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
def test_a_corrupt_batch_is_told_and_fetched_again_with_what_came_before_it() -> None:
    data = bytearray(batch(0, RECORDS) + batch(4, RECORDS))
    data[-1] ^= 1
    result = handed_out(fetched(bytes(data)))
    with pytest.raises(CorruptRecordException):
        result.getall(100)
    assert not result.has_more()
    assert not result.getall(100)
    assert result._assignment.position == 0


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_record_that_does_not_end_where_it_says_is_corrupt(at: int, byte: int) -> None:
    data = bytearray(batch(0, RECORDS[:3])[61:])
    data[at % len(data)] = byte
    columns = Columns()
    try:
        Reader(bytes(data), 0, len(data), 3, 0, AT, None).read(columns, 0, 100)
    except (CorruptRecordException, UnicodeDecodeError):
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
