"""Time-decayed means of sentiment, over three half-lives, as one commutative summary.

For half-life h, tau = h / ln 2 and a reference time t_ref, the sums over scored events of weight w, value x, time t:

    W = sum w exp(-(t_ref - t) / tau),   S = sum w x exp(-(t_ref - t) / tau),   Q = sum (w exp(-(t_ref - t) / tau))^2

The score is S / (W + 1): the 1 is a prior of one event's weight at 0, so that a single event does not decide.
W^2 / Q is the effective sample size (Kish 1965), which decay leaves unchanged.
"""

from __future__ import annotations

from math import exp, log

import msgspec

DAY_MS = 86_400_000
TAU_7, TAU_30, TAU_90 = (days * DAY_MS / log(2) for days in (7, 30, 90))


class Rolling(msgspec.Struct, array_like=True, gc=False):
    """Decayed sums of half-lives of 7, 30 and 90 days, all at the reference time `at` (epoch ms; 0: nothing added)."""

    at: int = 0
    w7: float = 0.0
    s7: float = 0.0
    w30: float = 0.0
    s30: float = 0.0
    q30: float = 0.0
    w90: float = 0.0
    s90: float = 0.0

    def _age_to(self, at: int) -> None:
        """Move the reference time forward to `at`."""
        if at <= self.at:
            return
        if self.at:
            age = self.at - at
            f7, f30, f90 = exp(age / TAU_7), exp(age / TAU_30), exp(age / TAU_90)
            self.w7 *= f7
            self.s7 *= f7
            self.w30 *= f30
            self.s30 *= f30
            self.q30 *= f30 * f30
            self.w90 *= f90
            self.s90 *= f90
        self.at = at

    def add(self, at: int, weight: float, value: float) -> None:
        """Add one scored event: its time (epoch ms), weight (> 0) and value in [-1, 1]."""
        a7 = a30 = a90 = weight
        if at > self.at:
            self._age_to(at)
        elif at < self.at:
            age = at - self.at
            a7 *= exp(age / TAU_7)
            a30 *= exp(age / TAU_30)
            a90 *= exp(age / TAU_90)
        self.w7 += a7
        self.s7 += a7 * value
        self.w30 += a30
        self.s30 += a30 * value
        self.q30 += a30 * a30
        self.w90 += a90
        self.s90 += a90 * value

    def absorb(self, other: Rolling) -> None:
        """Merge another summary into this one; commutes with `add` up to floating-point rounding."""
        if not other.at:
            return
        self._age_to(other.at)
        age = other.at - self.at
        f7, f30, f90 = exp(age / TAU_7), exp(age / TAU_30), exp(age / TAU_90)
        self.w7 += other.w7 * f7
        self.s7 += other.s7 * f7
        self.w30 += other.w30 * f30
        self.s30 += other.s30 * f30
        self.q30 += other.q30 * f30 * f30
        self.w90 += other.w90 * f90
        self.s90 += other.s90 * f90

    def scores(self, at: int) -> tuple[float, float, float] | None:
        """The rolling scores (7, 30, 90 days) as of `at`, not before the last event added; None without any event."""
        if not self.at:
            return None
        if at == self.at:
            return self.s7 / (self.w7 + 1.0), self.s30 / (self.w30 + 1.0), self.s90 / (self.w90 + 1.0)
        age = self.at - at
        f7, f30, f90 = exp(age / TAU_7), exp(age / TAU_30), exp(age / TAU_90)
        return (
            self.s7 * f7 / (self.w7 * f7 + 1.0),
            self.s30 * f30 / (self.w30 * f30 + 1.0),
            self.s90 * f90 / (self.w90 * f90 + 1.0),
        )

    def score_30(self, at: int) -> float:
        """The 30-day score alone, as of `at`; 0 without any event."""
        if at == self.at:
            return self.s30 / (self.w30 + 1.0)
        f30 = exp((self.at - at) / TAU_30)
        return self.s30 * f30 / (self.w30 * f30 + 1.0)

    def evidence(self) -> float:
        """Effective sample size at 30 days: W^2 / Q; 0 when nothing was added or all of it has decayed away."""
        return self.w30 * self.w30 / self.q30 if self.q30 > 0.0 else 0.0
