"""A broker that goes away and comes back: workers wait, go on, and count every event once. Apache Kafka only."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from streams.embedded.kafka import Kafka
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.faults.trial import BATCH, SESSION, Worker
from tests.support.brokers import Broker, until
from tests.support.waiting import PATIENCE
from tests.support.workers import produce


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.parametrize("signum", [pytest.param(signal.SIGTERM, marks=pytest.mark.long), signal.SIGKILL])
async def test_a_worker_outlives_its_broker(kafka_broker: Broker, tmp_path: Path, signum: int) -> None:
    kafka = Kafka(tmp_path / "kafka")
    await kafka.start()
    settings = Settings(brokers=kafka.address, max_poll_records=BATCH, session_timeout=SESSION)
    worker = None
    try:
        await ensure_topics(settings)
        ends = await produce(settings, settings.topic("booking"), 20_000)
        worker = Worker("A", tmp_path, settings)
        await until(lambda: worker.report().get("batches", 0) >= 3, PATIENCE, "the worker to work")
        assert kafka._process is not None
        kafka._process.send_signal(signum)
        kafka._process.wait()
        await asyncio.sleep(2 * SESSION)
        kafka = Kafka(tmp_path / "kafka", port=kafka.port)
        await kafka.start()
        more = await produce(settings, settings.topic("booking"), 5_000)
        wanted = {str(partition): more.get(partition, end) for partition, end in ends.items()}
        await until(lambda: worker.report().get("positions") == wanted, PATIENCE, f"the worker to reach {wanted}")
        final = await worker.stop()
        counted = {partition: sum(counts.values()) for partition, counts in final["counts"].items()}
        assert counted == wanted
    finally:
        if worker is not None:
            worker.kill()
        await kafka.stop()
