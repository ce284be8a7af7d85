"""The enrich worker: channel events in, interactions, links and dead letters out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.records import CHANNELS
from streams import metrics, topology
from streams.clock import now_ms
from streams.edge import Edge
from streams.enrich.enriched import Enriched
from streams.enrich.sent import SentLinks
from streams.enrich.transform import Enricher
from streams.gather import gather
from streams.progress import Records
from streams.settings import Settings
from streams.transport import RecordBatch

BYTES_AT_ONCE = 16 << 20
LINGER_SECONDS = 0.1
"""Between two groups of batches at most: each is sent, fetched and waited for by itself, however few events it has."""
READ_AHEAD = 16
"""Batches: a poll brings one of each channel and partition."""
LINKS_REMEMBERED = 1_000_000
"""How many links the worker remembers having sent; an older one is sent again, which is harmless."""


def create(app: Any, settings: Settings) -> Edge:
    """Register the agent with the app."""
    edge = Edge(app, settings, "enrich")
    enricher = Enricher(edge.registry, settings.wire, edge.erased)
    sent = SentLinks(LINKS_REMEMBERED)
    channels = {settings.topic(topology.channel_topic(channel)): channel for channel in CHANNELS}

    async def handle(batches: list[RecordBatch]) -> None:
        began = time.perf_counter()
        read: dict[str, Records] = {}
        for topic, channel in channels.items():
            records = Records(batch for batch in batches if batch.topic == topic)
            if records:
                read[channel] = records
        enriched = enricher.enrich({channel: records.values for channel, records in read.items()}, now_ms())
        await edge.refuse(_refused(enriched, read))
        # usually all were taken, and in their order
        times = [at for records in read.values() for at in records.timestamps]
        timestamps = times if len(enriched.rows) == len(times) else [times[row] for row in enriched.rows]
        if enriched.values:
            await edge.send("interactions", enriched.subjects, enriched.values, timestamps)
        links = sent.new(enriched.links)
        rows = [(subject.decode(), identifier.decode(), at) for (subject, identifier), at in links]
        await edge.publish("links", "link", rows, [subject for (subject, _), _ in links])
        await edge.flush()
        _count(enriched)
        edge.observe(batches, time.perf_counter() - began)

    topic = app.topic(*channels, key_serializer="raw", value_serializer="raw")

    @app.agent(topic)  # type: ignore[untyped-decorator]  # Faust is untyped
    async def enrich(stream: Any) -> None:
        await gather(stream, handle, settings.max_poll_records, BYTES_AT_ONCE, LINGER_SECONDS, READ_AHEAD)

    return edge


def _refused(enriched: Enriched, read: Mapping[str, Records]) -> Iterator[tuple[Records, int, str, str]]:
    """The record of each event that was refused, with its position among those of its channel, reason and detail."""
    for at, reason, detail in enriched.refused:
        for records in read.values():
            if at < len(records):
                yield records, at, reason, detail
                break
            at -= len(records)


def _count(enriched: Enriched) -> None:
    for channel, count in enriched.channels.items():
        metrics.EVENTS_ACCEPTED.labels(channel).inc(count)
    metrics.UNKNOWN_TOUCHPOINTS.inc(enriched.unknown)
    metrics.ERASED_REFUSED.labels("enrich").inc(enriched.erased)
    for (language, scored), count in Counter(enriched.texts).items():
        metrics.TEXT_SCORED.labels(language or "unknown", "scored" if scored else "null").inc(count)
