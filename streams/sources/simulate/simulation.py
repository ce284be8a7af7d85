"""Synthetic travellers: a stream of events, and beside it the truth that the tables must hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count, islice
from pathlib import Path
from typing import Any

import orjson

from streams.sources import jsonl
from streams.sources.events import EventBatch
from streams.sources.simulate.block import begins_at, blocks, make_block
from streams.sources.simulate.caravans import caravans
from streams.sources.simulate.options import Options
from streams.sources.simulate.stream import Stream
from streams.sources.simulate.truth import block_truth

Record = dict[str, Any]


def simulate(options: Options, truth: Callable[[Record], object] | None = None) -> Iterator[Record]:
    """Yield the events, as JSON Lines input has them, in the order in which they arrive.

    A pure function of the options. truth is called with each record of the truth (see `truth`), the summary last, when
    the events have been consumed. Memory is bounded by options.block.
    """
    stream = Stream(options)
    counts: Counter[str] = Counter()
    for events in caravans(options, truth):
        counts["interactions"] += len(events)
        counts["caravans"] += 1
        stream.add(events)
    for number in range(blocks(options)):
        block = make_block(options, number)
        counts["interactions"] += len(block.recorder.events)
        if truth is not None:
            for record in block_truth(block):
                _count(counts, record)
                truth(record)
        stream.add(block.recorder.events)
        yield from stream.take(begins_at(options, number + 1))
    yield from stream.take(float("inf"))
    if truth is not None:
        truth(_summary(counts, stream))


def batches(
    options: Options, truth: Callable[[Record], object] | None = None, *, batch_size: int = jsonl.BATCH_LINES
) -> Iterator[EventBatch]:
    """The same events as columns, read as their JSON Lines would be: what is no event at all is a bad line."""
    events = simulate(options, truth)
    chunks = iter(lambda: [orjson.dumps(event) for event in islice(events, batch_size)], [])
    return jsonl.parse(zip(count(1, batch_size), chunks, strict=False), f"<simulation {options.seed}>")


def write(options: Options, events: Path, truth: Path | None = None) -> Record:
    """Write the events as JSON Lines, and the truth beside them; return the summary, the last record of the truth."""
    summary: Record = {}
    with ExitStack() as stack:
        lines = stack.enter_context(events.open("wb"))
        records = stack.enter_context(truth.open("wb")) if truth else None

        def keep(record: Record) -> None:
            if records:
                records.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
            if record["record"] == "summary":
                summary.update(record)

        for event in simulate(options, keep):
            lines.write(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))
    return summary


def _count(counts: Counter[str], record: Record) -> None:
    counts[f"{record['record']}s"] += 1
    if record["record"] == "journey":
        counts[f"status {record['status']}"] += 1


def _summary(counts: Counter[str], stream: Stream) -> Record:
    bad = sum(stream.bad.values())
    statuses = {name.partition(" ")[2]: count for name, count in sorted(counts.items()) if name.startswith("status ")}
    return {
        "record": "summary",
        "events": counts["interactions"] + stream.duplicates + bad,
        "interactions": counts["interactions"],
        "duplicates": stream.duplicates,
        "late": stream.late,
        "bad": bad,
        "bad_by_reason": dict(sorted(stream.bad.items())),
        "customers": counts["customers"],
        "journeys": counts["journeys"],
        "journeys_by_status": statuses,
        "cases": counts["cases"],
        "shared_identifiers": counts["shareds"],
        **({"caravans": counts["caravans"]} if counts["caravans"] else {}),
    }
