"""The sink worker: every output topic into its ClickHouse table.

Each topic has an agent, so that a table that is slow or refused holds up no other. Batches are joined (more rows an
insert, fewer parts for ClickHouse to merge) and acked when the insert is acknowledged. While ClickHouse is away the
writer tries again without end: nothing is acked, the stream's buffer fills, and Kafka keeps the rest. A row that
ClickHouse refuses for good becomes a dead letter, as does a record that cannot be decoded. A dead letter that is
refused gets a letter of its own, once. If that is refused too, the worker stops, because there is no other place for
it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from clickhouse_connect.driver.client import Client

from schemas.decode import Decoded
from sinks import recall
from sinks.clickhouse import models
from sinks.clickhouse import prayers as prayer_times
from sinks.clickhouse.client import connect
from sinks.clickhouse.errors import RETRY_CODES, retry_code
from sinks.clickhouse.tables import TABLES, Table
from sinks.clickhouse.writer import FinalInsertError, Retry, Writer
from sinks.first_copies import FirstCopies
from sinks.prayers import PrayerTimes
from sinks.reach import Reach
from sinks.resolving import Resolving
from streams import metrics
from streams.clock import now_ms
from streams.errors import RihlaError
from streams.kafka.ownership import owns
from streams.kafka.progress import SINCE, RecordBatch, Records
from streams.model import company
from streams.model.dead_letter import OF_A_LETTER
from streams.model.digits import number_of
from streams.settings import Settings
from streams.spans import step
from streams.topology import DEAD_LETTERS
from streams.worker.agent import Agent, Grouping
from streams.worker.io import WorkerIO
from streams.worker.sift import Fault
from streams.worker.verdict import Refusal, Verdict

ROWS_PER_INSERT = 60_000
"""With 20,000 a row costs some 8 % more CPU, and an insert takes 80 MB at its peak, with decoding, instead of 180."""
BYTES_PER_INSERT = 16 << 20
"""Of keys and values, as Kafka has them: bounds the memory of an insert whose rows are long."""
LATENCIES_PER_INSERT = 20
"""Number of records of an insert, evenly spread, from which the latency metric is taken, among those that carry the
arrival time of their event."""

HINT = "mend it in ClickHouse: rihla doctor looks, rihla migrate makes what is missing; until then Kafka keeps the rest"

log = logging.getLogger(__name__)


def create(app: Any, settings: Settings) -> WorkerIO:
    """Register an agent for each table's topic, and the one that answers recalls."""
    io = WorkerIO(app, settings, "sink")
    views = [table.view for table in TABLES.values()]
    io.count_from_zero({"table": views, "code": RETRY_CODES})
    publishing = asyncio.Lock()
    connected = _connecting(settings)
    prayers = PrayerTimes(connected)
    resolving = Resolving(connected, settings.database, lambda: owns(app, (settings.topic("interactions"), 0)))
    for table in TABLES.values():
        TableAgent(io, table, publishing, prayers, resolving).register(
            f"sink-{table.topic}", [settings.topic(table.topic)]
        )
    recall.RecallAgent(io, publishing).register("sink-recalls", [settings.topic(recall.TOPIC)])
    model = company.load(settings.model)

    def started(client: Client) -> None:
        models.record(client, model, now_ms(), settings.epoch)
        models.record_targets(client, model, now_ms())
        prayer_times.fill(client)

    io.services += [Reach(connected, found=started), resolving]
    return io


def _connecting(settings: Settings) -> Callable[[], Client]:
    """Makes a client on the database of the tables; called in a thread."""
    return lambda: connect(settings.clickhouse_endpoint, settings.database)


