"""The sink worker: every output topic into its ClickHouse table.

One agent a topic, so that a table that is slow or refused holds up no other. Batches are gathered (more rows an insert,
fewer parts for ClickHouse to merge) and acked when the insert is acknowledged. While ClickHouse is away the writer
tries again without end: nothing is acked, the stream's buffer fills, and Kafka keeps the rest. A row that ClickHouse
refuses for good becomes a dead letter, as does a record that cannot be decoded. A letter that is refused gets a letter
of its own, once; refused again, it stops the worker: there is no place left for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import numpy as np

from sinks import recall
from sinks.clickhouse.client import connect
from sinks.clickhouse.errors import RETRY_CODES, retry_code
from sinks.clickhouse.tables import TABLES, Table
from sinks.clickhouse.writer import FinalInsertError, Retry, Writer
from sinks.reach import Reach
from streams import metrics
from streams.clock import now_ms
from streams.errors import RihlaError
from streams.kafka.progress import SINCE, Records
from streams.kafka.transport import RecordBatch
from streams.settings import Settings
from streams.topology import DEAD_LETTERS
from streams.worker.batching import gather
from streams.worker.io import Edge
from streams.worker.sift import Fault

ROWS_PER_INSERT = 60_000
"""With 20,000 a row costs some 8 % more CPU, and an insert takes 80 MB at its peak, with decoding, instead of 180."""
BYTES_PER_INSERT = 16 << 20
"""Of keys and values, as Kafka has them: bounds the memory of an insert whose rows are long."""
LATENCIES_PER_INSERT = 20
"""How many of the records of an insert that say since when they are under way the latency metric looks at, evenly
spread."""

HINT = "mend it in ClickHouse: rihla doctor looks, rihla migrate makes what is missing; until then Kafka keeps the rest"

log = logging.getLogger(__name__)


def create(app: Any, settings: Settings) -> Edge:
    """Register an agent for each output topic, and the one that answers recalls."""
    edge = Edge(app, settings, "sink")
    views = [table.view for table in TABLES.values()]
    edge.count_from_zero({"table": views, "code": RETRY_CODES})
    publishing = asyncio.Lock()  # the edge's outputs are for one task at a time
    for table in TABLES.values():
        _register(app, edge, table, publishing)
    recall.register(app, edge, publishing)
    edge.services.append(Reach(lambda: connect(settings.clickhouse_endpoint, settings.database)))
    return edge


def _register(app: Any, edge: Edge, table: Table, publishing: asyncio.Lock) -> None:
    settings = edge.settings

    def retried(retry: Retry) -> None:
        metrics.SINK_RETRIES.labels(table.view, retry_code(retry.error)).inc()

    writer = Writer(lambda: connect(settings.clickhouse_endpoint, settings.database), table, on_retry=retried)
    pending = metrics.SINK_PENDING_ROWS.labels(table.view)

    async def handle(batches: list[RecordBatch]) -> None:
        try:
            await store_all(batches)
        except FinalInsertError as error:
            raise RihlaError(str(error), HINT) from error

    async def store_all(batches: list[RecordBatch]) -> None:
        began = time.perf_counter()
        records = Records(batches)
        decoded, refused = edge.read(table.schema, records)
        frame, stored = decoded.frame, 0
        pending.set(frame.height)
        inserting = time.perf_counter()
        try:
            await writer.write(frame, settings.epoch)
            stored = frame.height
        except FinalInsertError as error:
            if not error.rows_at_fault:
                raise
            log.warning("%s refuses a batch, which is split to find the rows at fault: %s", table.store, error)
            rejected = await writer.write_splitting(frame, settings.epoch)
            for row in rejected:
                if table.topic == DEAD_LETTERS and frame["topic"][row.row] == settings.topic(DEAD_LETTERS):
                    raise FinalInsertError(f"a letter about a letter: {row.error}", rows_at_fault=False) from error
                at = int(decoded.rows[row.row])
                if row.raised is None:
                    refused.append((records, at, "unstorable", row.error))
                else:
                    refused += edge.unprocessable("insert", records, [Fault(at, row.raised)])
            stored = frame.height - len(rejected)
        metrics.SINK_INSERT_SECONDS.labels(table.view).observe(time.perf_counter() - inserting)
        metrics.SINK_ROWS_INSERTED.labels(table.view).inc(stored)
        pending.set(0)
        async with publishing:
            await edge.refuse(refused)
            await edge.flush()
        _observe_latency(table, records)
        edge.observe(batches, time.perf_counter() - began)

    async def store(stream: Any) -> None:
        await gather(stream, handle, ROWS_PER_INSERT, BYTES_PER_INSERT, table.linger, patience=table.patience)

    topic = app.topic(settings.topic(table.topic), key_serializer="raw", value_serializer="raw")
    app.agent(topic, name=f"sink-{table.topic}")(store)


def _observe_latency(table: Table, records: Records) -> None:
    now, latency = now_ms(), metrics.EVENT_TO_TABLE_SECONDS.labels(table.view)
    said = [
        int(value) for some in records.headers.values() for name, value in some if name == SINCE and value.isdigit()
    ]
    for at in np.linspace(0, len(said) - 1, min(len(said), LATENCIES_PER_INSERT)).astype(int).tolist():
        latency.observe(max(now - said[at], 0) / 1000)
