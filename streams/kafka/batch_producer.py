"""Records to a topic, a batch at a time, with the offsets that the broker acknowledged.

aiokafka's `send` costs some 40 us a record; a batch built here and sent whole costs a tenth of that. Partitions are
those of Kafka's default partitioner (streams.kafka.partitioner), so any other producer of the same key agrees.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.kafka.limits import largest_batch
from streams.kafka.partitioner import partitions_of, rows_by
from streams.model.digits import number_of

RECORD_OVERHEAD = 90  # bytes of a record, with a short header, and of its batch's, besides key and value, at most

BATCH_BYTES = 512 << 10
"""Most bytes of a produce batch: below the brokers' usual limit of a megabyte."""

REQUEST_BYTES = 16 << 20
"""Most bytes of a request to the broker, and so of a record. Topics that workers write accept as much."""

RESTORED = ("restored", b"1")
"""Header of an interaction that was stored before and is sent again to rebuild state: no move is logged for it anew."""
RAISED = "raised"
"""Header of such an interaction if it caused open alerts: JSON, {rule: [raised_at in epoch ms, reason]}."""
RECALLED = ("recalled", b"1")
"""Header of an interaction sent again because its subject had been evicted from the state."""


def recalled_last(applied: int) -> tuple[str, bytes]:
    """The header of the last answer to a recall: everything before this offset of the partition has been sent."""
    return RECALLED[0], b"last %d" % applied


def last_recalled(value: bytes) -> int | None:
    """The offset in a value of this header; None for an answer that is not the last."""
    word, _, applied = value.partition(b" ")
    return number_of(applied) if word == b"last" else None


class RecordTooLarge(ValueError):
    """A record that is larger than its topic takes; nothing of the call that it was in has been sent."""


