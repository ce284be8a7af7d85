"""Overload: events come twice as fast as the workers can take them, for minutes; then they stop coming.

    python -m tests.faults.overload --minutes 10

For each event that the slowest worker has done two are fed, whatever else the machine does meanwhile. They are of new
travellers all the time (tests.faults.travellers), so that nobody's state grows beyond what it is in life. Every few
seconds it shows what operations would see: rates, lags, the latency from Kafka to table, memory. Afterwards: is every
event stored, once; are there as many customers, journeys and cases as the simulator knows of; did no worker's memory
grow with the backlog (what is kept of each new customer aside); is the latency what it was?

The last line of stdout is JSON. Exit status 1 if something is not as it must be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from streams.embedded.pipeline import Pipeline
from streams.embedded.plan import KAFKA, Plan
from streams.kafka.drain import wait_until_drained
from streams.kafka.observer import Observer
from streams.registries import registry_of
from streams.sources.events import EventBatch
from streams.sources.feeder import Feeder
from streams.sources.simulate import Options
from tests.faults.travellers import Travellers

CUSTOMERS = 2000
FACTOR = 2.0
NICENESS = 10  # of the workers
CALM_SECONDS = 15.0
CALM_RATE = 100.0  # events a second
SAMPLE_SECONDS = 5.0
HEAD_START = 8000  # events fed before the first is done
BATCH, CALM_BATCH = 4000, 100  # events sent at a time, where they come by what is done, or so many a second
GROWTH_ALLOWED = 0.25  # of a worker's memory between the first and the last third of the overload
BYTES_ALLOWED = 64 << 20  # and so much besides: allocators, caches
STATE_FACTOR = 4.0  # bytes in memory for a byte of stitch's state encoded
CUSTOMER_BYTES = {"enrich": 1500.0, "identity": 600.0}  # remembered of a customer's links and identifiers
COUNTED = """
    SELECT (SELECT count() FROM interactions) AS events,
        (SELECT uniqExact(subject, event_id) FROM interactions_store) AS keys,
        (SELECT sum(interactions) FROM customers) AS `events of customers`,
        (SELECT count() FROM dead_letters) AS letters,
        (SELECT count() FROM customers) AS customers,
        (SELECT count() FROM journeys) AS journeys,
        (SELECT count() FROM cases) AS cases,
        (SELECT countIf(shared) FROM identities) AS `shared identifiers`
