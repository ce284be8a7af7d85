"""Macro-F1 of the scorer on labelled sets: `python -m streams.text.evaluate DIRECTORY`.

A set is a CSV file, gzip or not, with the columns text and label (-1, 0, 1). A score above 0 counts as positive, below
0 as negative; null as neutral where the set has that label, and as wrong where it has not.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from streams.text.scorer import Scorer

HEADER = (
    f"{'set':28} {'rows':>6} {'macro-F1':>8} {'accuracy':>8} {'F1 -1':>6} {'F1 0':>6} {'F1 +1':>6} "
    f"{'null':>5} {'lang':>5} {'a second':>8}"
)


@dataclass(frozen=True, slots=True)
class Report:
    """How the scorer did on one set: macro-F1, accuracy, F1 by label, share without a score, texts a second."""

    name: str
    rows: int
    macro_f1: float
    accuracy: float
    f1: dict[int, float]
    nulls: float
    right_language: float
    per_second: float


def evaluate(scorer: Scorer, name: str, frame: pl.DataFrame, *, locale: str | None = None) -> Report:
    """Score a frame with the columns text and label; `name` should begin with the language, to judge identification."""
    frame = frame.drop_nulls(["text", "label"]).unique("text", keep="first", maintain_order=True)
    begun = time.perf_counter()
    results = scorer.score(frame["text"].to_list(), [locale] * len(frame))
    took = time.perf_counter() - begun
    labels = [int(label) for label in frame["label"].to_list()]
    guesses = [0 if r is None or r.score is None else (r.score > 0) - (r.score < 0) for r in results]
    language = name.split("_", 1)[0]
    f1 = {}
    for label in sorted(set(labels)):
        hits = sum(guess == truth == label for guess, truth in zip(guesses, labels, strict=True))
        f1[label] = 2 * hits / max(1, guesses.count(label) + labels.count(label))
    return Report(
        name=name,
        rows=len(labels),
        macro_f1=sum(f1.values()) / max(1, len(f1)),
        accuracy=sum(map(int.__eq__, guesses, labels)) / max(1, len(labels)),
        f1=f1,
        nulls=sum(r is None or r.score is None for r in results) / max(1, len(results)),
        right_language=sum(r is not None and r.language == language for r in results) / max(1, len(results)),
        per_second=len(labels) / took,
    )


def main(arguments: list[str]) -> int:
    """Print a table of the sets in a directory: as they are, and (name ending in /2) without their neutral rows."""
    if len(arguments) != 1:
        print("usage: python -m streams.text.evaluate DIRECTORY", file=sys.stderr)
        return 2
    scorer = Scorer()
    print(HEADER)
    for path in sorted(Path(arguments[0]).glob("*.csv*")):
        frame = pl.read_csv(path, columns=["text", "label"])
        name = path.name.split(".", 1)[0]
        sets = [(name, frame)]
        if 0 in frame["label"].to_list():
            sets.append((name + "/2", frame.filter(pl.col("label") != 0)))
        for label, rows in sets:
            report = evaluate(scorer, label, rows)
            cells = " ".join(f"{report.f1[key]:6.3f}" if key in report.f1 else "     -" for key in (-1, 0, 1))
            print(
                f"{label:28} {report.rows:6} {report.macro_f1:8.3f} {report.accuracy:8.3f} {cells} "
                f"{report.nulls:5.2f} {report.right_language:5.2f} {report.per_second:8.0f}"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
