"""The whole records behind dead letters that were cut or masked, read from the topics where they were refused."""

from __future__ import annotations

import asyncio

import polars as pl
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException, OffsetOutOfRangeError, UnsupportedCodecError

from streams.kafka import clients
from streams.model.dead_letter import FILE, is_cut, is_masked, shows
from streams.settings import Settings

PATIENCE = 60.0
"""Seconds to wait for a record; a broker that has it answers in milliseconds."""
UNREADABLE = "a batch that cannot be read"
GONE = "cut, and not to be had any more from its topic"


def batches_of(details: list[str]) -> list[bool]:
    """Matches the details of letters that stand for a whole batch (streams.kafka.fetch)."""
    return [detail.startswith("the records at offsets ") and " cannot be read: " in detail for detail in details]


async def originals(settings: Settings, letters: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Letters of one topic; those that were cut or masked get their record's key and payload back.

    letters: with topic, partition, offset, key, payload and detail. Returns those that can be sent, and the number of
    the others by reason. One that was masked and not cut can be sent as it is if the topic no longer holds its record.
    Raises aiokafka's errors where the broker does not answer.
    """
    left: dict[str, int] = {}
    unreadable = pl.Series(batches_of(letters["detail"].to_list()), dtype=pl.Boolean)
    if count := int(unreadable.sum()):
        left[UNREADABLE] = count
        letters = letters.filter(~unreadable)
    details = letters["detail"].to_list()
    wanted = [row for row, detail in enumerate(details) if is_cut(detail) or is_masked(detail)]
    if not wanted:
        return letters, left
    keys, payloads = letters["key"].to_list(), letters["payload"].to_list()
    found = await _records(settings, letters, wanted)
    lost = set[int]()
    for row in wanted:
        record = found.get(row)
        if record is not None and shows(details[row], (keys[row], payloads[row]), record):
            keys[row], payloads[row] = record
        elif is_cut(details[row]):
            lost.add(row)
    if lost:
        left[GONE] = len(lost)
    whole = letters.with_columns(
        pl.Series("key", keys, dtype=pl.Binary), pl.Series("payload", payloads, dtype=pl.Binary)
    )
    return whole[[row for row in range(letters.height) if row not in lost]], left


async def _records(settings: Settings, letters: pl.DataFrame, rows: list[int]) -> dict[int, tuple[bytes | None, bytes]]:
    """Key and value of what stands at the places of letters, by row; nothing where there is none, or none any more.

    Of lines only the letters are kept, and of records that no topic took; the embedded broker has lost, with its start,
    those of an earlier epoch.
    """
    if letters["topic"][0].startswith(FILE):
        return {}
    epochs = letters["epoch"].to_list() if "epoch" in letters.columns else [settings.epoch] * letters.height
    here = [
        row
        for row in rows
        if letters["partition"][row] >= 0
        and letters["offset"][row] >= 0
        and (epochs[row] == settings.epoch or not settings.embedded)
    ]
    found: dict[int, tuple[bytes | None, bytes]] = {}
    if not here:
        return found
    consumer = clients.consumer(settings, group_id=None, auto_offset_reset="none", enable_auto_commit=False)
    await consumer.start()
    try:
        # A letter may name an offset that does not exist, and each of these would be waited for.
        cluster = await consumer._client.fetch_all_metadata()
        numbers = cluster.partitions_for_topic(letters["topic"][0]) or set()
        partitions, offsets = letters["partition"].to_list(), letters["offset"].to_list()
        stands: tuple[int, int] | None = None  # partition and offset of what the consumer reads next
        for row in sorted(here, key=lambda row: (partitions[row], offsets[row])):
            partition, offset = partitions[row], offsets[row]
            if partition not in numbers:
                continue
            # A million letters in a row are read as a consumer reads; to look for each takes a millisecond.
            place = TopicPartition(letters["topic"][0], partition)
            record = await _record(consumer, place, offset, seek=stands != (partition, offset))
            stands = None if record is None else (partition, offset + 1)
            if record is not None:
                found[row] = record
    finally:
        await consumer.stop()
    return found


async def _record(
    consumer: AIOKafkaConsumer, place: TopicPartition, offset: int, *, seek: bool
) -> tuple[bytes | None, bytes] | None:
    """Key and value of a record; None where the topic does not have it any more. seek: the consumer is elsewhere."""
    try:
        if seek:
            consumer.assign([place])
            consumer.seek(place, offset)
        record = await asyncio.wait_for(consumer.getone(place), PATIENCE)
    except (OffsetOutOfRangeError, CorruptRecordException, UnsupportedCodecError, TimeoutError):
        return None
    return (record.key, record.value or b"") if record.offset == offset else None
