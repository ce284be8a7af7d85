"""Fetched records in columns (streams.kafka.record_batch), where aiokafka would make an object of each.

With streams.kafka.consumer_thread the only module that reaches into aiokafka's consumer. All but the records of a batch
stays aiokafka's: checksums, aborted transactions, control batches, and the position from which it fetches on.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter, OrderedDict
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from streams.kafka.decompress import decompress
from streams.kafka.record_batch import COMPILED, Columns, Reader, Unreadable

LENGTH, ATTRIBUTES, COUNT, RECORDS = 8, 22, 57, 61
"""Where a batch says how many bytes follow that number, how it is compressed, how many records are in it, and where."""
NO_TIMESTAMP = -1
"""Kafka's word for that of a record of magic 0."""
FETCHES = 3
"""Times that a batch whose checksum is wrong is fetched before it is given up: the fault may be of the way here."""

log = logging.getLogger(__name__)


TRANSACTIONAL = ("rihla-transactional", b"1")
"""Header given to records of a transaction where nobody can tell whether it was aborted."""


def hand_out_columns(consumer: AIOKafkaConsumer, mark_transactions: bool = False) -> None:
    """Have `getmany` of a consumer that has started, and has no partitions yet, return Columns for each partition.

    mark_transactions: give the header TRANSACTIONAL to the records of transactions. The embedded broker keeps no
    account of those that are aborted, and hands their records out like any others.
    """
    consumer._fetcher._records = _Fetched(mark_transactions)


class _FetchAgainError(Exception):
    """A batch is not what the broker has sent, or has on its disk."""


class _Fetched(OrderedDict[Any, Any]):
    """The fetcher's results by partition, each told to read columns before it reads anything."""

    def __init__(self, mark_transactions: bool) -> None:
        super().__init__()
        self._mark_transactions = mark_transactions
        self._rotten: Counter[tuple[Any, int]] = Counter()

    def __setitem__(self, partition: Any, result: Any) -> None:
        records = getattr(result, "_partition_records", None)  # else it is an error, which has none
        if records is not None:
            batches = _Batches(records, partition, self._rotten, self._mark_transactions)
            result.getall = partial(_getall, result, batches)
        super().__setitem__(partition, result)


def _getall(result: Any, batches: _Batches, max_records: int | None = None) -> Columns:
    """FetchResult.getall, but for columns; of a batch that is fetched again, what came before it is handed out."""
    columns = Columns()
    if not result.has_more() or not result.check_assignment(result._topic_partition):
        return columns
    batches.columns, batches.limit = columns, sys.maxsize if max_records is None else max_records
    try:
        for _ in result._partition_records:
            if len(columns) >= batches.limit:
                result._update_position()
                return columns
    except _FetchAgainError as error:
        log.warning("%s", error)
    except Exception:
        _let_go(result, batches)
        raise
    result._update_position()
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

    columns: what their records are added to. limit: how many it may have.
    rotten: how often a batch of a partition has come with a wrong checksum, by its first offset.
    mark_transactions: see hand_out_columns.
    """

    def __init__(self, records: Any, partition: Any, rotten: Counter[tuple[Any, int]], mark_transactions: bool) -> None:
        self.mark_transactions = mark_transactions
        self.columns, self.limit = Columns(), 0
        self.partition, self.rotten = partition, rotten
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
        self._rotten = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def validate_crc(self) -> bool:
        """Whether to go on with the batch: one whose checksum stays wrong is given up when it is read."""
        among = self._among
        offset = getattr(self._batch, "base_offset", among.records.next_fetch_offset)  # an old format has none
        place = among.partition, offset
        if self._batch.validate_crc():
            among.rotten.pop(place, None)
            return True
        among.rotten[place] += 1
        if among.rotten[place] < FETCHES:
            raise _FetchAgainError(f"{among.partition}: the batch at offset {offset} has a wrong checksum")
        self._rotten = True
        return True

    def __iter__(self) -> Iterator[Any]:
        """What has the offset of the last record added so far, each time that some were, as many as may be.

        For records that cannot be read one is added, at the first of their offsets, that stands for all of them.
        """
        records, batch = self._among.records, self._batch
        try:
            if self._rotten:
                raise CorruptRecordException("its checksum is wrong, however often it was fetched")
            yield from self._added(records)
        except MemoryError:
            raise
        except Exception as error:  # whatever garbage provokes in a codec, or in a parser, is the garbage's fault
            first, following = records.next_fetch_offset, batch.next_offset
            if first < following:
                detail = f"the records at offsets {first} to {following - 1} cannot be read: {error}"
                whole = self._data[self._start : self._end]
                timestamp = getattr(batch, "max_timestamp", NO_TIMESTAMP)
                self._among.columns.give_up(first, timestamp, Unreadable(following, whole, detail))
                yield SimpleNamespace(offset=following - 1)

    def _added(self, records: Any) -> Iterator[Any]:
        among, batch = self._among, self._batch
        if not isinstance(batch, DefaultRecordBatch):
            yield from self._one_by_one(records, batch)
            return
        data, start, end = self._data, self._start + RECORDS, self._end
        if batch.compression_type != DefaultRecordBatch.CODEC_NONE:
            data = decompress(batch.compression_type, data[start:end])
            start, end = 0, len(data)
        if not COMPILED:
            head = bytearray(self._data[self._start : self._start + RECORDS])
            head[ATTRIBUTES] &= ~DefaultRecordBatch.CODEC_MASK
            yield from self._one_by_one(records, DefaultRecordBatch(bytes(head) + data[start:end]))
            return
        count = int.from_bytes(self._data[self._start + COUNT : self._start + RECORDS])
        appended = batch.max_timestamp if batch.timestamp_type else None
        reader = Reader(data, start, end, count, batch.base_offset, batch.first_timestamp, appended, batch.next_offset)
        single = False
        while True:
            before = len(among.columns)
            wanted, room = records.next_fetch_offset, among.limit - before
            try:
                following = reader.read(among.columns, wanted, 1 if single else room)
            except CorruptRecordException:
                if single:
                    raise
                single = True  # up to the fault they are records
                continue
            if following == wanted:
                return
            self._mark(before)
            yield SimpleNamespace(offset=following - 1)

    def _one_by_one(self, records: Any, batch: Any) -> Iterator[Any]:
        """The same by aiokafka's own parser: of an old format, and where nothing is compiled."""
        least = batch.base_offset if isinstance(batch, DefaultRecordBatch) else None
        for record in batch:
            if least is not None:
                if not least <= record.offset < batch.next_offset:
                    raise CorruptRecordException("a record whose offset is not the batch's")
                least = record.offset + 1
            if record.offset >= records.next_fetch_offset:
                timestamp = NO_TIMESTAMP if record.timestamp is None else record.timestamp
                self._among.columns.append(record.offset, timestamp, record.key, record.value, record.headers)
                self._mark(len(self._among.columns) - 1)
                yield record

    def _mark(self, begin: int) -> None:
        """Mark the records from a position on, if they are of a transaction and that is wanted."""
        columns = self._among.columns
        if self._among.mark_transactions and self._batch.is_transactional:
            for at in range(begin, len(columns)):
                columns.headers[at] = [*columns.headers.get(at, ()), TRANSACTIONAL]


def _as_it_is(_: Any, record: Any) -> Any:
    return record
