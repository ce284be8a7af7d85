"""Topics made, filled and deleted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from streams.errors import RihlaError
from streams.kafka.batch_producer import BatchProducer
from streams.kafka.record_batch import Header
from streams.kafka.topics import VISIBLE_WITHIN, in_sync, shown

LOOK_EVERY = 0.2
"""Seconds between looks at a topic that is made or deleted."""
UNKNOWN_TOPIC = 3
"""Kafka's error for a topic that is not there."""


class Row(NamedTuple):
    """A record to be written."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]


class Writer:
    """Fills an empty topic that nobody else writes to, so that the offset of every record is known beforehand.

    ends: by partition, the offset of the next record.
    """

    def __init__(self, producer: Any, topic: str, partitions: int, ends: Mapping[int, int] | None = None) -> None:
        self.topic, self.partitions = topic, partitions
        self.ends: dict[int, int] = dict.fromkeys(range(partitions), 0) | dict(ends or {})
        self._output = BatchProducer(producer, topic, partitions)

    async def write(self, rows: Iterable[Row]) -> list[int]:
        """Write rows, in order; the offset of each. Returns when they are durable.

        Raises RihlaError when somebody else turns out to have written to the topic.
        """
        offsets = []
        for headers, run in groupby(rows, lambda row: row.headers):
            some = list(run)
            for row in some:
                offsets.append(self.ends[row.partition])
                self.ends[row.partition] += 1
            await self._output.send(
                [row.key for row in some],
                [row.value for row in some],
                partitions=[row.partition for row in some],
                headers=headers,
                marks=headers,
            )
        await self._output.flush()
        for partition, end in self._output.acknowledged.items():
            if end != self.ends[partition]:
                raise RihlaError(
                    f"somebody else writes to {self.topic}[{partition}]", "stop whoever does, and run this again"
                )
        return offsets


class Topic(NamedTuple):
    """A topic as the broker has it."""

    partitions: int
    replication: int
    config: dict[str, str]
    """Settings of the topic itself, without the broker's defaults."""


async def describe(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, Topic]:
    """Topics that are there."""
    wanted = list(names)
    described = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics(wanted)}
    found = {}
    for name in wanted:
        (response,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        entries = [entry for *_, some in response.resources for entry in some or ()]
        # (name, value, read_only, is_default, ...) in the protocol's version 0, where 3 is config_source later.
        own = {entry[0]: entry[1] for entry in entries if _is_own(response, entry)}
        replicas = min((len(partition["replicas"]) for partition in described[name]), default=1)
        found[name] = Topic(len(described[name]), replicas, own)
    return found


def _is_own(response: Any, entry: Any) -> bool:
    """Whether a setting was made for the topic itself."""
    if response.API_VERSION == 0:
        return not entry[3] and not entry[2]
    topic_config = 1  # ConfigSource.DYNAMIC_TOPIC_CONFIG
    return bool(entry[3] == topic_config)


async def make(admin: AIOKafkaAdminClient, name: str, topic: Topic) -> None:
    """Create a topic, and return when the broker shows it. Raises RihlaError when it refuses."""
    deadline = time.monotonic() + VISIBLE_WITHIN
    while True:
        config = {**in_sync(topic.replication), **topic.config}
        response = await admin.create_topics(
            [NewTopic(name, topic.partitions, topic.replication, topic_configs=config)]
        )
        ((_, code, *message),) = response.topic_errors
        if code == 0:
            await shown(admin, [name])
            return
        # One that has just been deleted may still be there for a moment.
        if code != TopicAlreadyExistsError.errno or time.monotonic() > deadline:
            why = " ".join([for_code(code).__name__, *map(str, message)])
            raise RihlaError(f"topic {name} could not be created: {why}", "run this again once the broker allows it")
        await asyncio.sleep(LOOK_EVERY)


async def delete(admin: AIOKafkaAdminClient, name: str) -> None:
    """Delete a topic, if it is there, and return when it is gone. Raises RihlaError when the broker refuses."""
    if name not in await admin.list_topics():
        return
    response = await admin.delete_topics([name])
    for _, code, *_rest in response.topic_error_codes:
        if code not in (0, UNKNOWN_TOPIC):
            raise RihlaError(
                f"topic {name} could not be deleted: {for_code(code).__name__}",
                "the broker must allow it: delete.topic.enable=true, and the right to delete; then run this again",
            )
    deadline = time.monotonic() + VISIBLE_WITHIN
    while name in await admin.list_topics():
        if time.monotonic() > deadline:
            raise RihlaError(
                f"topic {name} is still there {VISIBLE_WITHIN:.0f} s after it was deleted", "run this again"
            )
        await asyncio.sleep(LOOK_EVERY)
