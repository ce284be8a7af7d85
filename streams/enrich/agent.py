"""The enrich worker: channel events in, interactions, links and dead letters out."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import polars as pl

from schemas.datums import Rows
from schemas.records import CHANNELS
from streams import metrics
from streams.edge import Edge, now_ms
from streams.enrich.sent import SentLinks
from streams.enrich.transform import Enriched, Enricher
from streams.gather import gather
from streams.progress import Records
from streams.settings import Settings
from streams.transport import RecordBatch

BYTES_AT_ONCE = 16 << 20
LINGER_SECONDS = 0.1
"""Between two groups of batches at most: a group costs some 20 ms, however few events it has."""
READ_AHEAD = 16
"""Batches: a poll brings one of each channel and partition."""
LINKS_REMEMBERED = 1_000_000
"""How many links the worker remembers having sent; an older one is sent again, which is harmless."""


def topic_of(channel: str) -> str:
    """The input topic of a channel, without prefix."""
    return channel.replace("_", "-")


def create(app: Any, settings: Settings) -> Edge:
    """Register the agent with the app."""
    edge = Edge(app, settings, "enrich")
    enricher, sent = Enricher(), SentLinks(LINKS_REMEMBERED)
    channels = {settings.topic(topic_of(channel)): channel for channel in CHANNELS}

    async def handle(batches: list[RecordBatch]) -> None:
        began = time.perf_counter()
        events: dict[str, pl.DataFrame] = {}
        times: list[int] = []  # the timestamp of each event's record
        origins: list[tuple[Records, Rows]] = []  # of the events of each channel
        refused: list[tuple[Records, int, str, str]] = []
        for topic, channel in channels.items():
            records = Records(batch for batch in batches if batch.topic == topic)
            if not records:
                continue
            decoded = edge.decode(channel, records)
            events[channel] = decoded.frame
            origins.append((records, decoded.rows))
            times += [records.timestamps[at] for at in decoded.rows.tolist()]
            refused += [(records, at, "undecodable", detail) for at, detail in decoded.errors]
        enriched = enricher.enrich(events, now_ms())
        for at, reason, detail in enriched.refused:
            left = at
            for records, rows in origins:
                if left < len(rows):
                    refused.append((records, int(rows[left]), reason, detail))
                    break
                left -= len(rows)
        await edge.refuse(refused)
        interactions = enriched.interactions
        timestamps = [times[row] for row in enriched.rows.tolist()]
        await edge.publish("interactions", "interaction", interactions, keys_of(interactions["subject"]), timestamps)
        links = sent.new(*(column.to_list() for column in enriched.links))
        await edge.publish("links", "link", links, [subject.encode() for subject, _, _ in links])
        await edge.flush()
        _count(enriched)
        edge.observe(batches, time.perf_counter() - began)

    topic = app.topic(*channels, key_serializer="raw", value_serializer="raw")

    @app.agent(topic)  # type: ignore[untyped-decorator]  # Faust is untyped
    async def enrich(stream: Any) -> None:
        await gather(stream, handle, settings.max_poll_records, BYTES_AT_ONCE, LINGER_SECONDS, READ_AHEAD)

    return edge


def keys_of(subjects: pl.Series) -> list[bytes]:
    """Subjects as keys of records."""
    return subjects.cast(pl.Binary).to_list()


def _count(enriched: Enriched) -> None:
    interactions = enriched.interactions
    for channel, count in interactions["channel"].value_counts().iter_rows():
        metrics.EVENTS_ACCEPTED.labels(channel).inc(count)
    metrics.UNKNOWN_TOUCHPOINTS.inc(enriched.unknown_touchpoints)
    if interactions["text"].null_count() == interactions.height:
        return
    texts = interactions["text"].is_not_null()
    found = (interactions[name].filter(texts).to_list() for name in ("language", "score_source"))
    for (language, source), count in Counter(zip(*found, strict=True)).items():
        metrics.TEXT_SCORED.labels(language or "unknown", "scored" if source == "text" else "null").inc(count)