"""


@dataclass(frozen=True)
class Sample:
    """What is seen at a moment."""

    second: float
    fed: int
    done: int
    lag: dict[str, int]
    latency: float | None
    memory: dict[str, int]
    state: float


@dataclass
class Overload:
    """One trial under way."""

    pipeline: Pipeline
    travellers: Travellers
    began: float = field(default_factory=time.monotonic)
    samples: list[Sample] = field(default_factory=list)
    fed: int = 0

    async def run(self, minutes: float) -> dict[str, Any]:
        """Calm, overload, drain, calm; the figures."""
        settings = self.pipeline.settings
        self.feeder = Feeder(self.pipeline.producer, settings, registry_of(settings))
        async with Observer(settings, self.pipeline.addresses) as self.observer, aiohttp.ClientSession() as self.http:
            await self._feed(10.0, 1000.0)  # workers join, and warm up
            await self._drain()
            calm_before = await self._calm()
            self._give_way()
            say(f"now {FACTOR:g} events come for each that is done")
            watching = asyncio.create_task(self._watch())
            overloading = time.monotonic()
            before, done = self.fed, self._done()
            try:
                await self._feed(minutes * 60, None)
                seconds = time.monotonic() - overloading
                during, came, taken = list(self.samples), self.fed - before, self._done() - done
                say(f"no more come; {came / seconds:,.0f} a second came, {taken / seconds:,.0f} were taken")
                await self._drain()
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            drained = time.monotonic() - overloading - seconds
            calm_after = await self._calm()
            await self.feeder.feed(self.travellers.rest(BATCH), fed=self._count, check=self.pipeline.check)
            await self._drain()
        return {
            "came_per_second": round(came / seconds),
            "taken_per_second": round(taken / seconds),
            "overload_seconds": round(seconds),
            "drained_after_seconds": round(drained),
            "largest_lag": max(sum(sample.lag.values()) for sample in self.samples),
            "latency_seconds": {
                "before": calm_before,
                "largest": max(sample.latency for sample in self.samples if sample.latency is not None),
                "after": calm_after,
            },
            "memory_mib": {
                worker: [round(value / 2**20) for value in figures] for worker, figures in thirds(during).items()
            },
            "state_mib": [round(during[0].state / 2**20), round(during[-1].state / 2**20)],
            "events": self.fed,
            "differences": self._grown(during),
        }

    def _give_way(self) -> None:
        """Let the feeding go before the workers, or a machine with few cores cannot feed twice what they take."""
        for children in self.pipeline._workers.values():
            for child in children:
                if child.pid is not None:
                    os.setpriority(os.PRIO_PROCESS, child.pid, NICENESS)

    def _done(self) -> int:
        """Events that the slowest worker on their way has done."""
        interactions = self.pipeline.settings.topic("interactions")
        return min(sum(self.observer.ledger.done(worker, interactions).values()) for worker in ("stitch", "sink"))

    def _pace(self, seconds: float, rate: float | None) -> Iterator[EventBatch]:
        """Events for so long and so many a second, or by what is done; runs in the feeder's thread."""
        began, sent, done = time.monotonic(), 0, self._done()

        def too_soon() -> bool:
            if rate is not None:
                return sent > rate * (time.monotonic() - began)
            return sent > FACTOR * (self._done() - done) + HEAD_START

        while time.monotonic() - began < seconds:
            if too_soon():
                time.sleep(0.02)
                continue
            batch = self.travellers.next(BATCH if rate is None else CALM_BATCH)
            sent += batch.frame.height
            yield batch

    async def _feed(self, seconds: float, rate: float | None) -> None:
        await self.feeder.feed(self._pace(seconds, rate), fed=self._count, check=self.pipeline.check)

    def _count(self, _: Any, records: int) -> None:
        self.fed += records

    async def _look(self) -> bool:
        self.pipeline.check()
        self.observer.ledger.wrote(self.feeder.acknowledged)
        return await self.observer.look()

    async def _drain(self) -> None:
        await wait_until_drained(self.observer.ledger, self._look, looks=self.pipeline.looks, stall_seconds=120.0)

    async def _calm(self) -> float:
        """Mean latency, in seconds, while the workers have little to do."""
        before = await self._latency()
        await self._feed(CALM_SECONDS, CALM_RATE)
        await self._drain()
        after = await self._latency()
        return round((after[0] - before[0]) / max(after[1] - before[1], 1.0), 2)

    async def _watch(self) -> None:
        last, done_before, at_before = await self._latency(), 0, time.monotonic()
        while True:
            until = time.monotonic() + SAMPLE_SECONDS
            while time.monotonic() < until:
                await asyncio.sleep(0.5)
                await self._look()
            lags = self.observer.ledger.lags()
            lag: dict[str, int] = {}
            for one in lags:
                lag[one.worker] = lag.get(one.worker, 0) + one.behind
            done = sum(one.done for one in lags if one.worker == "enrich")
            latency = await self._latency()
            seen = latency[1] - last[1]
            mean = (latency[0] - last[0]) / seen if seen else None
            state = (await self._metrics("stitch")).get("rihla_state_bytes", 0.0)
            now = time.monotonic()
            sample = Sample(now - self.began, self.fed, done, lag, mean, self._memory(), state)
            self.samples.append(sample)
            memory = " ".join(f"{name} {value >> 20}" for name, value in sample.memory.items())
            late = "-" if mean is None else f"{mean:.1f} s"
            behind = " ".join(f"{name} {value:,}" for name, value in lag.items() if value) or "none"
            rates = f"fed {self.fed:,}  enriched {(done - done_before) / (now - at_before):,.0f}/s"
            say(f"{sample.second:6.0f} s  {rates}  latency {late}  lag {behind}  MiB {memory}")
            last, done_before, at_before = latency, done, now

    async def _latency(self) -> tuple[float, float]:
        """Sum and number of the latencies seen so far, from Kafka to the table of journeys, the longest way."""
        found = await self._metrics("sink", table="journeys")
        return (
            found.get("rihla_event_to_table_seconds_sum", 0.0),
            found.get("rihla_event_to_table_seconds_count", 0.0),
        )

    async def _metrics(self, worker: str, **labels: str) -> dict[str, float]:
        """Name: value of the samples of a kind of worker with these labels, added up."""
        found: dict[str, float] = {}
        for url in self.pipeline.addresses()[worker]:
            async with self.http.get(f"{url}/metrics") as answer:
                for family in text_string_to_metric_families(await answer.text()):
                    for sample in family.samples:
                        if labels.items() <= sample.labels.items():
                            found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    def _memory(self) -> dict[str, int]:
        """Resident bytes of each worker."""
        found = {}
        for children in self.pipeline._workers.values():
            for child in children:
                if child.pid is not None:
                    status = Path(f"/proc/{child.pid}/status").read_text()
                    found[child.spec.name] = int(status.partition("VmRSS:")[2].split()[0]) << 10
        return found

    def _grown(self, during: list[Sample]) -> list[str]:
        """Workers whose memory grew, by more than what they keep of new customers."""
        summary = self.travellers.summary
        customers = (during[-1].done - during[0].done) * summary["customers"] / summary["interactions"]
        kept = {worker: customers * size for worker, size in CUSTOMER_BYTES.items()}
        kept["stitch"] = STATE_FACTOR * (during[-1].state - during[0].state)
        return [
            f"{worker} grew from {first >> 20} to {last >> 20} MiB"
            for worker, (first, last) in thirds(during).items()
            if last > first * (1 + GROWTH_ALLOWED) + BYTES_ALLOWED + kept.get(worker.partition("-")[0], 0.0)
        ]


