"""Time-decayed means of sentiment, over three half-lives, as one commutative summary.

For half-life h, tau = h / ln 2 and a reference time t_ref, the sums over scored events of weight w, value x, time t:

    W = sum w exp(-(t_ref - t) / tau),   S = sum w x exp(-(t_ref - t) / tau),   Q = sum (w exp(-(t_ref - t) / tau))^2

The score is S / (W + 1): the 1 is a prior of one event's weight at 0, so that a single event does not decide.
W^2 / Q is the effective sample size (Kish 1965), which decay leaves unchanged.
"""

from __future__ import annotations

from math import exp, log
from operator import add

import msgspec

DAY_MS = 86_400_000
TAU_7, TAU_30, TAU_90 = (days * DAY_MS / log(2) for days in (7, 30, 90))


Sums = tuple[float, float, float, float, float, float, float]
"""w7, s7, w30, s30, q30, w90, s90: of each half-life W and S, of the second one Q, too."""
_NONE: Sums = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Rolling(msgspec.Struct, array_like=True, gc=False):
    """Decayed sums of half-lives of 7, 30 and 90 days, all at the reference time `at` (epoch ms; 0: nothing added).

    None is a sum that need not be kept: of no event at all, or, but for w7 and s7, of a single one, of which all three
    half-lives say the same. Most customers have one opinion or none, and a state has several summaries.
    """

    at: int = 0
    w7: float | None = None
    s7: float | None = None
    w30: float | None = None
    s30: float | None = None
    q30: float | None = None
    w90: float | None = None
    s90: float | None = None

    def _sums(self) -> Sums:
        w, s = self.w7, self.s7
        if w is None or s is None:
            return _NONE
        if self.q30 is None:
            return w, s, w, s, w * w, w, s
        return w, s, self.w30, self.s30, self.q30, self.w90, self.s90  # type: ignore[return-value]  # all or none

    def _set(self, at: int, sums: Sums) -> None:
        self.at = at
        self.w7, self.s7, self.w30, self.s30, self.q30, self.w90, self.s90 = sums

    def _aged_to(self, at: int) -> Sums:
        """The sums at the reference time `at` or, if that is later, as they are."""
        sums = self._sums()
        if at <= self.at or not self.at:
            return sums
        w7, s7, w30, s30, q30, w90, s90 = sums
        age = self.at - at
        f7, f30, f90 = exp(age / TAU_7), exp(age / TAU_30), exp(age / TAU_90)
        return w7 * f7, s7 * f7, w30 * f30, s30 * f30, q30 * (f30 * f30), w90 * f90, s90 * f90

    def add(self, at: int, weight: float, value: float) -> None:
        """Add one scored event: its time (epoch ms), weight (> 0) and value in [-1, 1]."""
        if not self.at:
            self.at, self.w7, self.s7 = at, weight, weight * value
            return
        w7, s7, w30, s30, q30, w90, s90 = self._aged_to(at)
        a7 = a30 = a90 = weight
        if at < self.at:
            age = at - self.at
            a7 *= exp(age / TAU_7)
            a30 *= exp(age / TAU_30)
            a90 *= exp(age / TAU_90)
        sums = (w7 + a7, s7 + a7 * value, w30 + a30, s30 + a30 * value, q30 + a30 * a30, w90 + a90, s90 + a90 * value)
        self._set(max(at, self.at), sums)

    def absorb(self, other: Rolling) -> None:
        """Merge another summary into this one; commutes with `add` up to floating-point rounding."""
        if not other.at:
            return
        if not self.at:
            self.at, self.w7, self.s7, self.w30 = other.at, other.w7, other.s7, other.w30
            self.s30, self.q30, self.w90, self.s90 = other.s30, other.q30, other.w90, other.s90
            return
        mine, others, at = self._aged_to(other.at), other._aged_to(self.at), max(self.at, other.at)
        self._set(at, tuple(map(add, mine, others)))

    def scores(self, at: int) -> tuple[float, float, float] | None:
        """The rolling scores (7, 30, 90 days) as of `at`, not before the last event added; None without any event."""
        if not self.at:
            return None
        w7, s7, w30, s30, _, w90, s90 = self._aged_to(at)
        return s7 / (w7 + 1.0), s30 / (w30 + 1.0), s90 / (w90 + 1.0)

    def score_30(self, at: int) -> float:
        """The 30-day score alone, as of `at`; 0 without any event."""
        w30, s30 = (self.w7, self.s7) if self.w30 is None else (self.w30, self.s30)
        if w30 is None or s30 is None:
            return 0.0
        if at == self.at:
            return s30 / (w30 + 1.0)
        f30 = exp((self.at - at) / TAU_30)
        return s30 * f30 / (w30 * f30 + 1.0)

    def evidence(self) -> float:
        """Effective sample size at 30 days: W^2 / Q; 0 when nothing was added or all of it has decayed away."""
        _, _, w30, _, q30, _, _ = self._sums()
        return w30 * w30 / q30 if q30 > 0.0 else 0.0
