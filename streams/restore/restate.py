"""Stored events, sent again as events in the spelling of today: to topics and tables of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from schemas.records import polars_schema
from sinks.clickhouse.stored import interactions
from streams.enrich.clean import clean
from streams.erasure import receipt
from streams.erasure.topics import announce
from streams.errors import RihlaError
from streams.kafka.acl_check import require
from streams.kafka.topics import ensure_topics
from streams.model.normal import Nobody
from streams.registries import registry_of
from streams.restore.topics import Progress, holding_something
from streams.settings import Settings
from streams.sources.events import EventBatch, conform
from streams.sources.feeder import Fed, Feeder, producing
from streams.topology import CHANNEL_TOPICS

RECEIPTS = "erasures_store"


def spelt_anew(client: Any, name: str) -> Iterator[EventBatch]:
    """All stored interactions as the events that they were, normalised as enrich does it now.

    What enrich added (score, language, aspects) it adds again. name: of where they come from, for letters.
    """
    nobody = Nobody()
    for frame in interactions(client):
        for (channel,), some in frame.group_by("channel", maintain_order=True):
            own = [column for column in polars_schema(str(channel)) if column in some.columns]
            yield EventBatch(str(channel), clean(conform(str(channel), some.select(own)), nobody).frame, file=name)


def receipts(client: Any) -> bytes:
    """The receipts of all erasures, for `keep_receipts`."""
    found: bytes = client.raw_query(f"SELECT * FROM {RECEIPTS} FINAL FORMAT Native")
    return found


def keep_receipts(client: Any, some: bytes) -> None:
    """Store receipts of another database, so that who was erased there stays erased here."""
    if some:
        client.raw_insert(RECEIPTS, insert_block=some, fmt="Native")


async def restate_topics(old: Any, new: Any, settings: Settings, progress: Progress, *, again: bool = False) -> Fed:
    """Send the events of one database to the channels' topics of a pipeline that stores in another.

    old, new: clients of clickhouse-connect on the two databases; of `old` nothing is changed. settings: of the new
    pipeline. again: whether its topics may hold events already; those that come a second time are stored once.

    Raises RihlaError where the topics are not empty, and the clients' errors.
    """
    await require(settings, "restate")
    partitions = await ensure_topics(settings)
    names = [settings.topic(name) for name in CHANNEL_TOPICS]
    full = await holding_something(settings, {name: partitions[name] for name in names})
    if full and not again:
        raise RihlaError(
            f"{full} holds records",
            "events in another spelling, beside those that are there, would count twice: name a --prefix of their own; "
            "or --again, if they come from an earlier restate",
        )
    erasures = await asyncio.to_thread(receipt.stored, old)
    await asyncio.to_thread(keep_receipts, new, await asyncio.to_thread(receipts, old) if erasures else b"")
    registry = registry_of(settings)
    async with producing(settings) as producer:
        await announce(producer, settings, registry, erasures)
        feeder = Feeder(producer, settings, registry)
        await feeder.feed(spelt_anew(old, "restate"), fed=lambda frame, records: progress(feeder.fed.total))
    return feeder.fed
