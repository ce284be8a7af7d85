"""CPU that a feature of the company's own world costs an event that uses it (docs/model.md, docs/groups.md).

enrich: the same simulated events under a model without the feature and under one with it, in turn; the difference is
divided by the number of events that use it. Groups: a fold of one event that reaches all members, divided by their
number.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import polars as pl

from schemas.encode import BatchEncoder
from streams.clock import now_ms
from streams.enrich.clean import as_stored
from streams.enrich.transform import Enricher
from streams.model import company
from streams.model.groups import FOREVER, LABELS
from streams.model.normal import Nobody
from streams.sources.events import EventBatch
from streams.stitch.fold import fold_messages
from streams.stitch.journey import Event
from streams.stitch.messages import Messages
from streams.stitch.observer import RuleContext
from tests.benchmarks import calibration
from tests.benchmarks.report import Outcome, say, tabulate
from tests.benchmarks.sample import REGISTRY, batches

ROUNDS = 3
MEMBERS = (10, 300, 3_000)
SCOPED = """default_brand = "noor"
[[kind]]
name = "customer"
limit = 1
scope = "brand"
[[kind]]
name = "device"
[[brand]]
name = "noor"
units = ["Makkah*", "Madinah*"]
[[brand]]
name = "safa"
units = ["*"]
"""
WORDS = 100
"""Words of the model's own aspects."""
SCALE = """[[scale]]
name = "smileys"
instrument = "nps"
low = 1
high = 3
"""
START = 1_700_000_000_000
"""When the simulated group sets out, epoch ms."""


def measure(events: int) -> Outcome:
    """Measure so many events."""
    slower = calibration.slower()
    plain = batches(events)
    rows: list[list[Any]] = []
    with tempfile.TemporaryDirectory(prefix="rihla-features-") as folder:
        models = {name: _model(Path(folder), name, **files) for name, files in {
            "scoped": {"identifiers.toml": SCOPED},
            "aspects": {"aspects.csv": _aspects()},
            "scales": {"scales.toml": SCALE},
        }.items()}  # fmt: skip
        scopes = models["scoped"].scopes
        branded = [EventBatch(one.channel, as_stored(one.frame, Nobody(), scopes)) for one in plain]
        answers, on_scale = _answers(plain)
        for feature, before, after, model, of in (
            ("identifiers within a brand, sent without it", plain, plain, "scoped", _customers(plain)),
            ("identifiers within a brand, sent with it", plain, branded, "scoped", _customers(plain)),
            ("brands in the model, identifiers of other kinds", [*map(_device, plain)], [*map(_device, plain)],
             "scoped", events),
            (f"{WORDS} words of own aspects", plain, plain, "aspects", _texts(plain)),
            ("a survey answered on a scale of one's own", answers, on_scale, "scales", _count(answers)),
        ):  # fmt: skip
            say(f"features: {feature}")
            base, cost = _in_turn(_enriching(before, None), _enriching(after, models[model]))
            rows.append([feature, base / of * 1e6, cost / of * 1e6, (cost - base) / of * 1e6])
    for members in MEMBERS:
        say(f"features: a group of {members}")
        alone, together = _in_turn(_group(members, happens=False), _group(members, happens=True))
        rows.append([f"an event of a group of {members:,}, by member", 0.0, *[(together - alone) / members * 1e6] * 2])
    return Outcome(
        tabulate(["us CPU an event that uses it", "without", "with", "price"], rows),
        {"features_us": {row[0]: round(row[3], 2) for row in rows}, "features_times_slower": round(slower, 2)},
    )


def _in_turn(*works: Callable[[], float]) -> list[float]:
    """The least CPU seconds of each in some rounds."""
    rounds = [[work() for work in works] for _ in range(ROUNDS)]
    return [min(found) for found in zip(*rounds, strict=True)]


def _model(folder: Path, name: str, **files: str) -> company.Model:
    (folder / name).mkdir()
    for file, text in files.items():
        (folder / name / file).write_text(text, "utf-8")
    return company.load(str(folder / name))


