"""Status of the workers: lag, recent throughput, dead letters, and deliveries that failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from sinks.clickhouse.named import load
from streams.errors import RihlaError
from streams.kafka import clients
from streams.serve.desk.figures import Ask, FiguresUnavailableError
from streams.settings import Settings
from streams.topology import WORKERS

KEPT = 3.0
"""Seconds for which an answer is cached."""
SPAN = timedelta(days=7)
"""Most dead letters and deliveries that are listed."""

Offsets = Mapping[TopicPartition, int]
Ends = Callable[[], Awaitable[tuple[Offsets, Mapping[str, Offsets]]]]
"""End offsets of topics, and each worker's committed offsets."""


class PipelineUnavailableError(RihlaError):
    """The brokers do not answer; the message is for people."""


class Pipeline:
    """ends: asks the brokers. ask: asks ClickHouse, in a thread. age: seconds of the view. model: hash of the model."""

    def __init__(self, ends: Ends, ask: Ask, age: Callable[[], float], prefix: str, model: str) -> None:
        self._ends, self._ask, self._age, self._prefix, self._model = ends, ask, age, prefix, model
        self._read: tuple[float, asyncio.Task[dict[str, Any]]] | None = None

    async def read(self) -> dict[str, Any]:
        """Raises PipelineUnavailableError."""
        now = time.monotonic()
        if self._read is None or now - self._read[0] > KEPT:
            self._read = (now, asyncio.ensure_future(self._all()))
        try:
            return await asyncio.shield(self._read[1])
        except (KafkaError, OSError) as error:
            self._read = None
            raise PipelineUnavailableError("the brokers do not answer now") from error

    async def _all(self) -> dict[str, Any]:
        (ends, stands), (letters, deliveries) = await asyncio.gather(self._ends(), asyncio.to_thread(self._stored))
        return {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "view_age": self._age(),
            "model": self._model,
            "topics": written(ends, self._prefix),
            "workers": behind(ends, stands, self._prefix),
            "dead_letters": letters,
            "deliveries": deliveries,
        }

    def _stored(self) -> tuple[list[dict[str, Any]] | None, list[dict[str, Any]] | None]:
        since = (datetime.now(UTC) - SPAN).strftime("%Y-%m-%d %H:%M:%S")
        asked = [load()[name] for name in ("dead_letters", "deliveries")]
        try:
            letters, deliveries = (self._ask(one.sql, one.bind({"since": since})) for one in asked)
        except FiguresUnavailableError:
            return None, None
        shown = ("topic", "reason", "letters", "last_failed_at")  # the detail may quote a record
        return [{name: row[name] for name in shown} for row in letters], deliveries


def written(ends: Offsets, prefix: str) -> dict[str, int]:
    """Number of records that have ever been written to each topic."""
    found: dict[str, int] = {}
    for one, end in ends.items():
        name = one.topic.removeprefix(prefix)
        found[name] = found.get(name, 0) + end
    return found


def behind(ends: Offsets, stands: Mapping[str, Offsets], prefix: str) -> list[dict[str, Any]]:
    """Lag in records by worker and topic; None before the first commit."""
    lines = []
    for worker, offsets in stands.items():
        topics: dict[str, int | None] = {}
        for one, at in offsets.items():
            name = one.topic.removeprefix(prefix)
            if at < 0:
                topics.setdefault(name, None)
            else:
                topics[name] = (topics.get(name) or 0) + max(ends.get(one, at) - at, 0)
        lines += [{"worker": worker, "topic": name, "lag": lag} for name, lag in sorted(topics.items())]
    return lines


def from_kafka(settings: Settings) -> Ends:
    """Asks the brokers of the settings, over connections that are closed again."""

    async def ends() -> tuple[Offsets, Mapping[str, Offsets]]:
        consumer, admin = clients.consumer(settings, group_id=None, enable_auto_commit=False), clients.admin(settings)
        try:
            await consumer.start()
            await admin.start()
            reads = {worker.name: [settings.topic(name) for name in worker.reads] for worker in WORKERS}
            described = await admin.describe_topics(sorted({topic for topics in reads.values() for topic in topics}))
            partitions = [
                TopicPartition(topic["topic"], partition["partition"])
                for topic in described
                for partition in topic["partitions"]
            ]
            stands = {}
            for worker, topics in reads.items():
                theirs = [one for one in partitions if one.topic in topics]
                found = await admin.list_consumer_group_offsets(settings.group(worker), partitions=theirs)
                if any(one.offset >= 0 for one in found.values()):
                    stands[worker] = {one: place.offset for one, place in found.items()}
            return await consumer.end_offsets(partitions), stands
        finally:
            await asyncio.gather(consumer.stop(), admin.close(), return_exceptions=True)

    return ends
