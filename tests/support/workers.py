"""Workers inside the test's own process: a Faust app with batches, started and stopped by the test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.kafka.app import App, build
from streams.kafka.batch_producer import BatchProducer
from streams.kafka.progress import RecordBatch
from streams.model.subjects import keys_of, subjects
from streams.settings import Settings
from streams.sources.jsonl import parse
from streams.topology import channel_topic
from streams.worker import batching
from tests.support.waiting import until

Handle = Callable[[RecordBatch], Awaitable[None]]


def worker(settings: Settings, topics: Sequence[str], handle: Handle, name: str = "w") -> App:
    """An app whose one agent handles the batches of some topics (full names)."""
    app = build(settings, name)

    @app.agent(app.topic(*topics))
    async def agent(stream: Any) -> None:
        await batching.consume(stream, handle)

    return app


@contextlib.asynccontextmanager
async def running(app: App) -> AsyncIterator[App]:
    """The app, started; stopped at the end, as after SIGTERM."""
    app.in_worker = True
    app.finalize()
    try:
        await app.start()
        yield app
    finally:
        await app.stop()


@contextlib.asynccontextmanager
async def producing(settings: Settings, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.broker_list, acks="all", max_batch_size=1 << 18, **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send_lines(settings: Settings, lines: list[bytes]) -> None:
    """Events of JSON Lines straight to their topics, as a producer does that keeps no rules."""
    async with producing(settings) as producer:
        for batch in parse([(0, lines)], "lines"):
            values = BatchEncoder(batch.channel, LocalRegistry()).encode(batch.frame)
            for key, value in zip(keys_of(subjects(batch.frame)), values, strict=True):
                await producer.send_and_wait(settings.topic(channel_topic(batch.channel)), value, key=key)


@contextlib.asynccontextmanager
async def administering(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.broker_list)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def create_topic(settings: Settings, name: str, partitions: int = 2, config: dict[str, str] | None = None) -> str:
    """Create a topic; its full name."""
    topic = settings.topic(name)
    async with administering(settings) as admin:
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config or {})])

        async def there() -> bool:
            return not any(found["error_code"] for found in await admin.describe_topics([topic]))

        await until(there, what=f"{topic} to be there")
    return topic


async def produce(settings: Settings, topic: str, count: int, first: int = 0) -> dict[int, int]:
    """Send `count` records, their values numbered from `first`; partition -> offset after the last of them."""
    async with producing(settings) as producer:
        output = BatchProducer(producer, topic)
        numbers = range(first, first + count)
        await output.send([b"k%d" % (n % 997) for n in numbers], [b"%d" % n for n in numbers])
        await output.flush()
        return dict(output.acknowledged)


async def committed(settings: Settings, group: str, topic: str, partitions: int = 2) -> dict[int, int]:
    """Partition -> offset that a group has committed."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.broker_list, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        offsets = {p: await consumer.committed(TopicPartition(topic, p)) for p in range(partitions)}
        return {partition: offset for partition, offset in offsets.items() if offset is not None}
    finally:
        await consumer.stop()
