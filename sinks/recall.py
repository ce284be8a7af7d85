"""Recalls: the stored interactions of subjects that stitch had evicted, sent again (see streams.stitch.eviction)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import polars as pl

from sinks.clickhouse import stored
from sinks.clickhouse.client import connect
from sinks.clickhouse.errors import in_short, is_for_a_person, is_retriable
from streams.kafka.batch_producer import RECALLED, recalled_last
from streams.kafka.progress import Records
from streams.kafka.transport import OwnershipLost, RecordBatch, positions, still_owner
from streams.model.control import NOTHING_STORED
from streams.worker.batching import consume
from streams.worker.io import Edge

TOPIC = "recalls"
"""Topics to which it writes."""
POLL = 0.1
"""Seconds between looks at whether the sink has stored what a recall has to contain."""
RETRY = 2.0
"""Seconds before ClickHouse is asked again, which did not answer."""

log = logging.getLogger(__name__)


def register(app: Any, edge: Edge, publishing: asyncio.Lock) -> None:
    """Register the agent with the sink's app.

    publishing: held while the edge's outputs are used. A batch is acked when all events of its subjects are in
    cx.interactions again; while ClickHouse is away, it waits. What ClickHouse refuses for good stops the worker.
    """
    settings = edge.settings
    topic = settings.topic(TOPIC)

    def read(subjects: Sequence[str]) -> pl.DataFrame:
        client = connect(settings.clickhouse_endpoint, settings.database)
        try:
            return stored.interactions_of(client, subjects)
        finally:
            client.close()

    async def events_of(subjects: Sequence[str]) -> pl.DataFrame:
        while True:
            try:
                return await asyncio.to_thread(read, subjects)
            except Exception as error:
                if not is_retriable(error) and not is_for_a_person(error):
                    raise
                log.warning("recalls wait for ClickHouse: %s", in_short(error))
            await asyncio.sleep(RETRY)

    async def wait_until_stored(batch: RecordBatch, applied: int) -> None:
        # Topics of as many partitions go to the workers together, and a key is in the same partition of each.
        interactions = (settings.topic("interactions"), batch.partition)
        while positions(app).get(interactions, -1) < applied:
            if not still_owner(app, (topic, batch.partition), batch.generation):
                raise OwnershipLost(f"{topic}[{batch.partition}] may belong to another worker by now")
            await asyncio.sleep(POLL)

    async def handle(batch: RecordBatch) -> None:
        records = Records([batch])
        decoded, refused = edge.read("recall", records)
        subjects = decoded.frame["subject"].unique(maintain_order=True).to_list()
        if subjects:
            applied = max(decoded.frame["applied"].to_list())
            await wait_until_stored(batch, applied)
            events = await events_of(subjects)
            last = events["subject"].is_last_distinct()
            # In this order in each partition, so that a subject's last event comes after all its others.
            async with publishing:
                for frame, mark in ((events.filter(~last), RECALLED), (events.filter(last), recalled_last(applied))):
                    keys = [subject.encode() for subject in frame["subject"].to_list()]
                    await edge.publish("interactions", "interaction", frame, keys, marks=[mark])
                without = sorted({*subjects} - {*events["subject"].to_list()})
                told = [(subject, subject, NOTHING_STORED, str(applied).encode()) for subject in without]
                await edge.publish("parts", "part", told, [subject.encode() for subject in without])
                await edge.flush()
        async with publishing:
            await edge.refuse(refused)
            await edge.flush()

    @app.agent(app.topic(topic, key_serializer="raw", value_serializer="raw"), name="sink-recalls")  # type: ignore[untyped-decorator]
    async def recalls(stream: Any) -> None:
        await consume(stream, handle)
