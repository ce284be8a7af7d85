"""Records stamped with the time of an event long past are not deleted early; what was deleted unread is told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.enrich import agent as enrich
from streams.identity import agent as identity
from streams.kafka.app import build
from streams.kafka.batch_producer import BatchProducer
from streams.kafka.progress import SINCE
from streams.kafka.topic_checks import faults
from streams.kafka.topics import ensure_topics
from streams.model.control import LINK
from streams.settings import Settings
from streams.sources.adapters import open_source
from streams.sources.simulate import Options, write
from tests.support.brokers import Broker, until
from tests.support.workers import administering, create_topic, producing, running

pytestmark = pytest.mark.kafka

DAYS_40 = 40 * 24 * 3600 * 1000
LOG_APPEND_TIME = 1


async def records(settings: Settings, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.broker_list)
    await consumer.start()
    try:
        tp = TopicPartition(settings.topic(topic), 0)
        end = (await consumer.end_offsets([tp]))[tp]
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        found: list[ConsumerRecord[bytes, bytes]] = []
        while await consumer.position(tp) < end:
            for some in (await consumer.getmany(timeout_ms=300)).values():
                found += some
        return found
    finally:
        await consumer.stop()


def bookings(folder: Path) -> list[bytes]:
    write(Options(customers=20, seed=3), folder / "events.jsonl")
    frame = next(batch.frame for batch in open_source(str(folder / "events.jsonl")) if batch.channel == "booking")
    return BatchEncoder("booking", LocalRegistry()).encode(frame)


async def test_what_enrich_writes_is_as_old_as_it_is_in_the_topic_whatever_the_source_stamps(
    kafka_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    """On topics of the broker's defaults, which others have made: there the producer's stamp counts."""
    settings = kafka_broker.settings(topic_prefix, partitions=1)
    values = bookings(tmp_path)
    began = time.time_ns() // 1_000_000

    await create_topic(settings, "interactions", 1)
    await create_topic(settings, "booking", 1, {"retention.ms": "-1"})
    await ensure_topics(settings)
    async with producing(settings) as producer:
        output = BatchProducer(producer, settings.topic("booking"))
        await output.send([None] * len(values), values, began - DAYS_40)
        await output.flush()
    app = build(settings, "enrich")
    enrich.create(app, settings)
    async with running(app):

        async def written() -> bool:
            return len(await records(settings, "interactions")) >= len(values)

        await until(written, what="interactions to be written")
    found = await records(settings, "interactions")
    assert all(record.timestamp >= began for record in found)
    assert dict(found[0].headers)[SINCE] == b"%d" % (began - DAYS_40)  # for the latency of the pipeline


async def test_the_broker_stamps_what_comes_to_topics_that_workers_make(
    kafka_broker: Broker, topic_prefix: str
) -> None:
    settings = kafka_broker.settings(topic_prefix, partitions=1)
    began = time.time_ns() // 1_000_000

    await ensure_topics(settings)
    async with producing(settings) as producer:
        for topic in ("booking", "interactions", "links", "journeys", "dead-letters"):
            for stamp in (began - DAYS_40, began + DAYS_40):
                await producer.send_and_wait(settings.topic(topic), b"x", key=b"k", partition=0, timestamp_ms=stamp)
            found = await records(settings, topic)
            assert [record.timestamp_type for record in found] == [LOG_APPEND_TIME] * 2
            assert all(began <= record.timestamp < began + DAYS_40 / 2 for record in found)


async def test_a_worker_whose_input_begins_late_leaves_a_letter_and_doctor_knows(
    kafka_broker: Broker, topic_prefix: str
) -> None:
    settings = kafka_broker.settings(topic_prefix, partitions=1)
    links = [(f"customer:C{n}", f"device:d{n}", 1000 + n, LINK) for n in range(10)]

    await ensure_topics(settings)
    async with producing(settings) as producer:
        output = BatchProducer(producer, settings.topic("links"))
        await output.send([row[0].encode() for row in links], BatchEncoder("link", LocalRegistry()).encode(links))
        await output.flush()
    topic = TopicPartition(settings.topic("links"), 0)
    async with administering(settings) as admin:
        await admin.delete_records({topic: RecordsToDelete(before_offset=6)})
        found = await faults(admin, settings, await admin.list_topics())
        assert [(fault.topic, fault.grave) for fault in found] == [(settings.topic("links"), True)]
        assert "begins 6 records late, and identity has no commit" in found[0].what
    app = build(settings, "identity")
    io = identity.create(app, settings)
    async with running(app):

        async def told() -> bool:
            await io.tell_missed()
            return bool(await records(settings, "dead-letters"))

        await until(told, what="a dead letter")
    (letter,) = await records(settings, "dead-letters")
    row = BatchDecoder("dead_letter", LocalRegistry()).decode([letter.value], None).frame.row(0, named=True)
    assert (row["topic"], row["offset"], row["reason"]) == (settings.topic("links"), 0, "expired")
    assert "offsets 0 to 5 were deleted, and identity has no commit" in row["detail"]


async def test_doctor_tells_topics_that_others_made_with_the_command_that_mends_them(
    kafka_broker: Broker, topic_prefix: str
) -> None:
    settings = kafka_broker.settings(topic_prefix)

    async with administering(settings) as admin:
        await admin.create_topics(
            [
                NewTopic(settings.topic("interactions"), 6, 1, topic_configs={"retention.ms": "3600000"}),
                NewTopic(settings.topic("parts"), 4, 1),
                NewTopic(settings.topic("journeys"), 4, 1),
            ]
        )
        await ensure_topics(settings)
        found = {fault.topic: fault for fault in await faults(admin, settings, await admin.list_topics())}
    assert found["topics"].remedy.endswith("rihla repartition --to 6")
    assert "retention.ms is 3600000" in found[settings.topic("interactions")].what
    assert found[settings.topic("journeys")].remedy.endswith(
        "--add-config cleanup.policy=compact,message.timestamp.type=LogAppendTime"
    )
    assert found[settings.topic("parts")].grave
