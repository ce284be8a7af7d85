"""The state of customers: bytes each, cost of an event by how many there are, keys a second read back from a changelog.

Customers are those of `rihla simulate`, folded and then copied under new names until there are as many as wanted. The
events that are measured are of another seed, so all are new, and meet customers at random. The recovery is that of a
stitch worker, on uvloop and with a worker's collector, and is over when a record that was waiting is committed.
"""

from __future__ import annotations

import asyncio
import gc
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from schemas.decode import BatchDecoder
from streams.clock import now_ms
from streams.embedded.tansu import Tansu
from streams.kafka import progress
from streams.kafka.app import build
from streams.kafka.changelog_table import BatchTable
from streams.kafka.partitioner import partitions_of
from streams.kafka.topics import ensure_changelogs, ensure_topics
from streams.settings import Settings
from streams.stitch.agent import create
from streams.stitch.events import COLUMNS, Events
from streams.stitch.fold import fold_messages
from streams.stitch.messages import Messages
from streams.stitch.observer import RuleContext
from streams.worker import batching
from tests.benchmarks import at_rest
from tests.benchmarks.identity_memory import resident_bytes
from tests.benchmarks.processes import afresh, collecting_as_a_worker
from tests.benchmarks.report import Outcome, say, tabulate
from tests.benchmarks.sample import BATCH, REGISTRY
from tests.benchmarks.stitch import enriched
from tests.support.waiting import until
from tests.support.workers import committed, producing, running

SIZES = (10_000, 100_000, 1_000_000, 5_000_000)
"""Customers in state; those above the number asked for are left out."""
OFFSET = 1 << 40
"""Of the first event measured: above all that the states have seen."""
PARTITIONS = 4
AT_ONCE = 8_000
RECOVERIES = 4
"""One after the other; the fastest counts, since other work of the machine can only make one slower."""
BYTES_LIMIT = 1024
"""At rest on average, a customer."""
VARIES = 1.1
"""What the allocators keep of travellers differs by up to a tenth from run to run."""
TRAVELLERS_EVENTS = 100_000
"""Of travellers known by several identifiers, whose memory at rest is measured: some 16,000."""
FLAT = 1.2
"""An event may cost so many times as much with the most customers as with the fewest."""
TOLERATED = 1.5


