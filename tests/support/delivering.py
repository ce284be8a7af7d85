"""A deliver worker as a process, its routes, alerts to deliver, and what it says it has delivered."""

from __future__ import annotations

import asyncio
import base64
import collections
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.clock import now_ms
from streams.embedded.tether import tethered
from streams.kafka.batch_producer import BatchProducer
from streams.settings import Settings
from tests.support.deliveries import ALERT
from tests.support.receiver import Receiver

KEY = base64.b64encode(b"k" * 32).decode()


@contextlib.contextmanager
def working(kind: str, settings: Settings, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker as a process of its own, the only one of its kind; killed at the end if it still runs."""
    environment = {
        **os.environ,
        "RIHLA_PREFIX": settings.prefix,
        "RIHLA_EMBEDDED": str(settings.embedded).lower(),
        "RIHLA_SOLE": "true",
        "RIHLA_PARTITIONS": str(settings.partitions),
        "RIHLA_SESSION_TIMEOUT": str(settings.session_timeout),
        "RIHLA_ROUTES": str(folder / "routes.toml"),
        "RIHLA_CLICKHOUSE": settings.clickhouse,
        "RIHLA_DATABASE": settings.database,
    }
    command = [sys.executable, "-m", "streams.cli", "worker", kind, "--brokers", settings.brokers]
    with (folder / f"{kind}.log").open("ab") as output:
        process = subprocess.Popen(
            tethered([*command, "--metrics-port", "0"]), env=environment, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def deliver(settings: Settings, folder: Path) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """A deliver worker: see `working`."""
    return working("deliver", settings, folder)


def write_routes(folder: Path, living: str, retry: str = "") -> None:
    """Routes to a living receiver and to a port at which nobody listens."""
    (folder / "keys").write_text(KEY)
    (folder / "routes.toml").write_text(
        f"""
[egress]
private = ["127.0.0.1"]

[targets.living]
type = "webhook"
url = "{living}"
insecure = true
keys_file = "keys"
together = 32
retry = {{ first = "1s", longest = "2s" }}

[targets.dead]
type = "webhook"
url = "http://127.0.0.1:9/"
insecure = true
keys_file = "keys"
{retry}

[[routes]]
to = ["living", "dead"]
"""
    )


def alert(number: int, version: int) -> dict[str, Any]:
    """A version of an alert; the third closes it."""
    return {**ALERT, "alert_id": f"a{number}", "version": version, "closed_at": now_ms() if version > 2 else None}


async def publish(producer: Any, settings: Settings, topic: str, record: str, keys: list[str], rows: list[Any]) -> None:
    output = BatchProducer(producer, settings.topic(topic))
    values = BatchEncoder(record, LocalRegistry()).encode([tuple(row.values()) for row in rows])
    await output.send([key.encode() for key in keys], values)
    await output.flush()


@contextlib.asynccontextmanager
async def following(
    settings: Settings, topic: str, record: str, take: Callable[[dict[str, Any]], None]
) -> AsyncIterator[None]:
    """Hands the records of a topic to `take`, all from its beginning, in the background."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.brokers, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    decoder = BatchDecoder(record, LocalRegistry())

    async def follow() -> None:
        while True:
            for records in (await consumer.getmany(timeout_ms=50)).values():
                for row in decoder.decode([record.value for record in records]).frame.to_dicts():
                    take(row)

    consumer.assign([TopicPartition(settings.topic(topic), one) for one in range(settings.partitions)])
    await consumer.seek_to_beginning()
    task = asyncio.ensure_future(follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await consumer.stop()


@contextlib.asynccontextmanager
async def deliveries(settings: Settings) -> AsyncIterator[dict[tuple[str, str, int], dict[str, Any]]]:
    """What cx.deliveries says, brought up to date in the background: (target, thing_id, thing_version) -> latest."""
    found: dict[tuple[str, str, int], dict[str, Any]] = {}

    def take(row: dict[str, Any]) -> None:
        key = row["target"], row["thing_id"], row["thing_version"]
        if key not in found or row["version"] >= found[key]["version"]:
            found[key] = row

    async with following(settings, "deliveries", "delivery", take):
        yield found


def in_order(receiver: Receiver) -> dict[str, list[int]]:
    """The versions of each alert that the receiver took, in the order of their first arrival."""
    versions: dict[str, list[int]] = collections.defaultdict(list)
    for request in receiver.taken:
        data = request.body["data"]
        if data["version"] not in versions[data["id"]]:
            versions[data["id"]].append(data["version"])
    return versions
