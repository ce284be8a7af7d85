"""Whether topics were ever written to, and whether their records were ever stored: asked of the broker."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import TopicPartition

from streams.kafka import clients
from streams.settings import Settings


async def hold_nothing(settings: Settings, partitions: Mapping[str, int]) -> bool:
    """Whether all of these topics (full name: number of partitions) are as new: nothing was ever written to them."""
    consumer = clients.consumer(settings, enable_auto_commit=False)
    await consumer.start()
    try:
        every = [TopicPartition(topic, number) for topic, count in partitions.items() for number in range(count)]
        ends = await consumer.end_offsets(every)
        return not any(ends.values())
    finally:
        await consumer.stop()


async def has_stored(settings: Settings) -> bool:
    """Whether the sink's group has committed anything."""
    admin = clients.admin(settings)
    await admin.start()
    try:
        topic = settings.topic("interactions")
        described = await admin.describe_topics([topic])
        every = [TopicPartition(topic, partition["partition"]) for partition in described[0]["partitions"]]
        committed = await admin.list_consumer_group_offsets(settings.group("sink"), partitions=every)
        return any(found.offset > 0 for found in committed.values())
    finally:
        await admin.close()
