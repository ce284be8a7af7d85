"""After a recovery of many states messages are handled at once, and what is due is raised once, if later."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiokafka
import pytest

from streams.alerts.match import Matcher
from streams.alerts.rules import load
from streams.kafka.app import build
from streams.kafka.changelog_table import BatchTable
from streams.kafka.partitioner import partitions_of
from streams.kafka.topics import ensure_changelogs, ensure_topics
from streams.settings import Settings
from streams.stitch.agent import create
from streams.worker.io import now_ms
from tests.integration.test_alerts import reading
from tests.integration.test_timers import RULES, complaint, raised, send
from tests.support.alert_worlds import HOUR, NOW, World, event
from tests.support.brokers import Broker, until
from tests.support.workers import producing, running

STATES = 300_000
DUE = 400
PARTITIONS = 2
KNOWN = "timers of %d states are known, after %.1f s"


def states(rules: Path) -> dict[bytes, bytes]:
    """Of DUE customers whose complaints should have been answered, among STATES of whom nothing is due."""
    world = World(now_ms() - HOUR // 2)
    world.rules = load(str(rules))
    world.matcher = Matcher(world.rules)
    due = now_ms() - HOUR // 4
    world.take([{**complaint(n, due), "subject": f"customer:d{n}"} for n in range(DUE)])
    assert len(world.timers) == DUE
    found = dict(world.states)
    other = World(NOW)
    other.take([event(5000, 0, "booking.page_viewed", subject="customer:quiet")])
    (quiet,) = other.states.values()
    return found | {b"customer:q%d" % number: quiet for number in range(STATES - DUE)}


async def fill(settings: Settings, states: dict[bytes, bytes]) -> None:
    """Write states to the changelog of stitch, as a stitch worker does."""
    app = build(settings, "stitch")
    table = BatchTable(app, "state", PARTITIONS)

    @app.agent(app.topic(settings.topic("interactions")))
    async def agent(stream: Any) -> None:
        async for _ in stream:
            pass

    await ensure_changelogs(settings, {table.changelog_topic_name: PARTITIONS})
    async with running(app):
        await until(lambda: len(table.partitions_held) == PARTITIONS)
        places = partitions_of(list(states), PARTITIONS)
        for number, (partition, (key, state)) in enumerate(zip(places, states.items(), strict=True)):
            table.put(partition, key, state)
            if number % 20_000 == 0:
                await table.flush()
        await table.flush()


async def longest_pause(stop: asyncio.Event) -> float:
    """Seconds for which nothing else could run, at most, until `stop`."""
    longest, last = 0.0, time.perf_counter()
    while not stop.is_set():
        await asyncio.sleep(0.001)
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    return longest


async def test_messages_are_handled_at_once_and_what_is_due_is_raised_once(
    memory_broker: Broker, topic_prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    settings = memory_broker.settings(topic_prefix, partitions=PARTITIONS, alert_rules=str(rules))
    caplog.set_level(logging.INFO, "streams")

    await ensure_topics(settings)
    await fill(settings, states(rules))
    app = build(settings, "stitch")
    io = create(app, settings)
    (table,) = app.tables.values()
    handled: list[float] = []
    observe = io.observe
    io.observe = lambda *about: (handled.append(time.time()), observe(*about))[1]  # type: ignore[method-assign]
    async with producing(settings) as producer, reading(settings) as alerts:
        waiting = event(9000, now_ms() - NOW, "stay.checked_out", subject="customer:q1")
        await send(producer, settings, [waiting])
        async with running(app):
            await until(lambda: len(table.partitions_held) == PARTITIONS)
            recovered, stop = time.time(), asyncio.Event()
            pausing = asyncio.ensure_future(longest_pause(stop))
            known = await until(lambda: [one for one in caplog.records if one.msg == KNOWN], what="all timers")
            await until(lambda: handled, what="the record that was waiting")
            stop.set()
            count, seconds = known[0].args
            assert count == STATES
            began, pause, ended = handled[0] - recovered, await pausing, known[0].created - recovered
            print(f"handled after {began:.2f} s, timers after {ended:.1f} s, longest pause {pause * 1000:.0f} ms")
            assert began < max(1.0, ended), "messages wait until all timers are known"
            assert pause < seconds / 4
            due = {f"d{number}" for number in range(DUE)}

            async def all_raised() -> bool:
                return await raised(alerts) >= due

            await until(all_raised, what="the alerts that were due")
        seen = Counter(await everything(settings, "alerts"))
        assert seen == dict.fromkeys(seen, 1), "an alert was published twice"
        assert len(seen) == DUE


async def everything(settings: Settings, topic: str) -> list[bytes | None]:
    """The keys of all records of a topic."""
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=settings.broker_list, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.subscribe([settings.topic(topic)])
        found: list[bytes | None] = []
        while chunk := await consumer.getmany(timeout_ms=2000):
            found += [record.key for records in chunk.values() for record in records]
        return found
    finally:
        await consumer.stop()
