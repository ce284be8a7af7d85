"""History restated on a cluster under a changed model: stored interactions, topics and state made anew, in that order.

The channels' topics, alerts, moves, deliveries and dead letters stay. So do the commits of enrich: what it had not read
when the workers were stopped, it reads when they start again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from streams.clock import now_ms
from streams.errors import RihlaError
from streams.kafka import clients, layout
from streams.kafka.acl_check import require
from streams.kafka.topics import ensure_topics
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

    client: of clickhouse-connect, on the database. progress: called with the number of events done so far, from 1 once
    for the tables and once for the topics. again: the topics hold what an earlier rebuild has sent, so that the sink
    need not have read them.

    Raises RihlaError while workers run, or where the sink has not stored all that enrich has accepted; and the errors
    of the clients.
    """
    await require(settings, "rebuild")
    partitions = await ensure_topics(settings)
    names = [settings.topic(name) for name in MADE_ANEW]
    admin = clients.admin(settings)
    await admin.start()
    try:
        commits = await groups.commits(admin, names)
        await groups.refuse_members(admin, settings, commits)
        if not again:
            topic = settings.topic("interactions")
            await _refuse_unstored(settings, commits.get(settings.group("sink"), {}).get(topic, {}), partitions[topic])
        rewritten = await asyncio.to_thread(rewrite, client, settings, registry_of(settings), now_ms(), progress)
        for name in (*names, *layout.changelogs(settings)):
            if not name.startswith(settings.group("deliver")):
                await delete(admin, name)
    finally:
        await admin.close()
    await ensure_topics(settings)
    await groups.commit(
        settings,
        {
            group: {topic: dict.fromkeys(offsets, 0) for topic, offsets in topics.items()}
            for group, topics in commits.items()
        },
    )
    events, epoch = await restore_anew(client, settings, progress)
    return Rebuilt(rewritten, events, epoch)


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
            "stop enrich alone, let the sink store them, then stop all workers; or --again, if they come from an "
            "earlier rebuild",
        )
