"""The progress of a partition: offsets delivered, acked and committed. And the batches that are delivered."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

from aiokafka.errors import IllegalStateError
from faust.types import TP

from streams.kafka.record_batch import Header, RecordColumns, Unreadable
from streams.model.digits import number_of

SINCE = "since"
"""Header of the first record that a worker writes for a group: arrival of the oldest raw event that caused the group
(epoch ms, ASCII digits). The records' own timestamps are those of their appending, by which retention counts."""
HEADERS_LOOKED_AT = 16


class RecordBatch:
    """The records of one partition chunk, in offset order; never empty.

    keys, values, offsets, timestamps, headers, unreadable, size: see RecordColumns.
    generation: of the consumer (streams.kafka.transport) when this worker read them.
    """

    __slots__ = (
        "abandoned",
        "done",
        "generation",
        "headers",
        "keys",
        "offsets",
        "partition",
        "size",
        "timestamps",
        "topic",
        "unreadable",
        "values",
    )

    def __init__(self, columns: RecordColumns, topic: str, partition: int, generation: int) -> None:
        self.keys, self.values, self.headers, self.size = columns.keys, columns.values, columns.headers, columns.size
        self.unreadable = columns.unreadable
        self.offsets: Sequence[int] = columns.offsets
        self.timestamps: Sequence[int] = columns.timestamps
        self.topic = topic
        self.partition = partition
        self.generation = generation
        self.done = False
        self.abandoned = False

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def first_offset(self) -> int:
        """Offset of the first record."""
        return self.offsets[0]

    @property
    def next_offset(self) -> int:
        """Offset after the last record, or after the unreadable batch for which that record stands."""
        last = self.unreadable.get(len(self.keys) - 1)
        return self.offsets[-1] + 1 if last is None else last.following

    @property
    def since(self) -> int:
        """Arrival of the oldest raw event that caused these records, epoch ms: from the header SINCE, else the time at
        which the first record was appended."""
        for headers in islice(self.headers.values(), HEADERS_LOOKED_AT):
            for name, value in headers:
                if name == SINCE and (at := number_of(value)) is not None:
                    return at
        return self.timestamps[0]

    def __repr__(self) -> str:
        return f"<{self.topic}[{self.partition}] {self.first_offset}..{self.next_offset - 1}>"


class Records:
    """The records of several batches of one topic as columns, sorted by partition, in offset order within each.

    keys, values, offsets, timestamps, headers, unreadable: see RecordColumns. partitions: the partition of each record.
    shown: by position, masked key and value for a dead letter, where the true ones may not be shown.
    """

    def __init__(self, batches: Iterable[RecordBatch]) -> None:
        self._batches = sorted(batches, key=lambda batch: batch.partition)
        self.keys: list[bytes | None] = []
        self.values: list[bytes | None] = []
        self.headers: dict[int, list[Header]] = {}
        self.shown: dict[int, tuple[bytes | None, bytes]] = {}
        self.unreadable: dict[int, Unreadable] = {}
        for batch in self._batches:
            self.topic = batch.topic
            self.headers.update((len(self.keys) + at, headers) for at, headers in batch.headers.items())
            self.unreadable.update((len(self.keys) + at, some) for at, some in batch.unreadable.items())
            self.keys += batch.keys
            self.values += batch.values

    def __len__(self) -> int:
        return len(self.keys)

    def between(self, begin: int, end: int) -> Records:
        """The records at positions [begin, end); this object itself if that is all of them."""
        if begin <= 0 and end >= len(self):
            return self
        some = Records(())
        some.topic = self.topic
        some.keys, some.values = self.keys[begin:end], self.values[begin:end]
        some.headers = {at - begin: headers for at, headers in self.headers.items() if begin <= at < end}
        some.partitions, some.offsets = self.partitions[begin:end], self.offsets[begin:end]
        some.timestamps = self.timestamps[begin:end]
        return some

    @cached_property
    def partitions(self) -> list[int]:  # this and the next two are made when asked for: few callers need them
        return [partition for batch in self._batches for partition in [batch.partition] * len(batch)]

    @cached_property
    def offsets(self) -> list[int]:
        return [offset for batch in self._batches for offset in batch.offsets]

    @cached_property
    def timestamps(self) -> list[int]:
        return [timestamp for batch in self._batches for timestamp in batch.timestamps]


class Progress:
    """The offsets of one assigned partition, from the moment when it was sought to its start.

    delivered: offset after the last record handed to the agents.
    acked: end of the longest prefix of delivered batches that are acked.
    committed: offset known to the broker, None when the group never committed one.
    """

    __slots__ = ("_mismatch", "_rereads", "_waiting", "acked", "committed", "delivered")

    def __init__(self, offset: int, committed: int | None) -> None:
        self.delivered = offset
        self.acked = offset
        self.committed = committed
        self._waiting: deque[RecordBatch] = deque()
        self._mismatch: tuple[int, int] | None = None
        self._rereads = 0

    def deliver(self, batch: RecordBatch) -> None:
        """Note that a batch goes to the agents. It must be the next one; any gap before it has been explained."""
        self.delivered = batch.next_offset
        self._waiting.append(batch)
        self._mismatch = None

    def skip_to(self, offset: int) -> None:
        """Note that the log has no record from `delivered` up to `offset`."""
        self.delivered = offset
        if not self._waiting:
            self.acked = offset
        self._mismatch = None

    def ack(self, batch: RecordBatch) -> None:
        """Note that a batch is done. A batch that another Progress delivered changes nothing."""
        batch.done = True
        while self._waiting and self._waiting[0].done:
            self.acked = self._waiting.popleft().next_offset

    def committable(self) -> int | None:
        """The offset to commit, None when the broker knows it already."""
        if self.acked == self.committed or (self.committed is None and not self.acked):
            return None
        return self.acked

    @property
    def outstanding(self) -> int:
        """Batches delivered and not yet part of the acked prefix."""
        return len(self._waiting)

    def rereads_of(self, first: int) -> int:
        """How often, before now, a chunk that began at `first` came where `delivered` was expected."""
        mismatch = (self.delivered, first)
        if mismatch != self._mismatch:
            self._mismatch, self._rereads = mismatch, 0
            return 0
        self._rereads += 1
        return self._rereads


def positions(app: Any) -> dict[tuple[str, int], int]:
    """Next offset after the acked prefix, of each (topic, partition) that this worker reads."""
    return {(tp.topic, tp.partition): progress.acked for tp, progress in app.consumer.progress.items()}


async def position_of_group(app: Any, tp: tuple[str, int]) -> int:
    """Next offset after what the group is known to be done with; -1 where it is done with nothing yet.

    Of a partition that this worker reads it is what it has acked, of another's what has been committed.
    """
    own = positions(app).get(tp)
    return await app.consumer.committed_of(TP(*tp)) if own is None else own


def lags(app: Any) -> dict[tuple[str, int], int]:
    """Records between the acked prefix and the end of the log as the last fetch saw it, by (topic, partition)."""
    found: dict[tuple[str, int], int] = {}
    for tp, progress in app.consumer.progress.items():
        try:
            highwater = app.consumer.highwater(tp)
        except IllegalStateError:
            continue
        if highwater is not None:
            found[tp.topic, tp.partition] = max(highwater - progress.acked, 0)
    return found
