"""A worker and its schema registry, which lies, breaks, goes away and comes back, on real brokers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from schemas import records
from schemas.decode import BatchDecoder
from schemas.registry import LocalRegistry
from schemas.wire import prefix
from streams.embedded.tether import tethered
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.integration.test_codecs import Written, event, numbers
from tests.support.brokers import Broker, until
from tests.support.registries import serving
from tests.support.workers import committed, producing

STAY = {"schema": json.dumps(records.raw("stay"))}


def confluent(number: int, id_: int) -> bytes:
    """The event of that number, as written by who has its schema from a registry under that id."""
    return b"\0" + id_.to_bytes(4, "big") + event(number)[len(prefix(event(number))) :]


@contextmanager
def enrich(settings: Settings, registry: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`rihla worker enrich` as a process of its own; killed at the end if it still runs."""
    environment = {
        **os.environ,
        "RIHLA_PREFIX": settings.prefix,
        "RIHLA_PARTITIONS": str(settings.partitions),
        "RIHLA_EMBEDDED": str(settings.embedded).lower(),
        "RIHLA_SESSION_TIMEOUT": "6",
        "RIHLA_REGISTRY": registry,
    }
    command = [sys.executable, "-m", "streams.cli", "worker", "enrich", "--brokers", settings.brokers]
    with log.open("wb") as output:
        process = subprocess.Popen(
            tethered([*command, "--metrics-port", "0"]), env=environment, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


async def come(written: Written, wanted: set[int]) -> None:
    """Wait until there are interactions of these events, and no others."""

    async def all_there() -> bool:
        return numbers(await written.read()) >= wanted

    await until(all_there, what=f"interactions of {sorted(wanted)}")
    assert numbers(written.values) == wanted


async def letters_of(written: Written, count: int) -> list[dict[str, Any]]:
    """Wait for so many dead letters."""

    async def all_there() -> bool:
        return len(await written.read()) >= count

    await until(all_there, what=f"{count} dead letters")
    frame = BatchDecoder("dead_letter", LocalRegistry()).decode(written.values).frame
    return frame.select("offset", "reason", "detail").to_dicts()


async def send(producer: AIOKafkaProducer, settings: Settings, *values: bytes) -> None:
    """Send values to the stay topic, in order."""
    for value in values:
        await producer.send_and_wait(settings.topic("stay"), value, partition=0)


@pytest.mark.slow
async def test_what_a_registry_can_do_to_a_worker(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as several:
        settings = broker.settings(topic_prefix, partitions=1)
        await ensure_topics(settings)
        known = {7: STAY}
        log = tmp_path / "worker.log"
        with ExitStack() as stack:
            running = ExitStack()
            service = running.enter_context(serving(by_id=known))
            url, port = service.url, service.server_port
            worker = stack.enter_context(enrich(settings, url, log))
            producer = await several.enter_async_context(producing(settings))
            interactions = await several.enter_async_context(Written(settings, "interactions"))
            letters = await several.enter_async_context(Written(settings, "dead-letters"))

            # Garbage that looks like a header is refused, whatever the service says of it.
            await send(producer, settings, confluent(1, 7), b"\0\xff\xff\xff\xff\xff\xff")
            await come(interactions, {1})
            for at, status in enumerate((400, 404, 410, 422)):
                service.broken = (status, b"no")
                await send(producer, settings, confluent(0, 1000 + at))
                refused = await letters_of(letters, 2 + at)
                assert f"answered {status}" in refused[-1]["detail"]
            service.broken = None
            assert "4294967295 is beyond" in refused[0]["detail"]
            assert {one["reason"] for one in refused} == {"undecodable"}
            assert "/schemas/ids/4294967295" not in {path for _, path in service.requests}

            async def all_committed() -> bool:
                return await committed(settings, settings.group("enrich"), settings.topic("stay"), 1) == {0: 6}

            await until(all_committed, what="everything committed")

            # Without a registry, and after a restart, what was known is read; what was not waits, but for garbage.
            running.close()
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            worker = stack.enter_context(enrich(settings, url, log))
            await send(producer, settings, confluent(2, 7))
            await come(interactions, {1, 2})
            assert b"does not confirm them" in log.read_bytes()
            await send(producer, settings, confluent(0, 2_000_000_000), confluent(3, 8), confluent(4, 7))
            await until(lambda: b"records of schema id 8 wait" in log.read_bytes(), what="word of it")

            # So it does while the service is in trouble, and while it lets nobody in, which is said so.
            with serving(port, by_id=known) as service:
                service.broken = (500, b"in trouble")
                await until(lambda: b"answered 500" in log.read_bytes(), what="word of the trouble")
                service.broken = (401, b"who are you")
                await until(lambda: b"see the user and password in RIHLA_REGISTRY" in log.read_bytes(), what="a cure")
                assert numbers(await interactions.read()) == {1, 2}
                known[8] = STAY
                service.broken = None
                await come(interactions, {1, 2, 3, 4})
                assert len(await letters_of(letters, 6)) == 6

            # Asked to stop while records wait, it stops, and they are read by the next.
            await send(producer, settings, confluent(5, 9))
            await until(lambda: b"records of schema id 9 wait" in log.read_bytes(), what="records that wait")
            worker.terminate()
            assert await asyncio.to_thread(worker.wait) == 0
            known[9] = STAY
            with serving(port, by_id=known), enrich(settings, url, log):
                await come(interactions, {1, 2, 3, 4, 5})


async def test_a_schema_that_the_registry_has_a_moment_later(broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    """A registry's follower may lag behind the producer, which has registered before it wrote."""

    settings = broker.settings(topic_prefix, partitions=1)
    await ensure_topics(settings)
    known: dict[int, Any] = {}
    async with producing(settings) as producer, Written(settings, "interactions") as interactions:
        with serving(by_id=known) as service, enrich(settings, service.url, tmp_path / "worker.log"):
            await send(producer, settings, confluent(1, 7))
            await until(lambda: service.requests, what="the first answer")
            known[7] = STAY
            await come(interactions, {1})
