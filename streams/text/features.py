"""The features of the linear models: words, pairs of neighbours, n-grams of letters, punctuation marks, and the sum of
the lexicon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

from streams.text import normalise
from streams.text.lexicon import read

BEGIN = "^"
"""The left neighbour of the first word."""

LEXICAL = ("#total", "#positive", "#negative", "#none", "#bias", "#question", "#exclamation", "#link")
"""Names of the numeric features; no word contains "#"."""

GRAM = "~"
"""Prefix of the names of character n-grams; no word contains it."""
PERSON = "@"
"""Replaces the name of a person, a people or a religion."""
SHORTEST, LONGEST = 2, 5
"""Characters of an n-gram, "<" and ">" at the ends of the word included."""


@cache
def _people() -> frozenset[str]:
    return frozenset(normalise.plain(term) for _, term in read("people"))


def word(raw: str) -> str:
    """The name of a word in the models: `normalise.plain`, or `PERSON`."""
    plain = normalise.plain(raw)
    return PERSON if plain in _people() else plain


def grams(plain: str) -> list[str]:
    """The names of the character n-grams of a word (of three letters at least; of others, and of `PERSON`, none)."""
    return [GRAM + gram for gram in spelt(plain)]


def spelt(plain: str) -> list[str]:
    """The character n-grams of a word."""
    if len(plain) < 3:
        return []
    framed = f"<{plain[:24]}>"
    return [*map(framed.__getitem__, places(len(framed)))]


@cache
def places(size: int, shortest: int = SHORTEST, longest: int = LONGEST) -> list[slice]:
    """The slices of a word of `size` characters that are its n-grams of `shortest` to `longest` characters, itself
    excepted."""
    return [
        slice(at, at + length)
        for length in range(shortest, min(longest, size - 1) + 1)
        for at in range(size - length + 1)
    ]


def gram_scale(count: int) -> float:
    """The factor for the sum of the n-gram weights of one word, given their number."""
    return 1.0 / math.sqrt(count)


def lexical(text: str, total: float, evidence: float) -> tuple[float, ...]:
    """The values of `LEXICAL`: the lexicon's sum, praise and blame, squashed, whether it found nothing, 1, and whether
    the text has a question mark, an exclamation mark, a link. `evidence` is the sum of the sizes of what it found.
    """
    positive, negative = (evidence + total) / 2, (evidence - total) / 2
    return (
        total / (abs(total) + 3.0),
        positive / (positive + 3.0),
        negative / (negative + 3.0),
        1.0 if positive + negative < 0.25 else 0.0,
        1.0,
        1.0 if "?" in text else 0.0,
        1.0 if "!" in text else 0.0,
        1.0 if "http" in text else 0.0,
    )


def scale(words: Sequence[str]) -> float:
    """The factor for the sum of the word features, so that long texts do not get extreme scores."""
    return 1.0 / math.sqrt(len(words) + 1.0)
