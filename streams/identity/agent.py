"""The identity worker: links in, identities out."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence, Set
from itertools import groupby
from typing import Any

import polars as pl

from streams import metrics
from streams.identity.changelog import LinkTable, link_key
from streams.identity.graph import Change, Link
from streams.identity.resolver import Resolver, records
from streams.kafka.progress import Records
from streams.kafka.transport import RecordBatch
from streams.model.control import erasures
from streams.model.identifiers import BOOKING_PREFIX
from streams.settings import Settings
from streams.worker.batching import gather
from streams.worker.io import Edge
from streams.worker.sift import Fault, is_of_record

BYTES_AT_ONCE = 16 << 20

Gone = tuple[Resolver, Set[str]]
"""The graph as it was with identifiers that are erased, and these."""

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
    edge.count_from_zero()
    table = LinkTable(app)

    async def handle(batches: list[RecordBatch]) -> None:
        began = time.perf_counter()
        batch = Records(batches)
        decoded, refused = edge.read("link", batch)
        frame, offsets = decoded.frame, [batch.offsets[at] for at in decoded.rows.tolist()]
        erased = erasures(frame)
        senseless = frame.select(_SENSELESS).to_series() & ~erased
        where = decoded.rows[senseless.to_numpy()].tolist()
        refused += [(batch, at, "undecodable", "no event makes such a link") for at in where]
        await edge.refuse(refused)
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
            links = frame[some].filter(good).select("subject", "identifier", "occurred_at").rows()
            await link(batch, links, kept, version, identifiers, since)
            identifiers = set()
        graph = table.resolver().graph
        metrics.IDENTITY_LINKS.set(graph.link_count)
        metrics.IDENTITY_IDENTIFIERS.set(len(graph))
        edge.observe(batches, time.perf_counter() - began)

    async def link(
        batch: Records, links: Sequence[Link], offsets: Sequence[int], version: int, erased: set[str], since: int
    ) -> None:
        """Forget the erased, take in links; the order of the steps is explained in streams.identity.resolver."""
        before = table.resolver()
        resolver, settle = await table.erase(erased) if erased else (before, table.flush)
        gone = (before, erased) if erased else None
        try:
            resolver.take(links, offsets)
            changes, encoded = said(resolver, version, gone)
        except BaseException as error:
            if not is_of_record(error):
                raise
            resolver, settle, faults = await without_faults(links, offsets, erased)
            where = {offset: at for at, offset in enumerate(batch.offsets)}
            await edge.refuse(
                edge.unprocessable("link", batch, [Fault(where[offsets[at]], error) for at, error in faults])
            )
            await edge.flush()
            changes, encoded = said(resolver, version, gone)
        if changes:
            table.announce(version)
            await table.flush()
            keys = [change.identifier.encode() for change in changes]
            await edge.send("identities", keys, encoded, since)
            await edge.flush()
        await settle()
        table.record(resolver.news)
        await table.flush()
        resolver.settled()

    def said(resolver: Resolver, version: int, gone: Gone | None) -> tuple[list[Change], list[bytes]]:
        """What is to be published, and encoded."""
        changes = resolver.changes
        if gone:  # read again, an erasure publishes what it may not have published, and otherwise does no harm
            was, erased = gone
            changes = list(
                {change.identifier: change for change in (*was.without(resolver, erased), *changes)}.values()
            )
        encoded = edge.encode("identity", records(changes, version)) if changes else []
        edge.check_sizes([link_key(subject, identifier) for subject, identifier, _ in resolver.news], [])
        return changes, encoded

    async def without_faults(
        links: Sequence[Link], offsets: Sequence[int], erased: set[str]
    ) -> tuple[Resolver, Callable[[], Awaitable[None]], list[Fault]]:
        """A graph of all links but those that make it raise, what makes it the table's own, and these.

        A graph that has raised may be half changed: it is read anew from the changelog, and once more for each link at
        fault. The others are taken one by one.
        """
        faults: list[Fault] = []
        while True:
            resolver, settle = await table.erase(erased)
            bad = {at for at, _ in faults}
            for at, one in enumerate(links):
                if at in bad:
                    continue
                try:
                    resolver.take([one], [offsets[at]])
                    edge.encode("identity", records([resolver.graph.resolve(name) for name in one[:2]], 0))
                except BaseException as error:
                    if not is_of_record(error):
                        raise
                    faults.append(Fault(at, error))
                    break
            else:
                return resolver, settle, faults

    topic = app.topic(settings.topic("links"), key_serializer="raw", value_serializer="raw")

    @app.agent(topic)  # type: ignore[untyped-decorator]  # Faust is untyped
    async def identity(stream: Any) -> None:
        # what is there already is taken together; nothing is waited for, as journeys wait for who is who
        await gather(stream, handle, settings.max_poll_records, BYTES_AT_ONCE, linger=0)

    return edge
