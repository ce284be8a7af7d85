"""The format of a state table's changelog, and how it is read.

A record's key is the table's key. Its value is the fencing epoch of the worker that wrote it, followed by the table's
value; a tombstone has its fencing epoch in a header. A **barrier** is a record that an owner appends when it gets the
partition. Its offset is the owner's **fencing epoch**: everything written before is below it, and every later owner has
a higher one. A record of a lower fencing epoch than the highest before it is from a worker that had lost the partition
without noticing, and does not count.
"""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import TopicPartition

from streams.kafka import clients
from streams.kafka.fetch import hand_out_columns
from streams.kafka.record_batch import RecordColumns
from streams.settings import Settings

BARRIER = b"\0mark"
"""Key of the barriers; a table's own keys never begin with a zero byte."""
FENCING_EPOCH = struct.Struct(">q")
FENCING_HEADER = "term"
"""Header with the fencing epoch of a tombstone, which has no value that could begin with it."""
STALLED = 60.0
"""Seconds without a record after which reading gives up."""
FETCH_BYTES = 4 << 20

Merge = Callable[[bytes, bytes], bytes]
"""Joins two values of one key: the older and the newer."""

log = logging.getLogger(__name__)


class RecoveryError(Exception):
    """A changelog cannot be read to its end. The worker must stop: what it has read is not its state."""


class PartitionState:
    """One partition's state, as of the changelog offset `position`.

    data: a dict, or what takes the same calls (streams.identity.changelog). size: bytes of the values. read: another
    object whenever reading has brought what somebody else wrote. changed: what is not acknowledged yet; None: deleted.
    fencing_epoch: ours, the offset of our barrier. top: the highest one read. generation: that of the assignment
    (transport).
    """

    __slots__ = ("changed", "data", "fencing_epoch", "generation", "position", "read", "size", "top")

    def __init__(self, data: dict[bytes, bytes] | None = None) -> None:
        self.data: dict[bytes, bytes] = {} if data is None else data
        self.size = 0
        self.read = object()
        self.changed: dict[bytes, bytes | None] = {}
        self.position = 0
        self.fencing_epoch = -1
        self.top = -1
        self.generation = -1


async def read(
    settings: Settings,
    topic: str,
    wanted: Mapping[int, tuple[PartitionState, int]],
    merge: Merge | None = None,
    count: Callable[[int], None] = lambda records: None,
    request_timeout: float = 40.0,
) -> dict[int, set[bytes]]:
    """Bring states up to an offset of their partition of a changelog.

    Args:
        topic: the changelog, full name.
        wanted: by partition, a state, which is read from its `position` on, and the offset up to which: that of a
            barrier, or the one after a record that compaction cannot have removed.
        merge: joins values of one key; without it the newer one holds.
        count: called with the number of records of each chunk.
        request_timeout: seconds.

    Returns, by partition, the keys of records that do not count. Raises RecoveryError, and aiokafka's KafkaError.
    """
    consumer = clients.consumer(
        settings,
        group_id=None,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=100,
        request_timeout_ms=int(request_timeout * 1000),
    )
    await consumer.start()
    try:
        hand_out_columns(consumer)
        left = {TopicPartition(topic, partition): end for partition, (_, end) in wanted.items()}
        consumer.assign(list(left))
        for tp in left:
            consumer.seek(tp, wanted[tp.partition][0].position)
        skipped: dict[int, set[bytes]] = {}
        seen_at = time.monotonic()
        while left:
            chunks = await consumer.getmany(timeout_ms=1000)
            if chunks:
                seen_at = time.monotonic()
            elif time.monotonic() - seen_at > STALLED:
                raise RecoveryError(f"{topic}: no record for {STALLED:.0f} s, still to read: {_describe(left)}")
            for tp, records in chunks.items():
                if tp not in left:
                    continue
                count(len(records))
                state, end = wanted[tp.partition]
                if ignored := apply(state, records, end, merge):
                    skipped.setdefault(tp.partition, set()).update(ignored)
                if state.position >= end:
                    del left[tp]
                    consumer.pause(tp)
        return skipped
    finally:
        await consumer.stop()


def apply(state: PartitionState, records: RecordColumns, barrier: int, merge: Merge | None) -> set[bytes]:
    """Apply the records below the offset `barrier` to a partition's state.

    Returns the keys of records that do not count: those of a lower fencing epoch, and those that no table has written.
    """
    data, top, ignored = state.data, state.top, set()
    size, unpack = FENCING_EPOCH.size, FENCING_EPOCH.unpack_from
    pop, get = data.pop, data.get
    changed = False
    for unreadable in records.unreadable.values():
        log.error(
            "a changelog: %s; the keys in it are as they were before (rihla verify tells what differs, rihla restore "
            "--anew builds all state again)",
            unreadable.detail,
        )
    for at, (offset, key, value) in enumerate(zip(records.offsets, records.keys, records.values, strict=True)):
        if offset >= barrier:
            break
        if key == BARRIER:
            top = max(top, offset)
            continue
        changed = True
        if key is None:
            continue  # no table has written this; nor the next case, whose key is written again
        if value is not None and len(value) < size:
            log.warning("offset %d of a changelog is no record of a table, and skipped", offset)
            ignored.add(key)
            continue
        if value is None:
            headers = records.headers.get(at, ())
            fencing_epoch = next(
                (unpack(header)[0] for name, header in headers if name == FENCING_HEADER and len(header) == size), top
            )
        else:
            fencing_epoch = unpack(value)[0]
        if fencing_epoch < top:
            ignored.add(key)
            continue
        top = fencing_epoch
        if value is None:
            pop(key, None)
        elif merge is None or (old := get(key)) is None:
            data[key] = value[size:]
        else:
            data[key] = merge(old, value[size:])
    state.top = top
    if changed:
        state.read = object()
    state.position = min(records.offsets[-1] + 1, barrier)  # what is behind it, another recovery may have to read
    return ignored


def _describe(barriers: dict[Any, int]) -> str:
    return ", ".join(f"partition {tp.partition} to offset {barrier}" for tp, barrier in sorted(barriers.items()))
