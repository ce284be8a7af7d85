"""What the linear models see of a text: its words, pairs of neighbours, and the verdict of the lexicon."""

from __future__ import annotations

import math
from collections.abc import Sequence

LEXICAL = ("#total", "#positive", "#negative", "#none", "#bias")
"""Names of the numeric features; no word contains "#"."""


def lexical(total: float, positive: float, negative: float) -> tuple[float, ...]:
    """The values of `LEXICAL`: the lexicon's sum, praise and blame, squashed, whether it found nothing, and 1."""
    return (
        total / (abs(total) + 3.0),
        positive / (positive + 3.0),
        negative / (negative + 3.0),
        1.0 if positive + negative < 0.25 else 0.0,
        1.0,
    )


def scale(words: Sequence[str]) -> float:
    """What the sum of the word features is multiplied by, so that long texts do not shout."""
    return 1.0 / math.sqrt(len(words) + 1.0)
