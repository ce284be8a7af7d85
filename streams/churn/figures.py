"""How good a risk is, judged by what happened afterwards: discrimination, calibration, lift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Band:
    """A tenth of the customers, by risk: the 1st has the highest."""

    decile: int
    customers: int
    lowest: float
    """Lowest risk in it."""
    expected: float
    """Mean risk: the share that should have churned."""
    churned: float
    """The share that did."""
    lift: float
    """That share over the share of all."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a back-test."""

    customers: int
    churned: float
    """Share that churned."""
    auc: float
    """Probability that one who churned had a higher risk than one who did not; 0.5 is chance."""
    margin: float
    """Margin of error of the AUC at 95 % (Hanley and McNeil, Radiology 143, 1982)."""
    brier: float
    """Mean squared error of the risk; 0 is perfect."""
    brier_base: float
    """The same if everybody had been given the share that churned in the past: what has to be beaten."""
    bands: tuple[Band, ...]

    @property
    def useful(self) -> bool:
        """Better than chance by more than the margin, and better than saying the same of everybody."""
        return self.auc - self.margin > 0.5 and self.brier < self.brier_base


def judge(risk: Floats, churned: Flags, base: float) -> Figures:
    """Judge risks by what happened.

    Args:
        risk: of each customer, in [0, 1]. churned: what happened; some did and some did not.
        base: the share that had churned in the sample that the model was fitted on.

    Raises ValueError when all churned or none did.
    """
    if churned.all() or not churned.any():
        raise ValueError("all customers of the back-test churned, or none did")
    area = auc(risk, churned)
    happened = churned.astype(np.float64)
    return Figures(
        customers=len(risk),
        churned=float(happened.mean()),
        auc=area,
        margin=_margin(area, int(churned.sum()), int((~churned).sum())),
        brier=float(((risk - happened) ** 2).mean()),
        brier_base=float(((base - happened) ** 2).mean()),
        bands=_bands(risk, happened),
    )


def auc(risk: Floats, churned: Flags) -> float:
    """Area under the ROC curve, by ranks (Mann-Whitney), ties counting half."""
    _, inverse, counts = np.unique(risk, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    positive, negative = int(churned.sum()), int((~churned).sum())
    return float((ranks[churned].sum() - positive * (positive + 1) / 2.0) / (positive * negative))


def _margin(area: float, positive: int, negative: int) -> float:
    q1, q2 = area / (2.0 - area), 2.0 * area**2 / (1.0 + area)
    variance = area * (1.0 - area) + (positive - 1) * (q1 - area**2) + (negative - 1) * (q2 - area**2)
    return float(1.96 * np.sqrt(max(variance, 0.0) / (positive * negative)))


def _bands(risk: Floats, happened: Floats) -> tuple[Band, ...]:
    order = np.argsort(-risk, kind="stable")
    overall = happened.mean()
    return tuple(
        Band(
            decile=number,
            customers=len(part),
            lowest=float(risk[part].min()),
            expected=float(risk[part].mean()),
            churned=float(happened[part].mean()),
            lift=float(happened[part].mean() / overall),
        )
        for number, part in enumerate(np.array_split(order, min(10, len(order))), 1)
    )
