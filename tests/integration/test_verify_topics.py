"""rihla verify on the topics themselves: complete, or told that they are not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from schemas.encode import BatchEncoder
from streams.errors import RihlaError
from streams.kafka.batch_producer import BatchProducer
from streams.kafka.topics import ensure_topics
from streams.model.subjects import keys_of, subjects_and_links
from streams.registries import registry_of
from streams.settings import Settings
from streams.sources.feeder import producing
from streams.verify.topics import Log, read
from streams.verify.verify import CONTENT, LINKS, verify
from tests.integration.test_verify_store import EVENTS, changed, copied, fill
from tests.support.brokers import Broker
from tests.support.clickhouse import ClickHouse
from tests.support.plain_workers import log_of

LOG = log_of(EVENTS)
LINKS_OF_LOG = subjects_and_links(LOG)[1]


@pytest.fixture
def topics(broker: Broker, topic_prefix: str) -> Settings:
    """Settings whose topics exist and are empty."""
    settings = broker.settings(topic_prefix, partitions=2)
    asyncio.run(ensure_topics(settings))
    return settings


async def send(settings: Settings, topic: str, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
    async with producing(settings) as producer:
        output = BatchProducer(producer, settings.topic(topic))
        await output.send(keys, values)
        await output.flush()


def publish(settings: Settings, log: pl.DataFrame = LOG, links: pl.DataFrame = LINKS_OF_LOG) -> None:
    """Write interactions and links as enrich does."""
    for topic, record, frame in (("interactions", "interaction", log), ("links", "link", links)):
        values = BatchEncoder(record, registry_of(settings), "single-object").encode(frame)
        asyncio.run(send(settings, topic, keys_of(frame["subject"]), values))


def reader(settings: Settings) -> Callable[[], Log]:
    return lambda: asyncio.run(read(settings))


@pytest.fixture
def stored(clickhouse: ClickHouse) -> ClickHouse:
    """A database that holds what the workers make of LOG."""
    fill(clickhouse.migrated(), LOG)
    return clickhouse


def found(report: Any) -> list[tuple[Any, ...]]:
    return sorted(report.differences.rows(), key=str)


def test_everything_is_read_however_it_was_batched(topics: Settings) -> None:
    publish(topics, LOG[:2], LINKS_OF_LOG[:1])
    publish(topics, LOG[2:], LINKS_OF_LOG[1:])
    log = reader(topics)()
    assert log.unreadable.height == 0
    columns = [name for name in log.interactions.columns if name in LOG.columns]
    assert log.interactions.sort("event_id").equals(LOG.select(columns).sort("event_id"))
    assert log.links.sort("subject", "identifier").equals(LINKS_OF_LOG.sort("subject", "identifier"))


def test_empty_topics_are_an_empty_log(topics: Settings) -> None:
    log = reader(topics)()
    assert (log.interactions.height, log.links.height, log.unreadable.height) == (0, 0, 0)


def test_what_is_wrong_is_told_by_where_it_is(topics: Settings, stored: ClickHouse) -> None:
    publish(topics)
    publish(topics)  # duplicates are no differences
    report = verify(stored.client, reader(topics))
    assert found(report) == []
    assert (report.source, report.events) == ("topics", 6)
    assert report.rows[CONTENT] == 6
    assert report.rows[LINKS] == LINKS_OF_LOG.height

    stored.client.command(copied("subject = 'customer:2'", touchpoint="'stay.arrived'", epoch="1"))
    stored.client.command(changed("journeys", "journey_id = '1/R1'", status="'cancelled'"))
    asyncio.run(send(topics, "interactions", [b"key"], [b"no record"]))
    early = pl.DataFrame([("customer:1", "email_sha256:e", 1)], schema=LINKS_OF_LOG.schema, orient="row")
    publish(topics, LOG.clear(), early)
    differences = found(verify(stored.client, reader(topics)))
    unreadable = [row for row in differences if row[0].endswith(".interactions (topic)")]
    assert [row[2:4] for row in unreadable] == [("(row)", "a record interaction")]
    assert [row for row in differences if row not in unreadable] == [
        (
            CONTENT,
            "customer:2 00000005-0000-4000-8000-000000000023",
            "touchpoint",
            "booking.page_viewed",
            "stay.arrived",
        ),
        ("journeys", "1/R1", "status", "completed", "cancelled"),
        (LINKS, "customer:1 email_sha256:e", "occurred_at", "2023-11-24T22:13:20.000Z", "1970-01-01T00:00:00.001Z"),
    ]


def test_an_event_that_was_never_stored_is_told(topics: Settings, stored: ClickHouse) -> None:
    publish(topics)
    for table in ("interactions_store", "interactions_by_time_store", "interactions_resolved_store"):
        stored.client.command(f"DELETE FROM {table} WHERE subject = 'device:d'")
    event = "device:d 00000006-0000-4000-8000-00000000002a"
    assert found(verify(stored.client, reader(topics))) == [
        (CONTENT, event, "(row)", "a row", None),
        ("interactions", event, "(row)", "a row", None),
    ]


def test_a_topic_that_is_not_there_is_told(broker: Broker, topic_prefix: str) -> None:
    with pytest.raises(RihlaError, match=f"no topic {topic_prefix}.interactions"):
        reader(broker.settings(topic_prefix))()


@pytest.mark.kafka
def test_a_log_that_has_been_trimmed_is_not_taken_for_the_whole(kafka_broker: Broker, topic_prefix: str) -> None:
    settings = kafka_broker.settings(topic_prefix, partitions=1)
    asyncio.run(ensure_topics(settings))
    publish(settings)

    async def trim() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.broker_list)
        await admin.start()
        partition = TopicPartition(settings.topic("interactions"), 0)
        await admin.delete_records({partition: RecordsToDelete(2)})
        await admin.close()

    asyncio.run(trim())
    with pytest.raises(RihlaError, match="not the whole log: partition 0 begins at offset 2"):
        reader(settings)()
