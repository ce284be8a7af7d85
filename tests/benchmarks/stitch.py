"""The stitch worker against the same job written with its peers, each its usual way (peers/), by CPU of the process.

All read the same interactions from one broker, one worker after the other, and publish journeys, customers, cases and
moves; none has alert rules. A worker first gets a few interactions, so that it has started and joined its group; then
it is stopped (SIGSTOP) until all the others are there. CPU and clock are those of these, until as many are done: their
offsets committed or, for Bytewax, which commits none, a customer published for each. What each published last under
each key must be what our fold makes of the events at once.

All take turns several times, and of each the least counts: a machine that others use is now faster and now slower.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.records import CHANNELS
from streams.clock import now_ms
from streams.embedded.memory import tree_memory
from streams.embedded.tansu import Tansu
from streams.embedded.tether import tethered
from streams.enrich.transform import Enricher
from streams.kafka.batch_producer import BatchProducer
from streams.kafka.topics import ensure_topics
from streams.settings import Settings, environment
from streams.sources.feeder import producing
from streams.verify import journeys as oracle
from streams.verify.compare import compare
from streams.verify.store import SAID
from tests.benchmarks import kafka_streams
from tests.benchmarks.pipeline import RIHLA
from tests.benchmarks.processes import cpu_seconds
from tests.benchmarks.report import Outcome, say, tabulate
from tests.benchmarks.sample import REGISTRY, batches

WARM_UP = 500
ROUNDS = 2
LOOK_EVERY = 0.05
"""Seconds: what a look finds late is in the clock's figures."""
WITHIN = 900.0
"""Seconds for either worker."""
COMPARED = {"journeys": "journey", "customers": "customer", "cases": "case"}
"""Topics whose last records must be as the oracle says, and what is in them."""
KEY = {"journeys": ["journey_id"], "customers": ["customer_id"], "cases": ["case_id", "customer_id"]}
NOT_OF_THE_EVENTS = ("duplicates", "version", "withdrawn", *SAID)
"""Columns that depend on what was sent and how, not on the set of events; and who has to act on a case, which the
oracle of attribution says, not that of journeys."""

Interactions = list[tuple[list[bytes], list[bytes]]]
"""Keys and values of each batch."""


