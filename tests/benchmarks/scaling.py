"""Two stitch workers against one: the same interactions on one broker, whose partitions the workers share.

As in `stitch`, a worker first gets a few interactions; the clock and the CPU are those of the rest, from when every
partition has its worker until all is committed. What was published last under each key must be as the oracle says, both
times. With fewer cores than workers, broker and this process need, the clock tells how they share them, not how workers
scale: what tells is the CPU an event, all workers together, which another worker must not raise.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from pathlib import Path

import aiohttp

from streams.embedded.ports import HOST, free_ports
from streams.embedded.tansu import Tansu
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.benchmarks.pipeline import RIHLA
from tests.benchmarks.processes import cpu_seconds
from tests.benchmarks.report import Outcome, say, tabulate
from tests.benchmarks.stitch import (
    COMPARED,
    LOOK_EVERY,
    WARM_UP,
    Interactions,
    Running,
    Took,
    Worker,
    difference,
    enriched,
    expected,
    feed,
    published,
    until_committed,
)

WORKERS = (1, 2)
DEARER = 2.0
"""An event may cost the workers together so many times what it costs one alone; more is a failed run."""


def measure(events: int) -> Outcome:
    """Let one worker, then two, fold so many interactions."""
    interactions = enriched(events + WARM_UP)
    took, brokers = asyncio.run(_all(interactions))
    count = sum(len(keys) for keys, _ in interactions) - WARM_UP
    right = expected(interactions)
    problems = [
        f"scaling: {topic} of {number} workers differ: {why}"
        for number, one in took.items()
        for topic in COMPARED
        if (why := difference(topic, right[topic], one.tables[topic]))
    ]
    matches = not problems
    one, two = (took[number] for number in WORKERS)
    if two.cpu > DEARER * one.cpu:
        problems.append(f"scaling: an event costs two workers {two.cpu / one.cpu:.1f} times what it costs one")
    rows = [
        [
            f"{number} worker{'s' * (number > 1)}",
            count / found.wall,
            one.wall / found.wall,
            found.cpu / count * 1e6,
            brokers[number] / count * 1e6,
        ]
        for number, found in took.items()
    ]
    figures = {
        "scaling_events": count,
        "scaling_events_per_s": {str(number): round(count / found.wall) for number, found in took.items()},
        "scaling_cpu_us_per_event": {str(number): round(found.cpu / count * 1e6, 1) for number, found in took.items()},
        "scaling_broker_cpu_us_per_event": {
            str(number): round(seconds / count * 1e6, 1) for number, seconds in brokers.items()
        },
        "scaling_speedup_by_clock": round(one.wall / two.wall, 2),
        "scaling_cpu_growth": round(two.cpu / one.cpu, 2),
        "scaling_cores": os.cpu_count(),
        "scaling_results_match": matches,
    }
    head = ["stitch", "events a second", "x one", "us CPU an event", "the broker's"]
    return Outcome(tabulate(head, rows), figures, problems)


async def _all(interactions: Interactions) -> tuple[dict[int, Took], dict[int, float]]:
    """What each number of workers took, and the broker's CPU seconds meanwhile."""
    took: dict[int, Took] = {}
    brokers: dict[int, float] = {}
    with tempfile.TemporaryDirectory(prefix="rihla-benchmark-") as name:
        folder = Path(name)
        (folder / "rules.toml").write_text("")
        broker = Tansu(folder / "broker.log")
        await broker.start()
        pid = broker.pid
        assert pid is not None
        try:
            for number in WORKERS:
                settings = Settings(
                    brokers=broker.address,
                    embedded=True,
                    prefix=f"scaling-{number}",
                    alert_rules=str(folder / "rules.toml"),
                )
                took[number], brokers[number] = await _took(settings, number, interactions, folder, pid)
        finally:
            await broker.stop()
    return took, brokers


async def _took(
    settings: Settings, number: int, interactions: Interactions, folder: Path, broker: int
) -> tuple[Took, float]:
    await ensure_topics(settings)
    keys = [key for some, _ in interactions for key in some]
    values = [value for _, some in interactions for value in some]
    ports = free_ports(number)
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(Running(settings, Worker(f"stitch worker {port}", _command(port)), folder, number=port))
            for port in ports
        ]

        def going_on() -> None:
            for worker in workers:
                worker.going_on()

        while not await _shared_out(settings, ports):
            going_on()
            await asyncio.sleep(LOOK_EVERY)
        await feed(settings, keys[:WARM_UP], values[:WARM_UP])
        await until_committed(settings, WARM_UP, going_on)
        say(f"scaling: {number} of stitch: {len(keys) - WARM_UP:,} interactions")
        with contextlib.ExitStack() as paused:
            for worker in workers:
                paused.enter_context(worker.paused())
            await feed(settings, keys[WARM_UP:], values[WARM_UP:])
            wall, cpu, brokers = time.monotonic(), sum(worker.cpu for worker in workers), cpu_seconds(broker)
        await until_committed(settings, len(keys), going_on)
        wall, cpu = time.monotonic() - wall, sum(worker.cpu for worker in workers) - cpu
        brokers = cpu_seconds(broker) - brokers
    return Took(len(keys) - WARM_UP, wall, cpu, 0, await published(settings)), brokers


def _command(port: int) -> tuple[str, ...]:
    return (*RIHLA, "worker", "stitch", "--metrics-port", str(port))


async def _shared_out(settings: Settings, ports: list[int]) -> bool:
    """Whether each worker has partitions of the interactions, and all of them together each partition once."""
    held: list[int] = []
    async with aiohttp.ClientSession() as http:
        for port in ports:
            try:
                async with http.get(f"http://{HOST}:{port}/progress") as response:
                    inputs = (await response.json())["inputs"]
            except (aiohttp.ClientError, OSError):
                return False  # it has not come so far
            own = [int(partition) for partition in inputs.get(settings.topic("interactions"), {})]
            if not own:
                return False
            held += own
    return sorted(held) == list(range(settings.partitions))