def measure(customers: int) -> Outcome:
    """Measure with up to so many customers."""
    say("state: folding the customers that are copied")
    base = list(_states(enriched(40_000)).values())
    events = _payloads(enriched(20_000, seed=2))
    costs: dict[int, float] = {}
    size = 0
    for size in [size for size in SIZES if size <= customers] or [customers]:
        say(f"state: {size:,} customers")
        costs[size] = _cost(base, events, size)
    bytes_each = afresh(_bytes_each, base, size)
    say("state: travellers known by several identifiers, at rest")
    travellers = at_rest.measure(TRAVELLERS_EVENTS)
    recovered = min(customers, 400_000)
    say(f"state: recovery of {recovered:,} keys")
    with collecting_as_a_worker(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        by_clock, by_cpu = runner.run(_recovery(base, recovered))
    first, last = min(costs), max(costs)
    growth = costs[last] / costs[first]
    rows: list[list[object]] = [[f"us CPU an event with {size:,} customers", cost] for size, cost in costs.items()]
    rows += [
        ["bytes of memory a customer", bytes_each],
        ["bytes of an encoded state", sum(map(len, base)) / len(base)],
        ["bytes of memory a customer of several identifiers", travellers.resident],
        ["bytes of their encoded states", travellers.encoded],
        ["states a customer of several identifiers", travellers.states],
        ["keys a second recovered, by the clock", round(by_clock)],
        ["keys a CPU second recovered", round(by_cpu)],
    ]
    problems = []
    if bytes_each > BYTES_LIMIT:
        problems.append(f"state: a customer takes {bytes_each:.0f} bytes, more than {BYTES_LIMIT}")
    if travellers.resident > VARIES * BYTES_LIMIT:
        problems.append(f"state: a customer of several identifiers takes {travellers.resident:.0f} bytes")
    if growth > TOLERATED:
        problems.append(f"state: an event costs {growth:.2f} times as much with {last:,} customers as with {first:,}")
    figures: dict[str, Any] = {
        "bytes_per_customer": round(bytes_each),
        "bytes_per_customer_of_several_identifiers": round(travellers.resident),
        "state_cpu_us_per_event": {str(size): round(cost, 2) for size, cost in costs.items()},
        "state_cost_growth": round(growth, 2),
        "recovery_keys_per_s": round(by_clock),
        "recovery_keys_per_cpu_s": round(by_cpu),
    }
    return Outcome(tabulate(["state", "measured"], rows), figures, problems)


def _states(interactions: Any) -> dict[bytes, bytes]:
    """What the fold makes of interactions."""
    states: dict[bytes, bytes] = {}
    decoder, events, context = BatchDecoder("interaction", REGISTRY), Events(), RuleContext({}, now_ms())
    offset = 0
    for keys, values in interactions:
        frame = decoder.decode(values, COLUMNS).frame
        grouped = events.by_subject(frame, [key.decode() for key in keys], range(offset, offset + len(keys)))
        states.update(fold_messages(states.get, Messages(grouped), context).states)
        offset += len(keys)
    return states


def _payloads(interactions: Any) -> list[tuple[bytes, bytes]]:
    return [pair for keys, values in interactions for pair in zip(keys, values, strict=True)]


def _copies(base: list[bytes], customers: int) -> Iterator[tuple[bytes, bytes]]:
    """So many customers, by key: states that share no memory."""
    for number in range(customers):
        yield b"customer:C%09d" % number, bytes(bytearray(base[number % len(base)]))


def _bytes_each(base: list[bytes], customers: int) -> float:
    """Bytes that a customer takes in the state of this process."""
    gc.collect()
    before = resident_bytes()
    states = dict(_copies(base, customers))
    gc.collect()
    return (resident_bytes() - before) / len(states)


def _cost(base: list[bytes], events: list[tuple[bytes, bytes]], customers: int) -> float:
    """CPU microseconds of an event: decode, group, fold, store."""
    states = dict(_copies(base, customers))
    gc.collect()
    gc.freeze()
    rng, names = random.Random(1), dict[bytes, str]()
    decoder, grouping, context = BatchDecoder("interaction", REGISTRY), Events(), RuleContext({}, now_ms())
    took = 0.0
    for start in range(0, len(events), BATCH):
        batch = events[start : start + BATCH]
        subjects = [names.setdefault(key, f"customer:C{rng.randrange(customers):09d}") for key, _ in batch]
        began = time.process_time()
        frame = decoder.decode([value for _, value in batch], COLUMNS).frame
        offsets = range(OFFSET + start, OFFSET + start + len(batch))
        states.update(
            fold_messages(states.get, Messages(grouping.by_subject(frame, subjects, offsets)), context).states
        )
        took += time.process_time() - began
    gc.unfreeze()
    return took / len(events) * 1e6


async def _recovery(base: list[bytes], keys: int) -> tuple[float, float]:
    """Keys a second, by the clock and by this process's CPU, of a stitch worker: from the moment when it has got its
    partitions until an event that was waiting is committed.
    """
    with tempfile.TemporaryDirectory(prefix="rihla-benchmark-") as folder:
        broker = Tansu(Path(folder) / "broker.log")
        await broker.start()
        try:
            settings = Settings(brokers=broker.address, embedded=True, prefix="bench", partitions=PARTITIONS)
            await ensure_topics(settings)
            await _fill(settings, base, keys)
            clock, cpu = [], []
            waiting = _payloads(enriched(4 * RECOVERIES, seed=3))
            for number in range(RECOVERIES):
                async with producing(settings) as producer:
                    await producer.send_and_wait(settings.topic("interactions"), waiting[number][1], waiting[number][0])
                app = build(settings, "stitch")
                create(app, settings)
                (table,) = app.tables.values()
                began = time.process_time()
                async with running(app):
                    # the waiting is for the group, and done when the table begins
                    await until(lambda table=table, app=app: table.recovery_seconds or app.given_up, 120)
                    if app.given_up is not None:
                        raise app.given_up
                    recovered = time.perf_counter()
                    await until(lambda number=number: _committed(settings, number + 1), 120)
                    cpu.append(time.process_time() - began)
                    if table.recovered_keys < keys:
                        raise RuntimeError(f"{table.recovered_keys} keys recovered of {keys}")
                    clock.append(table.recovery_seconds + time.perf_counter() - recovered)
                    say(f"state: recovered in {table.recovery_seconds:.2f} s, an event committed at {clock[-1]:.2f} s")
            return keys / min(clock), keys / min(cpu)
        finally:
            await broker.stop()


async def _committed(settings: Settings, events: int) -> bool:
    """Whether stitch has committed so many events."""
    offsets = await committed(settings, settings.group("stitch"), settings.topic("interactions"), PARTITIONS)
    return sum(offsets.values()) >= events


async def _fill(settings: Settings, base: list[bytes], keys: int) -> None:
    """Write so many states to the changelog of stitch, from which they are recovered."""
    app = build(settings, "stitch")
    table = BatchTable(app, "state", PARTITIONS)

    async def ignore(batch: progress.RecordBatch) -> None:
        pass

    @app.agent(app.topic(settings.topic("interactions")))
    async def agent(stream: Any) -> None:
        await batching.consume(stream, ignore)

    await ensure_changelogs(settings, {table.changelog_topic_name: PARTITIONS})
    async with running(app):
        await until(lambda: len(table.partitions_held) == PARTITIONS, 60)
        for number, (key, state) in enumerate(_copies(base, keys)):
            table.put(partitions_of([key], PARTITIONS)[0], key, state)  # stitch refuses a key that belongs elsewhere
            if number % AT_ONCE == 0:
                await table.flush()
        await table.flush()
