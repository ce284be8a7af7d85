"""What the linear models see of a text: its words, pairs of neighbours, its marks, and the verdict of the lexicon."""

from __future__ import annotations

import math
from collections.abc import Sequence

BEGIN = "^"
"""The left neighbour of the first word."""

LEXICAL = ("#total", "#positive", "#negative", "#none", "#bias", "#question", "#exclamation", "#link")
"""Names of the numeric features; no word contains "#"."""


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
    """What the sum of the word features is multiplied by, so that long texts do not shout."""
    return 1.0 / math.sqrt(len(words) + 1.0)
