"""A worker as a process: its signals, its exit codes, and what it says at its end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.embedded.ports import free_ports
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.topology import COMPACTED, TOPICS
from tests.faults.trial import BATCH, ROOT, Worker
from tests.support.brokers import Broker, until
from tests.support.waiting import HUNG
from tests.support.workers import administering, committed, create_topic, produce

FAILING = """
import sys
from streams import logs, settings
from streams.kafka import app
from streams.worker import batching
logs.configure_logging()
chosen = settings.Settings.from_env()
made = app.build(chosen, "w")
@made.agent(made.topic(chosen.topic("in")))
async def agent(stream):
    async def fail(batch):
        raise ArithmeticError("of no use")
    await batching.consume(stream, fail)
sys.exit(app.run_worker(made))
"""


def run(program: str, settings: Settings) -> subprocess.CompletedProcess[str]:
    """Run a Python program with the settings in its environment."""
    environment = {
        **os.environ,
        "RIHLA_BROKERS": settings.brokers,
        "RIHLA_PREFIX": settings.prefix,
        "RIHLA_EMBEDDED": str(settings.embedded),
    }
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=HUNG, check=False)


def test_a_worker_whose_handler_fails_says_so_and_ends_with_1(broker: Broker, topic_prefix: str) -> None:
    settings = broker.settings(topic_prefix)
    topic = asyncio.run(create_topic(settings, "in", 1))
    asyncio.run(produce(settings, topic, 10))
    ended = run(FAILING, settings)
    assert ended.returncode == 1
    assert "CRITICAL streams.kafka.app: worker stopped: ArithmeticError: of no use" in ended.stderr
    assert asyncio.run(committed(settings, f"{topic_prefix}-w", topic, 1)) == {}


def test_a_worker_without_a_broker_says_so_and_ends_with_1() -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    ended = run(FAILING, Settings(brokers=address))
    assert ended.returncode == 1
    assert f"CRITICAL streams.kafka.app: worker stopped: nothing listens at {address}" in ended.stderr


async def test_a_worker_told_to_stop_commits_what_it_has_done(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = broker.settings(topic_prefix, max_poll_records=BATCH)
    await ensure_topics(settings)
    topic = settings.topic("booking")
    await produce(settings, topic, 20_000)
    worker = Worker("A", tmp_path, settings)
    try:
        await until(lambda: worker.report().get("batches", 0) >= 3)
        final = await worker.stop()
    finally:
        worker.kill()
    assert worker.process.returncode == 0
    done = {int(partition): offset for partition, offset in final["positions"].items()}
    assert 0 < sum(done.values()) < 20_000
    found = await committed(settings, f"{topic_prefix}-count", topic, 4)
    assert found == {partition: offset for partition, offset in done.items() if offset}


async def test_a_worker_told_to_stop_while_it_joins_stops(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    settings = broker.settings(topic_prefix)
    await ensure_topics(settings)
    worker = Worker("A", tmp_path, settings)
    try:
        await until(worker.report)
        worker.hit(signal.SIGTERM)
        await until(lambda: worker.process.poll() is not None)
    finally:
        worker.kill()
    assert worker.process.returncode == 0, worker.log()


@pytest.mark.kafka
async def test_a_record_that_fits_into_its_topic_fits_as_a_dead_letter_and_as_an_interaction(
    kafka_broker: Broker, topic_prefix: str
) -> None:
    """By Kafka's own default a topic takes a megabyte, envelope and all: a poison record of nearly so much would stop
    the worker again and again."""

    settings = kafka_broker.settings(topic_prefix)
    await ensure_topics(settings)
    async with administering(settings) as admin:
        names = [settings.topic(name) for name in ("dead-letters", "interactions", "journeys")]
        asked = [ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": None}) for name in names]
        (answer,) = await admin.describe_configs(asked)
    limits = {resource[3]: resource[4][0][1] for resource in answer.resources}
    assert limits == dict.fromkeys(names, str(16 << 20))


async def test_every_topic_is_there_once_asked_for(broker: Broker, topic_prefix: str) -> None:
    settings = broker.settings(topic_prefix, partitions=3)
    first, second = await asyncio.gather(ensure_topics(settings), ensure_topics(settings))
    assert first == second == {settings.topic(topic.name): topic.partitions or 3 for topic in TOPICS}
    assert await ensure_topics(broker.settings(topic_prefix, partitions=5)) == first
    assert first[settings.topic("links")] == 1
    assert "identities" in COMPACTED
