"""What is wanted of a metric, by unit and period: the targets of a model. Pure.

Targets say what is wanted, and not what events mean: they are no part of a model's hash, and changing one rebuilds
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from streams.model.forms import TargetForm

PERIODS = ("day", "week", "month", "quarter", "year")
"""Of the calendar; weeks begin on Monday."""
BOUNDS: Mapping[str, tuple[float, float]] = {
    "nps": (-100, 100),
    "csat": (0, 100),
    "ces": (1, 7),
    "sentiment": (-1, 1),
}
"""Metric: what it can be. More is better of each."""


@dataclass(frozen=True, slots=True)
class Target:
    """An entry of targets.toml: at least `target` in each period, of each unit that fits, or of all together."""

    metric: str
    period: str
    target: float
    units: tuple[str, ...]
    """Patterns of units, each of which has this target; empty: all units together."""
    minimum: int
    """Fewest answers by which it is judged."""

    def fits(self, unit: str) -> bool:
        """Whether it is a target of this unit by itself."""
        return any(fnmatchcase(unit, pattern) for pattern in self.units)


def of_form(form: TargetForm) -> Target:
    """The entry that a file has."""
    return Target(form.metric, form.period, float(form.target), tuple(form.units), form.minimum)


def of_unit(targets: Iterable[Target], metric: str, period: str, unit: str) -> Target | None:
    """The target of a unit for a metric and kind of period: the first that fits."""
    return next((one for one in targets if (one.metric, one.period) == (metric, period) and one.fits(unit)), None)
