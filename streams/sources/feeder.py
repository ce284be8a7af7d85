"""Events of files, as columns, to the channels' topics; lines that are no events to the dead letters."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import polars as pl
from aiokafka import AIOKafkaProducer

from schemas.encode import BatchEncoder
from schemas.records import CHANNELS
from schemas.registry import Registry
from streams.clock import now_ms
from streams.kafka import clients
from streams.kafka.acl_check import require
from streams.kafka.app import BATCH_BYTES
from streams.kafka.batch_producer import REQUEST_BYTES, BatchProducer
from streams.kafka.topics import ensure_topics
from streams.model.dead_letter import FILE, DeadLetter, letters_frame
from streams.model.subjects import keys_of, subjects
from streams.registries import registry_of
from streams.settings import Settings
from streams.sources.adapters import open_source
from streams.sources.events import BadLine, EventBatch
from streams.sources.files import STDIN, STOP, display_name
from streams.sources.spelling import Unknown
from streams.topology import DEAD_LETTERS, channel_topic

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
    interrupted: bool = False
    """Whether somebody ended the reading before the end of the files."""

    @property
    def total(self) -> int:
        """Events and bad lines."""
        return sum(self.events.values()) + sum(self.bad.values())


@dataclass(frozen=True)
class Prepared:
    """One batch ready to send: topic (without prefix), keys, values; and what it is counted as."""

    topic: str
    keys: Sequence[bytes | None]
    values: list[bytes]
    counted: dict[str, int]
    events: pl.DataFrame | None
    """The events themselves; None for dead letters."""


class Feeder:
    """Sends batches of events, keyed by subject so that a customer's events stay in order.

    Encoding runs in a thread, one batch ahead of sending. `fed` counts what is acknowledged.
    """

    def __init__(self, producer: AIOKafkaProducer, settings: Settings, registry: Registry) -> None:
        """producer: a started AIOKafkaProducer; the topics must exist."""
        self.fed = Fed()
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
                await self.send([batch])
                if fed is not None:
                    await asyncio.to_thread(fed, batch.events, len(batch.values))
        finally:
            STOP.set()  # what is broken off may be waiting for a line
            await asyncio.gather(ahead, return_exceptions=True)
            STOP.clear()

    async def send(self, batches: Sequence[Prepared]) -> None:
        """Send batches, in order; returns when the broker has acknowledged all. Raises aiokafka's errors."""
        for batch in batches:
            await self._outputs[batch.topic].send(batch.keys, batch.values)
        for batch in batches:
            await self._outputs[batch.topic].flush()
            counts = self.fed.bad if batch.events is None else self.fed.events
            for name, number in batch.counted.items():
                counts[name] = counts.get(name, 0) + number

    def prepare(self, batches: Iterator[EventBatch]) -> Iterator[Prepared]:
        """Encode batches, each when it is asked for, to be sent by `send`. Raises what the source raises."""
        opened = datetime.now(UTC).isoformat(timespec="seconds")
        for batch in batches:
            if batch.bad:
                yield self._dead_letters(batch.bad, opened)
            if batch.frame.height:
                self.fed.unknown.add(batch.frame)
                yield Prepared(
                    channel_topic(batch.channel),
                    keys_of(subjects(batch.frame)),
                    self._encoders[batch.channel].encode(batch.frame),
                    {batch.channel: batch.frame.height},
                    batch.frame,
                )

    def _dead_letters(self, bad: list[BadLine], opened: str) -> Prepared:
        letters = (
            DeadLetter(
                f"{FILE}{_identity(line.file, opened)}", 0, line.line, None, line.payload, line.reason, line.detail
            )
            for line in bad
        )
        values = self._encoders["dead_letter"].encode(letters_frame(letters, now_ms()))
        return Prepared(DEAD_LETTERS, [None] * len(bad), values, dict(Counter(line.reason for line in bad)), None)


def _identity(file: str, opened: str) -> str:
    """What tells a file from every other: its full path; for standard input, when it was opened."""
    return f"{file} of {opened}" if file == display_name(STDIN) else str(Path(file).resolve())


async def produce_files(
    settings: Settings,
    files: Sequence[str],
    adapter: str | None,
    mapping: str | None = None,
    source: str | None = None,
) -> Fed:
    """Send files to the topics of `settings`, which are made where they are missing; what was sent.

    adapter, mapping, source: how the files are read, as for `open_source`.

    The first SIGINT or SIGTERM ends the reading: what was read is sent. The second breaks off.

    Raises SourceError for a file that cannot be read (before anything is sent where it is missing), TopicError,
    RegistryError and KafkaError.
    """
    sources = [open_source(file, adapter, mapping=mapping, source=source) for file in files]
    await require(settings, "produce")
    await ensure_topics(settings)
    async with producing(settings) as producer:
        feeder = Feeder(producer, settings, registry_of(settings))
        loop = asyncio.get_running_loop()

        def stop() -> None:
            STOP.set()
            feeder.fed.interrupted = True
            for number in STOPPING:
                loop.remove_signal_handler(number)

        for number in STOPPING:
            loop.add_signal_handler(number, stop)
        try:
            await feeder.feed(chain.from_iterable(sources))
        finally:
            for number in STOPPING:
                loop.remove_signal_handler(number)
    return feeder.fed
