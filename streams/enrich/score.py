"""The score of an interaction: what a survey, a text or the event itself says, the strongest of them.

- survey, weight 1: nps piecewise linear through (0,-1) (6.5,-1/3) (8.5,1/3) (10,1); csat, stars (x-3)/2; ces (x-4)/3.
- text, weight 0.6 x confidence: what the text scorer found.
- implicit, weight 0.3: the touchpoint's prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from schemas.row_writer import RowWriter

SURVEY_WEIGHT: Final = 1.0
TEXT_WEIGHT: Final = 0.6
IMPLICIT_WEIGHT: Final = 0.3
FIELDS: Final = ("language", "score", "score_source", "score_weight", "conflict", "aspects")
"""The fields of an interaction that hold an opinion; they are adjacent in the schema."""
_THIRD: Final = 1.0 / 3.0
_MILLION: Final = 1e6

Aspects = list[tuple[str, float | None]]
"""What an event is about: (aspect, its score or None)."""


class Opinions:
    """Writes the FIELDS of interactions."""

    def __init__(self, fields: Sequence[dict[str, Any]]) -> None:
        """`fields` are those of the schema of interactions, without references."""
        self._rows = RowWriter([field for field in fields if field["name"] in FIELDS])

    def write(
        self,
        survey: float | None,
        text: float | None,
        confidence: float,
        prior: float | None,
        language: str | None,
        aspects: Aspects,
    ) -> bytes:
        """Their encoding. survey, text, prior: scores, or None. confidence: in that of the text. language: its own."""
        if survey is not None:
            score, source, weight = survey, "survey", SURVEY_WEIGHT
        elif text is not None:
            score, source, weight = text, "text", rounded(TEXT_WEIGHT * confidence)
        elif prior is not None:
            score, source, weight = prior, "implicit", IMPLICIT_WEIGHT
        else:
            return self._encoded((language, None, None, None, False, aspects))
        conflict = survey is not None and text is not None and survey * text < 0.0
        return self._encoded((language, rounded(score), source, weight, conflict, aspects))

    def _encoded(self, row: tuple[Any, ...]) -> bytes:
        return self._rows.write([row])[0]


def survey_score(instrument: str, x: float) -> float | None:
    """The score in [-1, 1] of an answer to a survey; None where it is off the instrument's scale."""
    if instrument == "nps":
        if not 0.0 <= x <= 10.0:
            return None
        if x <= 6.5:
            return -1.0 + x * ((1.0 - _THIRD) / 6.5)
        if x <= 8.5:
            return -_THIRD + (x - 6.5) * _THIRD
        return _THIRD + (x - 8.5) * ((1.0 - _THIRD) / 1.5)
    if instrument == "ces":
        return (x - 4.0) / 3.0 if 1.0 <= x <= 7.0 else None
    return (x - 3.0) / 2.0 if 1.0 <= x <= 5.0 else None


def rounded(number: float) -> float:
    """To six digits."""
    return round(number * _MILLION) / _MILLION
