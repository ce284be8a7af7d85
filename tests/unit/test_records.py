"""Records handed out as aiokafka's parser makes them: by its own classes, whose inside this checks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aiokafka.consumer.fetcher import FetchError, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from streams.records import hand_out_parsed

CHANGELOG = TopicPartition("changelog", 0)


def fetched(*values: bytes) -> PartitionRecords:
    """What a fetch brings of a partition: records with key and header, from offset 0."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 20)
    for offset, value in enumerate(values):
        builder.append(offset, 1_700_000_000_000, b"key", value, [("term", b"7")])
    memory = MemoryRecords(bytes(builder.build()))
    return PartitionRecords(CHANGELOG, memory, None, 0, None, None, True, 0)


def consumer() -> Any:
    found: Any = SimpleNamespace(_fetcher=SimpleNamespace(_records={}))
    hand_out_parsed(found)
    return found


def test_records_have_what_a_table_reads() -> None:
    results = consumer()._fetcher._records
    results[CHANGELOG] = SimpleNamespace(_partition_records=fetched(b"one", b"two"))
    records = list(results[CHANGELOG]._partition_records)
    assert [(record.offset, record.key, record.value) for record in records] == [
        (0, b"key", b"one"),
        (1, b"key", b"two"),
    ]
    assert [list(record.headers) for record in records] == [[("term", b"7")]] * 2
    assert not hasattr(records[0], "topic"), "aiokafka has made ConsumerRecords"


def test_errors_are_kept_as_they_are() -> None:
    results, error = consumer()._fetcher._records, FetchError(error=OSError(), backoff=0.1)
    results[CHANGELOG] = error
    assert results[CHANGELOG] is error
