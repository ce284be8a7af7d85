"""Time-decayed means of sentiment, over three half-lives, as one commutative summary.

For half-life h, tau = h / ln 2 and a reference time t_ref, the sums over scored events of weight w, value x, time t:

    W = sum w exp(-(t_ref - t) / tau),   S = sum w x exp(-(t_ref - t) / tau),   Q = sum (w exp(-(t_ref - t) / tau))^2

The score is S / (W + 1): the 1 is a prior of one event's weight at 0, so that a single event does not decide.
W^2 / Q is the effective sample size (Kish 1965), which decay leaves unchanged.
"""

from __future__ import annotations

from math import exp, log
from typing import Final

from mypy_extensions import mypyc_attr

from streams.model.vocabulary import DAY_MS
from streams.stitch.content import Content

TAU_7: Final = 7 * DAY_MS / log(2)
TAU_30: Final = 30 * DAY_MS / log(2)
TAU_90: Final = 90 * DAY_MS / log(2)

Sums = tuple[float, float, float, float, float, float, float]
"""w7, s7, w30, s30, q30, w90, s90: of each half-life W and S, of the second one Q, too."""
RollingFields = tuple[
    int, float | None, float | None, float | None, float | None, float | None, float | None, float | None
]
"""The fields of a Rolling as states store them: `at` and its sums. None replaces a sum that can be derived: all of them
without events, and all but w7 and s7 with a single event, for which the three half-lives are equal. Most customers have
one opinion or none, and a state has several summaries, so this saves memory."""


@mypyc_attr(acyclic=True)
class Rolling(Content):
    """Decayed sums of half-lives of 7, 30 and 90 days, all at the reference time `at` (epoch ms; 0: nothing added)."""

    def __init__(self) -> None:
        """Of no event."""
        self.at = 0
        self.single = False  # whether they are of a single event, for which all half-lives give the same score
        self.w7 = self.s7 = self.w30 = self.s30 = self.q30 = self.w90 = self.s90 = 0.0

    def fields(self) -> RollingFields:
        if not self.at:
            return 0, None, None, None, None, None, None, None
        if self.single:
            return self.at, self.w7, self.s7, None, None, None, None, None
        return self.at, self.w7, self.s7, self.w30, self.s30, self.q30, self.w90, self.s90

    @staticmethod
    def made(fields: RollingFields) -> Rolling:
        """The sums of these fields."""
        made = Rolling()
        at, w7, s7, w30, s30, q30, w90, s90 = fields
        if w7 is None or s7 is None:
            return made
        if w30 is None or s30 is None or q30 is None or w90 is None or s90 is None:
            made.of_one(at, w7, s7)
        else:
            made.set(at, (w7, s7, w30, s30, q30, w90, s90))
        return made

    def of_one(self, at: int, w: float, s: float) -> None:
        """Set the sums to those of one event."""
        self.set(at, (w, s, w, s, w * w, w, s))
        self.single = True

    def set(self, at: int, sums: Sums) -> None:
        """Set the sums to these, of several events."""
        self.at, self.single = at, False
        self.w7, self.s7, self.w30, self.s30, self.q30, self.w90, self.s90 = sums

    def _aged_to(self, at: int) -> Sums:
        """The sums at the reference time `at` or, if that is later, as they are."""
        if at <= self.at or not self.at:
            return self.w7, self.s7, self.w30, self.s30, self.q30, self.w90, self.s90
        age = float(self.at - at)
        f7, f30, f90 = exp(age / TAU_7), exp(age / TAU_30), exp(age / TAU_90)
        return (
            self.w7 * f7,
            self.s7 * f7,
            self.w30 * f30,
            self.s30 * f30,
            self.q30 * (f30 * f30),
            self.w90 * f90,
            self.s90 * f90,
        )

    def add(self, at: int, weight: float, value: float) -> None:
        """Add one scored event: its time (epoch ms), weight (> 0) and value in [-1, 1]."""
        if not self.at:
            self.of_one(at, weight, weight * value)
            return
        w7, s7, w30, s30, q30, w90, s90 = self._aged_to(at)
        a7 = a30 = a90 = weight
        if at < self.at:
            age = float(at - self.at)
            a7 *= exp(age / TAU_7)
            a30 *= exp(age / TAU_30)
            a90 *= exp(age / TAU_90)
        sums = (w7 + a7, s7 + a7 * value, w30 + a30, s30 + a30 * value, q30 + a30 * a30, w90 + a90, s90 + a90 * value)
        self.set(max(at, self.at), sums)

    def absorb(self, other: Rolling) -> None:
        """Merge another summary into this one; commutes with `add` up to floating-point rounding."""
        if not other.at:
            return
        if not self.at:
            self.set(other.at, other._aged_to(other.at))
            self.single = other.single
            return
        at = max(self.at, other.at)
        w7, s7, w30, s30, q30, w90, s90 = self._aged_to(other.at)
        v7, t7, v30, t30, r30, v90, t90 = other._aged_to(self.at)
        self.set(at, (w7 + v7, s7 + t7, w30 + v30, s30 + t30, q30 + r30, w90 + v90, s90 + t90))

    def scores(self, at: int) -> tuple[float, float, float] | None:
        """The rolling scores (7, 30, 90 days) as of `at`, not before the last event added; None without any event."""
        if not self.at:
            return None
        w7, s7, w30, s30, _, w90, s90 = self._aged_to(at)
        return s7 / (w7 + 1.0), s30 / (w30 + 1.0), s90 / (w90 + 1.0)

    def score_30(self, at: int) -> float:
        """The 30-day score as of `at`; 0 without any event."""
        w30, s30 = self.w30, self.s30
        if at == self.at:
            return s30 / (w30 + 1.0)
        age = float(self.at - at)
        f30 = exp(age / TAU_30)
        return s30 * f30 / (w30 * f30 + 1.0)

    def evidence(self) -> float:
        """Effective sample size at 30 days: W^2 / Q; 0 when nothing was added or all of it has decayed away."""
        return self.w30 * self.w30 / self.q30 if self.q30 > 0.0 else 0.0
