"""What every worker's agent needs at its edge to Kafka: decoders, outputs, dead letters, and the account of both.

The agents themselves stay thin: decode here, call the pure core, publish here, flush; `streams.gather` acks.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from schemas.decode import BatchDecoder, Decoded
from schemas.encode import BatchEncoder
from schemas.registry import HttpRegistry, LocalRegistry, Registry
from streams import metrics
from streams.clock import now_ms
from streams.dead_letters import DeadLetter, attempts, letters_frame
from streams.erasure import key
from streams.erasure.erased import Erased
from streams.erasure.follow import Follower
from streams.erasure.guard import guard
from streams.output import Output
from streams.progress import Records
from streams.settings import Settings
from streams.topology import DEAD_LETTERS
from streams.transport import RecordBatch, lags, positions


class Edge:
    """One worker's topics.

    Args:
        app: the worker's Faust app.
        worker: enrich, identity, stitch or sink.
    """

    def __init__(self, app: Any, settings: Settings, worker: str) -> None:
        self.app, self.settings, self.worker = app, settings, worker
        self.erased = Erased(key.from_environment())
        self.registry: Registry = HttpRegistry(settings.registry) if settings.registry else LocalRegistry()
        self._decoders: dict[str, BatchDecoder] = {}
        self._encoders: dict[str, BatchEncoder] = {}
        self._outputs: dict[str, Output] = {}
        self._unflushed: dict[str, int] = {}
        self._exported: set[tuple[str, int]] = set()

    def decode(self, record: str, records: Records, columns: Sequence[str] | None = None) -> Decoded:
        """The values of Kafka records in columns, without what was erased: see BatchDecoder, streams.erasure.guard."""
        decoder = self._decoders.get(record)
        if decoder is None:
            decoder = self._decoders[record] = BatchDecoder(record, self.registry)
        decoded = decoder.decode(records.values, columns)
        decoded, refused = guard(record, decoded, records.keys, records.values, self.erased)
        if refused:
            metrics.ERASED_REFUSED.labels(self.worker).inc(refused)
        return decoded

    def follower(self) -> Follower:
        """The service that keeps `erased` up to date; to be started before the app."""
        return Follower(self.erased, self.settings, self.registry, self.app.crash)

    async def publish(
        self,
        topic: str,
        record: str,
        rows: pl.DataFrame | Sequence[Sequence[Any]],
        keys: Sequence[bytes | None],
        timestamps: Any = None,
        marks: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Send rows; they are durable after `flush`.

        Args:
            topic: without prefix. record: the schema of the rows. rows: a frame, or tuples (see BatchEncoder.encode).
            keys: one a row. timestamps: epoch ms, one a row, one for all, or None for now. marks: headers of every row.
        """
        if len(rows):
            await self.send(topic, keys, self.encode(record, rows), timestamps, marks)

    def encode(self, record: str, rows: pl.DataFrame | Sequence[Sequence[Any]]) -> list[bytes]:
        """The values of rows: a frame, or tuples (see BatchEncoder.encode), of the schema `record`."""
        encoder = self._encoders.get(record)
        if encoder is None:
            encoder = self._encoders[record] = BatchEncoder(record, self.registry, self.settings.wire)
        return encoder.encode(rows)

    async def send(
        self,
        topic: str,
        keys: Sequence[bytes | None],
        values: Sequence[bytes],
        timestamps: Any = None,
        marks: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Send what is encoded; the rest as for `publish`."""
        output = self._outputs.get(topic)
        if output is None:
            output = self._outputs[topic] = Output(self.app, self.settings.topic(topic))
        await output.send(keys, values, timestamps, marks=marks)
        self._unflushed[topic] = self._unflushed.get(topic, 0) + len(values)

    async def refuse(self, refused: Iterable[tuple[Records, int, str, str]]) -> None:
        """Send Kafka records to dead letters: (records, position among them, reason, detail) of each."""
        await self.refuse_letters(
            DeadLetter(
                records.topic,
                records.partitions[at],
                records.offsets[at],
                records.keys[at],
                records.values[at] or b"",
                reason,
                detail,
                attempts(records.headers.get(at, ())),
            )
            for records, at, reason, detail in refused
        )

    async def refuse_letters(self, letters: Iterable[DeadLetter]) -> None:
        """Send dead letters."""
        gathered = list(letters)
        if not gathered:
            return
        await self.publish(
            DEAD_LETTERS, "dead_letter", letters_frame(gathered, now_ms()), [letter.key for letter in gathered]
        )
        for letter in gathered:
            metrics.DEAD_LETTERS.labels(self.worker, letter.reason).inc()

    async def flush(self) -> None:
        """Return once the broker has acknowledged everything published; raise when it does not."""
        began = time.perf_counter()
        for topic, count in self._unflushed.items():
            await self._outputs[topic].flush()
            metrics.RECORDS_WRITTEN.labels(self.worker, self.settings.topic(topic)).inc(count)
        self._unflushed.clear()
        metrics.OUTPUT_FLUSH_SECONDS.labels(self.worker).observe(time.perf_counter() - began)

    def observe(self, batches: Sequence[RecordBatch], seconds: float) -> None:
        """Count batches that are done, and were handled together in so many seconds."""
        for batch in batches:
            metrics.RECORDS_READ.labels(self.worker, batch.topic).inc(len(batch))
        metrics.BATCH_RECORDS.labels(self.worker).observe(sum(map(len, batches)))
        metrics.BATCH_SECONDS.labels(self.worker).observe(seconds)

    @property
    def assigned(self) -> dict[tuple[str, int], int]:
        """The (topic, partition) that this worker reads, each with the next offset after the acked prefix."""
        return positions(self.app) if self.app.started else {}

    def progress(self) -> dict[str, Any]:
        """For /progress (see streams.web): next offset acked of inputs, acknowledged of outputs; what was counted."""
        inputs: dict[str, dict[int, int]] = {}
        for (topic, partition), offset in self.assigned.items():
            inputs.setdefault(topic, {})[partition] = offset
        outputs = {output.topic: dict(output.acknowledged) for output in self._outputs.values()}
        return {"inputs": inputs, "outputs": outputs, "counters": metrics.counters()}

    def export_offsets(self) -> None:
        """Bring the gauges of positions and lags up to date, and drop those of partitions given up."""
        held = self.assigned
        behind = lags(self.app) if held else {}
        for topic, partition in self._exported - held.keys():
            for gauge in (metrics.COMMIT_POSITION, metrics.CONSUMER_LAG):
                gauge.remove(topic, str(partition))
        for (topic, partition), offset in held.items():
            metrics.COMMIT_POSITION.labels(topic, str(partition)).set(offset)
            metrics.CONSUMER_LAG.labels(topic, str(partition)).set(behind.get((topic, partition), 0))
        self._exported = set(held)
