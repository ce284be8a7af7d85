"""History restated on a cluster under a changed model: stored interactions, topics and state made anew, in that order.

The channels' topics, alerts, moves, deliveries and dead letters stay. So do the commits of enrich: what it had not read
when the workers were stopped, it reads when they start again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from streams.clock import now_ms
from streams.errors import RihlaError
from streams.kafka import clients, layout
from streams.kafka.acl_check import require
from streams.kafka.topics import ensure_topics
from streams.model import company
from streams.registries import registry_of
from streams.repartition import groups
from streams.repartition.writing import delete
from streams.restore.rewrite import Rewritten, rewrite
from streams.restore.topics import restore_anew
from streams.settings import Settings

MADE_ANEW = (
    *("interactions", "links", "identities", "parts", "recalls"),
    *("journeys", "customers", "cases", "segments", "next-actions"),
)
"""Topics, without prefix, that follow from the stored interactions."""


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did. epoch: the one in which workers must write now."""

    rewritten: Rewritten
    events: int
    epoch: int


async def rebuild(client: Any, settings: Settings, progress: Callable[[int], None], *, again: bool = False) -> Rebuilt:
    """Restate history by the settings' model, while all workers are stopped.

    While it is under way, and where it was broken off, there is the topic `layout.REBUILD`: no worker starts.

    client: of clickhouse-connect, on the database. progress: called with the number of events done so far, from 1 once
    for the tables and once for the topics. again: a rebuild was broken off, or no worker has run since one, so that the
    sink need not have read what is in the topics.

    Raises RihlaError while workers run, while another rebuild does, or where the sink has not stored all that enrich
    has accepted; and the errors of the clients.
    """
    company.load(settings.model)  # one that cannot be read changes nothing
    await require(settings, "rebuild")
    partitions = await ensure_topics(settings)
    settings = replace(settings, partitions=partitions[settings.topic("interactions")])
    names = [settings.topic(name) for name in MADE_ANEW]
    admin = clients.admin(settings)
    await admin.start()
    try:
        is_first = await _begin(admin, settings, again)
        try:
            commits = await groups.commits(admin, names)
            await groups.refuse_members(admin, settings, commits)
            if not again:
                topic = settings.topic("interactions")
                stored = commits.get(settings.group("sink"), {}).get(topic, {})
                await _refuse_unstored(settings, stored, settings.partitions)
        except BaseException:
            if is_first:
                await delete(admin, settings.topic(layout.REBUILD))
            raise
        rewritten = await asyncio.to_thread(rewrite, client, settings, registry_of(settings), now_ms(), progress)
        for name in (*names, *layout.changelogs(settings)):
            if not name.startswith(settings.group("deliver")):
                await delete(admin, name)
        await ensure_topics(settings)
        await groups.commit(
            settings,
            {
                group: {topic: dict.fromkeys(offsets, 0) for topic, offsets in topics.items()}
                for group, topics in commits.items()
            },
        )
        events, epoch = await restore_anew(client, settings, progress)
        await delete(admin, settings.topic(layout.REBUILD))
    finally:
        await admin.close()
    return Rebuilt(rewritten, events, epoch)


async def _begin(admin: AIOKafkaAdminClient, settings: Settings, again: bool) -> bool:
    """Keep workers and other rebuilds away. Returns whether nobody had done so before.

    Raises RihlaError where another rebuild has begun, unless it is done again.
    """
    topic = NewTopic(settings.topic(layout.REBUILD), 1, settings.replication)
    ((_, code, *message),) = (await admin.create_topics([topic])).topic_errors
    if code == TopicAlreadyExistsError.errno:
        if not again:
            raise RihlaError(layout.REBUILDING, "--again, if it was broken off")
        return False
    if code:
        why = " ".join([for_code(code).__name__, *map(str, filter(None, message))])
        raise RihlaError(f"topic {topic.name} could not be created: {why}", "run this again once the broker allows it")
    return True


async def _refuse_unstored(settings: Settings, stored: dict[int, int], partitions: int) -> None:
    """Raise RihlaError where interactions are in the topic that the sink has not stored: they would be lost."""
    consumer = clients.consumer(settings, enable_auto_commit=False)
    await consumer.start()
    try:
        every = [TopicPartition(settings.topic("interactions"), number) for number in range(partitions)]
        ends = await consumer.end_offsets(every)
        begins = await consumer.beginning_offsets(every)
    finally:
        await consumer.stop()
    waiting = sum(ends[one] - max(stored.get(one.partition, 0), begins[one]) for one in every)
    if waiting > 0:
        raise RihlaError(
            f"the sink has not stored {waiting:,} interactions that are in {settings.topic('interactions')}",
            "stop enrich alone, let the sink store them, then stop all workers; or --again, if no worker has "
            "run since a rebuild",
        )
