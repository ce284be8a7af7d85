"""Macro-F1 of the scorer on labelled sets: `rihla score --labelled DIRECTORY`.

A set is a CSV file, gzip or not, with the columns text and label (-1, 0, 1). A score above 0 counts as positive, below
0 as negative; null as neutral where the set has that label, and as wrong where it has not.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from streams.text.scorer import Scorer

RESAMPLES = 500
"""Bootstrap samples for a confidence interval."""
HEADER = (
    f"{'set':28} {'rows':>6} {'macro-F1':>8} {'95 % interval':>13} {'accuracy':>8} {'scored':>6} {'right':>6} "
    f"{'F1 -1':>6} {'F1 0':>6} {'F1 +1':>6} "
    f"{'null':>5} {'lang':>5} {'a second':>8}"
)


@dataclass(frozen=True, slots=True)
class Report:
    """The result of the scorer on one set: macro-F1 with the 95 % interval of a bootstrap over its texts, accuracy, F1
    by label, share without a score, accuracy of what is scored among the texts with an opinion, texts a second.
    """

    name: str
    rows: int
    macro_f1: float
    accuracy: float
    f1: dict[int, float]
    nulls: float
    interval: tuple[float, float]
    scored_right: float
    right_language: float
    per_second: float


def f1_by_label(truth: Sequence[int], guesses: Sequence[int]) -> dict[int, float]:
    """F1 of each label that is in truth: 2 hits / (guessed + true)."""
    found = {}
    for label in sorted(set(truth)):
        hits = sum(a == b == label for a, b in zip(truth, guesses, strict=True))
        found[label] = 2 * hits / max(1, list(truth).count(label) + list(guesses).count(label))
    return found


def interval(truth: Sequence[int], guesses: Sequence[int], *, seed: int = 1) -> tuple[float, float]:
    """The 95 % interval of the macro-F1, from `RESAMPLES` samples with replacement; the same for the same input."""
    kinds = sorted(set(truth))
    chance = np.random.default_rng(seed)
    cells = np.array([[a, b] for a, b in zip(truth, guesses, strict=True)])
    pairs, counts = np.unique(cells, axis=0, return_counts=True)
    drawn = chance.multinomial(len(truth), counts / len(truth), size=RESAMPLES)
    total = np.zeros(RESAMPLES)
    for kind in kinds:
        true, guessed = pairs[:, 0] == kind, pairs[:, 1] == kind
        hits = drawn[:, true & guessed].sum(axis=1)
        total += 2 * hits / np.maximum(1, drawn[:, true].sum(axis=1) + drawn[:, guessed].sum(axis=1))
    low, high = np.quantile(total / len(kinds), [0.025, 0.975])
    return float(low), float(high)


def evaluate(scorer: Scorer, name: str, frame: pl.DataFrame, *, locale: str | None = None) -> Report:
    """Score a frame with the columns text and label; `name` should begin with the language, to judge identification."""
    frame = frame.drop_nulls(["text", "label"]).unique("text", keep="first", maintain_order=True)
    begun = time.perf_counter()
    results = scorer.score(frame["text"].to_list(), [locale] * len(frame))
    took = time.perf_counter() - begun
    labels = [int(label) for label in frame["label"].to_list()]
    guesses = [0 if r is None or r.score is None else (r.score > 0) - (r.score < 0) for r in results]
    language = name.split("_", 1)[0]
    f1 = f1_by_label(labels, guesses)
    scored = [(a, b) for a, b in zip(labels, guesses, strict=True) if a and b]
    return Report(
        name=name,
        rows=len(labels),
        macro_f1=sum(f1.values()) / max(1, len(f1)),
        accuracy=sum(map(int.__eq__, guesses, labels)) / max(1, len(labels)),
        f1=f1,
        nulls=sum(r is None or r.score is None for r in results) / max(1, len(results)),
        interval=interval(labels, guesses),
        scored_right=sum(a == b for a, b in scored) / max(1, len(scored)),
        right_language=sum(r is not None and r.language == language for r in results) / max(1, len(results)),
        per_second=len(labels) / took,
    )


def sets(directory: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    """(name, its columns text and label) of each labelled set in a directory, in order."""
    for path in sorted(directory.glob("*.csv*")):
        if {"text", "label"} <= set(pl.read_csv(path, n_rows=0).columns):
            yield path.name.split(".", 1)[0], pl.read_csv(path, columns=["text", "label"])


def reports(scorer: Scorer, directory: Path) -> Iterator[Report]:
    """The reports on the sets of a directory, by language (the beginning of the file's name): as they are, and (name
    ending in /2) without their neutral rows.
    """
    for name, frame in sets(directory):
        yield evaluate(scorer, name, frame)
        if 0 in frame["label"].to_list():
            yield evaluate(scorer, name + "/2", frame.filter(pl.col("label") != 0))


def line(report: Report) -> str:
    """A report as a line under `HEADER`."""
    cells = " ".join(f"{report.f1[key]:6.3f}" if key in report.f1 else "     -" for key in (-1, 0, 1))
    return (
        f"{report.name:28} {report.rows:6} {report.macro_f1:8.3f} "
        f"{report.interval[0]:6.3f}-{report.interval[1]:6.3f} "
        f"{report.accuracy:8.3f} {1 - report.nulls:6.2f} {report.scored_right:6.3f} {cells} "
        f"{report.nulls:5.2f} {report.right_language:5.2f} {report.per_second:8.0f}"
    )


def table(directory: Path, *, gate: Path | None = None) -> Iterator[str]:
    """The lines of a table of the sets in a directory.

    gate: a CSV file (set, macro_f1, low, high) of the figures before: a line `worse: ...` follows for each set whose
    macro-F1 is below its low, the lower end of its 95 % interval then. Where there is no such file, it is written.
    """
    scorer = Scorer()
    yield f"model {scorer.version}"
    yield HEADER
    found = []
    for report in reports(scorer, directory):
        found.append(report)
        yield line(report)
    known = {name for name, _ in sets(directory)}
    for path in sorted(directory.glob("*.csv*")):
        if path.name.split(".", 1)[0] not in known:
            yield f"{path.name}: left out, it has no columns text and label"
    if gate is not None and gate.exists():
        yield from worse(found, pl.read_csv(gate))
    elif gate is not None:
        kept = [(one.name, one.rows, round(one.macro_f1, 4), *(round(end, 4) for end in one.interval)) for one in found]
        pl.DataFrame(kept, schema=["set", "rows", "macro_f1", "low", "high"], orient="row").write_csv(gate)


WORSE = "worse: "
"""How the lines of `worse` begin."""


def worse(found: Sequence[Report], before: pl.DataFrame) -> Iterator[str]:
    """A line for each set that fell below its interval, and for each that is no longer there."""
    reported = {one.name: one for one in found}
    for row in before.iter_rows(named=True):
        one = reported.get(row["set"])
        if one is None:
            yield f"{WORSE}{row['set']} is not there"
        elif one.macro_f1 < row["low"]:
            yield f"{WORSE}{one.name} {one.macro_f1:.4f}, it was {row['macro_f1']} ({row['low']} to {row['high']})"
