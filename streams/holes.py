"""Offsets that a partition skips: is it the broker's log that has none there, or were records lost on the way?"""

from __future__ import annotations

from typing import Any

from aiokafka.errors import for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

FETCH_BYTES = 1 << 20
FETCH_WAIT_MS = 500
READ_UNCOMMITTED = 0


class HoleError(Exception):
    """Records of a partition are missing and nothing explains it: to read on would be to lose them."""

    def __init__(self, topic: str, partition: int, expected: int, got: int) -> None:
        what = "records are missing" if got > expected else "the log was truncated, or the topic made anew"
        super().__init__(
            f"{topic}[{partition}]: expected offset {expected}, got {got}: {what}. "
            "Stopped before anything was committed past it; see whether the topic still holds that offset."
        )
        self.topic, self.partition, self.expected, self.got = topic, partition, expected, got


async def explanation(consumer: Any, tp: Any, expected: int, got: int, compacted: bool) -> str | None:
    """Why the log of `tp` has no record from `expected` up to (not with) `got`; None when it has, or ought to.

    consumer: a started AIOKafkaConsumer, whose connections are used.
    Reasons: "retention" (the log begins later), "compaction", "transaction" (markers and aborted records).
    """
    start = (await consumer.beginning_offsets([tp]))[tp]
    if start >= got:
        return "retention"
    if compacted:
        return "compaction"
    offset = max(start, expected)
    while offset < got:
        batches = await _batches(consumer._client, tp, offset)
        if not batches:
            return None
        for is_control, is_transactional, first, following in batches:
            if first >= got:
                break
            if first > offset or not (is_control or is_transactional):
                return None
            offset = max(offset, following)
        else:
            continue
        break
    return "transaction" if offset >= got else None


async def _batches(client: Any, tp: Any, offset: int) -> list[tuple[bool, bool, int, int]]:
    """What a fetch at `offset` returns: (control batch, transactional, first offset, offset after it) of each."""
    node = client.cluster.leader_for_partition(tp)
    partitions = [(tp.topic, [(tp.partition, offset, FETCH_BYTES)])]
    request = FetchRequest(FETCH_WAIT_MS, 1, FETCH_BYTES, READ_UNCOMMITTED, partitions, rack_id="")
    response = await client.send(node, request)
    found: list[tuple[bool, bool, int, int]] = []
    for _topic, answers in response.topics:
        for _partition, error, *_details, payload in answers:
            if error:
                raise for_code(error)(f"{tp.topic}[{tp.partition}] at offset {offset}")
            records = MemoryRecords(payload)
            while records.has_next():
                batch = records.next_batch()
                found.append((batch.is_control_batch, batch.is_transactional, batch.base_offset, batch.next_offset))
    return found
