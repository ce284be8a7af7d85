"""The identity worker: links in, identities out."""

from __future__ import annotations

import time
from typing import Any

import polars as pl

from streams import metrics
from streams.edge import Edge
from streams.identity.changelog import LinkTable
from streams.identity.frames import identities
from streams.identity.identifiers import BOOKING_REF
from streams.settings import Settings
from streams.transport import RecordBatch, consume

_BOOKING = f"{BOOKING_REF}:"
_SENSELESS = (
    (pl.col("subject").str.starts_with(_BOOKING) & (pl.col("subject") != pl.col("identifier")))
    | ~pl.col("subject").str.contains(":", literal=True)
    | ~pl.col("identifier").str.contains(":", literal=True)
)
"""Links that no event makes: enrich writes none, and whoever else did is told by a dead letter."""


def create(app: Any, settings: Settings) -> Edge:
    """Register the agent and its table with the app."""
    edge = Edge(app, settings, "identity")
    table = LinkTable(app)

    async def handle(batch: RecordBatch) -> None:
        began = time.perf_counter()
        decoded = edge.decode("link", batch)
        senseless = decoded.frame.select(_SENSELESS).to_series()
        where = decoded.rows[senseless.to_numpy()].tolist()
        refused = [*decoded.errors, *((at, "no event makes such a link") for at in where)]
        offsets = [batch[at].offset for at in decoded.rows[~senseless.to_numpy()].tolist()]

        resolver = table.resolver()
        resolver.take(decoded.frame.filter(~senseless).rows(), offsets)
        changes = resolver.changes
        if changes:  # the order of the three steps is explained in streams.identity.resolver
            table.announce(batch.next_offset)
            await table.flush()
            frame = identities(changes, batch.next_offset)
            keys = [change.identifier.encode() for change in changes]
            await edge.publish("identities", "identity", frame, keys, batch[-1].timestamp)
        await edge.refuse(batch, [(at, "undecodable", detail) for at, detail in refused])
        await edge.flush()
        table.record(resolver.news)
        await table.flush()
        resolver.settled()

        metrics.IDENTITY_LINKS.set(resolver.graph.link_count)
        metrics.IDENTITY_IDENTIFIERS.set(len(resolver.graph))
        edge.observe(batch, time.perf_counter() - began)

    topic = app.topic(settings.topic("links"), key_serializer="raw", value_serializer="raw")

    @app.agent(topic)  # type: ignore[untyped-decorator]  # Faust is untyped
    async def identity(stream: Any) -> None:
        await consume(stream, handle)

    return edge
