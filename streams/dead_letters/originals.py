"""The whole records behind dead letters that were cut, read from the topics where they were refused."""

from __future__ import annotations

import asyncio

import polars as pl
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from streams.kafka import clients
from streams.model.dead_letter import FILE, is_cut
from streams.settings import Settings

PATIENCE = 60.0
"""Seconds to wait for a record; a broker that has it answers in milliseconds."""
UNREADABLE = "a batch that cannot be read"
GONE = "cut, and not to be had any more from its topic"


def batches_of(details: list[str]) -> list[bool]:
    """Matches the details of letters that stand for a whole batch (streams.kafka.fetch)."""
    return [detail.startswith("the records at offsets ") and " cannot be read: " in detail for detail in details]


async def originals(settings: Settings, letters: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Letters of one topic; those that were cut get their whole key and payload back.

    letters: with topic, partition, offset, key, payload and detail. Returns those that can be sent, and the number of
    the others by reason. Raises aiokafka's errors where the broker does not answer.
    """
    left: dict[str, int] = {}
    unreadable = pl.Series(batches_of(letters["detail"].to_list()), dtype=pl.Boolean)
    if count := int(unreadable.sum()):
        left[UNREADABLE] = count
        letters = letters.filter(~unreadable)
    cut = [row for row, detail in enumerate(letters["detail"].to_list()) if is_cut(detail)]
    if not cut:
        return letters, left
    keys, payloads = letters["key"].to_list(), letters["payload"].to_list()
    lost = set[int]()
    if letters["topic"][0].startswith(FILE):
        lost = set(cut)  # of a line of a file, only the beginning was kept
    else:
        consumer = clients.consumer(settings, group_id=None, auto_offset_reset="none", enable_auto_commit=False)
        await consumer.start()
        try:
            for row in cut:
                place = TopicPartition(letters["topic"][row], letters["partition"][row])
                found = await _record(consumer, place, letters["offset"][row])
                if found is None or not _begins_so(found, (keys[row], payloads[row])):
                    lost.add(row)
                else:
                    keys[row], payloads[row] = found
        finally:
            await consumer.stop()
    if lost:
        left[GONE] = len(lost)
    whole = letters.with_columns(
        pl.Series("key", keys, dtype=pl.Binary), pl.Series("payload", payloads, dtype=pl.Binary)
    )
    return whole[[row for row in range(letters.height) if row not in lost]], left


async def _record(consumer: AIOKafkaConsumer, place: TopicPartition, offset: int) -> tuple[bytes | None, bytes] | None:
    """Key and value of a record; None where the topic does not have it any more."""
    consumer.assign([place])
    try:
        consumer.seek(place, offset)
        record = await asyncio.wait_for(consumer.getone(place), PATIENCE)
    except (OffsetOutOfRangeError, TimeoutError):
        return None
    return (record.key, record.value or b"") if record.offset == offset else None


def _begins_so(whole: tuple[bytes | None, bytes], cut: tuple[bytes | None, bytes]) -> bool:
    """Whether a letter was cut from this record, and not from one at the same offset before the topic was made anew."""
    return (whole[0] or b"").startswith(cut[0] or b"") and whole[1].startswith(cut[1])
