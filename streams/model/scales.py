"""Survey scales of a company's own: answers that are asked otherwise than NPS, CSAT, CES and stars are.

An event says by its attribute `scale` on which scale its survey was answered. enrich turns the answer into one of the
instrument that the scale stands for, so that every figure of that instrument counts it, and keeps what was answered in
an attribute of its own, `scale_NAME`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ATTRIBUTE: Final = "scale"
"""Attribute of an event that names the scale of its answer; `scale_NAME` is then what was answered."""
BOUNDS: Final = {"nps": (0.0, 10.0), "csat": (1.0, 5.0), "ces": (1.0, 7.0), "stars": (1.0, 5.0)}
"""Lowest and highest answer of each instrument."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale. From `low`, which means the instrument's least, to `high`, which means its most; low may be the larger
    number, where a small one is good."""

    instrument: str
    low: float
    high: float

    def on_instrument(self, answer: float) -> float:
        """What an answer is on the instrument; not a number where it is off the scale, which the rules refuse."""
        least, most = sorted((self.low, self.high))
        if not least <= answer <= most:
            return math.nan
        bottom, top = BOUNDS[self.instrument]
        return round(bottom + (answer - self.low) / (self.high - self.low) * (top - bottom), 6)


Scales = Mapping[str, Scale]
"""Name: a scale of a model."""


def converted(
    scales: Scales, answer: tuple[str, float], attributes: list[tuple[str, str]]
) -> tuple[tuple[str, float], list[tuple[str, str]]] | None:
    """An answer (instrument, score) and the attributes of its event, on the instrument; None where no scale of the
    model is named. The last attribute of that name counts."""
    named = [value for key, value in attributes if key == ATTRIBUTE]
    scale = scales.get(named[-1]) if named else None
    if scale is None:
        return None
    kept = [(key, value) for key, value in attributes if key != ATTRIBUTE]
    return (scale.instrument, scale.on_instrument(answer[1])), [*kept, (f"{ATTRIBUTE}_{named[-1]}", f"{answer[1]:g}")]
