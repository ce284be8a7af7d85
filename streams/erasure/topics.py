"""Erasing from Kafka: messages to workers, tombstones in compacted topics, records deleted, records kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from schemas.encode import BatchEncoder
from schemas.records import polars_schema
from schemas.registry import Registry
from streams import topology
from streams.erasure.erased import Erasure
from streams.erasure.follow import TOPIC
from streams.kafka.batch_producer import BatchProducer
from streams.model.control import LINK, erase_link, erase_part
from streams.settings import Settings

DELETABLE = tuple(topic.name for topic in topology.TOPICS if not topic.compacted)
"""Topics whose records can be deleted."""
INTERNAL = tuple(
    topic.name
    for topic in topology.TOPICS
    if topic.name in DELETABLE and topic.name not in topology.CHANNEL_TOPICS and not topic.stored
)
"""Those of the deletable topics that only our own workers read."""
_HOUR = 3_600_000


class Kept(NamedTuple):
    """What a topic still holds of the person, and for how long."""

    topic: str
    how_long: str


async def announce(producer: Any, settings: Settings, registry: Registry, erasures: Sequence[Erasure]) -> None:
    """Write erasures to the topic that every worker follows."""
    keys = [one.fingerprint.encode() for one in erasures]
    values = _encoded(settings, registry, "erasure", erasures)
    output = BatchProducer(producer, settings.topic(TOPIC))
    # One by one, because the embedded broker reports a wrong end offset after larger batches.
    for key, value in zip(keys, values, strict=True):
        await output.send([key], [value], None, [0])
        await output.flush()


class Topics:
    """producer: a started AIOKafkaProducer. admin: a started AIOKafkaAdminClient. wrote: called after each write, with
    the end offsets acknowledged by topic and partition."""

    def __init__(
        self,
        producer: Any,
        admin: AIOKafkaAdminClient,
        settings: Settings,
        registry: Registry,
        wrote: Callable[[Mapping[str, Mapping[int, int]]], None],
    ) -> None:
        self._producer, self._admin, self._settings, self._registry = producer, admin, settings, registry
        self._wrote = wrote

    async def announce(self, erasures: Sequence[Erasure]) -> None:
        """Write erasures to the topic that every worker follows."""
        await announce(self._producer, self._settings, self._registry, erasures)

    async def erase_links(self, names: Collection[str], around: Sequence[tuple[str, str, int]]) -> None:
        """Send identity an erase message for each identifier, then the links that remain around them."""
        rows = [*map(erase_link, sorted(names)), *((*link, LINK) for link in around)]
        await self._tell("link", "links", rows, 1)

    async def erase_states(self, names: Collection[str]) -> None:
        """Send an erase message for each subject to every partition of stitch, as other states may name it."""
        rows = [*map(erase_part, sorted(names))]
        await self._tell("part", "parts", rows, await self._partitions("parts"))

    async def _tell(self, record: str, topic: str, rows: Sequence[tuple[Any, ...]], partitions: int) -> None:
        """Send rows to each of the first partitions of a topic."""
        keys = [row[0].encode() for row in rows]
        values = _encoded(self._settings, self._registry, record, rows)
        output = BatchProducer(self._producer, self._settings.topic(topic))
        for partition in range(partitions):
            await output.send(keys, values, None, [partition] * len(rows))
        await output.flush()
        self._wrote({output.topic: output.acknowledged})

    async def bury(self, keys: Mapping[str, Sequence[str]]) -> None:
        """Write tombstones to compacted topics, which then drop the records of these keys."""
        for topic, gone in keys.items():
            output = BatchProducer(self._producer, self._settings.topic(topic))
            await output.send([key.encode() for key in gone], [None] * len(gone))
            await output.flush()
            self._wrote({output.topic: output.acknowledged})

    async def delete_records(self, topics: Iterable[str]) -> list[str]:
        """Delete the records that all of our workers have processed. Returns the topics whose broker refused.

        Partitions are cut at the smallest offset that their readers have committed.
        """
        refused = []
        for topic in topics:
            every = await self._all(topic)
            done = []
            for worker in topology.readers(topic):
                found = await self._admin.list_consumer_group_offsets(self._settings.group(worker), partitions=every)
                offsets = {tp: max(found[tp].offset, 0) for tp in every}
                if any(offsets.values()) or worker in topology.REQUIRED:  # others may never have run
                    done.append(offsets)
            cut = {tp: min((offsets[tp] for offsets in done), default=0) for tp in every}
            try:
                await self._admin.delete_records({tp: RecordsToDelete(at) for tp, at in cut.items() if at})
            except (KafkaError, KeyError, ValueError) as error:
                refused.append(f"{self._settings.topic(topic)}: {type(error).__name__}")
        return refused

    async def kept(self, topics: Iterable[str]) -> list[Kept]:
        """How long topics keep their records."""
        found = []
        for topic in topics:
            name = self._settings.topic(topic)
            settings = await self._config(name)
            if "compact" in settings.get("cleanup.policy", ""):
                how_long = "until the broker compacts it"
            elif (kept := int(settings.get("retention.ms", "-1"))) < 0:
                how_long = "for ever, unless its records are deleted"
            else:
                how_long = (
                    f"up to {kept / _HOUR / 24:g} days" if kept >= 24 * _HOUR else f"up to {kept / _HOUR:g} hours"
                )
            found.append(Kept(name, how_long))
        return found

    async def _config(self, topic: str) -> dict[str, str]:
        (response,) = await self._admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        return {entry[0]: entry[1] or "" for *_, entries in response.resources for entry in entries or ()}

    async def _all(self, topic: str) -> list[TopicPartition]:
        name = self._settings.topic(topic)
        return [TopicPartition(name, number) for number in range(await self._partitions(topic))]

    async def _partitions(self, topic: str) -> int:
        return len(await self._producer.partitions_for(self._settings.topic(topic)))


def _encoded(settings: Settings, registry: Registry, record: str, rows: Sequence[Any]) -> list[bytes]:
    frame = pl.DataFrame(rows, schema=polars_schema(record), orient="row")
    return BatchEncoder(record, registry, settings.wire).encode(frame)
