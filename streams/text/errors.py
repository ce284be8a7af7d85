"""The scorer's errors on labelled sets, by cause: `rihla score --labelled DIRECTORY --errors FILE`.

What the next developer works from: which cause has most errors, its texts with the words that counted, and, of texts in
which nothing was found, the words that no lexicon has, by how many such texts have them.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from streams.text.evaluate import sets
from streams.text.explain import marks
from streams.text.scorer import Scorer, TextScore
from streams.text.sentences import LEAST

CAUSES = {
    "language": "its language was not told",
    "nothing": "an opinion of which no word is known",
    "left out": "an opinion taken for a wish, a question or a prayer",
    "unsure": "an opinion whose words are known, and the sum or the model says neutral",
    "fact": "a neutral text with words that are taken for an opinion",
    "guess": "a neutral text without such words, which a model takes for an opinion",
    "contrast": "wrong sign, with a turn (but)",
    "negation": "wrong sign, with a negation",
    "both": "wrong sign, with words of praise and of blame",
    "model": "wrong sign, against the sum of its words",
    "words": "wrong sign, and its words have it",
}
"""The causes, in the order in which they are looked for."""


@dataclass(frozen=True, slots=True)
class Error:
    """A text of a set whose sign is wrong: label and score (None: null), its cause, the words that counted (each with
    its valence), and the words that no lexicon has.
    """

    of: str
    cause: str
    label: int
    score: float | None
    language: str | None
    counted: str
    unknown: tuple[str, ...]
    text: str


def sign(score: float | None) -> int:
    """-1, 0 or 1; null is 0."""
    return 0 if score is None else (score > 0) - (score < 0)


def errors(scorer: Scorer, name: str, frame: pl.DataFrame) -> Iterator[Error]:
    """The errors on a set (columns text and label; its name begins with its language)."""
    language = name.split("_", 1)[0]
    frame = frame.drop_nulls(["text", "label"]).unique("text", keep="first", maintain_order=True)
    for text, label in frame.select("text", "label").iter_rows():
        found = scorer.score_one(text, None, by_sentence=False)
        if sign(found.score) != label:
            yield _error(scorer, name, language, text, label, found)


def _error(scorer: Scorer, name: str, language: str, text: str, label: int, found: TextScore) -> Error:
    _, said, _ = marks(scorer, text)
    roles = {mark.role for mark in said}
    values = [mark.counted for mark in said if mark.counted]
    total = sum(values)
    evidence = sum(map(abs, values))
    lexicon = scorer.lexicon_of(text, None)
    unknown = () if lexicon is None else tuple(scorer.unknown(text, lexicon))
    if found.language != language:
        cause = "language"
    elif found.score is None:
        lost = any(mark.counted is None for mark in said)
        cause = "left out" if lost else "nothing" if evidence < LEAST else "unsure"
    elif not label:
        cause = "fact" if evidence >= LEAST else "guess"
    elif "but" in roles:
        cause = "contrast"
    elif "not" in roles:
        cause = "negation"
    elif min(values, default=0.0) < 0 < max(values, default=0.0):
        cause = "both"
    else:
        cause = "model" if total * label >= 0 else "words"
    counted = " ".join(f"{mark.text.replace(' ', '_')}:{mark.counted:.1f}" for mark in said if mark.counted)
    return Error(name, cause, label, found.score, found.language, counted, unknown, text)


def book(directory: Path, output: Path, *, most: int = 12) -> Iterator[str]:
    """Write the errors on the sets of a directory to a CSV file; the lines of a summary: errors by cause and set, and
    the unknown words of most texts in which nothing was found.
    """
    scorer = Scorer()
    known = list(sets(directory))  # before the output is there, maybe in the same directory
    with output.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["set", "cause", "label", "score", "language", "counted", "unknown", "text"])
        for name, frame in known:
            causes: Counter[str] = Counter()
            words: Counter[str] = Counter()
            for one in errors(scorer, name, frame):
                causes[one.cause] += 1
                if one.cause == "nothing":
                    words.update(set(one.unknown))
                unknown = " ".join(one.unknown)
                writer.writerow([one.of, one.cause, one.label, one.score, one.language, one.counted, unknown, one.text])
            yield f"{name}: {causes.total()} errors of {len(frame)}"
            for cause, count in sorted(causes.items(), key=lambda item: -item[1]):
                yield f"  {count:5} {cause:9} {CAUSES[cause]}"
            if words:
                yield "        " + ", ".join(f"{word} {count}" for word, count in words.most_common(most))
