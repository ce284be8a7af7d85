"""Whole events through the real pipeline: the embedded broker, four workers, ClickHouse's engine.

No worker may end; each event is accepted or a dead letter; and then `rihla verify` must find nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from schemas.records import CHANNELS
from streams.embedded.pipeline import Pipeline
from streams.embedded.plan import Plan
from streams.errors import RihlaError
from streams.kafka.batch_producer import BatchProducer
from streams.kafka.drain import wait_until_drained
from streams.kafka.observer import Observer
from streams.topology import channel_topic
from streams.verify.store import wait_until_resolved
from streams.verify.topics import read
from streams.verify.verify import verify
from tests.faults.whole_events import NOW, encoded, events, mixed
from tests.support.waiting import PATIENCE

EXAMPLES = 40  # lists of events that Hypothesis makes at a time
MIXED = 4
"""Events made of each of these and another one: Hypothesis alone makes some 60 a second."""
SHOWN = 5
STAMPS = (None, 0, 1, NOW - 10 * 365 * 86_400_000, NOW + 86_400_000 * 400, 1 << 50)
"""Time stamps of records: epoch ms; None: now."""
STOPPED = "worker stopped"
"""What a worker logs at last when something has ended it."""


@dataclass
class Figures:
    """What a run came to."""

    events: int = 0
    accepted: int = 0
    dead_letters: dict[str, int] = field(default_factory=dict)
    """By reason."""
    interactions: int = 0
    journeys: int = 0
    customers: int = 0
    restarts: dict[str, int] = field(default_factory=dict)
    verified: dict[str, int] = field(default_factory=dict)
    """By source: rows that differ."""
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)


async def fuzz(number: int, seconds: float, folder: Path, made: Callable[[int], list[tuple[str, bytes]]]) -> Figures:
    """Send events for so many seconds, wait until all is stored, and look.

    number: seed. made: the events of a round.
    """
    figures, began = Figures(), time.monotonic()
    deaths: list[str] = []
    plan = Plan(folder, max_restarts=5)
    async with Pipeline(plan, "fuzz", deaths.append) as pipeline:
        outputs = {
            channel: BatchProducer(pipeline.producer, pipeline.settings.topic(channel_topic(channel)))
            for channel in CHANNELS
        }
        async with Observer(pipeline.settings, pipeline.addresses) as observer:

            async def look() -> bool:
                pipeline.check()
                observer.ledger.wrote({output.topic: output.acknowledged for output in outputs.values()})
                return await observer.look()

            try:
                rounds, until = 0, time.monotonic() + seconds
                while time.monotonic() < until:
                    pipeline.check()
                    some = await asyncio.to_thread(made, number * 1_000_000 + rounds)
                    stamp = STAMPS[rounds % len(STAMPS)]
                    for channel, output in outputs.items():
                        values = [value for one, value in some if one == channel]
                        await output.send([None] * len(values), values, stamp)
                        await output.flush()
                    figures.events += len(some)
                    rounds += 1
                await wait_until_drained(observer.ledger, look, looks=pipeline.looks)
            except RihlaError as error:
                figures.findings.append(f"{error}")
            accepted = sum(counted.get("events_accepted", 0) for counted in observer.counters.values())
        figures.restarts = dict(pipeline.supervisor.restarts)
        figures.findings += [*deaths[:SHOWN], *_endings(folder)]
        figures.accepted = int(accepted)
        await asyncio.to_thread(_count, pipeline.client, figures)
        if not figures.restarts and figures.accepted + _of_channels(pipeline) != figures.events:
            figures.findings.append(f"{figures.events} sent, {figures.accepted} accepted, {figures.dead_letters}")
        odd = pipeline.client.command(
            "SELECT count() FROM dead_letters WHERE reason = 'unprocessable' "
            "OR (reason = 'undecodable' AND position(payload, unhex('EDA080')) = 0)"  # three octets: see encoded
        )
        if odd:
            figures.findings.append(f"{odd} events that can be decoded and processed are dead letters")
        log = await read(pipeline.settings)
        await asyncio.to_thread(wait_until_resolved, pipeline.client, PATIENCE)
        for source, reader in (("table", None), ("topics", lambda: log)):
            report = await asyncio.to_thread(verify, pipeline.client, reader)
            figures.verified[source] = sum(report.differing_rows.values())
            shown = report.differences.group_by("table", "column", maintain_order=True).head(2).head(4 * SHOWN)
            figures.findings += [f"verify from {source}: {row}"[:1000] for row in shown.iter_rows()]
    figures.seconds = round(time.monotonic() - began, 1)
    return figures


def _count(client: Any, figures: Figures) -> None:
    figures.dead_letters = dict(client.query("SELECT reason, count() FROM dead_letters GROUP BY 1").result_rows)
    for table in ("interactions", "journeys", "customers"):
        setattr(figures, table, int(client.command(f"SELECT count() FROM {table}")))


def _of_channels(pipeline: Pipeline) -> int:
    """Dead letters of the channels' topics."""
    topics = [pipeline.settings.topic(channel_topic(channel)) for channel in CHANNELS]
    return int(pipeline.client.command(f"SELECT count() FROM dead_letters WHERE topic IN {tuple(topics)}"))


def _endings(folder: Path) -> Iterator[str]:
    for log in sorted((folder / "logs").glob("*.log")):
        with contextlib.suppress(UnicodeDecodeError):
            for line in log.read_text().splitlines():
                if STOPPED in line:
                    yield f"{log.name}: {line}"[:1000]


def by_hypothesis(number: int) -> list[tuple[str, bytes]]:
    """Events of a seed, by channel and encoded, in any order."""
    found: list[tuple[str, dict[str, Any]]] = []

    @seed(number)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.lists(events(), min_size=1, max_size=25))
    def collect(some: list[tuple[str, dict[str, Any]]]) -> None:
        found.extend(some)

    collect()
    rng = Random(number)
    some = [(channel, encoded(channel, event, rng)) for channel, event in mixed(found, MIXED, rng)]
    some += rng.sample(some, len(some) // 20)  # sent twice
    rng.shuffle(some)
    return some


def run(number: int, seconds: float) -> dict[str, Any]:
    """One run; its figures, and `payloads` and `findings` as the other targets of tests.faults.fuzz have them."""
    with tempfile.TemporaryDirectory(prefix="rihla-events-") as folder:
        figures = asyncio.run(fuzz(number, seconds, Path(folder) / "data", by_hypothesis))
    return {"payloads": figures.events, **asdict(figures), "findings": figures.findings}
