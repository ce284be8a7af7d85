"""The identity worker: links in, identities out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence, Set
from itertools import groupby
from typing import Any

import polars as pl

from streams import metrics
from streams.identity.changelog import LinkTable, link_key
from streams.identity.graph import Change, Link
from streams.identity.resolver import Resolver, records
from streams.kafka.progress import RecordBatch, Records
from streams.model import company
from streams.model.control import erasures
from streams.model.identifiers import BOOKING_PREFIX
from streams.settings import Settings
from streams.spans import Headers, passed_on
from streams.worker.agent import Agent, Grouping
from streams.worker.io import WorkerIO
from streams.worker.sift import Fault, is_of_record
from streams.worker.verdict import Refusal, Verdict

BYTES_AT_ONCE = 16 << 20

Gone = tuple[Resolver, Set[str]]
"""The graph before an erasure, and the identifiers that are erased."""

_SENSELESS = (
    (pl.col("subject").str.starts_with(BOOKING_PREFIX) & (pl.col("subject") != pl.col("identifier")))
    | ~pl.col("subject").str.contains(":", literal=True)
    | ~pl.col("identifier").str.contains(":", literal=True)
)
"""Links that no event makes. Enrich writes none; one from another producer becomes a dead letter."""


def runs(marks: pl.Series) -> Iterator[tuple[int, bool]]:
    """The runs of equal values in a series of booleans: (position after the last one, value) of each."""
    end = 0
    for value, group in groupby(marks.to_list()):
        end += sum(1 for _ in group)
        yield end, value


def _traced(
    batch: Records, links: Sequence[Link], offsets: Sequence[int], changes: Sequence[Change]
) -> dict[int, Headers] | None:
    """By row, the headers of the changes that traced links made: of all that has the root of one of their ends
    now."""
    found = passed_on(batch)
    if not found:
        return None
    of_link = {batch.offsets[at]: headers for at, headers in found.items()}
    ends = {
        identifier: of_link[offset]
        for link, offset in zip(links, offsets, strict=True)
        if offset in of_link
        for identifier in link[:2]
    }
    roots = {change.root: ends[change.identifier] for change in changes if change.identifier in ends}
    return {
        at: roots.get(change.root) or ends[change.identifier]
        for at, change in enumerate(changes)
        if change.root in roots or change.identifier in ends
    }


def create(app: Any, settings: Settings) -> WorkerIO:
    """Register the agent and its table with the app."""
    io = WorkerIO(app, settings, "identity")
    kinds = company.load(settings.model).kinds
    IdentityAgent(io, LinkTable(app, kinds)).register("identity", [settings.topic("links")])
    return io


class IdentityAgent(Agent):
    """Links into identities. Its state is the graph of all links, in one partition.

    streams.identity.resolver explains in which order what becomes durable, and why.
    """

    def __init__(self, io: WorkerIO, table: LinkTable) -> None:
        # Batches that have arrived are handled together, without waiting for more: stitch's journeys depend on
        # identities.
        super().__init__(io, Grouping(io.settings.max_poll_records, BYTES_AT_ONCE, linger=0))
        self._table = table
        io.count_from_zero()

    async def handle(self, batches: list[RecordBatch]) -> Verdict:
        """Identities are acknowledged when it returns, then the links, in the changelog."""
        batch, since = Records(batches), min(batch.since for batch in batches)
        decoded, refused = self.io.read("link", batch)
        frame, offsets = decoded.frame, [batch.offsets[at] for at in decoded.rows.tolist()]
        gone = len(batch) - frame.height - len(refused)
        erased = erasures(frame)
        senseless = frame.select(_SENSELESS).to_series() & ~erased
        where = decoded.rows[senseless.to_numpy()].tolist()
        refused += [Refusal(batch, at, "undecodable", "no event makes such a link") for at in where]
        await self.io.refuse(refused)
        await self.io.flush()
        begin, identifiers = 0, set[str]()
        for end, erasing in runs(erased):  # in order; what a run publishes has the version of its last link
            some, version = slice(begin, end), offsets[end - 1] + 1 if end < frame.height else batches[-1].next_offset
            begin = end
            if erasing:
                identifiers = set(frame["subject"][some].to_list())
                if end < frame.height:
                    continue  # what follows replaces what is erased, so both are published together
            good = ~senseless[some] & ~erased[some]
            kept = [offset for offset, is_good in zip(offsets[some], good, strict=True) if is_good]
            links = frame[some].filter(good).select("subject", "identifier", "occurred_at").rows()
            refused += await self._link(batch, links, kept, version, identifiers, since)
            identifiers = set()
        graph = self._table.resolver().graph
        metrics.IDENTITY_LINKS.set(graph.link_count)
        metrics.IDENTITY_IDENTIFIERS.set(len(graph))
        return Verdict.of(len(batch), refused, erased=gone)

    async def _link(
        self,
        batch: Records,
        links: Sequence[Link],
        offsets: Sequence[int],
        version: int,
        erased: set[str],
        since: int,
    ) -> list[Refusal]:
        """Forget identifiers, then take in links, and publish what has changed. Returns the links that are refused.

        offsets: of the links, among those of `batch`. version: of what is published. since: arrival of the oldest raw
        event that caused it, epoch ms.
        """
        table, before = self._table, self._table.resolver()
        resolver, settle = await table.erase(erased) if erased else (before, table.flush)
        gone = (before, erased) if erased else None
        refused: list[Refusal] = []
        try:
            resolver.take(links, offsets)
            changes, encoded = self._changes(resolver, version, gone)
        except BaseException as error:
            if not is_of_record(error):
                raise
            resolver, settle, faults = await self._without_faults(links, offsets, erased)
            where = {offset: at for at, offset in enumerate(batch.offsets)}
            at_fault = [Fault(where[offsets[at]], error) for at, error in faults]
            refused = self.io.unprocessable("link", batch, at_fault)
            await self.io.refuse(refused)
            await self.io.flush()
            changes, encoded = self._changes(resolver, version, gone)
        if changes:
            table.announce(version)
            await table.flush()
            keys = [change.identifier.encode() for change in changes]
            await self.io.send("identities", keys, encoded, since, traced=_traced(batch, links, offsets, changes))
            await self.io.flush()
        await settle()
        table.record(resolver.new_links)
        await table.flush()
        resolver.settled()
        return refused

    def _changes(self, resolver: Resolver, version: int, gone: Gone | None) -> tuple[list[Change], list[bytes]]:
        """The identities to publish, and their records."""
        changes = resolver.changes
        if gone:  # read again, an erasure publishes what it may not have published, and otherwise does no harm
            was, erased = gone
            changes = list(
                {change.identifier: change for change in (*was.without(resolver, erased), *changes)}.values()
            )
        encoded = self.io.encode("identity", records(changes, version)) if changes else []
        self.io.check_sizes([link_key(subject, identifier) for subject, identifier, _ in resolver.new_links], [])
        return changes, encoded

    async def _without_faults(
        self, links: Sequence[Link], offsets: Sequence[int], erased: set[str]
    ) -> tuple[Resolver, Callable[[], Awaitable[None]], list[Fault]]:
        """Take in all links but those that make the graph raise. Returns the graph, what makes it the table's own, and
        the faults.

        A graph that has raised may be half changed. So it is read from the changelog again, once more for each link at
        fault, and takes the others one by one.
        """
        faults: list[Fault] = []
        while True:
            resolver, settle = await self._table.erase(erased)
            bad = {at for at, _ in faults}
            for at, one in enumerate(links):
                if at in bad:
                    continue
                try:
                    resolver.take([one], [offsets[at]])
                    self.io.encode("identity", records([resolver.graph.resolve(name) for name in one[:2]], 0))
                except BaseException as error:
                    if not is_of_record(error):
                        raise
                    faults.append(Fault(at, error))
                    break
            else:
                return resolver, settle, faults
