"""From produced to visible in cx.journeys, at 10, 25, 50 and 80 % of what the embedded pipeline can do on this machine.

The capacity is measured first: so many events at once, until all are in the tables. Then simulated events come at a
steady rate, and among them probes: bookings of a customer of their own. A probe's latency is from just before it is
handed to the producer to the answer of the query that first finds its journey, so it includes the wait for that look.
Events, broker, engine, workers and the one who looks share the machine. Afterwards `rihla verify` must find nothing.
Versions are compared at the same rates (`--rate`): who can do more is asked for more at half of it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import uvloop

from streams.embedded.pipeline import Pipeline
from streams.embedded.plan import Plan
from streams.registries import registry_of
from streams.sources import jsonl
from streams.sources.feeder import Feeder, Prepared
from tests.benchmarks import calibration, sample
from tests.benchmarks.pipeline import WITHIN, verified
from tests.benchmarks.places import places
from tests.benchmarks.processes import Tree, afresh
from tests.benchmarks.report import Outcome, say, tabulate
from tests.support.waiting import until

SHARES = (0.1, 0.25, 0.5, 0.8)
HALF = "50%"
SECONDS = 15.0
"""How long each load lasts."""
WARM_UP = 500
TICK = 0.05
"""Seconds between sends."""
PROBES_A_SECOND = 40.0
LEAST_RATE = round(PROBES_A_SECOND)
"""Events a second: the probes are among them."""
LOOK_EVERY = 0.1
"""Seconds between an answer and the next question for probes: seldom enough to leave the engine to the pipeline."""
PERCENTILES = (50.0, 99.0, 99.9)
LIMIT = 1.0
"""Seconds: p99 at half load."""
TOLERATED = 3.0
"""A machine with other work to do stretches latencies: the run fails at so many times the limit."""


@dataclass(frozen=True)
class Seen:
    """What was seen at one load."""

    rate: float
    """Events a second."""
    seconds: list[float]
    """Latencies of the probes."""
    cores: dict[str, float]
    """CPU seconds a second by role of the process, up to when the last probe was found."""

    def percentiles(self) -> list[float]:
        """Seconds, of PERCENTILES."""
        return [round(float(found), 3) for found in np.percentile(self.seconds, PERCENTILES)]


def measure(events: int, rates: Sequence[int] | None = None) -> Outcome:
    """Take so many events at once for the capacity, then the four loads; or loads of so many events a second.

    On a disk and in memory.
    """
    tables: list[str] = []
    figures: dict[str, Any] = {"latency_results_match": True}
    problems: list[str] = []
    for place, folder in places().items():
        say(f"latency: {place}, {folder}")
        # In a process of its own: there is one engine a process.
        capacity, found, matches = afresh(_measured_in, events, rates, folder)
        tables.append(f"{place}, capacity: {capacity:,.0f} events a second\n\n{_shown(found)}")
        if not matches:
            problems.append(f"latency: the tables are not as verified ({place})")
        named = [f"p{p:g}" for p in PERCENTILES]
        own: dict[str, Any] = {
            "capacity_events_per_s": round(capacity),
            "latency_s": {load: dict(zip(named, seen.percentiles(), strict=True)) for load, seen in found.items()},
            "latency_cores_busy": {load: round(sum(seen.cores.values()), 2) for load, seen in found.items()},
        }
        if rates is None:
            p99 = own["p99_latency_s_at_half_load"] = own["latency_s"][HALF]["p99"]
            problems += slow(p99, calibration.slower(time.perf_counter), place)
        figures |= own  # of the last place, memory where there is any
        figures |= {f"{name}_{place}": figure for name, figure in own.items() if isinstance(figure, (int, float))}
        figures["latency_results_match"] &= matches
    return Outcome("\n\n".join(tables), figures, problems)


def slow(p99: float, slower: float, place: str) -> list[str]:
    """A sentence if the latency at half load is more than it may be; slower: see calibration."""
    limit = LIMIT * max(1.0, slower)  # part of it is waiting: never shorter
    if p99 <= TOLERATED * limit:
        return []
    return [
        f"latency: p99 at half load is {p99:.1f} s ({place}), more than {TOLERATED:g} times its limit of {limit:.1f} s"
    ]


def _shown(found: dict[str, Seen]) -> str:
    """Tables of what was seen at each load."""
    head = ["load", "events a second", "probes", *(f"p{p:g} s" for p in PERCENTILES)]
    table = [[load, round(seen.rate), len(seen.seconds), *map(str, seen.percentiles())] for load, seen in found.items()]
    roles = sorted({role for seen in found.values() for role in seen.cores})
    busy = [
        [load, f"{sum(seen.cores.values()):.2f}", *(f"{seen.cores.get(role, 0.0):.2f}" for role in roles)]
        for load, seen in found.items()
    ]
    return "\n\n".join([tabulate(head, table), tabulate(["cores busy", "all", *roles], busy)])


def _measured_in(events: int, rates: Sequence[int] | None, place: Path) -> tuple[float, dict[str, Seen], bool]:
    """The capacity, what was seen at each load, and whether verify finds the tables as they should be."""
    capacity, found, different, report = uvloop.run(_all(events, rates, place))
    return capacity, found, bool(report["differences"] == 0 and report["interactions"] == different)


@dataclass(frozen=True)
class Portion:
    """Events that are sent together, encoded: who sends them is no part of the pipeline, and shares its two cores."""

    batches: list[Prepared]
    journeys: list[str]
    """Of the probes among them."""


class Load:
    """Feeds events, and remembers which there were."""

    def __init__(self, pipeline: Pipeline, total: int) -> None:
        self._feeder = Feeder(pipeline.producer, pipeline.settings, registry_of(pipeline.settings))
        self._background: Iterator[bytes] = sample.lines(total)
        self._different: set[str] = set()
        self._probes = 0

    @property
    def different(self) -> int:
        """How many different events were prepared."""
        return len(self._different)

    def prepare(self, background: int, probes: int = 0) -> Portion:
        """Make and encode so many events and probes: in the same process as the engine that would hold it up."""
        lines = list(islice(self._background, background))
        journeys = []
        for _ in range(probes):
            self._probes += 1
            customer, ref = f"PROBE-{self._probes}", f"REF-{self._probes}"
            journeys.append(f"{customer}/{ref}")
            lines.append(_probe(customer, ref))
        self._different |= {orjson.loads(line)["event_id"] for line in lines}
        return Portion(list(self._feeder.prepare(jsonl.parse(iter([(1, lines)]), "<load>"))), journeys)

    def prepare_steady(self, rate: float) -> list[Portion]:
        """What is due in each tick of SECONDS at so many events a second, PROBES_A_SECOND of them probes."""
        due = [round(tick * TICK * rate) for tick in range(round(SECONDS / TICK) + 1)]
        probing = [round(tick * TICK * PROBES_A_SECOND) for tick in range(len(due))]
        portions = [
            self.prepare(max(more - probes, 0), probes)
            for more, probes in zip(
                (after - before for before, after in pairwise(due)),
                (after - before for before, after in pairwise(probing)),
                strict=True,
            )
        ]
        gc.collect()
        gc.freeze()
        return portions

    async def feed(self, portion: Portion) -> None:
        """Send a portion; returns when the broker has it."""
        await asyncio.gather(*map(self._feeder.send, portion.batches))


def _probe(customer: str, ref: str) -> bytes:
    return orjson.dumps(
        {
            "channel": "booking",
            "event_id": str(uuid.uuid4()),
            "occurred_at": "2024-05-01T10:00:00Z",
            "ids": [{"kind": "customer", "value": customer}],
            "booking_ref": ref,
            "touchpoint": "booking.confirmed",
            "medium": "web",
        }
    )


async def _all(
    events: int, rates: Sequence[int] | None, place: Path
) -> tuple[float, dict[str, Seen], int, dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="rihla-benchmark-", dir=place) as folder:
        data = Path(folder) / "data"
        async with Pipeline(Plan(data), "bench", lambda _: None) as pipeline:
            steady = SECONDS * sum(rates or ())
            load = Load(pipeline, WARM_UP + round(steady) + events * 40)
            await load.feed(load.prepare(WARM_UP))
            await _until_stored(pipeline, load)
            portion = load.prepare(events)
            say(f"latency: {events:,} events at once")
            began = time.monotonic()
            await load.feed(portion)
            await _until_stored(pipeline, load)
            capacity = events / (time.monotonic() - began)
            loads = {f"{share:.0%}": share * capacity for share in SHARES}
            if rates is not None:
                loads = {f"{rate:,} a second": float(rate) for rate in rates}
            found = {}
            for name, rate in loads.items():
                portions = load.prepare_steady(rate)
                say(f"latency: {rate:,.0f} events a second for {SECONDS:.0f} s, capacity {capacity:,.0f}")
                found[name] = await _at(pipeline, load, portions, rate)
                await _until_stored(pipeline, load)
            return capacity, found, load.different, await verified(pipeline)


async def _until_stored(pipeline: Pipeline, load: Load) -> None:
    async def stored() -> bool:
        pipeline.check()
        found = await asyncio.to_thread(pipeline.client.query, "SELECT sum(interactions) FROM journeys")
        return bool(found.result_rows[0][0] == load.different)

    await until(stored, WITHIN, "all events in the journeys")


async def _at(pipeline: Pipeline, load: Load, portions: list[Portion], rate: float) -> Seen:
    """What is seen where a portion comes every TICK."""
    waiting: dict[str, float] = {}
    latencies: list[float] = []
    fed = asyncio.Event()

    async def look() -> None:
        while waiting or not fed.is_set():
            pipeline.check()
            names = list(islice(waiting, 500))
            if names:
                found = await asyncio.to_thread(
                    pipeline.client.query,
                    "SELECT journey_id FROM journeys WHERE journey_id IN {names:Array(String)}",
                    {"names": names},
                )
                now = time.monotonic()
                latencies.extend(now - waiting.pop(row[0]) for row in found.result_rows)
            await asyncio.sleep(LOOK_EVERY)

    tree = Tree(os.getpid())
    before = tree.look().cpu
    looking = asyncio.create_task(look())
    began = time.monotonic()
    for tick, portion in enumerate(portions):
        await asyncio.sleep(max(0.0, began + tick * TICK - time.monotonic()))
        now = time.monotonic()
        await load.feed(portion)
        waiting.update(dict.fromkeys(portion.journeys, now))
    fed.set()
    await looking
    took = time.monotonic() - began
    cores = {role: (seconds - before.get(role, 0.0)) / took for role, seconds in tree.look().cpu.items()}
    return Seen(rate, latencies, cores)
