"""Transactions on a real Apache Kafka: aborted ones are no events, and one that is open is named by all who read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.foreign import ForeignReader
from streams.enrich import agent
from streams.kafka import open_transactions
from streams.kafka.app import build
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.sources.mapping.model import load
from streams.sources.topics import Read, feed_topic
from tests.integration.test_doctor import examined
from tests.integration.test_feed import MAPPING
from tests.support.brokers import Broker, until
from tests.support.workers import create_topic, producing, running

EVENT = b'{"no": "%d", "at": "2025-03-01T09:30:00Z", "guest": {"email": "amina@example.com"}}'


@asynccontextmanager
async def transactional(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """A producer with a transactional.id."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.broker_list, transactional_id=settings.prefix)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def feed(settings: Settings, topic: str, folder: Path) -> Read:
    """Read a topic to where it ends."""
    (folder / "m.toml").write_text(MAPPING)
    mapping = load(str(folder / "m.toml"))
    group = f"{settings.prefix}-feed"
    return await feed_topic(settings, topic, mapping, ForeignReader(None), group=group, to_end=True)


@pytest.mark.kafka
def test_workers_and_doctor_name_the_transaction_that_holds_records_back(
    kafka_broker: Broker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(open_transactions, "PATIENCE", 0.5)
    monkeypatch.setattr(open_transactions, "LOOK_AGAIN", 0.1)
    settings = kafka_broker.settings(topic_prefix, partitions=1)
    booking = settings.topic("booking")

    async def hold_back() -> None:
        await ensure_topics(settings)
        async with transactional(settings) as producer, producing(settings) as plain:
            async with producer.transaction():
                await producer.send_and_wait(booking, b"committed", partition=0)
            await producer.begin_transaction()
            await producer.send_and_wait(booking, b"open", partition=0)
            await plain.send_and_wait(booking, b"behind it", partition=0)
            app = build(settings, "enrich")
            io = agent.create(app, settings)
            async with running(app):

                async def counted() -> bool:
                    return app.consumer.open_transactions.held_back() == {(booking, 0): 2}

                await until(counted, what="the worker to count what is held back")
                found = (await asyncio.to_thread(examined, settings))[f"topic {booking}"]
                assert found.detail.startswith("the transaction at offset 2 of partition 0 has been open for")
                assert found.detail.endswith("2 records at most, are read when it ends")
                assert (found.remedy or "").endswith(f"abort --topic {booking} --partition 0 --start-offset 2")
                assert any(found.remedy in line for line in caplog.messages if found.remedy)
                await producer.abort_transaction()

                async def read_on() -> bool:
                    return bool(io.progress()["outputs"][settings.topic("dead-letters")].get(0) == 2)

                await until(read_on, what="the record behind the transaction to be read")
                assert app.consumer.open_transactions.held_back() == {}
        assert f"topic {booking}" not in await asyncio.to_thread(examined, settings)

    asyncio.run(hold_back())


@pytest.mark.kafka
async def test_a_topic_of_another_system_is_read_without_aborted_records_and_to_its_end(
    kafka_broker: Broker, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_transactions, "LOOK_AGAIN", 0.1)
    settings = kafka_broker.settings(topic_prefix, partitions=1)
    topic = settings.topic("pms")
    await create_topic(settings, "pms", 1)
    async with transactional(settings) as producer:
        for number, (end, records) in enumerate([("abort", 2), ("commit", 1)]):
            await producer.begin_transaction()
            for _ in range(records):
                await producer.send_and_wait(topic, EVENT % number, partition=0)
            await (producer.commit_transaction() if end == "commit" else producer.abort_transaction())
        read = await feed(settings, topic, tmp_path)
        assert (read.records, read.events, read.uncommitted) == (1, {"booking": 1}, 0)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, EVENT % 3, partition=0)
        read = await feed(settings, topic, tmp_path)
        assert (read.records, read.uncommitted) == (0, 1)
        await producer.abort_transaction()


async def test_what_the_embedded_broker_cannot_tell_is_a_letter(
    embedded_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = embedded_broker.settings(topic_prefix, partitions=1)
    topic = settings.topic("pms")
    await create_topic(settings, "pms", 1)
    async with producing(settings) as producer:
        await producer.send_and_wait(topic, EVENT % 1, partition=0)
        batch: Any = BatchBuilder(1 << 16, 0, is_transactional=1)
        batch.append(key=b"amina@example.com", value=EVENT % 2, timestamp=None)
        batch.close()
        await (await producer.send_batch(batch, topic, partition=0))
    read = await feed(settings, topic, tmp_path)
    assert (read.events, read.letters) == ({"booking": 1}, {"transactional": 1})
