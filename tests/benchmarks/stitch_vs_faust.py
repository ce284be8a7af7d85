"""The stitch worker against the same job written the usual Faust way (faust_worker), by CPU of the worker's process.

Both read the same interactions from an embedded broker, keep the state in a table with a changelog, and publish
journeys, customers, cases and moves. Neither has alert rules. A worker first gets a few interactions, so that it has
started and joined its group; the CPU is that of the rest, until their offsets are committed. What both published last
under each key must be the same.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from polars.testing import assert_frame_equal

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from streams.edge import now_ms
from streams.embedded.pipeline import environment
from streams.embedded.tansu import Tansu
from streams.embedded.tether import tethered
from streams.enrich.agent import keys_of
from streams.enrich.transform import Enricher
from streams.feed import producing
from streams.output import BatchProducer
from streams.settings import Settings
from streams.topics import ensure_topics
from tests.benchmarks.pipeline import RIHLA
from tests.benchmarks.processes import cpu_seconds
from tests.benchmarks.report import Outcome, say, tabulate
from tests.benchmarks.sample import REGISTRY, batches

WARM_UP = 500
LOOK_EVERY = 0.25
WITHIN = 900.0
"""Seconds for either worker."""
COMPARED = {"journeys": "journey", "customers": "customer", "cases": "case"}
"""Topics whose last records must agree, and what is in them. Moves are of the moment at which they were seen."""
KEY = {"journeys": ["journey_id"], "customers": ["customer_id"], "cases": ["case_id", "customer_id"]}

Interactions = list[tuple[list[bytes], list[bytes]]]
"""Keys and values of each batch."""


@dataclass(frozen=True)
class Took:
    """What a worker took for the interactions after the warm-up: seconds by the clock, and of CPU."""

    wall: float
    cpu: float
    tables: Mapping[str, pl.DataFrame]


def measure(events: int) -> Outcome:
    """Let both workers fold so many interactions."""
    interactions = enriched(events + WARM_UP)
    ours, theirs = asyncio.run(_both(interactions))
    count = sum(len(keys) for keys, _ in interactions) - WARM_UP
    ratio = theirs.cpu / ours.cpu
    problems = [
        f"stitch_vs_faust: {topic} differ: {why}"
        for topic in COMPARED
        if (why := difference(topic, ours.tables[topic], theirs.tables[topic]))
    ]
    rows = [
        [name, took.cpu / count * 1e6, count / took.cpu, count / took.wall]
        for name, took in (("rihla worker stitch", ours), ("the usual Faust way", theirs))
    ]
    text = tabulate(["worker", "us CPU an event", "events a CPU second", "events a second"], rows)
    figures: dict[str, Any] = {
        "stitch_vs_faust": round(ratio, 1),
        "stitch_vs_faust_events": count,
        "stitch_cpu_us_per_event": round(ours.cpu / count * 1e6, 1),
        "faust_cpu_us_per_event": round(theirs.cpu / count * 1e6, 1),
        "stitch_vs_faust_results_match": not problems,
    }
    return Outcome(f"{text}\nby CPU the stitch worker is {ratio:.1f} times as fast", figures, problems)


def enriched(events: int) -> Interactions:
    """So many simulated events, as enrich publishes them."""
    enricher, encoder = Enricher(), BatchEncoder("interaction", REGISTRY)
    found: Interactions = []
    for batch in batches(events):
        frame = enricher.enrich(batch.channel, batch.frame, now_ms()).interactions
        found.append((keys_of(frame["subject"]), encoder.encode(frame)))
    return found


def difference(topic: str, ours: pl.DataFrame, theirs: pl.DataFrame) -> str:
    """What tells two tables apart, or nothing."""
    try:
        assert_frame_equal(ours.sort(KEY[topic]), theirs.sort(KEY[topic]), abs_tol=2e-6)
    except AssertionError as error:
        return str(error)
    return ""


async def _both(interactions: Interactions) -> tuple[Took, Took]:
    with tempfile.TemporaryDirectory(prefix="rihla-benchmark-") as name:
        folder = Path(name)
        (folder / "rules.toml").write_text("")
        broker = Tansu(folder / "broker.log")
        await broker.start()
        try:
            ours = Settings(
                brokers=broker.address, embedded=True, prefix="ours", alert_rules=str(folder / "rules.toml")
            )
            theirs = Settings(brokers=broker.address, embedded=True, prefix="theirs")
            faust = [sys.executable, "-m", "tests.benchmarks.faust_worker", broker.address, "theirs", "4"]
            worker = [*RIHLA, "worker", "stitch", "--metrics-port", "0"]
            return (
                await _took(ours, worker, interactions, folder / "ours.log"),
                await _took(theirs, faust, interactions, folder / "theirs.log"),
            )
        finally:
            await broker.stop()


async def _took(settings: Settings, command: Sequence[str], interactions: Interactions, log: Path) -> Took:
    await ensure_topics(settings)
    root = str(Path(__file__).resolve().parents[2])
    variables = {**os.environ, **environment(settings), "PYTHONPATH": root}
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: ASYNC220  (a plain child)
            tethered(command), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=variables, cwd=log.parent
        )
    try:
        keys = [key for some, _ in interactions for key in some]
        values = [value for _, some in interactions for value in some]
        await _feed(settings, keys[:WARM_UP], values[:WARM_UP])
        await _until_committed(settings, process, WARM_UP, log)
        say(f"stitch_vs_faust: {settings.prefix}: {len(keys) - WARM_UP:,} interactions")
        wall, cpu = time.monotonic(), cpu_seconds(process.pid)
        await _feed(settings, keys[WARM_UP:], values[WARM_UP:])
        await _until_committed(settings, process, len(keys), log)
        wall, cpu = time.monotonic() - wall, cpu_seconds(process.pid) - cpu
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, 30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return Took(wall, cpu, await _published(settings))


async def _feed(settings: Settings, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
    async with producing(settings) as producer:
        output = BatchProducer(producer, settings.topic("interactions"))
        await output.send(keys, values)
        await output.flush()


async def _until_committed(settings: Settings, process: subprocess.Popen[bytes], events: int, log: Path) -> None:
    """Wait until the worker's group has committed so many interactions: all that they caused is sent."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.broker_list)
    await admin.start()
    partitions = [TopicPartition(settings.topic("interactions"), number) for number in range(settings.partitions)]
    deadline = time.monotonic() + WITHIN
    try:
        while True:
            committed = await admin.list_consumer_group_offsets(settings.group("stitch"), partitions=partitions)
            if sum(max(found.offset, 0) for found in committed.values()) >= events:
                return
            if process.poll() is not None or time.monotonic() > deadline:
                say(log.read_text("utf-8", "replace")[-2000:])
                raise RuntimeError(f"{settings.prefix}: the worker ended, or took too long; its log is above")
            await asyncio.sleep(LOOK_EVERY)
    finally:
        await admin.close()


