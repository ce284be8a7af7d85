"""What `rihla doctor` finds about topics: their settings, their numbers of partitions, and what groups have missed."""

from __future__ import annotations

from collections.abc import Collection

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams import layout, retention
from streams.settings import Settings
from streams.topics import TOPICS, layout_of


async def faults(admin: AIOKafkaAdminClient, settings: Settings, there: Collection[str]) -> list[retention.Fault]:
    """Everything that is wrong; changes nothing. there: names of all topics. Raises aiokafka's KafkaError."""
    found = []
    wrong = layout.misfit(await layout_of(settings), settings)
    if wrong is not None:
        found.append(retention.Fault("topics", str(wrong), wrong.hint or "", grave=True))
    names = {topic.name: name for topic in TOPICS if (name := settings.topic(topic.name)) in there}
    if not settings.embedded:  # which has no settings, and deletes nothing
        found += retention.faults(settings, await _configs(admin, list(names.values())))
    return found + retention.missed(settings, await _standing(admin, settings, names))


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    configs: dict[str, dict[str, str]] = {}
    if names:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        for response in await admin.describe_configs(resources):
            for _error, _message, _kind, name, entries in response.resources:
                configs[name] = {entry[0]: entry[1] for entry in entries or () if entry[1] is not None}
    return configs


async def _standing(
    admin: AIOKafkaAdminClient, settings: Settings, names: dict[str, str]
) -> dict[tuple[str, str, int], retention.Standing]:
    described = await admin.describe_topics(list(names.values())) if names else []
    every = [TopicPartition(topic["topic"], p["partition"]) for topic in described for p in topic["partitions"]]
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.broker_list, enable_auto_commit=False)
    await consumer.start()
    try:
        begins = await consumer.beginning_offsets(every)
    finally:
        await consumer.stop()
    standing = {}
    for worker in sorted({worker for workers in retention.READ_BY.values() for worker in workers}):
        committed = await admin.list_consumer_group_offsets(settings.group(worker))
        for name, full in names.items():
            if worker not in retention.READ_BY.get(name, ()):
                continue
            for tp in every:
                if tp.topic == full:
                    offset = committed[tp].offset if tp in committed else -1
                    standing[worker, name, tp.partition] = retention.Standing(
                        offset if offset >= 0 else None, begins[tp]
                    )
    return standing
