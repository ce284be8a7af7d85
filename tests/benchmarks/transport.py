"""What a record costs on its way: `python -m tests.benchmarks transport`, or, on either broker and with more figures,
`python tests/benchmarks/transport.py --broker embedded|kafka --records 400000`.

Microseconds a record, wall clock and CPU of this process, for: sending; fetching and delivering to an agent that does
nothing; a table's puts and flushes; its recovery. The worker runs in this process, on uvloop and with the
collector set as a worker does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from streams.embedded.kafka import Kafka
from streams.embedded.tansu import Tansu
from streams.kafka import progress
from streams.kafka.app import build
from streams.kafka.batch_producer import BatchProducer
from streams.kafka.changelog_table import BatchTable
from streams.settings import Settings
from streams.worker import batching
from tests.benchmarks import calibration
from tests.benchmarks.processes import collecting_as_a_worker
from tests.benchmarks.report import Outcome, tabulate
from tests.benchmarks.stages import TOLERATED
from tests.support.waiting import until
from tests.support.workers import create_topic, producing, running

PARTITIONS = 4
AT_ONCE = 8000
VALUE = b"x" * 209  # as in DESIGN, a record of twelve fields
STATE = b"s" * 200

LIMITS = {"send": 4.0, "fetch and deliver": 3.0, "table put and flush": 6.0, "table recovery": 5.0}
"""CPU microseconds a record that a part may take, on the machine of the limits (see calibration)."""

costs: dict[str, dict[str, float]] = {}


@contextmanager
def measured(what: str, records: int) -> Iterator[None]:
    """Take the time of a block that handles so many records."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    note(what, records, time.perf_counter() - wall, time.process_time() - cpu)


def note(what: str, records: int, wall: float, cpu: float) -> None:
    """Note what `records` took, in seconds."""
    micros = {"us": round(wall / records * 1e6, 2), "cpu_us": round(cpu / records * 1e6, 2)}
    costs[what] = {**micros, "per_second": round(records / wall)}


async def run(settings: Settings, records: int) -> None:
    """Measure everything in turn."""
    topic = await create_topic(settings, "in", PARTITIONS)
    async with producing(settings) as producer:
        output = BatchProducer(producer, topic)
        with measured("send", records):
            for start in range(0, records, AT_ONCE):
                keys = [b"customer:C%07d" % (n % 100_000) for n in range(start, min(start + AT_ONCE, records))]
                await output.send(keys, [VALUE] * len(keys))
                await output.flush()
    seen = 0

    async def see(batch: progress.RecordBatch) -> None:
        nonlocal seen
        seen += len(batch)

    app = build(settings, "deliver")

    @app.agent(app.topic(topic))
    async def agent(stream: Any) -> None:
        await batching.consume(stream, see)

    async with running(app):
        await until(lambda: progress.positions(app))
        with measured("fetch and deliver", records):
            await until(lambda: seen >= records, 120)
    await table(settings, topic, records)


async def table(settings: Settings, topic: str, records: int) -> None:
    """Measure a table of `records` keys: writing, then recovering."""

    def made() -> tuple[Any, BatchTable]:
        app = build(settings, "keep")
        state = BatchTable(app, "state", PARTITIONS)

        @app.agent(app.topic(topic))
        async def agent(stream: Any) -> None:
            await batching.consume(stream, ignore)

        return app, state

    async def ignore(batch: progress.RecordBatch) -> None:
        pass

    app, state = made()
    async with running(app):
        await until(lambda: len(state.partitions_held) == PARTITIONS and len(progress.positions(app)) == PARTITIONS)
        await until(lambda: not any(progress.lags(app).values()) and len(progress.lags(app)) == PARTITIONS)
        with measured("table put and flush", records):
            for start in range(0, records, AT_ONCE):
                for n in range(start, min(start + AT_ONCE, records)):
                    state.put(n % PARTITIONS, b"customer:C%07d" % n, STATE)
                await state.flush()
    app, state = made()
    cpu = time.process_time()
    async with running(app):
        await until(lambda: len(state.partitions_held) == PARTITIONS, 120)
        note("table recovery", records, state.recovery_seconds, time.process_time() - cpu)


def measure(records: int) -> Outcome:
    """Measure so many records on the embedded broker, against the limits."""
    costs.clear()
    slower = calibration.slower()
    limits = {what: limit * slower for what, limit in LIMITS.items()}
    _measure("embedded", records)
    rows = [[what, costs[what]["cpu_us"], limit] for what, limit in limits.items()]
    problems = [
        f"{what} takes {costs[what]['cpu_us']:.1f} us a record, more than {TOLERATED:g} times its limit of {limit:.1f}"
        for what, limit in limits.items()
        if costs[what]["cpu_us"] > TOLERATED * limit
    ]
    figures = {
        "transport_cpu_us_per_record": {what: costs[what]["cpu_us"] for what in LIMITS},
        "transport_times_slower": round(slower, 2),
    }
    return Outcome(tabulate(["part", "us CPU a record", "limit"], rows), figures, problems)


def _measure(broker_name: str, records: int) -> None:
    """Start a broker and measure."""
    with tempfile.TemporaryDirectory(prefix="rihla-benchmark-") as folder:
        embedded = broker_name == "embedded"
        broker = Tansu(Path(folder) / "broker.log") if embedded else Kafka(Path(folder) / "kafka")

        async def all_of_it() -> None:
            await broker.start()
            try:
                await run(Settings(brokers=broker.address, embedded=embedded, prefix="bench"), records)
            finally:
                await broker.stop()

        with collecting_as_a_worker(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(all_of_it())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--broker", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--records", type=int, default=400_000)
    options = parser.parse_args()
    _measure(options.broker, options.records)
    for what, cost in costs.items():
        print(json.dumps({"broker": options.broker, "what": what, **cost}))


if __name__ == "__main__":
    main()
