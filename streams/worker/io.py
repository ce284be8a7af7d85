"""A worker's input and output: decoders, output topics, dead letters, and their metrics.

Agents stay thin: they decode here, call the pure core, publish here and flush; `streams.worker.batching` acks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from schemas.decode import BatchDecoder, Decoded, joined
from schemas.encode import BatchEncoder
from schemas.registry import HttpRegistry, Registry
from streams import metrics
from streams.clock import now_ms
from streams.erasure import key
from streams.erasure.erased import Erased
from streams.erasure.follow import Follower
from streams.erasure.guard import guard
from streams.kafka.batch_producer import REQUEST_BYTES, Output, check_sizes, too_long
from streams.kafka.missed import letters
from streams.kafka.progress import SINCE, RecordBatch, Records, lags, positions
from streams.model import company
from streams.model.dead_letter import (
    EXPIRED,
    OF_A_LETTER,
    TOO_LONG,
    UNDECODABLE,
    UNPROCESSABLE,
    DeadLetter,
    attempts,
    cut_to,
    letters_frame,
    showing,
)
from streams.registries import registry_of
from streams.series import Known, begin
from streams.settings import Settings
from streams.spans import Headers
from streams.text.shown import shown_key, shown_record
from streams.topology import CHANNEL_TOPICS, DEAD_LETTERS, SCHEMAS, WORKERS_BY_NAME
from streams.tracing import tracing_of
from streams.worker.kept_schemas import KeptSchemas, key_of
from streams.worker.schema_lookup import Lookup
from streams.worker.sift import Fault, described, sift
from streams.worker.verdict import VERDICTS, Refusal, Verdict

log = logging.getLogger(__name__)


def letter_of(records: Records, at: int, reason: str, detail: str, registry: Registry, foreign: bool) -> DeadLetter:
    """The dead letter of the record at position `at`. Of one that stands for an unreadable batch it has the place.

    foreign: others wrote the record, so that it may hold personal data in clear, which is masked.
    """
    tried = attempts(records.headers.get(at, ()))
    place = records.topic, records.partitions[at], records.offsets[at]
    unreadable = records.unreadable.get(at)
    if unreadable is not None:
        whole = DeadLetter(*place, None, unreadable.batch, reason, unreadable.detail, tried)
        return showing(whole, None, None)
    letter = DeadLetter(*place, records.keys[at], records.values[at] or b"", reason, detail, tried)
    if at in records.shown:  # an identifier in clear, which a replay must not bring back
        key, payload = records.shown[at]
        return letter._replace(key=shown_key(key, registry), payload=shown_record(payload, registry) or b"")
    if not foreign:
        return letter
    return showing(letter, shown_key(letter.key, registry), shown_record(letter.payload, registry))


class WorkerIO:
    """One worker's topics.

    Args:
        app: the worker's Faust app.
        worker: enrich, identity, stitch or sink.
    """

    def __init__(self, app: Any, settings: Settings, worker: str) -> None:
        self.app, self.settings, self.worker = app, settings, worker
        self.erased = Erased(key.from_environment(), company.load(settings.model).kinds)
        self.registry: Registry = registry_of(settings)
        self.tracing = tracing_of(settings, worker)
        """None, as usually, where no event is traced."""
        self._decoders: dict[str, BatchDecoder] = {}
        self._encoders: dict[str, BatchEncoder] = {}
        self._outputs: dict[str, Output] = {}
        self._unflushed: dict[str, int] = {}
        self._channels = {settings.topic(name) for name in CHANNEL_TOPICS}
        self._exported: set[tuple[str, int]] = set()
        self._kept: KeptSchemas | None = None
        self.services: list[Any] = []
        """Further services beside the app, each with `start` and `stop`."""
        if isinstance(self.registry, HttpRegistry):
            self._kept = KeptSchemas(self.registry, settings, app.crash)
            lookup = Lookup(self.registry, self._kept.read, self._keep_schemas, lambda: bool(app.should_stop))
            app.prepare = lookup.prepare

    def read(
        self, record: str, records: Records, columns: Sequence[str] | None = None
    ) -> tuple[Decoded, list[Refusal]]:
        """Decode Kafka records; the refusals are those that cannot be decoded, or at which the decoder raised."""
        sifted = sift(len(records), lambda some: self.decode(record, records.between(some.start, some.stop), columns))
        whole = len(sifted.done) == 1 and not sifted.faults  # as it usually is
        decoded = sifted.done[0][1] if whole else joined(record, columns, sifted.done)
        refused = [Refusal(records, at, UNDECODABLE, detail) for at, detail in decoded.errors]
        return decoded, refused + self.unprocessable("decode", records, sifted.faults)

    def unprocessable(self, stage: str, records: Records, faults: Iterable[Fault]) -> list[Refusal]:
        """The refusals of records at which the worker's own code raised. Counted and logged, without quoting a record.

        stage: one of the worker's (streams.topology). faults: with positions among `records`.
        """
        return [Refusal(records, at, UNPROCESSABLE, self.note(stage, error)) for at, error in faults]

    def note(self, stage: str, error: BaseException) -> str:
        """Count and log that a record, or the state of a key, made the worker's code raise; returns the sentence."""
        detail = described(stage, error)
        log.error("a record, or the state of a key, cannot be processed and is left out: %s", detail)
        metrics.UNPROCESSABLE.labels(self.worker, stage).inc()
        return detail

    def count_from_zero(self, known: Known | None = None) -> None:
        """Bring the worker's series into being (see streams.series): to be called once, by its agent."""
        begin(self.settings, WORKERS_BY_NAME[self.worker], {"verdict": VERDICTS, **(known or {})})

    def decode(self, record: str, records: Records, columns: Sequence[str] | None = None) -> Decoded:
        """The values of Kafka records in columns, without what was erased: see BatchDecoder, streams.erasure.guard.

        A caller that finds the record at fault by itself uses this; all others call `read`.
        """
        decoder = self._decoders.get(record)
        if decoder is None:
            decoder = self._decoders[record] = BatchDecoder(record, self.registry)
        decoded = decoder.decode(records.values, columns)
        decoded, refused = guard(record, decoded, records.keys, records.values, self.erased)
        if refused:
            metrics.ERASED_REFUSED.labels(self.worker).inc(refused)
        return decoded

    def followers(self) -> list[Any]:
        """Services that must have read their topics before the worker's first record, and `services`: start them before
        the app."""
        follower = Follower(self.erased, self.settings, self.registry, self.app.crash)
        services = [service for service in (self._kept, follower, self.tracing) if service is not None]
        return [*services, *self.services]

    async def _keep_schemas(self, learned: Mapping[int, str]) -> None:
        """Store schemas that the registry has given in the topic of schemas."""
        assert isinstance(self.registry, HttpRegistry)
        output = Output(self.app, self.settings.topic(SCHEMAS))
        for id_, schema in learned.items():  # singly: see KeptSchemas.read
            await output.send([key_of(self.registry.address, id_)], [schema.encode()])
            await output.flush()

    async def publish(
        self,
        topic: str,
        record: str,
        rows: pl.DataFrame | Sequence[Sequence[Any]],
        keys: Sequence[bytes | None],
        since: int | None = None,
        marks: Sequence[tuple[str, bytes]] = (),
        traced: Mapping[int, Headers] | None = None,
    ) -> None:
        """Send rows; they are durable after `flush`.

        Args:
            topic: without prefix. record: the schema of the rows. rows: a frame, or tuples (see BatchEncoder.encode).
            keys: one a row. since: arrival of the oldest raw event that caused the rows (epoch ms), see SINCE.
            marks: headers of every row. traced: headers by which a trace goes on, of some rows (streams.spans).
        """
        if len(rows):
            await self.send(topic, keys, self.encode(record, rows), since, marks, traced)

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
        since: int | None = None,
        marks: Sequence[tuple[str, bytes]] = (),
        traced: Mapping[int, Headers] | None = None,
    ) -> None:
        """Send encoded values; otherwise as `publish`. A value larger than its topic accepts becomes a dead letter.

        traced: headers by which a trace goes on, of some rows (streams.spans).
        """
        output = self._output(topic)
        if large := await output.too_large(keys, values):
            room = await output.room()
            await self.refuse_letters(
                DeadLetter(output.topic, -1, -1, keys[row], values[row], TOO_LONG, too_long(topic, values[row], room))
                for row in large
            )
            log.error("%s: %d records are larger than it takes, and are not in it", output.topic, len(large))
            left = sorted({*range(len(values))} - {*large})
            keys, values = [keys[row] for row in left], [values[row] for row in left]
            if traced:
                traced = {at: traced[row] for at, row in enumerate(left) if row in traced}
        first = () if since is None else ((SINCE, b"%d" % since),)
        await output.send(keys, values, marks=marks, first=first, single=traced)
        self._unflushed[topic] = self._unflushed.get(topic, 0) + len(values)

    def check_sizes(self, keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> None:
        """Raise RecordTooLarge if no request can hold one of the records: `send` would fail for good. Called inside
        `sift`, so that the record at fault is found."""
        check_sizes(keys, values, REQUEST_BYTES)

    async def room(self, topic: str) -> int:
        """Largest size of a record of a topic (name without prefix): bytes of key and value together."""
        return await self._output(topic).room()

    def _output(self, topic: str) -> Output:
        output = self._outputs.get(topic)
        if output is None:
            output = self._outputs[topic] = Output(self.app, self.settings.topic(topic))
        return output

    async def refuse(self, refused: Iterable[Refusal]) -> None:
        """Send Kafka records to dead letters, whole but for personal data. A dead letter at which the code raised is
        sent without key and payload: with them, the letter about it would make the code raise again."""
        await self.refuse_letters(self._letter(*about) for about in refused)

    def _letter(self, records: Records, at: int, reason: str, detail: str) -> DeadLetter:
        foreign = reason == UNDECODABLE or records.topic in self._channels
        letter = letter_of(records, at, reason, detail, self.registry, foreign)
        if reason == UNPROCESSABLE and records.topic == self.settings.topic(DEAD_LETTERS):
            return letter._replace(key=None, payload=b"")
        return letter

    async def refuse_letters(self, letters: Iterable[DeadLetter]) -> None:
        """Send dead letters. A letter larger than its topic accepts is cut (see dead_letter.cut_to)."""
        gathered = list(letters)
        if not gathered:
            return
        room = await self._output(DEAD_LETTERS).room()
        gathered = [cut_to(letter, room) for letter in gathered]
        own = self.settings.topic(DEAD_LETTERS)
        for marks in ((), (OF_A_LETTER,)):
            some = [letter for letter in gathered if (letter.topic == own) == bool(marks)]
            keys = [letter.key for letter in some]
            await self.publish(DEAD_LETTERS, "dead_letter", letters_frame(some, now_ms()), keys, marks=marks)
        for letter in gathered:
            metrics.DEAD_LETTERS.labels(self.worker, letter.reason).inc()

    async def tell_missed(self) -> None:
        """Send a dead letter for each range of offsets that this worker has missed (see streams.kafka.missed)."""
        missed = self.app.consumer.missed if self.app.started else []
        if not missed:
            return
        told = list(missed)
        frame = letters_frame(letters(told, self.worker), now_ms())
        # An output of its own, since those of the agents are for one task at a time.
        output = Output(self.app, self.settings.topic(DEAD_LETTERS))
        await output.send([None] * len(told), self.encode("dead_letter", frame))
        await output.flush()
        del missed[: len(told)]
        metrics.DEAD_LETTERS.labels(self.worker, EXPIRED).inc(len(told))

    async def flush(self) -> None:
        """Return once the broker has acknowledged everything published; raise when it does not."""
        began = time.perf_counter()
        for topic, count in self._unflushed.items():
            await self._outputs[topic].flush()
            metrics.RECORDS_WRITTEN.labels(self.worker, self.settings.topic(topic)).inc(count)
        self._unflushed.clear()
        metrics.OUTPUT_FLUSH_SECONDS.labels(self.worker).observe(time.perf_counter() - began)

    def count(self, verdict: Verdict) -> None:
        """Count what became of the records of a group."""
        for name, count in verdict.counts.items():
            metrics.VERDICTS.labels(self.worker, name).inc(count)

    def observe(self, batches: Sequence[RecordBatch], seconds: float) -> None:
        """Count the batches of a group, which took `seconds` to handle together."""
        for batch in batches:
            metrics.RECORDS_READ.labels(self.worker, batch.topic).inc(len(batch))
        metrics.BATCH_RECORDS.labels(self.worker).observe(sum(map(len, batches)))
        metrics.BATCH_SECONDS.labels(self.worker).observe(seconds)

    @property
    def assigned(self) -> dict[tuple[str, int], int]:
        """The (topic, partition) that this worker reads, each with the next offset after the acked prefix."""
        return positions(self.app) if self.app.started else {}

    def progress(self) -> dict[str, Any]:
        """The answer of /progress (see streams.worker.page): by topic and partition the next offset acked (inputs) or
        acknowledged (outputs), and the counters."""
        inputs: dict[str, dict[int, int]] = {}
        for (topic, partition), offset in self.assigned.items():
            inputs.setdefault(topic, {})[partition] = offset
        outputs = {output.topic: dict(output.acknowledged) for output in self._outputs.values()}
        return {"inputs": inputs, "outputs": outputs, "counters": metrics.counters()}

    def export_offsets(self) -> None:
        """Bring the gauges of positions and lags up to date, and drop those of partitions given up."""
        held = self.assigned
        behind = lags(self.app) if held else {}
        uncommitted = self.app.consumer.open_transactions.held_back() if held else {}
        for topic, partition in self._exported - held.keys():
            for gauge in (metrics.COMMIT_POSITION, metrics.CONSUMER_LAG, metrics.UNCOMMITTED_RECORDS):
                gauge.remove(topic, str(partition))
        for (topic, partition), offset in held.items():
            metrics.COMMIT_POSITION.labels(topic, str(partition)).set(offset)
            metrics.CONSUMER_LAG.labels(topic, str(partition)).set(behind.get((topic, partition), 0))
            metrics.UNCOMMITTED_RECORDS.labels(topic, str(partition)).set(uncommitted.get((topic, partition), 0))
        self._exported = set(held)
