"""Fetched records as columns (streams.kafka.record_batch) instead of one aiokafka object a record.

Only this module and streams.kafka.consumer_thread reach into aiokafka's consumer. aiokafka keeps everything but the
reading of records: checksums, aborted transactions, control batches, and the position of the next fetch.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from schemas.numbers import COMPILED
from streams.kafka.decompress import decompress
from streams.kafka.open_transactions import Ends
from streams.kafka.record_batch import Reader, RecordColumns, Unreadable

LENGTH, ATTRIBUTES, COUNT, RECORDS = 8, 22, 57, 61
"""Places in a record batch, in bytes from its start: its length (of what follows that number), its attributes (which
codec), the number of records, the records."""
NO_TIMESTAMP = -1
"""Kafka's timestamp of a record of format 0, which has none."""
FETCHES = 3
"""How often a batch with a wrong checksum is fetched before it is given up: the fault may be the network's."""

log = logging.getLogger(__name__)


TRANSACTIONAL = ("rihla-transactional", b"1")
"""Header added to a record of a transaction if the broker cannot say whether the transaction was aborted."""
NO_TRANSACTIONS = (
    "a record of a transaction: the embedded broker cannot tell whether it was aborted. Use a producer without "
    "transactional.id, or --broker kafka"
)
"""What is said of such a record."""


def hand_out_columns(consumer: AIOKafkaConsumer, mark_transactions: bool = False) -> None:
    """Make `getmany` return RecordColumns for each partition. The consumer must be started, and have no partitions yet.

    mark_transactions: add the header TRANSACTIONAL to the records of transactions. The embedded broker does not track
    aborted transactions and returns their records like any others.
    """
    consumer._fetcher._records = _Fetched(mark_transactions)


def ends_of(consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]) -> dict[tuple[str, int], Ends]:
    """Where partitions end, as the last fetch saw it, and where the consumer stands; without those not fetched yet."""
    assignment = consumer._subscription.subscription.assignment
    found = {}
    for tp in partitions:
        if assignment is None or tp not in assignment.tps:
            continue
        state = assignment.state_value(tp)
        if state.has_valid_position and None not in (state.lso, state.highwater):
            found[tp.topic, tp.partition] = Ends(int(state.position), int(state.lso), int(state.highwater))
    return found


class _FetchAgainError(Exception):
    """A batch was damaged on the way here, or on the broker's disk."""


class _Fetched(OrderedDict[Any, Any]):
    """The fetcher's results by partition. Each result that is put in is made to return columns."""

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


def _getall(result: Any, batches: _Batches, max_records: int | None = None) -> RecordColumns:
    """FetchResult.getall for columns. Before a batch that must be fetched again it returns what was read so far."""
    columns = RecordColumns()
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
    """Break the references between fetched bytes and columns: a cycle would hold them until the collector runs."""
    result._partition_records = None
    result.getall = lambda max_records=None: RecordColumns()
    vars(batches).clear()


class _KeptRecords(MemoryRecords):  # type: ignore[misc]  # aiokafka is untyped
    """aiokafka's MemoryRecords, with its bytes as an attribute: the original hides them in C."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


fetcher.MemoryRecords = _KeptRecords  # the fetcher makes them itself, and has no parameter for the class


class _Batches:
    """The batches of a PartitionRecords, put in the place of its MemoryRecords.

    columns: receives the records. limit: most records that it may hold.
    rotten: how often the batch at (partition, first offset) came with a wrong checksum.
    mark_transactions: see hand_out_columns.
    """

    def __init__(self, records: Any, partition: Any, rotten: Counter[tuple[Any, int]], mark_transactions: bool) -> None:
        self.mark_transactions = mark_transactions
        self.columns, self.limit = RecordColumns(), 0
        self.partition, self.rotten = partition, rotten
        self.records, self._kept, self._start = records, records._records, 0
        records._records, records._consumer_record = self, _as_it_is

    def has_next(self) -> bool:
        """See MemoryRecords."""
        return bool(self._kept.has_next())

    def next_batch(self) -> _Batch:
        """See MemoryRecords."""
        start, data = self._start, self._kept.data
        self._start = start + LENGTH + 4 + int.from_bytes(data[start + LENGTH : start + LENGTH + 4])
        return _Batch(self._kept.next_batch(), self, data, start, self._start)


class _Batch:
    """One of aiokafka's batches, at [start, end) of the fetched bytes. Iterating adds its records to columns."""

    def __init__(self, batch: Any, among: _Batches, data: bytes, start: int, end: int) -> None:
        self._batch, self._among, self._data, self._start, self._end = batch, among, data, start, end
        self._rotten = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def validate_crc(self) -> bool:
        """Whether to go on with the batch: always, or _FetchAgainError. After FETCHES wrong checksums the batch is read
        as one unreadable record."""
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
        """Add records to the columns, up to their limit; after each addition yield an object with the last offset.

        Records that cannot be read become one record, at the first of their offsets, that stands for all of them.
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
            try:
                yield from self._one_by_one(records, DefaultRecordBatch(bytes(head) + data[start:end]))
            except UnicodeDecodeError:  # a header's name that is no UTF-8: our reader, which goes on from there, can
                pass
            else:
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
                single = True  # the records before the fault are good: read them one at a time
                continue
            if following == wanted:
                return
            self._mark(before)
            yield SimpleNamespace(offset=following - 1)

    def _one_by_one(self, records: Any, batch: Any) -> Iterator[Any]:
        """The same by aiokafka's own parser: for old record formats, and where our reader is not compiled."""
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
        """Add the header TRANSACTIONAL to the records from a position on, if they belong to a transaction."""
        columns = self._among.columns
        if self._among.mark_transactions and self._batch.is_transactional:
            for at in range(begin, len(columns)):
                columns.headers[at] = [*columns.headers.get(at, ()), TRANSACTIONAL]


def _as_it_is(_: Any, record: Any) -> Any:
    return record
