"""Observes a running pipeline from outside: each worker's /progress, and the broker's offsets of topics and groups."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any

import aiohttp
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams import topology
from streams.kafka import clients
from streams.kafka.drain import Ledger, Offsets
from streams.settings import Settings

REQUEST_SECONDS = 10.0

log = logging.getLogger(__name__)


class Observer:
    """Brings a ledger up to date. `async with Observer(settings, addresses) as observer: await observer.look()`.

    addresses: called for each look; worker kind: URLs of the pages of its processes that answer now. A page that does
    not answer (its worker is being restarted) is passed over: what it said before is kept.
    reads: names of the topics that each kind of worker reads; without it those of this version (streams.topology).
    """

    def __init__(
        self,
        settings: Settings,
        addresses: Callable[[], Mapping[str, Iterable[str]]],
        reads: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        if reads is None:
            reads = {worker.name: worker.reads for worker in topology.WORKERS if not worker.optional}
        self.ledger = Ledger({worker: [settings.topic(name) for name in names] for worker, names in reads.items()})
        self.counters: dict[str, dict[str, float]] = {}
        """URL of a worker's page: its counters, as last seen."""
        self._settings = settings
        self._addresses = addresses
        self._stack = AsyncExitStack()
        self._partitions: list[TopicPartition] = []

    async def __aenter__(self) -> Observer:
        """Connect to the broker; the topics must exist. Raises aiokafka's errors."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        self._http = await self._stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        self._admin = clients.admin(self._settings)
        await self._admin.start()
        self._stack.push_async_callback(self._admin.close)
        self._consumer = clients.consumer(self._settings, enable_auto_commit=False)
        await self._consumer.start()
        self._stack.push_async_callback(self._consumer.stop)
        topics = sorted({topic for topics in self.ledger.topics.values() for topic in topics})
        described = await self._admin.describe_topics(topics)
        self._partitions = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def look(self) -> bool:
        """Read everything once; whether the broker answered everything. What it did answer is in the ledger."""
        answered, _ = await asyncio.gather(self._look_at_broker(), self._look_at_workers())
        return answered

    async def _look_at_broker(self) -> bool:
        try:
            await self._read_offsets()
        except KafkaError as error:  # a broker that has just started has no coordinators for groups yet
            log.info("the broker does not answer: %s", error)
            return False
        return True

    async def _read_offsets(self) -> None:
        self.ledger.begins(_nested(await self._consumer.beginning_offsets(self._partitions)))
        self.ledger.wrote(_nested(await self._consumer.end_offsets(self._partitions)))
        for worker, topics in self.ledger.topics.items():
            partitions = [partition for partition in self._partitions if partition.topic in topics]
            committed = await self._admin.list_consumer_group_offsets(
                self._settings.group(worker), partitions=partitions
            )
            self.ledger.processed(worker, _nested({tp: found.offset for tp, found in committed.items()}))

    async def _look_at_workers(self) -> None:
        pages = [(worker, url) for worker, urls in self._addresses().items() for url in urls]
        answers = await asyncio.gather(*(self._progress(url) for _, url in pages))
        for (worker, url), answer in zip(pages, answers, strict=True):
            if answer is not None:
                self.ledger.processed(worker, _numbered(answer["inputs"]))
                self.ledger.wrote(_numbered(answer["outputs"]))
                self.counters[url] = answer["counters"]

    async def _progress(self, url: str) -> dict[str, Any] | None:
        try:
            async with self._http.get(f"{url}/progress") as response:
                answer: dict[str, Any] = await response.json()
                return answer
        except (aiohttp.ClientError, TimeoutError):
            return None


def _nested(offsets: Mapping[TopicPartition, int]) -> Offsets:
    nested: dict[str, dict[int, int]] = {}
    for partition, offset in offsets.items():
        nested.setdefault(partition.topic, {})[partition.partition] = max(offset, 0)
    return nested


def _numbered(offsets: Mapping[str, Mapping[str, int]]) -> Offsets:
    """Offsets from JSON, whose keys are strings."""
    return {
        topic: {int(partition): offset for partition, offset in partitions.items()}
        for topic, partitions in offsets.items()
    }
