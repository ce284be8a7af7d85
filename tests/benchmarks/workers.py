"""The four workers one after the other, each alone with the broker, as the peers of `stitch` have it.

In `pipeline` four workers, broker, engine and feeding share the cores, and what they take of each other's caches is in
each one's CPU. Here every worker finds its whole input waiting, as the peers do: enrich first, then identity, stitch
and sink, each in a process of its own that ends before the next one starts. A run over few events tells what starting
costs: the difference of the two runs over the difference of their events is what one more event costs. Afterwards
`rihla verify` must find no difference.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from streams.embedded.pipeline import Pipeline
from streams.embedded.plan import Plan
from streams.embedded.ports import HOST, free_ports
from streams.registries import registry_of
from streams.sources.adapters import open_source
from streams.sources.feeder import Feeder
from streams.topology import WORKERS_BY_NAME
from tests.benchmarks import sample
from tests.benchmarks.pipeline import FEW, RIHLA, matches, verified
from tests.benchmarks.report import Outcome, say, tabulate
from tests.benchmarks.stitch import LOOK_EVERY, Running, Worker

ROUNDS = 2
"""Each run so many times, of each worker the least counts: a machine that others use is now faster and now slower."""

Offsets = dict[str, dict[int, int]]
"""topic: {partition: next offset}."""


@dataclass(frozen=True)
class Took:
    """What a worker took for its input, from its start until all of it is acked: seconds of CPU, and by the clock."""

    cpu: float
    wall: float

    def least(self, other: Took) -> Took:
        """The lesser of each figure."""
        return Took(min(self.cpu, other.cpu), min(self.wall, other.wall))


def measure(events: int) -> Outcome:
    """Let every worker in its turn handle so many events."""
    numbers = (min(FEW, max(1, events // 2)), events)
    least: dict[tuple[int, str], Took] = {}
    match = True
    for turn in range(ROUNDS):
        say(f"workers: round {turn + 1} of {ROUNDS}")
        for number in numbers:
            found, matched = asyncio.run(_run(number))
            match &= matched
            for kind, took in found.items():
                least[number, kind] = took.least(least.get((number, kind), took))
    few, many = numbers
    more = (many - few) / 1e6
    costs = {kind: (least[many, kind].cpu - least[few, kind].cpu) / more for kind in WORKERS_BY_NAME}
    clocks = {kind: (least[many, kind].wall - least[few, kind].wall) / more for kind in WORKERS_BY_NAME}
    table = [[kind, cost, clocks[kind], 1e6 / clocks[kind]] for kind, cost in costs.items()]
    table.append(["all four", sum(costs.values()), sum(clocks.values()), 1e6 / sum(clocks.values())])
    figures: dict[str, Any] = {
        "alone_events": events,
        "alone_cpu_us_per_event_by_worker": {kind: round(cost, 1) for kind, cost in costs.items()},
        "alone_cpu_us_per_event": round(sum(costs.values()), 1),
        "alone_results_match": match,
    }
    text = tabulate(["worker, alone", "us CPU an event", "us by the clock", "events a second"], table)
    return Outcome(text, figures, [] if match else ["workers: the tables are not as verified"])


async def _run(events: int) -> tuple[dict[str, Took], bool]:
    """What each worker took, and whether verify found every different event and no difference."""
    with tempfile.TemporaryDirectory(prefix="rihla-benchmark-") as name:
        folder = Path(name)
        different = sample.write(events, folder / "events.jsonl")
        async with Pipeline(Plan(folder / "data", kinds=()), "bench", lambda _: None) as pipeline:
            feeder = Feeder(pipeline.producer, pipeline.settings, registry_of(pipeline.settings))
            await feeder.feed(open_source(str(folder / "events.jsonl"), None))
            written, took = feeder.acknowledged, {}
            for kind in WORKERS_BY_NAME:
                say(f"workers: {kind}: {events:,} events")
                took[kind] = await _took(pipeline, kind, written, folder)
            return took, matches(await verified(pipeline), different)


async def _took(pipeline: Pipeline, kind: str, written: Offsets, folder: Path) -> Took:
    """Let a worker handle what is written, and add to that what it writes."""
    (port,) = free_ports(1)
    worker = Worker(f"rihla worker {kind}", (*RIHLA, "worker", kind, "--metrics-port", str(port)))
    began = time.monotonic()
    with Running(pipeline.settings, worker, folder, number=port) as running:
        async with aiohttp.ClientSession() as http:
            while True:
                running.going_on()
                pipeline.check()
                found = await _progress(http, port)
                took = Took(running.cpu, time.monotonic() - began)
                for topic, ends in found.get("outputs", {}).items():
                    written.setdefault(topic, {}).update({int(partition): end for partition, end in ends.items()})
                if found and _done(pipeline, kind, found["inputs"], written):
                    return took
                await asyncio.sleep(LOOK_EVERY)


async def _progress(http: aiohttp.ClientSession, port: int) -> dict[str, Any]:
    """What a worker says of itself; nothing while it does not yet answer."""
    try:
        async with http.get(f"http://{HOST}:{port}/progress") as response:
            return dict(await response.json())
    except (aiohttp.ClientError, OSError):
        return {}


def _done(pipeline: Pipeline, kind: str, inputs: dict[str, dict[str, int]], written: Offsets) -> bool:
    """Whether a worker has acked all that is written to its topics."""
    topics = [pipeline.settings.topic(name) for name in WORKERS_BY_NAME[kind].reads]
    return all(
        inputs.get(topic, {}).get(str(partition), 0) >= end
        for topic in topics
        for partition, end in written.get(topic, {}).items()
    )
