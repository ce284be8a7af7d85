"""The embedded broker hands out the records of aborted transactions like any others: no record of one is an event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.enrich import agent
from streams.kafka.app import build
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.sources.adapters import open_source
from streams.sources.simulate import Options, write
from tests.support.brokers import Broker, until
from tests.support.workers import producing, running


def events(folder: Path) -> list[bytes]:
    """Encoded bookings."""
    write(Options(customers=20, seed=3), folder / "events.jsonl")
    frame = next(batch.frame for batch in open_source(str(folder / "events.jsonl")) if batch.channel == "booking")
    return BatchEncoder("booking", LocalRegistry()).encode(frame)


async def values(settings: Settings, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.broker_list, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(settings.topic(topic), 0)])
        await consumer.seek_to_beginning()
        found: list[bytes] = []
        for _ in range(3):
            for records in (await consumer.getmany(timeout_ms=300)).values():
                found += [record.value for record in records]
        return found
    finally:
        await consumer.stop()


async def test_a_record_of_a_transaction_becomes_a_dead_letter(
    embedded_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = embedded_broker.settings(topic_prefix, partitions=1)
    plain, aborted, *_ = events(tmp_path)
    registry = LocalRegistry()
    await ensure_topics(settings)
    async with producing(settings) as producer:
        booking = settings.topic("booking")
        await producer.send_and_wait(booking, plain, partition=0)
        batch: Any = BatchBuilder(1 << 16, 0, is_transactional=1)
        batch.append(key=None, value=aborted, timestamp=None)
        batch.close()
        await (await producer.send_batch(batch, booking, partition=0))
        await producer.send_and_wait(booking, plain, partition=0)
    app = build(settings, "enrich")
    agent.create(app, settings)
    async with running(app):

        async def all_read() -> bool:
            taken = len(await values(settings, "interactions")) + len(await values(settings, "dead-letters"))
            return taken >= 3

        await until(all_read, what="three records to be read")
        assert not app.crashed
    interactions, letters = await values(settings, "interactions"), await values(settings, "dead-letters")
    assert len(interactions) == 2
    told = BatchDecoder("dead_letter", registry).decode(letters, None).frame
    assert told.select("reason", "payload", "offset").rows() == [("transactional", aborted, 1)]
