"""Fetched records in columns (streams.columns), where aiokafka would make an object of each.

With streams.consumer_thread the only module that reaches into aiokafka's consumer. All but the records of a batch
stays aiokafka's: checksums, aborted transactions, control batches, and the position from which it fetches on.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

from aiokafka import AIOKafkaConsumer, codec
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from streams.columns import COMPILED, Columns, Reader

LENGTH, COUNT, RECORDS = 8, 57, 61
"""Where a batch says how many bytes follow that number, how many records it has, and where these begin."""
NO_TIMESTAMP = -1
"""Kafka's word for that of a record of magic 0."""

_plain = {
    number: decode
    for number, there, decode in (
        (DefaultRecordBatch.CODEC_GZIP, codec.has_gzip, codec.gzip_decode),
        (DefaultRecordBatch.CODEC_SNAPPY, codec.has_snappy, codec.snappy_decode),
        (DefaultRecordBatch.CODEC_LZ4, codec.has_lz4, codec.lz4_decode),
        (DefaultRecordBatch.CODEC_ZSTD, codec.has_zstd, codec.zstd_decode),
    )
    if there()
}
"""What decompresses the records of a batch."""


TRANSACTIONAL = ("rihla-transactional", b"1")
"""Header given to records of a transaction where nobody can tell whether it was aborted."""


def hand_out_columns(consumer: AIOKafkaConsumer, mark_transactions: bool = False) -> None:
    """Have `getmany` of a consumer that has started, and has no partitions yet, return Columns for each partition.

    mark_transactions: give the header TRANSACTIONAL to the records of transactions. The embedded broker keeps no
    account of those that are aborted, and hands their records out like any others.
    """
    consumer._fetcher._records = _Fetched(mark_transactions)


class _Fetched(OrderedDict[Any, Any]):
    """The fetcher's results by partition, each told to read columns before it reads anything."""

    def __init__(self, mark_transactions: bool) -> None:
        super().__init__()
        self._mark_transactions = mark_transactions

    def __setitem__(self, partition: Any, result: Any) -> None:
        records = getattr(result, "_partition_records", None)  # else it is an error, which has none
        if records is not None:
            result.getall = partial(_getall, result, _Batches(records, self._mark_transactions))
        super().__setitem__(partition, result)


def _getall(result: Any, batches: _Batches, max_records: int | None = None) -> Columns:
    """FetchResult.getall, but for columns; and with what cannot be read, what came before it is fetched again, too."""
    columns = Columns()
    if not result.has_more() or not result.check_assignment(result._topic_partition):
        return columns
    batches.columns, batches.limit = columns, sys.maxsize if max_records is None else max_records
    try:
        for _ in result._partition_records:
            if len(columns) >= batches.limit:
                result._update_position()
                return columns
        result._update_position()
    except Exception:
        _let_go(result, batches)
        raise
    _let_go(result, batches)
    return columns


def _let_go(result: Any, batches: _Batches) -> None:
    """Give up the fetched bytes and columns, which refer to one another: the collector would take its time."""
    result._partition_records = None
    result.getall = lambda max_records=None: Columns()
    vars(batches).clear()


class _KeptRecords(MemoryRecords):  # type: ignore[misc]  # aiokafka is untyped
    """aiokafka's, which keeps its bytes from Python."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


fetcher.MemoryRecords = _KeptRecords  # the fetcher makes them itself, and nothing tells it which class of them


class _Batches:
    """The batches of a PartitionRecords, for itself, in place of its MemoryRecords.

    columns: what their records are added to. limit: how many it may have. mark_transactions: see hand_out_columns.
    """

    def __init__(self, records: Any, mark_transactions: bool) -> None:
        self.mark_transactions = mark_transactions
        self.columns, self.limit = Columns(), 0
        self.records, self._kept, self._start = records, records._records, 0
        records._records, records._consumer_record = self, _as_it_is

    def has_next(self) -> bool:
        """As of MemoryRecords."""
        return bool(self._kept.has_next())

    def next_batch(self) -> _Batch:
        """As of MemoryRecords."""
        start, data = self._start, self._kept.data
        self._start = start + LENGTH + 4 + int.from_bytes(data[start + LENGTH : start + LENGTH + 4])
        return _Batch(self._kept.next_batch(), self, data, start, self._start)


class _Batch:
    """A batch of aiokafka's, from `start` to `end` of the fetched bytes, that adds its records to columns."""

    def __init__(self, batch: Any, among: _Batches, data: bytes, start: int, end: int) -> None:
        self._batch, self._among, self._data, self._start, self._end = batch, among, data, start, end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        """What has the offset of the last record added so far, each time that some were, as many as may be."""
        among, records = self._among, self._among.records
        reader = self._reader()
        if reader is None:
            for record in self._batch:
                if record.offset >= records.next_fetch_offset:
                    timestamp = NO_TIMESTAMP if record.timestamp is None else record.timestamp
                    among.columns.append(record.offset, timestamp, record.key, record.value, record.headers)
                    self._mark(len(among.columns) - 1)
                    yield record
            return
        while True:
            wanted, room = records.next_fetch_offset, among.limit - len(among.columns)
            before = len(among.columns)
            following = reader.read(among.columns, wanted, room)
            if following == wanted:
                return
            self._mark(before)
            yield SimpleNamespace(offset=following - 1)

    def _mark(self, begin: int) -> None:
        """Mark the records from a position on, if they are of a transaction and that is wanted."""
        columns = self._among.columns
        if self._among.mark_transactions and self._batch.is_transactional:
            for at in range(begin, len(columns)):
                columns.headers[at] = [*columns.headers.get(at, ()), TRANSACTIONAL]

    def _reader(self) -> Reader | None:
        """Reads the records; None where aiokafka is to: an old format, an unknown codec, nothing compiled."""
        batch, data, start, end = self._batch, self._data, self._start + RECORDS, self._end
        if not COMPILED or not isinstance(batch, DefaultRecordBatch):
            return None
        count = int.from_bytes(data[self._start + COUNT : start])
        if batch.compression_type != DefaultRecordBatch.CODEC_NONE:
            if batch.compression_type not in _plain:
                return None
            data = _plain[batch.compression_type](data[start:end])
            start, end = 0, len(data)
        appended = batch.max_timestamp if batch.timestamp_type else None
        return Reader(data, start, end, count, batch.base_offset, batch.first_timestamp, appended)


def _as_it_is(_: Any, record: Any) -> Any:
    return record
