"""What `rihla doctor` finds about topics: their settings, their numbers of partitions, and what groups have missed."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError, TopicAuthorizationFailedError

from streams import topology
from streams.kafka import clients, layout, open_transactions, retention
from streams.kafka.changelog import BARRIER
from streams.kafka.fetch import hand_out_columns
from streams.kafka.topics import layout_of
from streams.settings import Settings
from streams.topology import TOPICS

LOOKED_AT_BYTES = 256 << 10
"""Of each partition of the changelog."""
OFFSETS = "__consumer_offsets"
"""Kafka's own topic of commits, made when the first group asks for it."""
LOOK_MS = 10_000
"""Milliseconds at most for each: what does not come in time is looked at when it is recovered."""


async def faults(admin: AIOKafkaAdminClient, settings: Settings, there: Collection[str]) -> list[retention.Fault]:
    """Everything that is wrong; changes nothing. there: names of all topics. Raises aiokafka's KafkaError."""
    found = []
    partitions = await layout_of(settings)
    wrong = layout.misfit(partitions, settings) or await strays(settings, partitions)
    if wrong is not None:
        found.append(retention.Fault("topics", str(wrong), wrong.hint or "", grave=True))
    names = {topic.name: name for topic in TOPICS if (name := settings.topic(topic.name)) in there}
    if not settings.embedded:  # which has no settings, and deletes nothing
        changelogs = sorted({*layout.changelogs(settings)} & {*there})
        found += retention.faults(settings, await _configs(admin, [*names.values(), *changelogs]))
        found += await _held_back(admin, settings, list(names.values()))
    return found + retention.missed(settings, await _standing(admin, settings, names, there))


async def _held_back(admin: AIOKafkaAdminClient, settings: Settings, names: list[str]) -> list[retention.Fault]:
    """The transactions that are open in topics, and for longer than a moment."""
    described = await admin.describe_topics(names) if names else []
    every = [TopicPartition(topic["topic"], p["partition"]) for topic in described for p in topic["partitions"]]
    return [
        retention.Fault(one.topic, one.sentence(age), one.remedy(settings), grave=age >= open_transactions.PATIENCE)
        for one, age in await open_transactions.find(settings, every)
    ]


async def strays(settings: Settings, partitions: Mapping[str, int]) -> layout.LayoutError | None:
    """Whether the state was written for another number of partitions than its topics have; None: it was not.

    partitions: as of layout_of. Looks at the first records of every partition of the changelog: a worker that is given
    none but new ones would find nothing wrong. Who may not read the changelog leaves that to stitch, which looks when
    it recovers. Raises aiokafka's KafkaError.
    """
    changelog = layout.changelog(settings)
    count = partitions.get(changelog, 1)
    if count == 1:
        return None
    consumer = clients.consumer(settings, enable_auto_commit=False, max_partition_fetch_bytes=LOOKED_AT_BYTES)
    await consumer.start()
    try:
        hand_out_columns(consumer)
        every = [TopicPartition(changelog, number) for number in range(count)]
        begins, ends = await consumer.beginning_offsets(every), await consumer.end_offsets(every)
        for tp in every:
            if begins[tp] == ends[tp]:
                continue
            consumer.assign([tp])
            consumer.seek(tp, begins[tp])
            found = await consumer.getmany(tp, timeout_ms=LOOK_MS, max_records=layout.SAMPLE)
            keys = {key for records in found.values() for key in records.keys if key and key != BARRIER}
            try:
                layout.check_places(tp.partition, count, keys)
            except layout.LayoutError as error:
                return error
    except TopicAuthorizationFailedError:
        return None
    finally:
        await consumer.stop()
    return None


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    configs: dict[str, dict[str, str]] = {}
    if names:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        for response in await admin.describe_configs(resources):
            for _error, _message, _kind, name, entries in response.resources:
                configs[name] = {entry[0]: entry[1] for entry in entries or () if entry[1] is not None}
    return configs


async def _standing(
    admin: AIOKafkaAdminClient, settings: Settings, names: dict[str, str], there: Collection[str]
) -> dict[tuple[str, str, int], retention.GroupPosition]:
    described = await admin.describe_topics(list(names.values())) if names else []
    every = [TopicPartition(topic["topic"], p["partition"]) for topic in described for p in topic["partitions"]]
    if not every:
        return {}
    consumer = clients.consumer(settings, enable_auto_commit=False)
    await consumer.start()
    try:
        begins = await consumer.beginning_offsets(every)
    finally:
        await consumer.stop()
    positions = {}
    for worker in topology.WORKERS_BY_NAME:
        read = {full: name for name, full in names.items() if worker in topology.readers(name)}
        theirs = [tp for tp in every if tp.topic in read]
        if not theirs:
            continue
        # each by name: the embedded broker does not answer who asks for all that a group has
        try:
            committed = await admin.list_consumer_group_offsets(settings.group(worker), partitions=theirs)
        except GroupCoordinatorNotAvailableError:
            if OFFSETS in there:
                raise
            committed = {}  # a new cluster: no group has committed anything yet
        for tp in theirs:
            offset = committed[tp].offset if tp in committed else -1
            positions[worker, read[tp.topic], tp.partition] = retention.GroupPosition(
                offset if offset >= 0 else None, begins[tp]
            )
    return positions
