"""One fault trial: workers join, one is killed or frozen in mid-batch, others take over; every event counts once.

A begins; B joins; A is hit; more events come; C joins. Then what the workers hold, what a fresh worker recovers from
the changelog, and what was written out are compared with what was produced, key by key and offset by offset.
"""

from __future__ import annotations

import asyncio
import collections
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.kafka.batch_producer import BatchProducer
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.faults.counting_worker import INPUT, OUTPUT
from tests.support.brokers import Broker, until
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
KEYS = 2000
BATCH = 500  # records a batch at most
PAUSE = 0.05  # seconds of each batch between the change and its writing: most kills fall into it
SESSION = 6.0
VALUE = b"x" * 200
FAULTS = ("kill", "freeze", "stop")


@dataclass
class Result:
    """What a trial found; `good` when every event was counted once by everyone asked."""

    fault: str
    broker: str
    events: int
    hit_at_work: bool = False
    counted: int = -1
    recovered: int = -1
    wrong_keys: int = -1
    wrong_recovered_keys: int = -1
    outputs_missing: int = -1
    outputs_repeated: int = -1
    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Exactly once in the tables, at least once in the outputs, and nobody failed."""
        wrong = (self.wrong_keys, self.wrong_recovered_keys, self.outputs_missing)
        return wrong == (0, 0, 0) and self.counted == self.recovered == self.events and not self.errors

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps({"good": self.good, **asdict(self)})


class Worker:
    """A counting worker in a process of its own."""

    def __init__(self, name: str, folder: Path, settings: Settings) -> None:
        self.name = name
        self.report_file = folder / f"{name}.json"
        self.log_file = folder / f"{name}.log"
        environment = {
            **os.environ,
            "RIHLA_BROKERS": settings.brokers,
            "RIHLA_PREFIX": settings.prefix,
            "RIHLA_EMBEDDED": str(settings.embedded),
            "RIHLA_PARTITIONS": str(settings.partitions),
            "RIHLA_MAX_POLL_RECORDS": str(settings.max_poll_records),
            "RIHLA_SESSION_TIMEOUT": str(settings.session_timeout),
            "RIHLA_TEST_PAUSE": str(PAUSE),
        }
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.counting_worker", name, str(folder)],
                cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def report(self) -> dict[str, Any]:
        """What it last said of itself; {} before it said anything. Raises when it ended by itself."""
        if self.process.poll() is not None:
            raise AssertionError(f"worker {self.name} ended with {self.process.returncode}: {self.log()}")
        return self._read()

    def _read(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.report_file.read_text())
        except FileNotFoundError:
            return {}
        return found

    def hit(self, signum: int) -> None:
        """Send a signal."""
        self.process.send_signal(signum)

    async def stop(self) -> dict[str, Any]:
        """End it gracefully; its final report."""
        self.hit(signal.SIGTERM)
        await until(lambda: self.process.poll() is not None, PATIENCE, f"{self.name} to stop")
        found = self._read()
        if self.process.returncode or not found.get("final"):
            raise AssertionError(f"worker {self.name} stopped with {self.process.returncode}: {self.log()}")
        return found

    def kill(self) -> None:
        """End it, whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def log(self) -> str:
        """The end of its log."""
        return self.log_file.read_text("utf-8", "replace")[-3000:]


async def trial(
    broker: Broker, prefix: str, folder: Path, fault: str = "kill", events: int = 100_000, seed: int = 0
) -> Result:
    """Run one trial, whose topics begin with `prefix`; its reports and logs are left in `folder`."""
    result = Result(fault, "embedded" if broker.embedded else "kafka", events)
    began = time.monotonic()
    settings = broker.settings(prefix, max_poll_records=BATCH, session_timeout=SESSION)
    await ensure_topics(settings)
    producer = AIOKafkaProducer(bootstrap_servers=broker.address, acks="all", max_batch_size=1 << 18)
    await producer.start()
    workers: list[Worker] = []
    try:
        await _run(settings, folder, fault, events, random.Random(seed), producer, workers, result)
    except AssertionError as exc:
        result.errors.append(str(exc))
    finally:
        for worker in workers:
            worker.kill()
        await producer.stop()
    result.seconds = round(time.monotonic() - began, 1)
    return result


