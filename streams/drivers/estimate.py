"""Shares of what explains a score, of several drivers that go together. Pure.

A least-squares model explains answers by controls (in every model) and by drivers, each a column or, of units, several.
What a driver adds depends on which others are there before it, so it is averaged over all orders: the method of
Lindeman, Merenda and Gold (Introduction to Bivariate and Multivariate Analysis, 1980), which is the Shapley value of
the game whose worth is R2 (U. Groemping, "Estimators of relative importance in linear regression based on variance
decomposition", The American Statistician 61(2), 2007). The worth here is the adjusted R2, so that a driver that is
noise has a share around 0 (that can be negative) and units do not win by their number. Shares sum to the adjusted R2 of
the whole model less that of the controls alone.

Intervals of 95 % come from a bootstrap of customers, all answers of one together; what the bootstrap adds to a share on
average (it doubles noise) is taken off: both ends of the percentile interval are moved by the difference of its mean
and the estimate.

The back-test fits the model on the earlier three quarters of the answers and predicts the others.

An association is no effect: what is left out of the model and goes with a driver counts as the driver's. And a driver
that does nothing itself, but goes with one that does, has some of its share; its `effect`, what one unit more goes with
while all others stay as they are, is then around 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import factorial
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST: Final = 200
"""Answers below which nothing is said."""
LEAST_PER_COLUMN: Final = 10
"""Answers for each column of controls and drivers."""
MOST_DRIVERS: Final = 12
"""There are 2 to the power of so many models."""
ROUNDS: Final = 200
EARLIER: Final = 0.75
"""Share of the answers, the earlier ones, on which the back-test fits."""
_RIDGE: Final = 1e-9
"""Of a column's own sum of squares: columns that follow from others add nothing then, instead of being singular."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Answers in order of time: n rows.

    answers: (n,). drivers: name -> (n, columns). controls: (n, columns). customers: (n,), a number of each.
    """

    answers: Floats
    drivers: Mapping[str, Floats]
    controls: Floats
    customers: npt.NDArray[np.int64]


class Driver(NamedTuple):
    """A driver. share: of the variance of answers. effect: what one unit more of a driver of one column goes with."""

    name: str
    share: float
    low: float
    high: float
    effect: float | None
    effect_low: float | None
    effect_high: float | None


class Found(NamedTuple):
    """What explains answers, the largest share first, and how well: R2 (adjusted), and of answers not fitted on."""

    n: int
    customers: int
    r2: float
    r2_controls: float
    tested: int
    tested_r2: float
    """Of the later answers, against the mean of the earlier ones: below 0, the mean is the better guess."""
    tested_r2_controls: float
    drivers: tuple[Driver, ...]

    @property
    def useful(self) -> bool:
        """Whether the drivers predict answers that they were not fitted on better than mean and controls do."""
        return self.tested_r2 > max(self.tested_r2_controls, 0.0)


class TooFewError(ValueError):
    """Too few answers; the message says how many are needed."""


def found(sample: Sample, rounds: int = ROUNDS, seed: int = 1) -> Found:
    """The shares of all drivers. Raises TooFewError. seed: of the bootstrap: the same sample gives the same answer."""
    names = sorted(sample.drivers)
    if len(names) > MOST_DRIVERS:
        raise ValueError(f"{len(names)} drivers: at most {MOST_DRIVERS}")
    n = len(sample.answers)
    design = _Design.of(sample, names)
    needed = max(LEAST, LEAST_PER_COLUMN * design.columns)
    if n < needed:
        raise TooFewError(f"{n} answers: at least {needed} are needed")
    every = np.ones(n)
    shares, slopes, r2, r2_controls = design.shares(every)
    generator = np.random.default_rng(seed)
    _, whose = np.unique(sample.customers, return_inverse=True)
    customers = int(whose.max()) + 1
    drawn_shares, drawn_slopes = np.zeros((rounds, len(names))), np.zeros((rounds, len(slopes)))
    for at in range(rounds):
        weights = np.bincount(generator.integers(0, customers, customers), minlength=customers)[whose].astype(float)
        drawn_shares[at], drawn_slopes[at], _, _ = design.shares(weights)
    low, high = np.percentile(drawn_shares, [2.5, 97.5], axis=0) - (drawn_shares.mean(axis=0) - shares)
    slope_low, slope_high = np.percentile(drawn_slopes, [2.5, 97.5], axis=0)
    tested, tested_r2, tested_r2_controls = _backtest(design)
    drivers = []
    for at, name in enumerate(names):
        (columns,) = np.nonzero(design.whose == at)
        effect = (slopes, slope_low, slope_high) if len(columns) == 1 else None
        said = (None, None, None) if effect is None else tuple(float(one[columns[0]]) for one in effect)
        drivers.append(Driver(name, float(shares[at]), float(low[at]), float(high[at]), *said))
    drivers.sort(key=lambda one: (-one.share, one.name))
    return Found(n, customers, r2, r2_controls, tested, tested_r2, tested_r2_controls, tuple(drivers))


@dataclass(frozen=True, slots=True)
class _Design:
    """controls: with a column of ones. whose: of each driver's column, the number of the driver."""

    controls: Floats
    drivers: Floats
    whose: npt.NDArray[np.int64]
    answers: Floats
    masks: npt.NDArray[np.bool_]
    """(models, drivers)"""
    weights: Floats
    """(models, drivers): of the worth of a model, in the share of a driver."""

    @staticmethod
    def of(sample: Sample, names: list[str]) -> _Design:
        n, count = len(sample.answers), len(names)
        blocks = [np.asarray(sample.drivers[name], float) for name in names]
        whose = np.repeat(np.arange(count), [block.shape[1] for block in blocks])
        drivers = np.hstack(blocks) if blocks else np.zeros((n, 0))
        controls = np.hstack([np.ones((n, 1)), np.asarray(sample.controls, float)])
        masks = (np.arange(2**count)[:, None] >> np.arange(count)[None, :] & 1).astype(bool)
        sizes = masks.sum(axis=1)
        orders = [factorial(size) * factorial(count - size - 1) / factorial(count) for size in range(count)]
        without = np.array([*orders, 0.0])[sizes][:, None]  # of a model that the driver joins
        joined = np.array([0.0, *orders])[sizes][:, None]  # of a model that it has joined
        return _Design(controls, drivers, whose, np.asarray(sample.answers, float), masks,
                       np.where(masks, joined, -without))  # fmt: skip

    @property
    def columns(self) -> int:
        """Of the whole model."""
        return int(self.controls.shape[1] + self.drivers.shape[1])

    def shares(self, weights: Floats) -> tuple[Floats, Floats, float, float]:
        """Shares by driver, slopes by column, adjusted R2 of the whole model and of the controls. weights: of rows."""
        rows = np.hstack([self.controls, self.drivers, self.answers[:, None]])
        gram = rows.T @ (weights[:, None] * rows)
        n, given = float(weights.sum()), self.controls.shape[1]
        total = float(gram[-1, -1] - gram[0, -1] ** 2 / n)
        # What controls do not explain, of drivers and answers: the Schur complement.
        cross = gram[:given, given:]
        rest = gram[given:, given:] - cross.T @ np.linalg.pinv(gram[:given, :given], hermitian=True) @ cross
        left, right, unexplained = rest[:-1, :-1], rest[:-1, -1], max(float(rest[-1, -1]), 0.0)
        scale = np.maximum(np.diag(gram)[given:-1], 1e-12)
        left = left + np.diag(_RIDGE * scale)
        members = self.masks[:, self.whose]
        models = np.where(members[:, :, None] & members[:, None, :], left[None], 0.0)
        at = np.arange(len(right))
        models[:, at, at] += ~members
        wanted = np.where(members, right[None], 0.0)
        slopes = np.linalg.solve(models, wanted[:, :, None])[:, :, 0]
        explained = np.clip((slopes * wanted).sum(axis=1), 0.0, unexplained)
        free = np.maximum(n - given - members.sum(axis=1), 1.0)
        if total <= 0:
            return np.zeros(self.masks.shape[1]), np.zeros(len(right)), 0.0, 0.0
        worth = 1 - (unexplained - explained) / free / (total / (n - 1))
        return worth @ self.weights, slopes[-1], float(worth[-1]), float(worth[0])


def _backtest(design: _Design) -> tuple[int, float, float]:
    """How many later answers there are, and the R2 of the whole model and of the controls on them."""
    earlier = int(EARLIER * len(design.answers))
    known, later = design.answers[:earlier], design.answers[earlier:]
    around = float(((later - known.mean()) ** 2).sum())
    found = []
    for rows in (np.hstack([design.controls, design.drivers]), design.controls):
        slopes = np.linalg.lstsq(rows[:earlier], known, rcond=1e-9)[0]
        found.append(1 - float(((later - rows[earlier:] @ slopes) ** 2).sum()) / around if around > 0 else 0.0)
    return len(later), found[0], found[1]
