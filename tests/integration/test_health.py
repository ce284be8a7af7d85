"""What a worker says of its health: reading, waiting, standing by."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from streams.kafka.progress import RecordBatch
from streams.worker.health import Health
from tests.support.brokers import Broker, until
from tests.support.workers import create_topic, produce, running, worker


async def test_a_worker_that_reads_makes_progress_and_one_too_many_stands_by(
    memory_broker: Broker, topic_prefix: str
) -> None:
    settings = memory_broker.settings(topic_prefix)
    topic = await create_topic(settings, "in", 1)

    async def nothing(batch: RecordBatch) -> None: ...

    apps = [worker(settings, [topic], nothing) for _ in range(2)]
    health = [Health(app) for app in apps]
    assert health[0].ready() == (False, "no partitions assigned yet")
    async with running(apps[0]), running(apps[1]):
        await until(lambda: all(one.ready()[0] for one in health), what="both workers to be ready")
        said = sorted(one.ready()[1] for one in health)
        assert said == [
            "partitions assigned, state recovered",
            "stands by: the group has no partition left for it",
        ]
        for app, one in zip(apps, health, strict=True):
            before = time.monotonic()
            await one.look()
            await until(lambda app=app, before=before: app.consumer.polled_at > before, what="a turn of the loop")
            assert one.last_progress() >= before


async def test_only_a_reading_loop_that_stands_still_without_a_reason_is_no_progress(
    memory_broker: Broker, topic_prefix: str
) -> None:
    settings = memory_broker.settings(topic_prefix, max_poll_records=10)
    topic = await create_topic(settings, "in", 1)
    go_on = asyncio.Event()

    async def busy(batch: RecordBatch) -> None:
        await go_on.wait()

    app = worker(settings, [topic], busy)
    health = Health(app)
    async with running(app):
        await until(lambda: health.ready()[0], what="the worker to be ready")
        await produce(settings, topic, 1000)
        outstanding = app.consumer.progress
        await until(lambda: sum(one.outstanding for one in outstanding.values()) >= 8, what="a full buffer")
        delivered = [one.delivered for one in outstanding.values()]
        assert delivered[0] < 1000, "a full buffer must hold the reading back"
        busy_since = time.monotonic()

        async def alive() -> bool:
            await health.look()
            return health.last_progress() >= busy_since

        await until(alive, what="a sign of life: a busy agent is no reason to be restarted")
        go_on.set()
        await until(lambda: [one.acked for one in outstanding.values()] == [1000], what="the rest")


async def test_a_loop_that_stands_still_or_a_thread_that_does_not_answer_is_no_progress() -> None:
    now = time.monotonic()
    app = SimpleNamespace(started=True, consumer=SimpleNamespace(polled_at=now - 500, ping=asyncio.Event().wait))
    health = Health(app)
    assert health.last_progress() == now - 500
    app.consumer.polled_at = None  # waits for a good reason: the thread's answer counts
    assert health.last_progress() >= now

    answered = health.last_progress()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(health.look(), 0.01)
    assert health.last_progress() == answered


@pytest.mark.kafka
@pytest.mark.parametrize("seconds", [6.0, 120.0, 1800.0])
async def test_a_worker_starts_with_every_session_timeout_that_the_brokers_take(
    kafka_broker: Broker, topic_prefix: str, seconds: float
) -> None:
    settings = kafka_broker.settings(topic_prefix, session_timeout=seconds)
    topic = await create_topic(settings, "in", 1)

    async def nothing(batch: RecordBatch) -> None: ...

    app = worker(settings, [topic], nothing)
    async with running(app):
        await until(lambda: Health(app).ready()[0], what="the worker to be ready")
