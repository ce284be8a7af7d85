"""The identity worker: links in, identities out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import polars as pl

from streams import metrics
from streams.edge import Edge
from streams.erasure.guard import NOW
from streams.gather import gather
from streams.identity.changelog import LinkTable
from streams.identity.graph import Change, Link
from streams.identity.identifiers import BOOKING_PREFIX
from streams.identity.resolver import records
from streams.progress import Records
from streams.settings import Settings
from streams.transport import RecordBatch

BYTES_AT_ONCE = 16 << 20

_SENSELESS = (
    (pl.col("subject").str.starts_with(BOOKING_PREFIX) & (pl.col("subject") != pl.col("identifier")))
    | ~pl.col("subject").str.contains(":", literal=True)
    | ~pl.col("identifier").str.contains(":", literal=True)
)
"""Links that no event makes: enrich writes none, and whoever else did is told by a dead letter."""


def runs(marks: pl.Series) -> Iterator[tuple[int, bool]]:
    """The runs of equal values in a series of booleans: (position after the last one, value) of each."""
    end = 0
    for value, group in groupby(marks.to_list()):
        end += sum(1 for _ in group)
        yield end, value


def create(app: Any, settings: Settings) -> Edge:
    """Register the agent and its table with the app."""
    edge = Edge(app, settings, "identity")
    table = LinkTable(app)

    async def handle(batches: list[RecordBatch]) -> None:
        began = time.perf_counter()
        batch = Records(batches)
        decoded = edge.decode("link", batch)
        frame, offsets = decoded.frame, [batch.offsets[at] for at in decoded.rows.tolist()]
        erased = frame["occurred_at"] == NOW
        senseless = frame.select(_SENSELESS).to_series() & ~erased
        where = decoded.rows[senseless.to_numpy()].tolist()
        await edge.refuse(
            [
                *((batch, at, "undecodable", detail) for at, detail in decoded.errors),
                *((batch, at, "undecodable", "no event makes such a link") for at in where),
            ]
        )
        await edge.flush()
        begin, identifiers, since = 0, set[str](), min(batch.since for batch in batches)
        for end, erasing in runs(erased):  # in their order: what comes of each has the version of its last link
            some, version = slice(begin, end), offsets[end - 1] + 1 if end < frame.height else batches[-1].next_offset
            begin = end
            if erasing:
                identifiers = set(frame["subject"][some].to_list())
                if end < frame.height:
                    continue  # what follows takes the place of what is erased: both are published as one
            good = ~senseless[some] & ~erased[some]
            kept = [offset for offset, is_good in zip(offsets[some], good, strict=True) if is_good]
            await link(frame[some].filter(good).rows(), kept, version, identifiers, since)
            identifiers = set()
        graph = table.resolver().graph
        metrics.IDENTITY_LINKS.set(graph.link_count)
        metrics.IDENTITY_IDENTIFIERS.set(len(graph))
        edge.observe(batches, time.perf_counter() - began)

    async def link(links: Sequence[Link], offsets: Sequence[int], version: int, erased: set[str], since: int) -> None:
        """Forget the erased, take in links; the order of the steps is explained in streams.identity.resolver."""
        before = table.resolver()
        resolver, settle = await table.erase(erased) if erased else (before, table.flush)
        resolver.take(links, offsets)
        changes = resolver.changes
        if erased:  # read again, an erasure publishes what it may not have published, and otherwise does no harm
            changes = list(
                {change.identifier: change for change in (*before.without(resolver, erased), *changes)}.values()
            )
        if changes:
            table.announce(version)
            await table.flush()
            await publish(changes, version, since)
        await settle()
        table.record(resolver.news)
        await table.flush()
        resolver.settled()

    async def publish(changes: Sequence[Change], version: int, since: int) -> None:
        keys = [change.identifier.encode() for change in changes]
        await edge.publish("identities", "identity", records(changes, version), keys, since)
        await edge.flush()

    topic = app.topic(settings.topic("links"), key_serializer="raw", value_serializer="raw")

    @app.agent(topic)  # type: ignore[untyped-decorator]  # Faust is untyped
    async def identity(stream: Any) -> None:
        # what is there already is taken together; nothing is waited for, as journeys wait for who is who
        await gather(stream, handle, settings.max_poll_records, BYTES_AT_ONCE, linger=0)

    return edge