async def _published(settings: Settings) -> dict[str, pl.DataFrame]:
    """What a worker that has ended published last under each key, but for what it withdrew; without versions."""
    names = {settings.topic(topic): topic for topic in COMPARED}
    consumer = AIOKafkaConsumer(
        *names, bootstrap_servers=settings.broker_list, auto_offset_reset="earliest", max_poll_records=8000
    )
    last: dict[str, dict[bytes, bytes]] = {topic: {} for topic in COMPARED}
    await consumer.start()
    try:
        # The embedded broker's end offsets may be too low: read up to them, and on until nothing more comes.
        ends = await consumer.end_offsets(
            [TopicPartition(name, number) for name in names for number in range(settings.partitions)]
        )
        positions = dict.fromkeys(ends, 0)
        deadline = time.monotonic() + WITHIN
        while (records := await consumer.getmany(timeout_ms=2000)) or any(positions[at] < ends[at] for at in ends):
            for partition, some in records.items():
                last[names[partition.topic]].update((record.key, record.value) for record in some)
                positions[partition] = some[-1].offset + 1
            if time.monotonic() > deadline:
                raise TimeoutError(f"{settings.prefix}: not all that was published could be read")
    finally:
        await consumer.stop()
    # What was withdrawn again is no part of the tables, and differs: a batch does not publish what its end takes back.
    return {
        topic: BatchDecoder(record, REGISTRY)
        .decode(list(last[topic].values()))
        .frame.filter(~pl.col("withdrawn"))
        .drop("version")
        for topic, record in COMPARED.items()
    }
