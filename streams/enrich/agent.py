"""The enrich worker: channel events in, interactions, links and dead letters out."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.records import CHANNELS
from streams import dead_letters, metrics
from streams.edge import Edge, now_ms
from streams.enrich.enriched import Enriched
from streams.enrich.sent import SentLinks
from streams.enrich.transform import Enricher
from streams.gather import gather
from streams.progress import Records
from streams.records import TRANSACTIONAL
from streams.settings import Settings
from streams.transport import RecordBatch

BYTES_AT_ONCE = 16 << 20
LINGER_SECONDS = 0.1
"""Between two groups of batches at most: each is sent, fetched and waited for by itself, however few events it has."""
READ_AHEAD = 16
"""Batches: a poll brings one of each channel and partition."""
NO_TRANSACTIONS = (
    "a record of a transaction: the embedded broker cannot tell whether it was aborted. Use a producer without "
    "transactional.id, or --broker kafka"
)
LINKS_REMEMBERED = 1_000_000
"""How many links the worker remembers having sent; an older one is sent again, which is harmless."""

log = logging.getLogger(__name__)


def topic_of(channel: str) -> str:
    """The input topic of a channel, without prefix."""
    return channel.replace("_", "-")


def create(app: Any, settings: Settings) -> Edge:
    """Register the agent with the app."""
    edge = Edge(app, settings, "enrich")
    enricher = Enricher(edge.registry, settings.wire, edge.erased)
    sent = SentLinks(LINKS_REMEMBERED)
    channels = {settings.topic(topic_of(channel)): channel for channel in CHANNELS}

    async def handle(batches: list[RecordBatch]) -> None:
        began = time.perf_counter()
        read: dict[str, Records] = {}
        for topic, channel in channels.items():
            records = Records(batch for batch in batches if batch.topic == topic)
            if records:
                read[channel] = records
        enriched = enricher.enrich({channel: _plain(records) for channel, records in read.items()}, now_ms())
        await edge.refuse(_refused(enriched, read))
        since = min(batch.since for batch in batches)
        if enriched.values:
            await edge.send("interactions", enriched.subjects, enriched.values, since)
        links = sent.new(enriched.links)
        rows = [(subject.decode(), identifier.decode(), at) for (subject, identifier), at in links]
        await edge.publish("links", "link", rows, [subject for (subject, _), _ in links], since)
        await edge.flush()
        _count(enriched)
        edge.observe(batches, time.perf_counter() - began)

    topic = app.topic(*channels, key_serializer="raw", value_serializer="raw")

    @app.agent(topic)  # type: ignore[untyped-decorator]  # Faust is untyped
    async def enrich(stream: Any) -> None:
        await gather(stream, handle, settings.max_poll_records, BYTES_AT_ONCE, LINGER_SECONDS, READ_AHEAD)

    return edge


def _is_transactional(records: Records, at: int) -> bool:
    return TRANSACTIONAL in records.headers.get(at, ())


def _plain(records: Records) -> list[bytes | None]:
    """The values that may be events: none of a record that nobody knows not to be aborted."""
    if not any(_is_transactional(records, at) for at in records.headers):
        return records.values
    log.error("%s: %s", records.topic, NO_TRANSACTIONS)
    return [None if _is_transactional(records, at) else value for at, value in enumerate(records.values)]


def _refused(enriched: Enriched, read: Mapping[str, Records]) -> Iterator[tuple[Records, int, str, str]]:
    """The record of each event that was refused, with its position among those of its channel, reason and detail."""
    for at, reason, detail in enriched.refused:
        for records in read.values():
            if at < len(records):
                if _is_transactional(records, at):
                    reason, detail = dead_letters.TRANSACTIONAL, NO_TRANSACTIONS
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
