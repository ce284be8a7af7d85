"""Consumer groups: that nobody is in them, what they have committed, and committing for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.errors import RihlaError
from streams.settings import Settings

WORKERS = ("enrich", "identity", "stitch", "sink")
"""All of these write to topics that are moved, or read them."""
NO_MEMBERS = ("Empty", "Dead")
"""States of a group without a member; Dead is also that of one which has never been."""

Commits = dict[str, dict[str, dict[int, int]]]
"""Group: topic: partition: offset."""


async def commits(admin: AIOKafkaAdminClient, topics: Collection[str]) -> Commits:
    """What every group of the cluster has committed of some topics."""
    found: Commits = {}
    for group, _ in await admin.list_consumer_groups():
        for tp, committed in (await admin.list_consumer_group_offsets(group)).items():
            if tp.topic in topics and committed.offset >= 0:
                found.setdefault(group, {}).setdefault(tp.topic, {})[tp.partition] = committed.offset
    return found


async def refuse_members(admin: AIOKafkaAdminClient, settings: Settings, groups: Collection[str]) -> None:
    """Raise RihlaError while anybody is in the groups of the workers, or in one of `groups`."""
    names = sorted({*map(settings.group, WORKERS), *groups})
    alive = [
        f"{name} ({len(members)}: {', '.join(sorted({f'{client} {host}' for _, client, host, *_ in members}))})"
        for response in await admin.describe_consumer_groups(names)
        for _, name, state, _, _, members, *_ in response.groups
        if state not in NO_MEMBERS
    ]
    if alive:
        raise RihlaError(
            f"these consumer groups have members: {'; '.join(alive)}",
            "stop every worker, and whoever else reads these topics; one that was killed stays for a session timeout",
        )


async def commit(settings: Settings, offsets: Mapping[str, Mapping[str, Mapping[int, int]]]) -> None:
    """Commit offsets (as Commits) for groups that nobody is in. Raises aiokafka's CommitFailedError where one is."""
    for group, topics in offsets.items():
        wanted = {TopicPartition(topic, p): at for topic, some in topics.items() for p, at in some.items()}
        if not wanted:
            continue
        consumer = AIOKafkaConsumer(bootstrap_servers=settings.broker_list, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign(list(wanted))
            await consumer.commit(wanted)
        finally:
            await consumer.stop()
