"""What an action changed: a difference in differences against the units where it was not taken. Pure.

Of each unit the mean of the answers in the days from the action on, less that in as many days before it, is its
change. The effect is the mean change of the units acted upon less that of the comparable ones: whatever changed
everywhere (a season, a price) is in both. The change of a unit varies for two reasons: few answers, whose variance is
known, and what happens at that unit alone, whose variance between comparable units is estimated (DerSimonian and Laird,
"Meta-analysis in clinical trials", Controlled Clinical Trials 7, 1986) and also counts for the units acted upon. So the
unit is the cluster; the interval has as many degrees of freedom as there are comparable units less one.

Beside it stand two placebos: the same computed for each comparable unit as if it had been acted upon (the share of
those at least as extreme is p, as of Abadie, Diamond and Hainmueller, Journal of the American Statistical Association
105, 2010), and for the same units at earlier dates, at which nothing was done: the intervals there should cover 0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from math import comb, sqrt
from typing import Final, NamedTuple

from streams.trends.student import quantile

LEAST: Final = 10
"""Answers of a unit before, and from then on."""
FEWEST_COMPARABLE: Final = 4
"""Units to compare with."""
EARLIER: Final = 6
"""Most earlier dates of the back-test."""


class Cell(NamedTuple):
    """Answers of a unit on a day: how many, their sum and the sum of their squares."""

    unit: str
    day: date
    n: int
    total: float
    squares: float


class Effect(NamedTuple):
    """What an action changed, in points of the metric, with its interval of 95 % and its placebos."""

    units: int
    comparable: int
    n_before: int
    n_after: int
    """Answers of the units acted upon."""
    n_comparable: int
    effect: float
    low: float
    high: float
    p: float
    placebos: int
    covered: int
    """Of the earlier dates, those whose interval covers 0."""

    @property
    def trusted(self) -> bool:
        """Whether the back-test has two dates or more, and not more misses than chance would give (5 %)."""
        missed = self.placebos - self.covered
        chance = sum(comb(self.placebos, at) * 0.05**at * 0.95 ** (self.placebos - at) for at in range(missed))
        return self.placebos >= 2 and 1 - chance >= 0.05

    @property
    def verdict(self) -> str:
        """better or worse: beyond doubt; unclear: neither; untrusted: the back-test failed, or there is none."""
        if not self.trusted:
            return "untrusted"
        return "better" if self.low > 0 else "worse" if self.high < 0 else "unclear"


class TooFewError(ValueError):
    """Too few answers or units to compare; the message says of what."""


class _Change(NamedTuple):
    change: float
    variance: float
    before: int
    after: int


def effect(cells: Iterable[Cell], acted: Collection[str], on: date, days: int) -> Effect:
    """What changed at the units acted upon.

    Args:
        cells: of all units; those of others than `acted` are comparable. on: first day of the action. days: before it
            and from it on, which count.

    Raises TooFewError.
    """
    by_unit: dict[str, list[Cell]] = {}
    for cell in cells:
        by_unit.setdefault(cell.unit, []).append(cell)
    treated, others = _changes(by_unit, acted, on, days)
    shown, low, high = _difference(treated, others)
    extreme = abs(_standard(treated, others))
    as_extreme = sum(
        abs(_standard([one], [*others[:at], *others[at + 1 :]])) >= extreme for at, one in enumerate(others)
    )
    covered: list[bool] = []
    for back in range(1, EARLIER + 1):
        try:
            _, least, most = _difference(*_changes(by_unit, acted, on - timedelta(days=days * back), days))
        except TooFewError:
            continue
        covered.append(least <= 0 <= most)
    return Effect(
        len(treated), len(others), sum(one.before for one in treated), sum(one.after for one in treated),
        sum(one.before + one.after for one in others), shown, low, high, (1 + as_extreme) / (1 + len(others)),
        len(covered), sum(covered),
    )  # fmt: skip


def _changes(
    by_unit: dict[str, list[Cell]], acted: Collection[str], on: date, days: int
) -> tuple[list[_Change], list[_Change]]:
    treated: list[_Change] = []
    others: list[_Change] = []
    span = timedelta(days=days)
    for unit in sorted(by_unit):
        before = _summed(cell for cell in by_unit[unit] if on - span <= cell.day < on)
        after = _summed(cell for cell in by_unit[unit] if on <= cell.day < on + span)
        if min(before[0], after[0]) >= LEAST:
            variance = before[2] / before[0] + after[2] / after[0]
            one = _Change(after[1] - before[1], variance, before[0], after[0])
            (treated if unit in acted else others).append(one)
    if not treated:
        raise TooFewError(f"no unit acted upon has {LEAST} answers in {days} days before and from {on} on")
    if len(others) < FEWEST_COMPARABLE:
        raise TooFewError(f"{len(others)} units to compare with have {LEAST} answers in both: {FEWEST_COMPARABLE} do")
    return treated, others


def _summed(cells: Iterable[Cell]) -> tuple[int, float, float]:
    """Answers, mean and variance; of answers that are all alike that of one other among them."""
    n, total, squares = 0, 0.0, 0.0
    for cell in cells:
        n, total, squares = n + cell.n, total + cell.total, squares + cell.squares
    if n < 2:
        return n, total, 0.0
    mean = total / n
    return n, mean, max((squares - n * mean * mean) / (n - 1), 0.0)


def _between(others: Sequence[_Change]) -> float:
    """The variance of changes between units, beside that of their answers."""
    variances = [max(one.variance, 1e-12) for one in others]
    weights = [1 / variance for variance in variances]
    total = sum(weights)
    mean = sum(weight * one.change for weight, one in zip(weights, others, strict=True)) / total
    around = sum(weight * (one.change - mean) ** 2 for weight, one in zip(weights, others, strict=True))
    spare = total - sum(weight * weight for weight in weights) / total
    return max(0.0, (around - (len(others) - 1)) / spare) if spare > 0 else 0.0


def _mean(some: Sequence[_Change], between: float) -> tuple[float, float]:
    """The mean change and its variance."""
    weights = [1 / max(one.variance + between, 1e-12) for one in some]
    total = sum(weights)
    return sum(weight * one.change for weight, one in zip(weights, some, strict=True)) / total, 1 / total


def _compared(treated: Sequence[_Change], others: Sequence[_Change]) -> tuple[float, float]:
    """The difference of changes, and its standard error."""
    between = _between(others)
    (mine, own), (theirs, rest) = _mean(treated, between), _mean(others, between)
    return mine - theirs, sqrt(own + rest)


def _difference(treated: Sequence[_Change], others: Sequence[_Change]) -> tuple[float, float, float]:
    shown, error = _compared(treated, others)
    margin = quantile(0.975, len(others) - 1) * error
    return shown, shown - margin, shown + margin


def _standard(treated: Sequence[_Change], others: Sequence[_Change]) -> float:
    shown, error = _compared(treated, others)
    return shown / error