@dataclass(frozen=True)
class Worker:
    """One who does the job."""

    title: str
    command: tuple[str, ...] = ()
    """None: the module of peers/."""
    commits: bool = True
    """Whether its group's offsets tell how far it is."""
    tuned: bool | None = None
    """Of Kafka Streams: whether its flags are tuned. None for the others."""

    def warm_up(self, events: int) -> int:
        """How many of the events come before the measured ones: half of them for a JVM, which compiles what it runs
        often."""
        return WARM_UP if self.tuned is None else max(WARM_UP, events // 2)


OURS = "rihla"
WORKERS = {
    OURS: Worker("rihla worker stitch", (*RIHLA, "worker", "stitch", "--metrics-port", "0")),
    "confluent": Worker("confluent-kafka, a loop and a dict (nothing durable)"),
    "bytewax": Worker("Bytewax, with recovery", commits=False),
    "quix": Worker("Quix Streams, with changelog"),
    "faust": Worker("Faust, the usual way"),
    "streams": Worker("Kafka Streams (Java), default flags", tuned=False),
    "streams-tuned": Worker("Kafka Streams (Java), tuned", tuned=True),
}
"""By name, which is its topics' prefix."""
RATIOS = {
    "stitch_vs_best_python_peer": ("quix", "bytewax"),
    "stitch_vs_faust": ("faust",),
    "stitch_vs_plain_loop": ("confluent",),
    "stitch_vs_kafka_streams": ("streams",),
    "stitch_vs_kafka_streams_tuned": ("streams-tuned",),
}
"""Figure: the peers of whom the best is divided by ours, higher is better."""


class WorkerError(RuntimeError):
    """A worker did not do its job."""


@dataclass(frozen=True)
class Took:
    """What a worker took for the interactions after the warm-up: seconds by the clock, and of CPU."""

    events: int
    wall: float
    cpu: float
    memory: int
    """Bytes at the end: proportional set size."""
    tables: Mapping[str, pl.DataFrame]

    def least(self, other: Took) -> Took:
        """The lesser of each figure."""
        return Took(
            self.events,
            min(self.wall, other.wall),
            min(self.cpu, other.cpu),
            min(self.memory, other.memory),
            self.tables,
        )

    @property
    def cpu_each(self) -> float:
        """CPU seconds an event."""
        return self.cpu / self.events

    @property
    def wall_each(self) -> float:
        """Seconds by the clock an event."""
        return self.wall / self.events


def measure(events: int, peers: Sequence[str] | None = None) -> Outcome:
    """Let every worker fold this many interactions; peers: only these beside our own, by name (None: all)."""
    interactions = enriched(events + WARM_UP)
    count = sum(len(keys) for keys, _ in interactions) - WARM_UP
    right = expected(interactions)
    took: dict[str, Took] = {}
    problems: list[str] = []
    workers = {name: one for name, one in WORKERS.items() if peers is None or name in (OURS, *peers)}
    if any(one.tuned is not None for one in workers.values()) and not _with_java():
        workers = {name: one for name, one in workers.items() if one.tuned is None}
    for number in range(ROUNDS):
        say(f"stitch: round {number + 1} of {ROUNDS}")
        found, failed = asyncio.run(_all(interactions, workers))
        problems += failed
        for name, one in found.items():
            problems += [
                f"stitch: {topic} of {name} differ: {why}"
                for topic in COMPARED
                if (why := difference(topic, right[topic], one.tables[topic]))
            ]
            took[name] = one if name not in took else took[name].least(one)
    ours = took[OURS]
    rows = [
        [
            WORKERS[name].title,
            one.cpu_each * 1e6,
            one.cpu_each / ours.cpu_each,
            1 / one.wall_each,
            one.memory / 2**20,
        ]
        for name, one in took.items()
    ]
    text = tabulate(["worker", "us CPU an event", "x rihla's", "events a second", "MiB"], rows)
    figures: dict[str, Any] = {
        "stitch_events": count,
        "stitch_cpu_us_per_event": {name: round(one.cpu_each * 1e6, 1) for name, one in took.items()},
        "stitch_events_per_s": {name: round(1 / one.wall_each) for name, one in took.items()},
        "stitch_results_match": not problems,
    }
    for figure, peers in RATIOS.items():
        rivals = [took[name] for name in peers if name in took]
        if rivals:
            figures[figure] = round(min(rival.cpu_each for rival in rivals) / ours.cpu_each, 2)
            figures[f"{figure}_by_clock"] = round(min(rival.wall_each for rival in rivals) / ours.wall_each, 2)
    return Outcome(text, figures, problems)


def _with_java() -> bool:
    """Whether the peer on Kafka Streams can be run; it has been built then."""
    if not kafka_streams.available():
        say("stitch: without Java and Maven there is no peer on Kafka Streams")
        return False
    kafka_streams.build()
    return True


def enriched(events: int, seed: int = 1) -> Interactions:
    """So many simulated events, as enrich publishes them."""
    enricher, encoders = Enricher(REGISTRY), {name: BatchEncoder(name, REGISTRY) for name in CHANNELS}
    found: Interactions = []
    for batch in batches(events, seed=seed):
        made = enricher.enrich({batch.channel: encoders[batch.channel].encode(batch.frame)}, now_ms())
        found.append((made.subjects, made.values))
    return found


def difference(topic: str, oracles: pl.DataFrame, found: pl.DataFrame) -> str:
    """What tells what was published from the oracle's table, in a sentence, or nothing."""
    differences = compare(topic, oracles, found, KEY[topic], NOT_OF_THE_EVENTS).differences
    if differences.is_empty():
        return ""
    return f"{differences.height} values, first {differences.row(0, named=True)}"


def expected(interactions: Interactions) -> dict[str, pl.DataFrame]:
    """The tables that these interactions make, by the oracle of `rihla verify`: of all at once, without the fold."""
    decoder = BatchDecoder("interaction", REGISTRY)
    log = pl.concat([decoder.decode(values).frame for _, values in interactions])
    alone = pl.DataFrame(schema={"subject": pl.String, "root": pl.String})
    return {topic: getattr(oracle.tables(log, alone), topic) for topic in COMPARED}


async def _all(interactions: Interactions, workers: Mapping[str, Worker]) -> tuple[dict[str, Took], list[str]]:
    took: dict[str, Took] = {}
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="rihla-benchmark-") as name:
        folder = Path(name)
        (folder / "rules.toml").write_text("")
        broker = Tansu(folder / "broker.log")
        await broker.start()
        try:
            for worker_name, worker in workers.items():
                settings = Settings(
                    brokers=broker.address, embedded=True, prefix=worker_name, alert_rules=str(folder / "rules.toml")
                )
                try:
                    took[worker_name] = await _took(settings, worker, interactions, folder)
                except WorkerError as error:
                    problems.append(f"stitch: {error}")
        finally:
            await broker.stop()
    return took, problems


