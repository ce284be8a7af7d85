"""Bytes of an event at each hop, and what compressing them costs: by this the setting `compression` is chosen.

A hop's records are those that 2,000-record batches of simulated events cause; a produce batch is compressed as a whole,
as Kafka does, at the codecs' usual levels. Bytes are those of keys and values, without Kafka's own of a record (about
ten). What ClickHouse keeps of an interaction on disk is measured by the benchmark `sink`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.records import CHANNELS
from streams.clock import now_ms
from streams.enrich.transform import Enricher
from streams.kafka.batch_producer import BATCH_BYTES
from streams.stitch.events import COLUMNS, Events
from streams.stitch.fold import fold_messages
from streams.stitch.messages import Messages
from streams.stitch.observer import RuleContext
from tests.benchmarks.report import Outcome, tabulate
from tests.benchmarks.sample import REGISTRY, batches
from tests.benchmarks.stages import PUBLISHED

CODECS = ("none", "lz4_raw", "zstd", "gzip")


def measure(events: int) -> Outcome:
    """Measure the records that so many events cause."""
    hops = _hops(events)
    table: list[list[object]] = []
    figures: dict[str, Any] = {}
    for hop, values in hops.items():
        sizes = {codec: _compressed(values, codec) for codec in CODECS}
        table.append([hop, len(values) / events, *(size / events for size, _ in sizes.values())])
        figures[hop] = {codec: round(size / events, 1) for codec, (size, _) in sizes.items()}
        for codec, (_, seconds) in sizes.items():
            figures[hop][f"{codec}_cpu_us"] = round(seconds / events * 1e6, 2)
    total = {codec: sum(figures[hop][codec] for hop in hops) for codec in CODECS}
    cpu = {codec: sum(figures[hop][f"{codec}_cpu_us"] for hop in hops) for codec in CODECS}
    table += [["all", "", *total.values()], ["us CPU an event to compress all", "", *cpu.values()]]
    head = ["hop", "records an event", *(f"bytes, {codec.removesuffix('_raw')}" for codec in CODECS)]
    return Outcome(tabulate(head, table), {"bytes_per_event": figures})


def _hops(events: int) -> dict[str, list[bytes]]:
    """Payloads by hop."""
    enricher, grouping, context = Enricher(REGISTRY), Events(), RuleContext({}, now_ms())
    encoders = {name: BatchEncoder(name, REGISTRY) for name in (*CHANNELS, *PUBLISHED.values())}
    decoder = BatchDecoder("interaction", REGISTRY)
    states: dict[bytes, bytes] = {}
    hops: dict[str, list[bytes]] = {name: [] for name in ("channels", "interactions", "stitch changelog", *PUBLISHED)}
    offset = 0
    for batch in batches(events):
        events = encoders[batch.channel].encode(batch.frame)
        hops["channels"] += events
        enriched = enricher.enrich({batch.channel: events}, now_ms())
        payloads = enriched.values
        hops["interactions"] += payloads
        frame = decoder.decode(payloads, COLUMNS).frame
        subjects = [subject.decode() for subject in enriched.subjects]
        grouped = grouping.by_subject(frame, subjects, range(offset, offset + len(payloads)))
        offset += len(payloads)
        changes = fold_messages(states.get, Messages(grouped), context)
        states.update(changes.states)
        hops["stitch changelog"] += [key + state for key, state in changes.states.items()]
        for field, record in PUBLISHED.items():
            if published := getattr(changes, field):
                hops[field] += encoders[record].encode(published)
    return hops


def _compressed(values: Sequence[bytes], codec: str) -> tuple[int, float]:
    """Bytes of all values, compressed in produce batches, and the CPU seconds that it took."""
    if codec == "none":
        return sum(map(len, values)), 0.0
    joined = b"".join(values)
    began = time.process_time()
    size = sum(
        len(pa.compress(joined[at : at + BATCH_BYTES], codec=codec, asbytes=True))
        for at in range(0, len(joined), BATCH_BYTES)
    )
    return size, time.process_time() - began