class BatchProducer:
    """Writes rows to one topic through a started AIOKafkaProducer.

    producer: the producer, or a function that returns it (Faust's exists only once the app has started).
    topic: full name; it must exist. partitions: its number of partitions, None asks the broker. How large
    a record may be the broker is always asked.

    Not for concurrent use: one task sends and flushes.
    """

    def __init__(self, producer: Any, topic: str, partitions: int | None = None) -> None:
        self._producer = producer if callable(producer) else lambda: producer
        self.topic = topic
        self.partitions = partitions
        #: partition -> offset after the last record of ours that the broker acknowledged
        self.acknowledged: dict[int, int] = {}
        self._waiting: list[tuple[int, int, asyncio.Future[Any]]] = []
        self._limit: int | None = None

    async def room(self) -> int:
        """Bytes that key and value of a record may have together."""
        return await self._largest_batch() - RECORD_OVERHEAD

    async def _largest_batch(self) -> int:
        if self._limit is None:
            producer = self._producer()
            found = await largest_batch(producer.client, self.topic)
            self._limit = min(producer._max_request_size, found or producer._max_request_size)
        return self._limit

    async def too_large(self, keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> list[int]:
        """Positions of the rows that `send` would refuse as too large."""
        return larger_than(await self.room(), keys, values)

    async def send(
        self,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        timestamps_ms: Sequence[int] | int | None = None,
        partitions: Sequence[int] | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        marks: Sequence[tuple[str, bytes]] = (),
        first: Sequence[tuple[str, bytes]] = (),
        single: Mapping[int, Sequence[tuple[str, bytes]]] | None = None,
    ) -> None:
        """Hand rows over for sending, in order within each partition; flush() waits until they are safe.

        keys, values: one of each a row; a value of None is a tombstone and needs a key. timestamps_ms: epoch
        milliseconds, one a row, one for all, or None for now. partitions: one a row; by default from the key, and
        rows without a key go to the partitions in turn. headers: given to each tombstone of the call; marks: headers of
        every other row. first: further headers of the first row of each batch that goes out. single: further
        headers of some rows, which are left out where they would make a row too large.

        Raises RecordTooLarge before anything is sent, and aiokafka's errors when the producer is closed or its
        buffer does not drain.
        """
        if len(keys) != len(values):
            raise ValueError(f"{len(keys)} keys but {len(values)} values")
        if not keys:
            return
        producer = self._producer()
        if self.partitions is None:
            self.partitions = len(await producer.partitions_for(self.topic))
        limit = await self._largest_batch()
        check_sizes(keys, values, limit, self.topic)
        if single:
            single = _with_room(limit - RECORD_OVERHEAD, keys, values, single)
        rows = rows_by(partitions_of(keys, self.partitions) if partitions is None else partitions)
        times = None if timestamps_ms is None or isinstance(timestamps_ms, int) else timestamps_ms
        one_time = timestamps_ms if isinstance(timestamps_ms, int) else None
        # Round by round over the partitions, so that all of them have a batch on its way while the next are built.
        builders = [
            (
                partition,
                _batches(producer, limit, positions, keys, values, times, one_time, headers, marks, first, single),
            )
            for partition, positions in rows.items()
        ]
        while builders:
            following = []
            for partition, builder in builders:
                batch = next(builder, None)
                if batch is not None:
                    future = await producer.send_batch(batch, self.topic, partition=partition)
                    self._waiting.append((partition, batch.record_count(), future))
                    following.append((partition, builder))
            builders = following

    async def flush(self) -> None:
        """Return once the broker has acknowledged every row sent; raise the first error when it has not.

        aiokafka has retried what can be retried by then: rows of a batch that failed may or may not be in the log.
        """
        waiting, self._waiting = self._waiting, []
        if waiting:
            await asyncio.wait([future for _, _, future in waiting])
        if any(isinstance(future.exception(), MessageSizeTooLargeError) for _, _, future in waiting):
            self._limit = None  # somebody has changed it: to be asked again
        for partition, count, future in waiting:
            end = future.result().offset + count
            self.acknowledged[partition] = max(end, self.acknowledged.get(partition, 0))


class Output(BatchProducer):
    """A topic that a worker writes, through its Faust app's producer."""

    def __init__(self, app: Any, topic: str, partitions: int | None = None) -> None:
        super().__init__(lambda: app.producer._ensure_producer(), topic, partitions)


def check_sizes(
    keys: Collection[bytes | None], values: Collection[bytes | None], limit: int, taker: str = "a request"
) -> None:
    """Raise RecordTooLarge if some row, with its batch around it, is larger than the `limit` that `taker` takes."""
    for row in larger_than(limit - RECORD_OVERHEAD, keys, values):
        key, value = list(keys)[row], list(values)[row]
        size = _size(key) + _size(value) + RECORD_OVERHEAD
        raise RecordTooLarge(f"row {row} (key {key!r:.80}) takes {size} bytes; {taker} takes {limit}")


def larger_than(room: int, keys: Collection[bytes | None], values: Collection[bytes | None]) -> list[int]:
    """The rows whose key and value have more than `room` bytes together."""
    if _largest(keys) + _largest(values) <= room:
        return []
    pairs = zip_longest(keys, values)
    return [row for row, (key, value) in enumerate(pairs) if _size(key) + _size(value) > room]


def _with_room(
    room: int,
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
    single: Mapping[int, Sequence[tuple[str, bytes]]],
) -> Mapping[int, Sequence[tuple[str, bytes]]]:
    """Those of the headers of single rows that fit: key, value and headers have `room` bytes at most together."""
    return {
        row: headers
        for row, headers in single.items()
        if _size(keys[row]) + _size(values[row]) + sum(len(name) + len(said) + 10 for name, said in headers) <= room
    }


def too_long(topic: str, value: bytes, room: int) -> str:
    """A sentence for a value that is larger than its topic accepts."""
    return f"the record for the topic {topic} has {len(value)} bytes, and with its key it may have {room}"


def _largest(some: Collection[bytes | None]) -> int:
    try:
        return max(map(len, some), default=0)  # type: ignore[arg-type]  # no step of Python a row
    except TypeError:
        return max([len(data) for data in some if data is not None], default=0)


def _size(data: bytes | None) -> int:
    return 0 if data is None else len(data)


def _new_batch(producer: Any, limit: int) -> Any:
    """An empty batch, as large as the producer's, and no larger than the topic takes."""
    accumulator = producer._message_accumulator
    if accumulator._batch_size <= limit:
        return producer.create_batch()
    return BatchBuilder(limit, accumulator._compression_type)


def _batches(
    producer: Any,
    limit: int,
    rows: list[int],
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
    timestamps: Sequence[int] | None,
    timestamp: int | None,
    headers: Sequence[tuple[str, bytes]],
    marks: Sequence[tuple[str, bytes]],
    first: Sequence[tuple[str, bytes]],
    single: Mapping[int, Sequence[tuple[str, bytes]]] | None,
) -> Iterator[Any]:
    """Generate full, closed aiokafka batches of the given rows; a record larger than a batch has one to itself."""
    # The inner builder, without BatchBuilder.append around it: half of the time of a row is that call.
    batch = _new_batch(producer, limit)
    append, count = batch._builder.append, 0
    for some, own in _runs(rows, single):
        plain, tombstone = [*marks, *own], [*headers, *own]
        for row in some:
            time = timestamp if timestamps is None else int(timestamps[row])
            value = values[row]
            extra = tombstone if value is None else plain
            if not count and first:
                extra = [*extra, *first]
            if append(count, time, keys[row], value, extra) is None:
                yield _closed(batch, count)
                batch = _new_batch(producer, limit)
                append, count = batch._builder.append, 0
                append(0, time, keys[row], value, [*extra, *first])
            count += 1
    yield _closed(batch, count)


def _runs(
    rows: list[int], single: Mapping[int, Sequence[tuple[str, bytes]]] | None
) -> Iterator[tuple[list[int], Sequence[tuple[str, bytes]]]]:
    """The rows in order: those with headers of their own one by one, the others in runs, which cost nothing more."""
    begin = 0
    for at, row in enumerate(rows) if single else ():
        if single and row in single:
            yield rows[begin:at], ()
            yield [row], single[row]
            begin = at + 1
    yield rows[begin:], ()


def _closed(batch: Any, count: int) -> Any:
    """A batch ready to go at once: closed batches do not linger."""
    batch._relative_offset = count
    batch.close()
    return batch