class TableAgent(Agent):
    """The records of a topic into their table in ClickHouse. It keeps no state."""

    def __init__(
        self, io: WorkerIO, table: Table, publishing: asyncio.Lock, prayers: PrayerTimes, resolving: Resolving
    ) -> None:
        """publishing: held while the io's outputs are used, which all agents of the sink share. prayers, resolving:
        told of each insert."""
        super().__init__(io, Grouping(ROWS_PER_INSERT, BYTES_PER_INSERT, linger=table.linger, patience=table.patience))
        self._table, self._publishing, self._prayers = table, publishing, prayers
        self._resolving = resolving
        connected = _connecting(io.settings)
        self._copies = FirstCopies(connected) if table is TABLES["interactions"] else None
        mark = None if self._copies is None else self._copies.mark
        self._writer = Writer(connected, table, on_retry=self._retried, mark=mark)
        self._pending = metrics.SINK_PENDING_ROWS.labels(table.view)

    def _retried(self, retry: Retry) -> None:
        metrics.SINK_RETRIES.labels(self._table.view, retry_code(retry.error)).inc()

    async def handle(self, batches: list[RecordBatch]) -> Verdict:
        """The rows are in ClickHouse when it returns; while ClickHouse is away, it waits.

        Raises RihlaError for what is wrong with the table, and not with a row.
        """
        if self._copies is not None:
            self._copies.reading(batches)
        records = Records(batches)
        decoded, refused = self.io.read(self._table.schema, records)
        erased = len(records) - decoded.frame.height - len(refused)
        try:
            refused += await self._store(records, decoded)
        except FinalInsertError as error:
            raise RihlaError(str(error), HINT) from error
        self._resolving.stored(self._table.topic)
        await self._prayers.stored(self._table.topic, decoded.frame)
        async with self._publishing:
            await self.io.refuse(refused if self._table.topic != DEAD_LETTERS else _tellable(refused))
            await self.io.flush()
        _observe_latency(self._table, records)
        return Verdict.of(len(records), refused, erased=erased)

    def _about(self, rows: int) -> dict[str, str | int]:
        """What a span says of an insert."""
        return {
            "db.system.name": "clickhouse",
            "db.operation.name": "INSERT",
            "db.namespace": self.settings.database,
            "db.collection.name": self._table.store,
            "rihla.rows": rows,
        }

    async def _store(self, records: Records, decoded: Decoded) -> list[Refusal]:
        """Insert rows. Returns the refusals of those that ClickHouse does not take."""
        table, frame, epoch = self._table, decoded.frame, self.settings.epoch
        refused: list[Refusal] = []
        self._pending.set(frame.height)
        inserting = time.perf_counter()
        try:
            with step(f"insert {table.store}", self._about(frame.height)) as asked:
                await self._writer.write(frame, epoch, asked)
        except FinalInsertError as error:
            if not error.rows_at_fault:
                raise
            log.warning("%s refuses a batch, which is split to find the rows at fault: %s", table.store, error)
            for row in await self._writer.write_splitting(frame, epoch):
                if table.topic == DEAD_LETTERS and frame["topic"][row.row] == self.settings.topic(DEAD_LETTERS):
                    raise FinalInsertError(f"a letter about a letter: {row.error}", rows_at_fault=False) from error
                at = int(decoded.rows[row.row])
                if row.raised is None:
                    refused.append(Refusal(records, at, "unstorable", row.error))
                else:
                    refused += self.io.unprocessable("insert", records, [Fault(at, row.raised)])
        metrics.SINK_INSERT_SECONDS.labels(table.view).observe(time.perf_counter() - inserting)
        metrics.SINK_ROWS_INSERTED.labels(table.view).inc(frame.height - len(refused))
        self._pending.set(0)
        return refused


def _tellable(refused: Sequence[Refusal]) -> list[Refusal]:
    """The refused letters that get a dead letter of their own: all but letters about letters."""
    told, left = list[Refusal](), list[Refusal]()
    for one in refused:
        (left if OF_A_LETTER in one.records.headers.get(one.at, ()) else told).append(one)
    if left:
        records, at, _, detail = left[0]
        log.error(
            "%d letters about letters cannot be read, and are in no table (the first: %s[%d] offset %d: %s); Kafka has "
            "them, and what they are about. If no letter can be read, this installation is broken: install it anew",
            len(left), records.topic, records.partitions[at], records.offsets[at], detail,
        )  # fmt: skip
    return told


def _observe_latency(table: Table, records: Records) -> None:
    now, latency = now_ms(), metrics.EVENT_TO_TABLE_SECONDS.labels(table.view)
    found = (number_of(value) for some in records.headers.values() for name, value in some if name == SINCE)
    said = [at for at in found if at is not None]
    for at in np.linspace(0, len(said) - 1, min(len(said), LATENCIES_PER_INSERT)).astype(int).tolist():
        latency.observe(max(now - said[at], 0) / 1000)
