"""Batches of every codec, from clients that nobody here wrote, through enrich on real brokers; and such as no client of
today can read, made by hand."""

from __future__ import annotations

import asyncio
import base64
import shutil
import struct
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from schemas.decode import BatchDecoder
from schemas.registry import LocalRegistry
from schemas.single import encode_one
from streams.embedded.kafka import ensure_jars
from streams.enrich.agent import create
from streams.kafka.app import build
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.support.brokers import Broker, until
from tests.support.workers import administering, producing, running

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
GARBAGE = b"this is not what it is said to be"
JAVA = Path(__file__).with_name("Produce.java")


def event(number: int) -> bytes:
    """A stay of the guest of that number, in Avro."""
    stay = {
        "event_id": f"7b0c2ad4-6a0e-4c1d-9a49-{number:012}",
        "occurred_at": 1_770_000_000_000,
        "ids": [{"kind": "customer", "value": f"C{number}"}],
        "touchpoint": "stay.arrived",
        "medium": "web",
    }
    return encode_one("stay", stay)


def numbers(values: list[bytes]) -> set[int]:
    """Which events interactions are."""
    frame = BatchDecoder("interaction", LocalRegistry()).decode(values, ["event_id"]).frame
    return {int(name[-12:]) for name in frame["event_id"]}


class Written:
    """What workers write to a topic."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=settings.brokers, group_id=None)
        self._partitions = [TopicPartition(settings.topic(topic), at) for at in range(settings.partitions)]
        self.values: list[bytes] = []

    async def __aenter__(self) -> Written:
        await self._consumer.start()
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_beginning()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._consumer.stop()

    async def read(self) -> list[bytes]:
        """All so far."""
        for records in (await self._consumer.getmany(timeout_ms=100)).values():
            self.values += [record.value for record in records]
        return self.values


@asynccontextmanager
async def enriching(settings: Settings) -> AsyncIterator[Any]:
    """An enrich worker in this process, its topics made."""
    await ensure_topics(settings)
    app = build(settings, "enrich")
    create(app, settings)
    async with running(app):
        yield app


def java_producer(address: str, topic: str, codec: str, values: list[bytes]) -> None:
    """Send values with Apache Kafka's own client."""
    lines = b"".join(base64.b64encode(value) + b"\n" for value in values)
    jars = f"{ensure_jars()}/*"
    subprocess.run(
        ["java", "-cp", jars, str(JAVA), address, topic, codec], input=lines, check=True, capture_output=True
    )


async def test_batches_of_every_codec_are_read(broker: Broker, topic_prefix: str) -> None:
    settings = broker.settings(topic_prefix, partitions=2, compression="zstd")
    async with enriching(settings), Written(settings, "interactions") as interactions:
        wanted: set[int] = set()
        for at, codec in enumerate(CODECS):
            compression = None if codec == "none" else codec
            async with producing(settings, compression_type=compression, linger_ms=100) as producer:
                mine = range(1000 * at, 1000 * at + 200)
                sent = [await producer.send(settings.topic("stay"), event(number)) for number in mine]
                await asyncio.gather(*sent)
                wanted |= {*mine}

        async def all_there() -> bool:
            return numbers(await interactions.read()) == wanted

        await until(all_there, what="an interaction of every event")


@pytest.mark.kafka
@pytest.mark.skipif(shutil.which("javac") is None, reason="only a JDK runs a Java file")
async def test_batches_of_javas_producer_are_read(kafka_broker: Broker, topic_prefix: str) -> None:
    settings = kafka_broker.settings(topic_prefix, partitions=2)
    async with enriching(settings), Written(settings, "interactions") as interactions:
        wanted: set[int] = set()
        for at, codec in enumerate(CODECS):
            mine = range(1000 * at, 1000 * at + 200)
            values = [event(number) for number in mine]
            await asyncio.to_thread(java_producer, settings.brokers, settings.topic("stay"), codec, values)
            wanted |= {*mine}

        async def all_there() -> bool:
            return numbers(await interactions.read()) == wanted

        await until(all_there, what="an interaction of every event")
        async with administering(settings) as admin:
            asked = [ConfigResource(ConfigResourceType.TOPIC, settings.topic("stay"), {"compression.type": None})]
            (answer,) = await admin.describe_configs(asked)
            assert answer.resources[0][4][0][1] == "producer"


def unreadable(codec: int, count: int) -> bytes:
    """A batch of so many records, by its header, whose body is garbage of a codec; its checksum fits."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 20)
    for at in range(count):
        builder.append(at, 1_770_000_000_000, None, b"", [])
    head, body = builder.build()[:61], GARBAGE
    made = bytes(head[:8]) + struct.pack(">i", 49 + len(body)) + bytes(head[12:]) + body
    made = made[:22] + bytes([codec]) + made[23:]
    return made[:17] + struct.pack(">I", calc_crc32c(made[21:])) + made[21:]


async def send_raw(producer: Any, topic: str, batch: bytes) -> int:
    """Send a batch as it is to partition 0; the broker's error code."""
    client = producer.client
    await client._wait_on_metadata(topic)
    node = client.cluster.leader_for_partition(TopicPartition(topic, 0))
    answer = await client.send(node, ProduceRequest(None, -1, 10_000, [(topic, [(0, batch)])]))
    return int(answer.topics[0][1][0][1])


async def test_a_batch_that_nobody_can_read_is_one_letter_and_its_neighbours_go_on(
    broker: Broker, topic_prefix: str
) -> None:
    settings = broker.settings(topic_prefix, partitions=1)
    topic = settings.topic("stay")
    async with enriching(settings) as app, producing(settings) as producer:
        await producer.send_and_wait(topic, event(1), partition=0)
        refused = [await send_raw(producer, topic, unreadable(codec, 3)) for codec in (1, 4, 5)]
        await producer.send_and_wait(topic, event(2), partition=0)
        async with Written(settings, "interactions") as interactions, Written(settings, "dead-letters") as letters:

            async def both() -> bool:
                return numbers(await interactions.read()) == {1, 2}

            await until(both, what="the neighbours")
            # The embedded broker does not look into batches; Apache Kafka does, and takes none. Neither takes a
            # codec that it does not know, but the embedded one has given its offsets away by then.
            assert [code != 0 for code in refused] == ([False, False, True] if broker.embedded else [True] * 3)
            places = [1, 4] if broker.embedded else []

            async def all_there() -> bool:
                return len(await letters.read()) == len(places)

            await until(all_there, what="a letter of each batch")
            frame = BatchDecoder("dead_letter", LocalRegistry()).decode(letters.values).frame
            assert frame["offset"].to_list() == places
            assert frame["reason"].to_list() == ["undecodable"] * len(places)
            assert all(f"{at} to {at + 2}" in said for at, said in zip(places, frame["detail"], strict=True))
            assert all(payload[61:] == GARBAGE for payload in frame["payload"])
            end = 11 if broker.embedded else 2

            def committed() -> bool:
                return end in {progress.committed for progress in app.consumer.progress.values()}

            await until(committed, what="everything committed")