def _aspects() -> str:
    words = "; ".join(f"gadget{number}" for number in range(WORDS))
    return f"name,parent,language,words,doc\ngadget,,en,{words},Things of the room\n"


def _enriching(some: list[EventBatch], model: company.Model | None) -> Callable[[], float]:
    payloads = [(batch.channel, BatchEncoder(batch.channel, REGISTRY).encode(batch.frame)) for batch in some]

    def work() -> float:
        enricher = Enricher(REGISTRY) if model is None else Enricher(REGISTRY, model=model)
        began = time.process_time()
        for channel, values in payloads:
            found = enricher.enrich({channel: values}, now_ms())
            assert not found.refused
        return time.process_time() - began

    return work


def _device(batch: EventBatch) -> EventBatch:
    """The batch with devices in the place of all identifiers."""
    ids = [[{"kind": "device", "value": one["value"]} for one in some] for some in batch.frame["ids"].to_list()]
    return EventBatch(batch.channel, batch.frame.with_columns(pl.Series("ids", ids, batch.frame.schema["ids"])))


def _answers(some: list[EventBatch]) -> tuple[list[EventBatch], list[EventBatch]]:
    """The events with an answer of NPS; and the same, as answered on the model's scale."""
    plain = [
        EventBatch(batch.channel, found)
        for batch in some
        if (found := batch.frame.filter(pl.col("survey").struct.field("instrument") == "nps")).height
    ]
    scaled = []
    for batch in plain:
        said = [
            [*attributes, {"key": "scale", "value": "smileys"}] for attributes in batch.frame["attributes"].to_list()
        ]
        answers = [{"instrument": "nps", "score": float(Random(row).randint(1, 3))} for row in range(len(said))]
        scaled.append(
            EventBatch(
                batch.channel,
                batch.frame.with_columns(
                    pl.Series("attributes", said, batch.frame.schema["attributes"]),
                    pl.Series("survey", answers, batch.frame.schema["survey"]),
                ),
            )
        )
    return plain, scaled


def _count(some: list[EventBatch]) -> int:
    return sum(batch.frame.height for batch in some)


def _customers(some: list[EventBatch]) -> int:
    """Events that name a customer."""
    named = pl.col("ids").list.eval(pl.element().struct.field("kind") == "customer").list.any()
    return sum(batch.frame.filter(named).height for batch in some)


def _texts(some: list[EventBatch]) -> int:
    return sum(batch.frame["text"].drop_nulls().len() for batch in some)


def _group(members: int, happens: bool) -> Callable[[], float]:
    """Folds a group of so many into being and, if something `happens`, what it becomes to all of them."""

    def work() -> float:
        everybody = ("",) * len(LABELS)
        states: dict[bytes, bytes] = {}
        context, turns = RuleContext({}, START), count(1)

        def fold(messages: Messages) -> list[Any]:
            changes = fold_messages(states.get, messages, context, range(next(turns)))
            states.update(changes.states)
            return changes.parts

        joined = {}
        for number in range(members):
            one = Event(START, number.to_bytes(16, "big"), None, "stay.group_joined", 2)
            one.group = ("group:g",), (START, 0, START, FOREVER, everybody), everybody
            joined[f"customer:{number}"] = [(number, number.to_bytes(8, "big"), one)]
        waiting = fold(Messages(joined))
        late = Event(START + 1000, b"%16d" % 7, None, "stay.transfer_delayed", 2, score=-500_000, weight=1.0)
        late.group = (), None, everybody
        began = time.process_time()
        if happens:
            waiting += fold(Messages({"group:g": [(members, b"12345678", late)]}))
        offset = 0
        while waiting:
            by_target: dict[str, list[Any]] = {}
            for target, *sent in waiting:
                by_target.setdefault(target, []).append((offset, *sent))
                offset += 1
            waiting = fold(Messages(parts=by_target))
        return time.process_time() - began

    return work
