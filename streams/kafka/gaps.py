"""Gaps in the offsets of a partition: does the broker's log have none there, or were records lost on the way?"""

from __future__ import annotations

from typing import Any

from aiokafka.errors import for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from streams.kafka.limits import NotAllowedError, topic_setting

FETCH_BYTES = 1 << 20
FETCH_WAIT_MS = 500
READ_UNCOMMITTED = 0
CLEANUP_POLICY = "cleanup.policy"


class GapError(Exception):
    """Records of a partition are missing, and nothing explains the gap: reading on would lose them."""

    def __init__(self, topic: str, partition: int, expected: int, got: int) -> None:
        what = "records are missing" if got > expected else "the log was truncated, or the topic made anew"
        super().__init__(
            f"{topic}[{partition}]: expected offset {expected}, got {got}: {what}. "
            "Stopped before anything was committed past it; see whether the topic still holds that offset."
        )
        self.topic, self.partition, self.expected, self.got = topic, partition, expected, got


async def explanation(consumer: Any, tp: Any, expected: int, got: int, embedded: bool = False) -> str | None:
    """Why the log of `tp` has no record at the offsets [expected, got); None if it has some, or should have.

    consumer: a started AIOKafkaConsumer, whose connections are used. embedded: whether the broker is the embedded one.
    Reasons: "retention" (the log begins later), "compaction", "transaction" (markers and aborted records), "refused"
    (the embedded broker assigns offsets to a batch before it checks the batch and refuses it).
    """
    start = (await consumer.beginning_offsets([tp]))[tp]
    if start >= got:
        return "retention"
    if await _only_transactions(consumer._client, tp, max(start, expected), got):
        return "transaction"
    if embedded and await _nothing_before(consumer._client, tp, expected, got):
        return "refused"
    return "compaction" if await is_compacted(consumer._client, tp.topic) else None


async def _nothing_before(client: Any, tp: Any, offset: int, end: int) -> bool:
    """Whether the log itself, read from `offset`, goes on at `end` or later."""
    begins = [first for _, first, following in await _batches(client, tp, offset) if following > offset]
    return bool(begins) and min(begins) >= end


async def is_compacted(client: Any, topic: str) -> bool:
    """Whether the broker compacts a topic; False if the broker does not say (the embedded one)."""
    try:
        return "compact" in (await topic_setting(client, topic, CLEANUP_POLICY) or "")
    except NotAllowedError:
        return False


async def _only_transactions(client: Any, tp: Any, offset: int, end: int) -> bool:
    """Whether batches of transactions and their markers fill the offsets [offset, end) of the log without a gap."""
    while offset < end:
        batches = await _batches(client, tp, offset)
        for transactional, first, following in batches:
            if first >= end:
                return False
            if first > offset or not transactional:
                return False
            offset = max(offset, following)
            if offset >= end:
                return True
        if not batches:
            return False
    return True


async def _batches(client: Any, tp: Any, offset: int) -> list[tuple[bool, int, int]]:
    """The batches that a fetch at `offset` returns, each as (of a transaction, first offset, offset after the last)."""
    node = client.cluster.leader_for_partition(tp)
    partitions = [(tp.topic, [(tp.partition, offset, FETCH_BYTES)])]
    request = FetchRequest(FETCH_WAIT_MS, 1, FETCH_BYTES, READ_UNCOMMITTED, partitions, rack_id="")
    response = await client.send(node, request)
    found: list[tuple[bool, int, int]] = []
    for _topic, answers in response.topics:
        for _partition, error, *_details, payload in answers:
            if error:
                raise for_code(error)(f"{tp.topic}[{tp.partition}] at offset {offset}")
            records = MemoryRecords(payload)
            while records.has_next():
                batch = records.next_batch()
                found.append((batch.is_control_batch or batch.is_transactional, batch.base_offset, batch.next_offset))
    return found
