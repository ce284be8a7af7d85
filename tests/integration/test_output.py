"""Rows to a topic in batches, on real brokers: all of them, in order, where any Kafka client would have put them."""

from __future__ import annotations

import random
import time

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from streams.embedded.tansu import Tansu
from streams.kafka.batch_producer import BatchProducer, RecordTooLarge
from streams.kafka.topics import ensure_changelogs, ensure_topics
from streams.topology import CHANNEL_TOPICS, TOPICS
from tests.faults.trial import read_all
from tests.support.brokers import Broker, until
from tests.support.workers import administering, create_topic, producing


async def test_rows_arrive_whole_in_order_and_acknowledged(broker: Broker, topic_prefix: str) -> None:
    settings = broker.settings(topic_prefix)
    topic = await create_topic(settings, "out", 5)
    rng = random.Random(7)
    keys = [None if rng.random() < 0.1 else b"key-%d" % rng.randrange(300) for _ in range(20_000)]
    sizes = [rng.choice([0, 10, 900, 40_000 if n % 97 == 0 else 5]) for n in range(len(keys))]
    values = [
        None if key is not None and rng.random() < 0.05 else rng.randbytes(size)
        for key, size in zip(keys, sizes, strict=True)
    ]
    times = [1_700_000_000_000 + rng.randrange(10**9) for _ in keys]
    async with producing(settings) as producer:
        output = BatchProducer(producer, topic)
        for start in range(0, len(keys), 6000):
            part = slice(start, start + 6000)
            await output.send(keys[part], values[part], times[part])
        await output.flush()
        ends = dict(output.acknowledged)
        await output.flush()
        assert output.acknowledged == ends
    found = await read_all(settings, topic)
    assert {p: sum(record.partition == p for record in found) for p in range(5)} == ends
    everyone = list(range(5))
    place = DefaultPartitioner()
    sent = list(zip(keys, values, times, strict=True))
    for partition in everyone:
        got = [(r.key, r.value, r.timestamp) for r in found if r.partition == partition and r.key is not None]
        assert got == [row for row in sent if row[0] is not None and place(row[0], everyone, everyone) == partition]
    keyless = sorted((r.value, r.timestamp) for r in found if r.key is None)
    assert keyless == sorted((value, time) for key, value, time in sent if key is None)


async def test_one_timestamp_and_given_partitions_and_headers(broker: Broker, topic_prefix: str) -> None:
    settings = broker.settings(topic_prefix)
    topic = await create_topic(settings, "out", 3)
    async with producing(settings) as producer:
        output = BatchProducer(lambda: producer, topic, 3)
        await output.send([], [])
        await output.send([b"a", b"b", b"c"], [b"1", None, b"3"], 12345, [2, 2, 0], [("why", b"gone")])
        await output.flush()
        assert output.acknowledged == {0: 1, 2: 2}
    found = sorted((r.partition, r.key, r.value, r.timestamp, r.headers) for r in await read_all(settings, topic))
    assert found == [
        (0, b"c", b"3", 12345, ()),
        (2, b"a", b"1", 12345, ()),
        (2, b"b", None, 12345, (("why", b"gone"),)),
    ]


async def test_a_record_that_no_request_can_hold_is_refused_before_anything_is_sent(
    embedded_broker: Broker, topic_prefix: str
) -> None:
    settings = embedded_broker.settings(topic_prefix)
    topic = await create_topic(settings, "out", 1)
    async with producing(settings, max_request_size=100_000) as producer:
        output = BatchProducer(producer, topic)
        with pytest.raises(RecordTooLarge, match=r"^row 1 \(key b'large'\) takes 1000\d\d bytes"):
            await output.send([b"small", b"large"], [b"x", b"x" * 100_000])
        with pytest.raises(ValueError, match="2 keys but 1 values"):
            await output.send([b"a", b"b"], [b"x"])
        await output.flush()
        assert output.acknowledged == {}
        await output.send([b"fits"], [b"x" * 99_000])
        await output.flush()
        assert output.acknowledged == {0: 1}


@pytest.mark.kafka
async def test_what_the_topic_does_not_take_is_known_before_it_is_sent(kafka_broker: Broker, topic_prefix: str) -> None:
    settings = kafka_broker.settings(topic_prefix)
    topic = await create_topic(settings, "out", 2, {"max.message.bytes": "2000"})
    async with producing(settings, max_request_size=1 << 20) as producer:
        output = BatchProducer(producer, topic)
        keys, values = [b"a", b"b", b"c"], [b"x" * 5000, b"x", b"x" * 2000]
        assert await output.too_large(keys, values) == [0, 2]
        with pytest.raises(RecordTooLarge, match=r"row 0 .*takes 2000"):
            await output.send(keys, values, None, [0, 1, 0])
        await output.send([b"a"] * 100, [b"x" * (await output.room() - 1)] * 100, None, [0] * 100)
        await output.send([None] * 1000, [b"x" * 100] * 1000, None, [0] * 1000)  # no batch is larger either
        await output.flush()
        assert output.acknowledged == {0: 1100}


@pytest.mark.kafka
async def test_a_limit_that_was_lowered_meanwhile_is_learned(kafka_broker: Broker, topic_prefix: str) -> None:
    settings = kafka_broker.settings(topic_prefix)
    topic = await create_topic(settings, "out", 1)
    async with producing(settings, max_request_size=1 << 20) as producer, administering(settings) as admin:
        output = BatchProducer(producer, topic)
        assert not await output.too_large([None], [b"x" * 5000])
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "2000"})])

        async def refused() -> bool:
            await output.send([None], [b"x" * 5000])
            try:
                await output.flush()
            except KafkaError as error:
                return "MessageSizeTooLarge" in str(error)
            return False

        await until(refused, what="the new limit")
        assert await output.too_large([None], [b"x" * 5000]) == [0]


async def send_and_flush(output: BatchProducer) -> None:
    """Send three rows, and wait for them."""
    await output.send([b"b", b"c", b"d"], [b"2"] * 3)
    await output.flush()


async def test_a_worker_whose_clock_is_days_ahead_can_write(kafka_broker: Broker, topic_prefix: str) -> None:
    settings = kafka_broker.settings(topic_prefix)
    await ensure_topics(settings)
    changelog = settings.topic("state-changelog")
    await ensure_changelogs(settings, {changelog: 2})
    ahead = time.time_ns() // 1_000_000 + 3 * 86_400_000
    written = {settings.topic(topic.name) for topic in TOPICS} - set(map(settings.topic, CHANNEL_TOPICS))
    async with producing(settings) as producer:
        for topic in {changelog, *written}:
            output = BatchProducer(producer, topic)
            await output.send([b"k"], [b"v"], ahead)
            await output.flush()
            assert sum(output.acknowledged.values()) == 1


async def test_a_broker_that_dies_fails_the_flush(tmp_path_factory: pytest.TempPathFactory) -> None:
    broker = Tansu(tmp_path_factory.mktemp("dying") / "broker.log")
    await broker.start()
    settings = Broker(broker.address, True, broker).settings("dying")
    topic = await create_topic(settings, "out", 2)
    producer = AIOKafkaProducer(bootstrap_servers=broker.address, acks="all", request_timeout_ms=1500)
    await producer.start()
    try:
        output = BatchProducer(producer, topic)
        await output.send([b"a"], [b"1"])
        await output.flush()
        before = dict(output.acknowledged)
        await broker.stop()
        with pytest.raises(KafkaError):
            await send_and_flush(output)
        assert output.acknowledged == before
    finally:
        await producer.stop()
