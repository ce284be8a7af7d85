"""Events of many requests to Kafka, together: each request waits until the brokers have acknowledged all of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.records import CHANNELS
from streams import metrics
from streams.kafka.batch_producer import BatchProducer, RecordTooLarge
from streams.settings import Settings
from streams.spans import Headers
from streams.topology import DEAD_LETTERS, channel_topic

WORKER = "collect"
PATIENCE = 30.0
"""Most seconds that a request waits for Kafka. Records that were sent by then may still arrive."""

log = logging.getLogger(__name__)


class NotWritten(Exception):
    """Kafka has not acknowledged all of it: it may be there, in part, or not."""


class Part(NamedTuple):
    """Rows for one topic (name without prefix). traced: headers of the first, by which a trace goes on."""

    topic: str
    keys: Sequence[bytes | None]
    values: Sequence[bytes]
    traced: Headers = ()


class Writer:
    """One task sends everything that has accumulated while it waited for the acknowledgements of the previous batch."""

    def __init__(self, producer: AIOKafkaProducer, settings: Settings) -> None:
        """producer: started; the topics must exist."""
        names = (*map(channel_topic, CHANNELS), DEAD_LETTERS)
        self._outputs = {name: BatchProducer(producer, settings.topic(name)) for name in names}
        self._waiting: list[tuple[Sequence[Part], asyncio.Future[None]]] = []
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._acknowledged = time.monotonic()
        self._busy = self._ending = False
        self.failing: str | None = None
        """Kafka's last error, if nothing has been acknowledged since."""

    @property
    def acknowledged(self) -> dict[str, dict[int, int]]:
        """Full topic name: {partition: next offset after our last record}."""
        return {output.topic: dict(output.acknowledged) for output in self._outputs.values()}

    def last_progress(self) -> float:
        """`time.monotonic()` of when Kafka last acknowledged, or of now where nothing waits for it."""
        return self._acknowledged if self._busy else time.monotonic()

    def ready(self) -> tuple[bool, str]:
        """Whether requests are answered with success, and the reason in words."""
        if self.failing is not None:
            return False, f"Kafka does not acknowledge: {self.failing}"
        return True, "Kafka acknowledges"

    async def room(self, topic: str) -> int:
        """Largest size of a record of a topic: bytes of key and value together."""
        return await self._outputs[topic].room()

    async def start(self) -> None:
        """Learn how large records may be, and begin to send. Raises KafkaError."""
        for output in self._outputs.values():
            await output.room()
        self._task = asyncio.create_task(self._run(), name="write")

    async def stop(self) -> None:
        """Send what is waiting, and end."""
        if self._task is not None:
            self._ending = True
            self._awake.set()
            await self._task

    async def write(self, parts: Sequence[Part]) -> None:
        """Return when Kafka has acknowledged all rows. Raises NotWritten."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((parts, done))
        self._awake.set()
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(done)
        except TimeoutError:
            done.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # nobody waits for it
            raise NotWritten(f"no acknowledgement within {PATIENCE:.0f} s") from None

    async def _run(self) -> None:
        while self._waiting or not self._ending:
            await self._awake.wait()
            self._awake.clear()
            if not self._waiting:
                continue
            group, self._waiting = self._waiting, []
            if not self._busy:
                self._acknowledged = time.monotonic()
            self._busy = True
            began = time.perf_counter()
            try:
                await self._send([part for parts, _ in group for part in parts])
            except Exception as error:  # any error is raised to those who wait, and the next batch gets its turn
                if self.failing is None:
                    log.warning("Kafka does not acknowledge: %s", type(error).__name__)
                self.failing = type(error).__name__
                for _, done in group:
                    if not done.done():
                        done.set_exception(NotWritten(self.failing))
            else:
                if self.failing is not None:
                    log.info("Kafka acknowledges again")
                self.failing, self._acknowledged = None, time.monotonic()
                metrics.OUTPUT_FLUSH_SECONDS.labels(WORKER).observe(time.perf_counter() - began)
                for _, done in group:
                    if not done.done():
                        done.set_result(None)
            finally:
                self._busy = bool(self._waiting)

    async def _send(self, parts: Sequence[Part]) -> None:
        """Send rows, and return when all are acknowledged. Raises the first error once nothing is under way."""
        by_topic: dict[str, tuple[list[bytes | None], list[bytes], dict[int, Headers]]] = {}
        for part in parts:
            keys, values, traced = by_topic.setdefault(part.topic, ([], [], {}))
            if part.traced:
                traced[len(keys)] = part.traced
            keys += part.keys
            values += part.values
        errors: list[Exception] = []
        for topic, (keys, values, traced) in by_topic.items():
            try:
                await self._outputs[topic].send(keys, values, single=traced)
            except (KafkaError, RecordTooLarge) as error:
                errors.append(error)
        for topic, (_, values, _) in by_topic.items():
            output = self._outputs[topic]
            try:
                await output.flush()
                metrics.RECORDS_WRITTEN.labels(WORKER, output.topic).inc(len(values))
            except KafkaError as error:
                errors.append(error)
        if errors:
            raise errors[0]
