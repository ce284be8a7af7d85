"""Confidence sequences: intervals that hold at every moment at once, however often somebody looks. Pure.

The predictable plug-in empirical Bernstein sequence of Waudby-Smith and Ramdas (2024), Estimating means of bounded
random variables by betting, Journal of the Royal Statistical Society B 86(1), Theorem 2. For x_i in [0, 1] and
alpha, with

    lambda_t = min(sqrt(2 log(2/alpha) / (s2_{t-1} t log(1 + t))), 1/2)
    m_t = (1/2 + sum x_i) / (t + 1),   s2_t = (1/4 + sum (x_i - m_i)^2) / (t + 1),   v_i = 4 (x_i - m_{i-1})^2
    psi(l) = (-log(1 - l) - l) / 4

    sum lambda_i x_i / sum lambda_i  +-  (log(2/alpha) + sum v_i psi(lambda_i)) / sum lambda_i

covers, at all times t together with probability 1 - alpha, the mean of the x_i given their past, weighted by lambda_i:
with an effect that stays as it is, that effect. The same is used for policies that were drawn by chance in Waudby-Smith
et al. (2022), Anytime-valid off-policy inference for contextual bandits. No sample size need be fixed beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, log, sqrt
from typing import NamedTuple

LARGEST_BET = 0.5


class Interval(NamedTuple):
    """An estimate of a mean, and what covers it."""

    estimate: float
    low: float
    high: float
    n: int

    @property
    def known(self) -> bool:
        """Whether anything was observed."""
        return self.n > 0


def sequence(values: Iterable[float], least: float, most: float, alpha: float = 0.05) -> Interval:
    """The interval after all values, in their order of time; the narrowest of all moments until then, which is valid.

    Args:
        values: each in [least, most]. alpha: chance that the interval misses at any time.

    Raises ValueError for a value beyond the bounds.
    """
    width, budget = most - least, log(2.0 / alpha)
    total, spread, count = 0.5, 0.25, 0
    mean, variance = 0.5, 0.25
    bets = bet_values = penalty = 0.0
    estimate, low, high = 0.5, -inf, inf
    for value in values:
        x = (value - least) / width
        if not -1e-9 <= x <= 1 + 1e-9:
            raise ValueError(f"{value} is not between {least} and {most}")
        count += 1
        bet = min(sqrt(2.0 * budget / (variance * count * log(1.0 + count))), LARGEST_BET)
        bets += bet
        bet_values += bet * x
        penalty += 4.0 * (x - mean) ** 2 * (-log(1.0 - bet) - bet) / 4.0
        estimate, margin = bet_values / bets, (budget + penalty) / bets
        low, high = max(low, estimate - margin), min(high, estimate + margin)
        total += x
        mean = total / (count + 1)
        spread += (x - mean) ** 2
        variance = spread / (count + 1)
    low, high = max(low, 0.0), min(high, 1.0)
    scaled = [least + width * one for one in (estimate, low, high)]
    return Interval(scaled[0], scaled[1], scaled[2], count)