async def _run(
    settings: Settings, folder: Path, fault: str, events: int, rng: random.Random, producer: AIOKafkaProducer,
    workers: list[Worker], result: Result,
) -> None:  # fmt: skip
    topic = BatchProducer(producer, settings.topic(INPUT))
    expected: collections.Counter[str] = collections.Counter()

    async def produce(count: int) -> None:
        keys = [f"c{rng.randrange(KEYS)}" for _ in range(count)]
        expected.update(keys)
        await topic.send([key.encode() for key in keys], [VALUE] * count)
        await topic.flush()

    def start(name: str) -> Worker:
        workers.append(Worker(name, folder, settings))
        return workers[-1]

    await produce(events * 3 // 8)
    a = start("A")
    await until(lambda: a.report().get("batches", 0) >= 3, PATIENCE, "A to work")
    b = start("B")
    await until(lambda: len(a.report().get("held", ())) == len(b.report().get("held", ())) == 2, PATIENCE, "B to join")
    await produce(events * 3 // 8)
    await asyncio.sleep(rng.uniform(0.2, 1.2))
    result.hit_at_work = not _done([a, b], topic.acknowledged)
    survivors = await _hit(fault, a, b, lambda: produce(events // 8))
    await produce(events - sum(expected.values()))
    survivors.append(start("C"))
    await until(lambda: _done(survivors, topic.acknowledged), PATIENCE, f"the end, {topic.acknowledged}")
    _compare([worker.report() for worker in survivors], expected, result)
    for worker in survivors:  # one by one: three who leave at once leave the embedded broker's group without a leader
        await worker.stop()
    d = start("D")
    await until(lambda: _done([d], topic.acknowledged), PATIENCE, "D to recover")
    _compare_recovered(await d.stop(), expected, result)
    await _compare_outputs(settings, topic.acknowledged, result)


async def _hit(fault: str, a: Worker, b: Worker, produce: Any) -> list[Worker]:
    """Do to A what the trial is about; the workers that live on."""
    before = a.report()
    if fault == "stop":
        await a.stop()
        return [b]
    if fault == "kill":
        a.hit(signal.SIGKILL)
        a.process.wait()
    else:
        a.hit(signal.SIGSTOP)
    await produce()
    await until(lambda: len(b.report().get("held", ())) == 4, PATIENCE, "B to take over")
    if fault == "kill":
        return [b]
    await until(lambda: b.report()["batches"] > before["batches"], PATIENCE, "B to go on")
    a.hit(signal.SIGCONT)
    await until(lambda: a.report().get("held") and len(b.report()["held"]) < 4, PATIENCE, "A to come back")
    return [a, b]


def _done(workers: list[Worker], ends: dict[int, int]) -> bool:
    """Whether the workers, all started, have acked everything together, with every partition held by one of them."""
    reports = [worker.report() for worker in workers]
    held = sorted(partition for report in reports for partition in report.get("held", ()))
    positions = {int(p): offset for report in reports for p, offset in report.get("positions", {}).items()}
    return all(reports) and held == sorted(ends) and positions == ends


def _compare(reports: list[dict[str, Any]], expected: collections.Counter[str], result: Result) -> None:
    counts = _counts(reports)
    result.counted = sum(counts.values())
    result.wrong_keys = sum(counts[key] != expected[key] for key in expected | counts)


def _compare_recovered(final: dict[str, Any], expected: collections.Counter[str], result: Result) -> None:
    counts = _counts([final])
    result.recovered = sum(counts.values())
    result.wrong_recovered_keys = sum(counts[key] != expected[key] for key in expected | counts)
    if final["batches"]:
        result.errors.append(f"the last worker found {final['batches']} batches that were not committed")


def _counts(reports: list[dict[str, Any]]) -> collections.Counter[str]:
    found: collections.Counter[str] = collections.Counter()
    for report in reports:
        for counts in report["counts"].values():
            found.update(counts)
    return found


async def _compare_outputs(settings: Settings, ends: dict[int, int], result: Result) -> None:
    """Every event must be among the outputs."""
    seen: collections.Counter[bytes] = collections.Counter()
    for record in await read_all(settings, settings.topic(OUTPUT)):
        seen[record.value] += 1
    wanted = {b"%d:%d" % (partition, offset) for partition, end in ends.items() for offset in range(end)}
    result.outputs_missing = len(wanted - seen.keys())
    result.outputs_repeated = sum(seen.values()) - len(seen)


async def read_all(settings: Settings, topic: str) -> list[Any]:
    """Every record that a topic holds now, up to marks appended for the purpose, which are left out."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.brokers, acks="all")
    await producer.start()
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.brokers, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = await producer.partitions_for(topic)
        ends = {}
        for partition in partitions:
            mark = await producer.send_and_wait(topic, b"end", b"end", partition)
            ends[TopicPartition(topic, partition)] = mark.offset
        consumer.assign(list(ends))
        await consumer.seek_to_beginning(*ends)
        records: list[Any] = []
        while ends:
            for tp, chunk in (await consumer.getmany(timeout_ms=1000)).items():
                records += [record for record in chunk if record.value != b"end"]
                if tp in ends and chunk[-1].offset >= ends[tp]:
                    del ends[tp]
        return records
    finally:
        await consumer.stop()
        await producer.stop()