class Running:
    """A worker's process, which ends with the `with` block.

    Its log is `log`, its metrics and progress are on the port given to it, if any.
    """

    def __init__(self, settings: Settings, worker: Worker, folder: Path, *options: str, number: int = 1) -> None:
        variables = {**os.environ, **environment(settings), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        command: Sequence[str] = worker.command
        if worker.tuned is not None:
            command = kafka_streams.command(settings.brokers, settings.prefix, folder, worker.tuned)
        elif not command:
            command = [
                *(sys.executable, "-m", f"tests.benchmarks.peers.{settings.prefix}_worker"),
                *(settings.brokers, settings.prefix, str(settings.partitions), str(folder)),
            ]
        self.worker = worker
        self.log = folder / f"{settings.prefix}-{number}.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                tethered([*command, *options]),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=variables,
                cwd=folder,
            )
        self._deadline = time.monotonic() + WITHIN

    def going_on(self) -> None:
        """Raise WorkerError when it has ended, or taken too long."""
        if self.process.poll() is not None or time.monotonic() > self._deadline:
            say(self.log.read_text("utf-8", "replace")[-2000:])
            raise WorkerError(f"{self.worker.title} ended, or took too long; its log is on stderr")

    @property
    def cpu(self) -> float:
        """CPU seconds so far."""
        return cpu_seconds(self.process.pid)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """The process does not run meanwhile, so that all that it is sent is there when it goes on."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


async def _took(settings: Settings, worker: Worker, interactions: Interactions, folder: Path) -> Took:
    await ensure_topics(settings)
    keys = [key for some, _ in interactions for key in some]
    values = [value for _, some in interactions for value in some]
    until = until_committed if worker.commits else _until_published
    with Running(settings, worker, folder) as running:
        warm_up = worker.warm_up(len(keys))
        await feed(settings, keys[:warm_up], values[:warm_up])
        await until(settings, warm_up, running.going_on)
        say(f"stitch: {worker.title}: {len(keys) - warm_up:,} interactions")
        with running.paused():
            await feed(settings, keys[warm_up:], values[warm_up:])
            wall, cpu = time.monotonic(), running.cpu
        await until(settings, len(keys), running.going_on)
        wall, cpu = time.monotonic() - wall, running.cpu - cpu
        memory = sum(tree_memory(running.process.pid).values())
    return Took(len(keys) - warm_up, wall, cpu, memory, await published(settings))


async def feed(settings: Settings, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
    """Send interactions."""
    async with producing(settings) as producer:
        output = BatchProducer(producer, settings.topic("interactions"))
        await output.send(keys, values)
        await output.flush()


async def until_committed(settings: Settings, events: int, going_on: Callable[[], None]) -> None:
    """Wait until the worker's group has committed so many interactions: all that they caused is sent."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.broker_list)
    await admin.start()
    partitions = [TopicPartition(settings.topic("interactions"), number) for number in range(settings.partitions)]
    try:
        while True:
            committed = await admin.list_consumer_group_offsets(settings.group("stitch"), partitions=partitions)
            if sum(max(found.offset, 0) for found in committed.values()) >= events:
                return
            going_on()
            await asyncio.sleep(LOOK_EVERY)
    finally:
        await admin.close()


async def _until_published(settings: Settings, events: int, going_on: Callable[[], None]) -> None:
    """Wait until a customer is published for each of so many interactions: one record at a time does so."""
    consumer = AIOKafkaConsumer(
        settings.topic("customers"), bootstrap_servers=settings.broker_list, auto_offset_reset="earliest"
    )
    await consumer.start()
    found = 0
    try:
        while found < events:
            going_on()
            records = await consumer.getmany(timeout_ms=round(LOOK_EVERY * 1000), max_records=8000)
            found += sum(map(len, records.values()))
    finally:
        await consumer.stop()


async def published(settings: Settings) -> dict[str, pl.DataFrame]:
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
