"""Stored interactions, sent to a cluster's topics again: where records were missed, or state is built from nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka import TopicPartition

from streams.errors import RihlaError
from streams.kafka import clients
from streams.kafka.acl_check import require
from streams.kafka.topics import ensure_topics
from streams.registries import registry_of
from streams.repartition.groups import refuse_members
from streams.restore.events import largest_epoch, restore
from streams.settings import Settings
from streams.sources.feeder import producing

Progress = Callable[[int], None]


async def restore_missing(client: Any, settings: Settings, progress: Progress) -> int:
    """Send what is stored, beside what the topics hold; the number of events. Raises RihlaError and clients' errors."""
    await ensure_topics(settings)
    async with producing(settings) as producer:
        sent = await restore(client, producer, settings, registry_of(settings), progress, anew=False)
    return sent.events


async def restore_anew(client: Any, settings: Settings, progress: Progress) -> tuple[int, int]:
    """Send what is stored to topics that are empty, and empty the tables that follow from it.

    Returns the number of events, and the epoch in which workers must write. Raises RihlaError while workers run, and
    when the topics hold something.
    """
    await require(settings, "restore")
    admin = clients.admin(settings)
    await admin.start()
    try:
        await refuse_members(admin, settings, ())
    finally:
        await admin.close()
    partitions = await ensure_topics(settings)
    full = await holding_something(settings, {settings.topic(name): partitions[settings.topic(name)] for name in
                                               ("interactions", "links", "identities", "parts")})  # fmt: skip
    if full:
        raise RihlaError(
            f"{full} holds records", "state is built anew in empty topics: docs/repartitioning.md says which to delete"
        )
    epoch = await asyncio.to_thread(largest_epoch, client)
    async with producing(settings) as producer:
        sent = await restore(client, producer, settings, registry_of(settings), progress)
    return sent.events, max(0 if epoch is None else epoch + 1, settings.epoch)


async def holding_something(settings: Settings, partitions: dict[str, int]) -> str | None:
    """One of some topics (partitions of each) that holds records, or held some; None where none does."""
    consumer = clients.consumer(settings, enable_auto_commit=False)
    await consumer.start()
    try:
        every = [TopicPartition(topic, number) for topic, count in partitions.items() for number in range(count)]
        ends = await consumer.end_offsets(every)
        return next((tp.topic for tp in every if ends[tp]), None)
    finally:
        await consumer.stop()
