"""CPU of each stage of the way of an event, in one process and without Kafka, against a limit for each.

What is timed is what the workers call, on batches of the size that they get. Each figure is the least of two rounds,
since others on the machine can only make it larger.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.records import CHANNELS
from sinks.clickhouse.tables import TABLES, to_arrow
from streams.alerts import match, rules
from streams.clock import now_ms
from streams.enrich.transform import Enricher
from streams.identity.resolver import Resolver
from streams.kafka.partitioner import partitions_of, rows_by
from streams.sources.events import EventBatch
from streams.stitch.events import COLUMNS, Events
from streams.stitch.fold import fold_messages
from streams.stitch.messages import Messages
from streams.stitch.observer import RuleContext
from streams.worker.process import GC_THRESHOLDS
from tests.benchmarks import calibration
from tests.benchmarks.report import Outcome, say, tabulate
from tests.benchmarks.sample import BATCH, REGISTRY, batches

LIMITS = {
    "encode": 7.0,
    "enrich": 8.0,
    "resolve links": 4.5,
    "decode for stitch": 2.5,
    "match alerts": 0.5,
    "stitch events": 5.5,
    "stitch fold": 11.0,
    "stitch encode": 2.5,
    "decode for sink": 3.0,
    "to_arrow": 1.5,
}
"""CPU microseconds an event that a stage may take, in order, on the machine of the limits (see calibration). The fold's
are those of historic simulated events."""
TOLERATED = 2.0
"""Runs differ: a stage has outgrown its limit at so many times of it."""
ROUNDS = 2
PARTITIONS = 4
PUBLISHED = {"journeys": "journey", "customers": "customer", "cases": "case"}
"""What the fold publishes of these events: field of Changes, record."""


class Stages:
    """CPU seconds by stage."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block's CPU time, that of Polars' threads included, for a stage."""
        began = time.process_time()
        yield
        self.seconds[name] += time.process_time() - began


def measure(events: int, hotel: Path | None = None) -> Outcome:
    """Measure so many events; hotel: of this file of hotel bookings instead of simulated ones."""
    slower = calibration.slower()
    sample = batches(events, hotel)
    count = sum(batch.frame.height for batch in sample)
    gc.collect()
    gc.freeze()
    usual = gc.get_threshold()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        rounds = []
        for number in range(ROUNDS):
            say(f"stages: round {number + 1} of {ROUNDS}")
            rounds.append(one_round(sample))
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
    costs = {name: min(found[name] for found in rounds) / count * 1e6 for name in LIMITS}
    limits = {name: limit * slower for name, limit in LIMITS.items()}
    table = [[name, cost, limits[name]] for name, cost in costs.items()]
    return Outcome(
        tabulate(["stage", "us CPU an event", "limit"], [*table, ["all", sum(costs.values()), sum(limits.values())]]),
        {
            "stages_events": count,
            "stages_cpu_us_per_event": {name: round(cost, 2) for name, cost in costs.items()},
            "stages_times_slower": round(slower, 2),
        },
        outgrown(costs, slower),
    )


def outgrown(costs: dict[str, float], slower: float) -> list[str]:
    """A sentence on each stage that takes more than it may; slower: see calibration."""
    return [
        f"{name} takes {cost:.1f} us an event, more than {TOLERATED:g} times its limit of {slower * LIMITS[name]:.1f}"
        for name, cost in costs.items()
        if cost > TOLERATED * slower * LIMITS[name]
    ]


def one_round(sample: list[EventBatch]) -> Counter[str]:
    """CPU seconds by stage of one way through them all."""
    stages = Stages()
    interactions = _enrich(stages, sample)
    _stitch(stages, interactions)
    decoder, table = BatchDecoder("interaction", REGISTRY), TABLES["interactions"]
    for _, payloads, _ in interactions:
        with stages.stage("decode for sink"):
            stored = decoder.decode(payloads).frame
        with stages.stage("to_arrow"):
            to_arrow(stored, table, 0)
    return stages.seconds


def _enrich(stages: Stages, sample: list[EventBatch]) -> list[tuple[int, list[bytes], list[str]]]:
    """Through enrich and identity; what stitch gets: (partition, payloads, subjects) of each batch."""
    enricher, resolver, links = Enricher(REGISTRY), Resolver(), 0
    encoders = {name: BatchEncoder(name, REGISTRY) for name in CHANNELS}
    waiting: dict[int, list[tuple[list[bytes], list[str]]]] = {}
    for batch in sample:
        with stages.stage("encode"):
            payloads = encoders[batch.channel].encode(batch.frame)
        with stages.stage("enrich"):
            enriched = enricher.enrich({batch.channel: payloads}, now_ms())
        said = [(subject.decode(), identifier.decode(), at) for (subject, identifier), at in enriched.links.items()]
        with stages.stage("resolve links"):
            resolver.take(said, range(links, links + len(said)))
            resolver.settled()
        links += len(said)
        places = rows_by(partitions_of(enriched.subjects, PARTITIONS))
        for partition in range(PARTITIONS):
            rows = places.get(partition, [])
            chosen = [enriched.subjects[row].decode() for row in rows]
            waiting.setdefault(partition, []).append(([enriched.values[row] for row in rows], chosen))
    return [part for partition, parts in waiting.items() for part in _batched(partition, parts)]


def _batched(
    partition: int, parts: list[tuple[list[bytes], list[str]]]
) -> Iterator[tuple[int, list[bytes], list[str]]]:
    """The records of a partition, in batches of full size."""
    payloads = [payload for some, _ in parts for payload in some]
    subjects = [subject for _, some in parts for subject in some]
    for start in range(0, len(payloads), BATCH):
        yield partition, payloads[start : start + BATCH], subjects[start : start + BATCH]


def _stitch(stages: Stages, interactions: list[tuple[int, list[bytes], list[str]]]) -> None:
    decoder, events = BatchDecoder("interaction", REGISTRY), Events()
    encoders = {record: BatchEncoder(record, REGISTRY) for record in PUBLISHED.values()}
    context = RuleContext(rules.load(None), now_ms())
    matcher = match.Matcher(context.rules)
    states: dict[bytes, bytes] = {}
    offsets = [0] * PARTITIONS
    read = tuple(dict.fromkeys((*COLUMNS, *match.COLUMNS)))
    for partition, payloads, subjects in interactions:
        with stages.stage("decode for stitch"):
            frame = decoder.decode(payloads, read).frame
        with stages.stage("match alerts"):
            watched = matcher.watched(frame, context.now)
        first = offsets[partition]
        offsets[partition] += len(payloads)
        with stages.stage("stitch events"):
            grouped = events.by_subject(frame, subjects, range(first, offsets[partition]), watched)
        with stages.stage("stitch fold"):
            changes = fold_messages(states.get, Messages(grouped), context)
            states.update(changes.states)
        for field, record in PUBLISHED.items():
            published: list[Any] = getattr(changes, field)
            if not published:
                continue
            with stages.stage("stitch encode"):
                encoders[record].encode(published)
