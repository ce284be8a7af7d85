"""Sends events of files, as columns, to the channels' topics, and lines that are no events to the dead letters."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import polars as pl
from aiokafka import AIOKafkaProducer

from schemas.encode import BatchEncoder
from schemas.records import CHANNELS
from schemas.registry import Registry
from streams.clock import now_ms
from streams.kafka import clients
from streams.kafka.acl_check import require
from streams.kafka.batch_producer import BATCH_BYTES, REQUEST_BYTES, BatchProducer, RecordTooLarge, too_long
from streams.kafka.topics import ensure_topics
from streams.model.dead_letter import FILE, MASKED, TOO_LONG, DeadLetter, cut_to, letters_frame
from streams.model.subjects import keys_of, subjects
from streams.registries import registry_of
from streams.settings import Settings
from streams.sources.adapters import open_source
from streams.sources.events import BadLine, EventBatch, Judge, Refusal, SourceError
from streams.sources.files import STDIN, STOP, display_name
from streams.sources.spelling import Unknown
from streams.text.scrub import scrub_text
from streams.text.shown import shown_line
from streams.topology import DEAD_LETTERS, channel_topic
from streams.tracing import Tracing, tracing_of

STOPPING = (signal.SIGINT, signal.SIGTERM)


@asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer for BatchProducer, with the batch and request sizes of the workers'. Raises KafkaError."""
    producer = clients.producer(
        settings,
        acks="all",
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        max_request_size=REQUEST_BYTES,
        compression_type=None if settings.compression == "none" else settings.compression,
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@dataclass
class Fed:
    """What has been fed: events by channel and bad lines by reason, all acknowledged by the broker."""

    events: dict[str, int] = field(default_factory=dict)
    bad: dict[str, int] = field(default_factory=dict)
    unknown: Unknown = field(default_factory=Unknown)
    """Touchpoints that the catalogue does not know, of the events that were read."""
    unread: Counter[str] = field(default_factory=Counter)
    """Optional fields that could not be read, by name; they are attributes of their events."""
    broken: list[str] = field(default_factory=list)
    """Files that could not be read, or not to their end: a sentence on each."""
    interrupted: bool = False
    """Whether somebody ended the reading before the end of the files."""

    @property
    def total(self) -> int:
        """Events and bad lines."""
        return sum(self.events.values()) + sum(self.bad.values())


@dataclass(frozen=True)
class Prepared:
    """Events of one channel, encoded, ready to send."""

    channel: str
    frame: pl.DataFrame
    keys: Sequence[bytes | None]
    values: list[bytes]
    file: str
    """What its letters call the file, see _identity."""
    lines: Sequence[int]
    """Of each event, where the source tells them."""
    payloads: Sequence[bytes] = ()
    """Of each event, what its source holds."""

    def only(self, rows: list[int]) -> Prepared:
        """Those of the events at these rows."""
        return replace(
            self,
            frame=self.frame[rows],
            keys=[self.keys[row] for row in rows],
            values=[self.values[row] for row in rows],
        )

    def letter(self, row: int, room: int) -> DeadLetter:
        """The letter of an event that its topic does not take. room: bytes of key and value that it takes."""
        line = self.payloads[row] if self.payloads else _as_line(self.channel, self.frame, row)
        detail = too_long(channel_topic(self.channel), self.values[row], room)
        place = self.lines[row] if self.lines else 0
        return DeadLetter(f"{FILE}{self.file}", 0, place, None, shown_line(line), TOO_LONG, detail)


class Feeder:
    """Sends batches of events, keyed by subject so that a customer's events stay in order.

    Encoding runs in a thread, one batch ahead of sending. `fed` counts what is acknowledged.
    """

    def __init__(
        self,
        producer: AIOKafkaProducer,
        settings: Settings,
        registry: Registry,
        judge: Judge | None = None,
        erased: Callable[[pl.DataFrame], pl.Series] | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """producer: a started AIOKafkaProducer; the topics must exist.

        judge: says which events would be refused later on; they become letters here, with their file and line, if the
        source tells lines. erased: which events are about somebody who was erased: of them no letter is made here, and
        enrich leaves them out. tracing: samples the events; None: traces begin later on.
        """
        self.fed = Fed()
        self._judge, self._erased, self._tracing = judge, erased, tracing
        names = (*map(channel_topic, CHANNELS), DEAD_LETTERS)
        self._outputs = {name: BatchProducer(producer, settings.topic(name)) for name in names}
        self._encoders = {name: BatchEncoder(name, registry, settings.wire) for name in (*CHANNELS, "dead_letter")}

    @property
    def acknowledged(self) -> dict[str, dict[int, int]]:
        """Full topic name: {partition: next offset after our last record}."""
        return {output.topic: dict(output.acknowledged) for output in self._outputs.values()}

    async def feed(
        self,
        batches: Iterator[EventBatch],
        *,
        fed: Callable[[pl.DataFrame | None, int], None] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Send every batch; returns when the broker has acknowledged all.

        fed: called (in a thread) for each batch acknowledged, with its events (None: bad lines) and its records.
        check: called before each batch; what it raises ends the feeding.
        Raises what the source raises (SourceError), and aiokafka's errors.
        """
        prepared = self.prepare(batches)
        ahead = asyncio.create_task(asyncio.to_thread(next, prepared, None))
        try:
            while (batch := await ahead) is not None:
                ahead = asyncio.create_task(asyncio.to_thread(next, prepared, None))
                check()
                for events, records in await self.send(batch):
                    if fed is not None:
                        await asyncio.to_thread(fed, events, records)
        finally:
            STOP.set()  # what is broken off may be waiting for a line
            await asyncio.gather(ahead, return_exceptions=True)
            STOP.clear()

    async def send(self, batch: Prepared | list[DeadLetter]) -> list[tuple[pl.DataFrame | None, int]]:
        """Send a batch; returns when the broker has acknowledged all: the events (None: letters), and how many records.

        An event that is larger than its topic takes becomes a letter. Raises aiokafka's errors.
        """
        if isinstance(batch, list):
            return [await self.send_letters(batch)]
        sent: list[tuple[pl.DataFrame | None, int]] = []
        output = self._outputs[channel_topic(batch.channel)]
        large: list[int] = []
        while len(large) < len(batch.values):
            fitting = batch.only([row for row in range(len(batch.values)) if row not in large]) if large else batch
            try:
                await self._send(output, fitting)
            except RecordTooLarge:
                large = await output.too_large(batch.keys, batch.values)
                continue
            self.fed.events[batch.channel] = self.fed.events.get(batch.channel, 0) + len(fitting.values)
            sent.append((fitting.frame, len(fitting.values)))
            break
        if large:
            room = await output.room()
            sent.append(await self.send_letters([batch.letter(row, room) for row in large]))
        return sent

    async def _send(self, output: BatchProducer, events: Prepared) -> None:
        tracing = self._tracing
        spans = None if tracing is None else tracing.sending(output.topic, len(events.values))
        with nullcontext() if spans is None else spans.handling():
            await output.send(events.keys, events.values, single=None if spans is None else spans.headers())
            await output.flush()

    async def send_letters(self, letters: list[DeadLetter]) -> tuple[None, int]:
        """Send letters; returns when the broker has acknowledged them: None, and how many. Raises aiokafka's errors."""
        output = self._outputs[DEAD_LETTERS]
        room = await output.room()
        cut = [cut_to(letter, room) for letter in letters]
        await output.send([None] * len(cut), self._encoders["dead_letter"].encode(letters_frame(cut, now_ms())))
        await output.flush()
        for letter in letters:
            self.fed.bad[letter.reason] = self.fed.bad.get(letter.reason, 0) + 1
        return None, len(letters)

    def prepare(self, batches: Iterator[EventBatch]) -> Iterator[Prepared | list[DeadLetter]]:
        """Encode batches, each when it is asked for, to be sent by `send`. Raises what the source raises."""
        opened = datetime.now(UTC).isoformat(timespec="seconds")
        for batch in batches:
            self.fed.unread.update(batch.unread)
            if self._judge is not None and batch.lines:
                batch = self._judged(batch, self._judge)
            if batch.bad:
                yield [_letter(line, _identity(line.file, opened)) for line in batch.bad]
            if batch.frame.height:
                self.fed.unknown.add(batch.frame)
                yield Prepared(
                    batch.channel,
                    batch.frame,
                    keys_of(subjects(batch.frame)),
                    self._encoders[batch.channel].encode(batch.frame),
                    _identity(batch.file, opened),
                    batch.lines,
                    batch.payloads,
                )

    def _judged(self, batch: EventBatch, judge: Judge) -> EventBatch:
        """A batch in which the events that would be refused are bad lines."""
        refused = judge(batch.frame, now_ms())
        if refused and self._erased is not None:
            erased = self._erased(batch.frame)
            refused = [one for one in refused if not erased[one.row]]
        if not refused:
            return batch
        out = {one.row for one in refused}
        left = [row for row in range(batch.frame.height) if row not in out]
        bad = [_bad_line(batch, one) for one in refused]
        payloads = [batch.payloads[row] for row in left] if batch.payloads else ()
        return replace(
            batch,
            frame=batch.frame[left],
            bad=[*batch.bad, *bad],
            lines=[batch.lines[row] for row in left],
            payloads=payloads,
        )


def _bad_line(batch: EventBatch, refused: Refusal) -> BadLine:
    row = refused.row
    payload = batch.payloads[row] if batch.payloads else _as_line(batch.channel, batch.frame, row)
    detail = f"{batch.names.get(refused.field, refused.field)}: {refused.detail}"
    masked = bool(batch.names) and b"*" in payload  # of rows, which are shown without what is hashed
    return BadLine(batch.file, batch.lines[row], payload, refused.reason, detail, masked)


def _letter(line: BadLine, file: str) -> DeadLetter:
    """The letter on a bad line. file: what its letters call the file."""
    shown = shown_line(line.payload)
    said = scrub_text(line.detail) + MASKED * (line.masked or shown != line.payload)
    return DeadLetter(f"{FILE}{file}", 0, line.line, None, shown, line.reason, said)


def _as_line(channel: str, frame: pl.DataFrame, row: int) -> bytes:
    event = {name: value for name, value in frame.row(row, named=True).items() if value not in (None, [])}
    return orjson.dumps({"channel": channel, **event})


def each_file(sources: Iterable[Iterator[EventBatch]], broken: list[str]) -> Iterator[EventBatch]:
    """The batches of files, one after the other; of one that cannot be read on, a sentence goes to `broken`."""
    for source in sources:
        try:
            yield from source
        except SourceError as error:
            broken.append(str(error))


def _identity(file: str, opened: str) -> str:
    """What distinguishes a file from every other: its full path; for standard input, the time when it was opened."""
    return f"{file} of {opened}" if file == display_name(STDIN) else str(Path(file).resolve())


async def produce_files(
    settings: Settings,
    files: Sequence[str],
    adapter: str | None,
    mapping: str | None = None,
    source: str | None = None,
    judge: Judge | None = None,
) -> Fed:
    """Send files to the topics of `settings`, which are made where they are missing; what was sent.

    adapter, mapping, source: how the files are read, as for `open_source`. judge: as for the Feeder. A file that breaks
    off, or is none of its format, is a sentence in what is returned, and the others go on.

    The first SIGINT or SIGTERM ends the reading: what was read is sent. The second breaks off.

    Raises SourceError for a file that cannot be read (before anything is sent where it is missing), TopicError,
    RegistryError and KafkaError.
    """
    sources = [open_source(file, adapter, mapping=mapping, source=source) for file in files]
    await require(settings, "produce")
    await ensure_topics(settings)
    async with producing(settings) as producer:
        tracing = tracing_of(settings, "produce")
        feeder = Feeder(producer, settings, registry_of(settings), judge, tracing=tracing)
        loop = asyncio.get_running_loop()

        def stop() -> None:
            STOP.set()
            feeder.fed.interrupted = True
            for number in STOPPING:
                loop.remove_signal_handler(number)

        for number in STOPPING:
            loop.add_signal_handler(number, stop)
        try:
            await feeder.feed(each_file(sources, feeder.fed.broken))
        finally:
            if tracing is not None:
                await tracing.stop()
            for number in STOPPING:
                loop.remove_signal_handler(number)
    if feeder.fed.broken and not feeder.fed.total:
        raise SourceError("; ".join(feeder.fed.broken))
    return feeder.fed
