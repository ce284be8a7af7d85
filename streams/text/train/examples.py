"""Labelled texts as the trainer takes them."""

from __future__ import annotations

from collections.abc import Iterable

from streams.text import features
from streams.text.scorer import Scorer
from streams.text.train.linear import Example


def examples(scorer: Scorer, variety: str, rows: Iterable[tuple[str, int]], weight: float = 1.0) -> list[Example]:
    """(text, label) pairs in one language with their features; `scorer` must be one without models."""
    made = []
    for text, label in rows:
        words, total, evidence = scorer.evidence(text, variety)
        made.append(Example(words, features.lexical(text, total, evidence), label, weight))
    return made