def thirds(samples: list[Sample]) -> dict[str, tuple[int, int]]:
    """Worker: the medians of its memory in the first and in the last third."""
    size = max(1, len(samples) // 3)
    return {
        worker: (
            int(statistics.median(sample.memory[worker] for sample in samples[:size] if worker in sample.memory)),
            int(statistics.median(sample.memory[worker] for sample in samples[-size:] if worker in sample.memory)),
        )
        for worker in samples[0].memory
    }


def say(text: str) -> None:
    """A line for whoever watches."""
    print(text, file=sys.stderr, flush=True)


async def trial(folder: Path, minutes: float, broker: str, seed: int) -> dict[str, Any]:
    """Run it, and count what is stored."""
    travellers = Travellers.of(Options(customers=CUSTOMERS, seed=seed, duplicates=0.0))
    async with Pipeline(Plan(folder / "data", broker), "overload", say) as pipeline:
        figures = await Overload(pipeline, travellers).run(minutes)
        found = (await asyncio.to_thread(pipeline.client.query, COUNTED)).named_results()
        stored = {name: int(count) for name, count in next(iter(found)).items()}
    wanted = {
        "events": figures["events"],
        "keys": figures["events"],
        "events of customers": figures["events"],
        "letters": 0,
        **{name: travellers.begun * travellers.summary[name] for name in ("customers", "journeys", "cases")},
        "shared identifiers": travellers.begun * travellers.summary["shared_identifiers"],
    }
    figures |= {name: stored[name] for name in ("customers", "journeys")}
    figures["differences"] += [
        f"{name}: {stored[name]} instead of {count}" for name, count in wanted.items() if stored[name] != count
    ]
    latency = figures["latency_seconds"]
    if latency["after"] > 3 * latency["before"] + 1.0:
        figures["differences"].append(f"latency did not recover: {latency}")
    return figures


def main() -> int:
    """Parse the command line, run, print; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--broker", default=KAFKA, help="kafka, tansu (which keeps its log in memory) or HOST:PORT")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rihla-overload-") as folder:
        figures = asyncio.run(trial(Path(folder), chosen.minutes, chosen.broker, chosen.seed))
    print(json.dumps(figures))
    return 1 if figures["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
