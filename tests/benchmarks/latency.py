"""From produced to visible in cx.journeys, at 10, 25, 50 and 80 % of what the embedded pipeline can do on this machine.

The capacity is measured first: so many events at once, until all are in the tables. Then simulated events come at a
steady rate, and among them probes: bookings of a customer of their own. A probe's latency is from just before it is
handed to the producer to the answer of the query that first finds its journey, so it includes the wait for that look.
Events, broker, engine, workers and the one who looks share the machine. Afterwards `rihla verify` must find nothing.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import uvloop

from streams.embedded.pipeline import Pipeline, Plan
from streams.feed import Feeder, Prepared, registry_of
from streams.sources import jsonl
from tests.benchmarks import sample
from tests.benchmarks.pipeline import WITHIN, verified
from tests.benchmarks.report import Outcome, say, tabulate
from tests.waiting import until

SHARES = (0.1, 0.25, 0.5, 0.8)
HALF = 0.5
SECONDS = 15.0
"""How long each load lasts."""
WARM_UP = 500
TICK = 0.05
"""Seconds between sends."""
PROBES_A_SECOND = 40.0
LOOK_EVERY = 0.1
"""Seconds between an answer and the next question for probes: seldom enough to leave the engine to the pipeline."""
PERCENTILES = (50.0, 99.0, 99.9)
LIMIT = 1.0
"""Seconds: p99 at half load."""
TOLERATED = 3.0
"""A machine with other work to do stretches latencies: the run fails at so many times the limit."""


def measure(events: int) -> Outcome:
    """Take so many events at once for the capacity, then the three loads."""
    capacity, found, different, report = uvloop.run(_all(events))
    table = [
        [
            f"{share:.0%}",
            round(share * capacity),
            len(seconds),
            *np.percentile(seconds, PERCENTILES).round(3).astype(str),
        ]
        for share, seconds in found.items()
    ]
    p99 = float(np.percentile(found[HALF], 99))
    matches = report["differences"] == 0 and report["interactions"] == different
    figures: dict[str, Any] = {
        "capacity_events_per_s": round(capacity),
        "p99_latency_s_at_half_load": round(p99, 3),
        "latency_s": {
            f"{share:.0%}": {f"p{p:g}": round(float(np.percentile(seconds, p)), 3) for p in PERCENTILES}
            for share, seconds in found.items()
        },
        "latency_results_match": matches,
    }
    problems = [] if matches else ["latency: the tables are not as verified"]
    if p99 > TOLERATED * LIMIT:
        problems.append(
            f"latency: p99 at half load is {p99:.1f} s, more than {TOLERATED:g} times its limit of {LIMIT:g} s"
        )
    head = ["load", "events a second", "probes", *(f"p{p:g} s" for p in PERCENTILES)]
    return Outcome(f"{tabulate(head, table)}\ncapacity: {capacity:,.0f} events a second", figures, problems)


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
        await self._feeder.send(portion.batches)


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


async def _all(events: int) -> tuple[float, dict[float, list[float]], int, dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="rihla-benchmark-") as folder:
        data = Path(folder) / "data"
        async with Pipeline(Plan(data), "bench", lambda _: None) as pipeline:
            load = Load(pipeline, WARM_UP + events * 40)
            await load.feed(load.prepare(WARM_UP))
            await _until_stored(pipeline, load)
            portion = load.prepare(events)
            say(f"latency: {events:,} events at once")
            began = time.monotonic()
            await load.feed(portion)
            await _until_stored(pipeline, load)
            capacity = events / (time.monotonic() - began)
            found = {}
            for share in SHARES:
                portions = load.prepare_steady(share * capacity)
                say(f"latency: {share:.0%} of {capacity:,.0f} events a second for {SECONDS:.0f} s")
                found[share] = await _at(pipeline, load, portions)
                await _until_stored(pipeline, load)
            return capacity, found, load.different, await verified(pipeline)


async def _until_stored(pipeline: Pipeline, load: Load) -> None:
    async def stored() -> bool:
        pipeline.check()
        found = await asyncio.to_thread(pipeline.client.query, "SELECT sum(interactions) FROM journeys")
        return bool(found.result_rows[0][0] == load.different)

    await until(stored, WITHIN, "all events in the journeys")


async def _at(pipeline: Pipeline, load: Load, portions: list[Portion]) -> list[float]:
    """Latencies of the probes, in seconds, where a portion comes every TICK."""
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

    looking = asyncio.create_task(look())
    began = time.monotonic()
    for tick, portion in enumerate(portions):
        await asyncio.sleep(max(0.0, began + tick * TICK - time.monotonic()))
        now = time.monotonic()
        await load.feed(portion)
        waiting.update(dict.fromkeys(portion.journeys, now))
    fed.set()
    await looking
    return latencies
