"""The stitch worker: interactions, news of roots and parts in; journeys, customers, cases and parts out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from streams import metrics
from streams.edge import Edge
from streams.settings import Settings
from streams.stitch import rows
from streams.stitch.events import COLUMNS, Events
from streams.stitch.fold import Changes, Load, fold_identities, fold_interactions, fold_parts
from streams.stitch.rows import Row
from streams.table import BatchTable
from streams.transport import RecordBatch, consume

_PUBLISHED: tuple[tuple[str, str, Callable[[Changes], list[Row]], Callable[[Row], str]], ...] = (
    # topic, record, rows, key of a row
    ("journeys", "journey", lambda changes: changes.journeys, lambda row: row[0]),
    ("customers", "customer", lambda changes: changes.customers, lambda row: row[0]),
    # A case's key names its customer too: who withdraws a case must not, under compaction, hide who has it now.
    ("cases", "case", lambda changes: changes.cases, lambda row: f"{row[1]}/{row[0]}"),
    ("parts", "part", lambda changes: changes.parts, lambda row: row[0]),
)


def create(app: Any, settings: Settings) -> Edge:
    """Register the agent and its table with the app."""
    edge = Edge(app, settings, "stitch")
    table = BatchTable(app, "state", partitions=settings.partitions)
    events = Events()

    def interactions(batch: RecordBatch, load: Load) -> tuple[Changes, list[tuple[int, str]]]:
        decoded = edge.decode("interaction", batch, COLUMNS)
        positions = decoded.rows.tolist()
        subjects = [batch[at].key.decode() for at in positions]
        offsets = [batch[at].offset for at in positions]
        return fold_interactions(load, events.by_subject(decoded.frame, subjects, offsets)), decoded.errors

    def identities(batch: RecordBatch, load: Load) -> tuple[Changes, list[tuple[int, str]]]:
        decoded = edge.decode("identity", batch, ("kind", "value", "root", "version"))
        news: dict[str, list[tuple[int, str, int]]] = {}
        for at, (kind, value, root, version) in zip(decoded.rows.tolist(), decoded.frame.iter_rows(), strict=True):
            news.setdefault(f"{kind}:{value}", []).append((batch[at].offset, root, version))
        return fold_identities(load, news), decoded.errors

    def parts(batch: RecordBatch, load: Load) -> tuple[Changes, list[tuple[int, str]]]:
        decoded = edge.decode("part", batch)
        sent: dict[str, list[tuple[int, str, int, bytes | None]]] = {}
        for at, (target, part, version, state) in zip(decoded.rows.tolist(), decoded.frame.iter_rows(), strict=True):
            sent.setdefault(target, []).append((batch[at].offset, part, version, state))
        return fold_parts(load, sent), decoded.errors

    folds = {
        settings.topic("interactions"): interactions,
        settings.topic("identities"): identities,
        settings.topic("parts"): parts,
    }

    async def handle(batch: RecordBatch) -> None:
        began = time.perf_counter()
        partition = batch.partition
        changes, errors = folds[batch.topic](batch, lambda key: table.get(partition, key))
        for key, state in changes.states.items():
            table.put(partition, key, state)
        await table.flush()  # before anything is published: what is published follows from durable state
        for topic, record, rows_of, key_of in _PUBLISHED:
            published = rows_of(changes)
            if published:
                keys = [key_of(row).encode() for row in published]
                await edge.publish(topic, record, rows.frame(record, published), keys, batch[0].timestamp)
        await edge.refuse(batch, [(at, "undecodable", detail) for at, detail in errors])
        await edge.flush()
        metrics.DUPLICATES.inc(changes.duplicates)
        metrics.STATE_SUBJECTS.set(sum(table.count(held) for held in table.partitions_held))
        edge.observe(batch, time.perf_counter() - began)

    @app.agent(app.topic(*folds, key_serializer="raw", value_serializer="raw"))  # type: ignore[untyped-decorator]
    async def stitch(stream: Any) -> None:
        await consume(stream, handle)

    return edge
