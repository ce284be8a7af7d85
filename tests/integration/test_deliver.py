"""The deliver worker on the embedded broker: alerts to a receiver that fails, a dead target beside it, killed in
mid-flight."""

from __future__ import annotations

import asyncio
import base64
import collections
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.clock import now_ms
from streams.embedded.tether import tethered
from streams.kafka.batch_producer import BatchProducer
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.support.brokers import Broker, until
from tests.support.deliveries import ALERT
from tests.support.receiver import Receiver, receiving
from tests.support.waiting import PATIENCE
from tests.support.workers import producing

KEY = base64.b64encode(b"k" * 32).decode()


@contextlib.contextmanager
def deliver(settings: Settings, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A deliver worker as a process of its own; killed at the end if it still runs."""
    environment = {
        **os.environ,
        "RIHLA_PREFIX": settings.prefix,
        "RIHLA_EMBEDDED": str(settings.embedded).lower(),
        "RIHLA_SOLE": "true",
        "RIHLA_PARTITIONS": str(settings.partitions),
        "RIHLA_SESSION_TIMEOUT": str(settings.session_timeout),
        "RIHLA_ROUTES": str(folder / "routes.toml"),
    }
    command = [sys.executable, "-m", "streams.cli", "worker", "deliver", "--brokers", settings.brokers]
    with (folder / "deliver.log").open("ab") as output:
        process = subprocess.Popen(
            tethered([*command, "--metrics-port", "0"]), env=environment, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


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
async def deliveries(settings: Settings) -> AsyncIterator[dict[tuple[str, str, int], dict[str, Any]]]:
    """What cx.deliveries says, brought up to date in the background: (target, thing_id, thing_version) -> latest."""
    found: dict[tuple[str, str, int], dict[str, Any]] = {}
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.brokers, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    decoder = BatchDecoder("delivery", LocalRegistry())

    async def follow() -> None:
        while True:
            for records in (await consumer.getmany(timeout_ms=50)).values():
                for row in decoder.decode([record.value for record in records]).frame.to_dicts():
                    key = row["target"], row["thing_id"], row["thing_version"]
                    if key not in found or row["version"] >= found[key]["version"]:
                        found[key] = row

    consumer.assign([TopicPartition(settings.topic("deliveries"), one) for one in range(settings.partitions)])
    await consumer.seek_to_beginning()
    following = asyncio.ensure_future(follow())
    try:
        yield found
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await consumer.stop()


def in_order(receiver: Receiver) -> dict[str, list[int]]:
    """The versions of each alert that the receiver took, in the order of their first arrival."""
    versions: dict[str, list[int]] = collections.defaultdict(list)
    for request in receiver.taken:
        data = request.body["data"]
        if data["version"] not in versions[data["id"]]:
            versions[data["id"]].append(data["version"])
    return versions


def test_a_receiver_that_fails_twice_and_a_dead_one_beside_it(
    embedded_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = embedded_broker.settings(topic_prefix, partitions=2, session_timeout=6.0)

    async def trial() -> None:
        await ensure_topics(settings)
        failing = {0: (500, {}), 1: (429, {"Retry-After": "1"})}
        async with (
            receiving(lambda number: failing.get(number, (200, {}))) as receiver,
            producing(settings) as producer,
        ):
            write_routes(tmp_path, receiver.url, 'retry = { first = "1s", longest = "1s", give_up_after = "2s" }')
            async with deliveries(settings) as told:
                await publish(producer, settings, "alerts", "alert", ["a1"] * 3, [alert(1, n) for n in (1, 2, 3)])
                with deliver(settings, tmp_path):
                    await until(lambda: len(receiver.taken) >= 3, PATIENCE, "the receiver")
                    assert in_order(receiver) == {"a1": [1, 2, 3]}
                    assert {request.key for request in receiver.requests[:3]} == {"alert.a1.1"}
                    assert receiver.requests[2].at - receiver.requests[1].at >= 900, "the pause that it asked for"
                    assert [request.body["type"] for request in receiver.taken][-1] == "alert.closed"
                    await until(
                        lambda: {told.get(("living", "a1", n), {}).get("status") for n in (1, 2, 3)} == {"delivered"},
                        PATIENCE,
                        "the deliveries",
                    )
                    await until(
                        lambda: told.get(("dead", "a1", 1), {}).get("status") == "dead", PATIENCE, "the dead delivery"
                    )
                    assert told["dead", "a1", 1]["error"]
                    # An alert that comes meanwhile does not wait for the dead target.
                    await publish(producer, settings, "alerts", "alert", ["a2"], [alert(2, 1)])
                    await until(lambda: "a2" in in_order(receiver), PATIENCE, "the second alert")
                with deliver(settings, tmp_path) as again:  # what was told is not told again
                    await publish(producer, settings, "alerts", "alert", ["a1", "a3"], [alert(1, 3), alert(3, 1)])
                    await until(lambda: "a3" in in_order(receiver), PATIENCE, "the third alert")
                    assert sum(request.key == "alert.a1.3" for request in receiver.taken) == 1
                    again.send_signal(signal.SIGTERM)
                    assert again.wait(PATIENCE) == 0

    asyncio.run(trial())


async def test_forty_three_pilgrims_of_one_bus_are_one_message(
    memory_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = memory_broker.settings(topic_prefix, partitions=2, session_timeout=6.0)
    await ensure_topics(settings)
    async with receiving() as receiver, producing(settings) as producer:
        write_routes(tmp_path, receiver.url)
        with (tmp_path / "routes.toml").open("a") as file:
            file.write('[[storms]]\nhold = "2s"\nevery = "1s"\n')
        bus = [
            {**ALERT, "alert_id": f"{number:032x}", "customer_id": f"P{number}", "unit": "BUS-7"}
            for number in range(43)
        ]
        keys = [row["alert_id"] for row in bus]
        with deliver(settings, tmp_path):
            few = [{**row, "alert_id": f"{number + 100:032x}", "unit": "BUS-8"} for number, row in enumerate(bus[:2])]
            await publish(
                producer, settings, "alerts", "alert", keys[:23] + [row["alert_id"] for row in few], bus[:23] + few
            )
            await until(lambda: len(receiver.taken) >= 1, PATIENCE, "something to be told")
        with deliver(settings, tmp_path):  # killed in between
            await publish(producer, settings, "alerts", "alert", keys[23:], bus[23:])

            def all_are_members() -> bool:
                return any(request.body["data"].get("customers") == 43 for request in receiver.taken)

            await until(all_are_members, PATIENCE, "the incident to have all members")
            closed = [{**row, "version": 2, "closed_at": now_ms()} for row in bus]
            await publish(producer, settings, "alerts", "alert", keys, closed)

            def is_over() -> bool:
                return receiver.taken[-1].body["type"] == "incident.closed"

            await until(is_over, PATIENCE, "the incident to be over")
            await until(lambda: len(alone(receiver)) == 2, PATIENCE, "the two of the other bus")
        incidents = [request for request in receiver.taken if request.body["data"]["kind"] == "incident"]
        assert len({request.body["data"]["id"] for request in incidents}) == 1
        assert len({request.key for request in incidents}) <= 5, "no message each"
        assert {data["unit"] for data in alone(receiver)} == {"BUS-8"}
        assert "P1" not in str(incidents[0].body)


def alone(receiver: Receiver) -> list[dict[str, Any]]:
    """The alerts that were told by themselves."""
    return [request.body["data"] for request in receiver.taken if request.body["data"]["kind"] == "alert"]


@pytest.mark.slow
def test_killed_in_mid_flight_nothing_is_missed_and_the_order_holds(
    embedded_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    from tests.faults.deliver_trial import trial

    result = asyncio.run(trial(embedded_broker.settings(topic_prefix, partitions=2, session_timeout=6.0), tmp_path, 1))
    assert result.good, result.line()
