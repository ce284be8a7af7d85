"""The records of dead letters that were cut or masked, whole, from where they were refused."""

from __future__ import annotations

import asyncio

import polars as pl
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException, OffsetOutOfRangeError, UnsupportedCodecError

from streams.kafka import clients
from streams.model.dead_letter import FILE, is_cut, is_masked, shows
from streams.settings import Settings

PATIENCE = 60.0
"""Seconds that one record is waited for; a broker that has it gives it in milliseconds."""
UNREADABLE = "a batch that cannot be read"
GONE = "cut, and not to be had any more from its topic"


def batches_of(details: list[str]) -> list[bool]:
    """Which letters, by their details, are of whole batches (streams.kafka.fetch)."""
    return [detail.startswith("the records at offsets ") and " cannot be read: " in detail for detail in details]


async def originals(settings: Settings, letters: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Letters of one topic, those that were cut or masked with the key and payload of their record.

    letters: with topic, partition, offset, key, payload and detail. Returns those that can be sent, and how many
    cannot, by why. One that was masked and not cut can be sent as it is, where the topic does not hold its record any
    more. Raises aiokafka's errors where the broker does not answer.
    """
    left: dict[str, int] = {}
    unreadable = pl.Series(batches_of(letters["detail"].to_list()), dtype=pl.Boolean)
    if count := int(unreadable.sum()):
        left[UNREADABLE] = count
        letters = letters.filter(~unreadable)
    details = letters["detail"].to_list()
    cut = [row for row, detail in enumerate(details) if is_cut(detail)]
    wanted = [row for row, detail in enumerate(details) if is_cut(detail) or is_masked(detail)]
    if not wanted:
        return letters, left
    keys, payloads = letters["key"].to_list(), letters["payload"].to_list()
    lost = set[int]()
    if letters["topic"][0].startswith(FILE):
        lost = set(cut)  # of lines only the beginning was ever kept
    else:
        consumer = clients.consumer(settings, group_id=None, auto_offset_reset="none", enable_auto_commit=False)
        await consumer.start()
        try:
            for row in wanted:
                place = TopicPartition(letters["topic"][row], letters["partition"][row])
                found = None if place.partition < 0 else await _record(consumer, place, letters["offset"][row])
                if found is not None and shows(details[row], (keys[row], payloads[row]), found):
                    keys[row], payloads[row] = found
                elif is_cut(details[row]):
                    lost.add(row)
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
    except (OffsetOutOfRangeError, CorruptRecordException, UnsupportedCodecError, TimeoutError):
        return None
    return (record.key, record.value or b"") if record.offset == offset else None
