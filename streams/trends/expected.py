"""What is to be expected of a unit on a day: weekdays, seasons of the Hijri year, and the level of late. Pure.

The mean of a day's answers is a level plus an effect of the weekday and one of the season (Ramadan, hajj, the months of
umrah, by the Umm al-Qura calendar, so that they move through the civil year). Days before it fit this by weighted least
squares: a day weighs the inverse of its variance (that of its few answers and that between days: DerSimonian and Laird)
and half as much after every half-life. Effects have a normal prior around 0 of half the standard deviation of an
answer: a season that was not seen before is not known to have none, and makes the interval wider. Where the rarest
days before (2 of 100) are further out than normal ones would be, an alarm needs as much more.

Counts (how many contacts there are) go by their square root, 2 sqrt(n + 3/8), whose variance is 1 where contacts come
independently (Anscombe, "The transformation of Poisson, binomial and negative-binomial data", Biometrika 35, 1948).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streams.trends.effects import Cell
from streams.trends.student import quantile

Floats = npt.NDArray[np.float64]

LEAST_DAYS: Final = 56
"""Days with answers, before a day, below which nothing is expected of it."""
LEAST: Final = 5
"""Answers of a day that is judged."""
HALF_LIFE: Final = 180.0
"""Days."""
HISTORY: Final = 730
"""Days before a day that count."""
UNKNOWN_COUNT: Final = 2.0
"""Standard deviation of what a weekday or season adds to the root of a count, before it is known: 1 becomes 4, 9 16."""
RARE: Final = 0.98
"""Quantile of the days before a day by which it is seen whether rare days are further out than normal ones."""
RATE: Final = 1 / 365
"""Of false alarms a day that is judged: one a year of each unit and metric."""


class Judged(NamedTuple):
    """A day against what was expected of it from the days before. low, high: the interval of 95 %."""

    day: date
    n: int
    actual: float
    expected: float
    low: float
    high: float
    score: float
    """Standard errors from what was expected."""
    alarm: bool


class Tested(NamedTuple):
    """The back-test: of the days judged, how many raised an alarm, and how many were within the interval of 95 %."""

    days: int
    alarms: int
    within: int


@dataclass(frozen=True, slots=True)
class Series:
    """A unit's metric by day, each day known. design: level, weekdays, seasons."""

    days: Sequence[date]
    ordinals: Floats
    n: Floats
    means: Floats
    design: Floats
    within: float
    """The variance of an answer."""
    counts: bool

    @staticmethod
    def of(cells: Sequence[Cell], seasons: Mapping[date, str], counts: bool = False) -> Series:
        """The days of one unit. seasons: of each day ("none" or absent: no season). counts: contacts are counted, and
        days without any are days of none."""
        by_day = {cell.day: cell for cell in cells}
        days = sorted(by_day)
        if counts and days:
            days = [days[0] + timedelta(days=at) for at in range((days[-1] - days[0]).days + 1)]
            number = np.array([by_day[day].n if day in by_day else 0 for day in days], float)
            n, means, within = np.ones(len(days)), 2 * np.sqrt(number + 0.375), 1.0
        else:
            n = np.array([by_day[day].n for day in days], float)
            means = np.array([by_day[day].total for day in days], float) / np.maximum(n, 1)
            squares = sum(by_day[day].squares for day in days)
            spare = float((n - 1).sum())
            within = (squares - float((n * means**2).sum())) / spare if spare >= 30 else float(np.var(means))
        return Series(days, np.array([day.toordinal() for day in days], float), n, means,
                      design(days, seasons), max(within, 1e-9), counts)  # fmt: skip

    def judge(self, at: int, rate: float = RATE) -> Judged | None:
        """A day by those before it; None: these, or its answers, are too few."""
        if self.n[at] < LEAST and not self.counts:
            return None
        fitted = fit(self, at)
        if fitted is None:
            return None
        expected, error = fitted.at(self.design[at], self.within / self.n[at])
        score = (float(self.means[at]) - expected) / error
        margin = quantile(0.975, fitted.degrees) * error
        alarm = abs(score) > fitted.tail * quantile(1 - rate / 2, fitted.degrees)
        low, high, actual = expected - margin, expected + margin, float(self.means[at])
        n = int(self.n[at])
        if self.counts:
            low, high, expected, actual = (max(one, 0.0) ** 2 / 4 - 0.375 for one in (low, high, expected, actual))
            low, expected, n = max(low, 0.0), max(expected, 0.0), round(actual)  # the inverse is below 0 near 0
            actual = float(n)
        return Judged(self.days[at], n, actual, expected, low, high, score, alarm)


def design(days: Sequence[date], seasons: Mapping[date, str]) -> Floats:
    """A row for each day: level, six weekdays, and each season that there is."""
    names = sorted({*seasons.values()} - {"none", ""})
    rows = [
        [1.0, *(day.weekday() == one for one in range(1, 7)), *(seasons.get(day) == name for name in names)]
        for day in days
    ]
    return np.array(rows, float).reshape(len(days), 7 + len(names))


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the days before a day say. between: the variance between days, beside that of their answers."""

    slopes: Floats
    covariance: Floats
    between: float
    degrees: int
    tail: float
    """By how much the rare days before it were further out than normal ones: 1 or more."""

    def at(self, row: Floats, variance: float) -> tuple[float, float]:
        """What is expected of a day, and the standard error of what it will be. variance: of its answers' mean."""
        return float(row @ self.slopes), float(np.sqrt(row @ self.covariance @ row + variance + self.between))


def fit(series: Series, at: int) -> Fitted | None:
    """The fit of the days before day number `at`; None: they are too few."""
    ordinal = series.ordinals[at] if at < len(series.days) else series.ordinals[-1] + 1
    begin = int(np.searchsorted(series.ordinals, ordinal - HISTORY))
    if at - begin < LEAST_DAYS:
        return None
    rows, means, n = series.design[begin:at], series.means[begin:at], series.n[begin:at]
    decay = 0.5 ** ((ordinal - series.ordinals[begin:at]) / HALF_LIFE)
    prior = np.full(rows.shape[1], 1 / UNKNOWN_COUNT**2 if series.counts else 4.0 / series.within)
    prior[0] = 0.0
    between = 0.0
    for last in (False, True):
        plain = 1.0 / (series.within / n + between)
        weights = plain * decay
        covariance = np.linalg.inv(rows.T @ (weights[:, None] * rows) + np.diag(prior))
        slopes = covariance @ (rows.T @ (weights * means))
        if not last:
            around = float((plain * (means - rows @ slopes) ** 2).sum())
            spare = float(plain.sum() - (plain**2).sum() / plain.sum())
            between = max(0.0, (around - (len(means) - rows.shape[1])) / spare) if spare > 0 else 0.0
    residuals = np.abs(means - rows @ slopes) / np.sqrt(series.within / n + between)
    tail = max(1.0, float(np.quantile(residuals, RARE)) / NormalDist().inv_cdf((1 + RARE) / 2))
    return Fitted(slopes, covariance, between, len(means) - rows.shape[1], tail)


def judged(series: Series, since: date, rate: float = RATE) -> list[Judged]:
    """All days from `since` on that can be judged, each by the days before it alone."""
    found = (series.judge(at, rate) for at, day in enumerate(series.days) if day >= since)
    return [one for one in found if one is not None]


def tested(some: Sequence[Judged]) -> Tested:
    """The back-test of days that were judged."""
    return Tested(len(some), sum(one.alarm for one in some), sum(one.low <= one.actual <= one.high for one in some))
