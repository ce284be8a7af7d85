"""Logistic regression by iteratively reweighted least squares, on standardised features, with a ridge.

Maximises sum(y log p + (1 - y) log(1 - p)) - ridge / 2 |w|^2 (the intercept is free) with p = 1 / (1 + exp(-(b + z w)))
and z = (x - mean) / scale. A feature that never varies gets the scale 1, and so no weight. (McCullagh and Nelder,
Generalized Linear Models, 1989, section 2.5.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RIDGE = 1.0
"""As if each standardised weight had been seen near 0 once: keeps rare features from running away."""
TURNS = 50
CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class Model:
    """Fitted weights: arrays of one value a feature, in the order of `names`."""

    names: tuple[str, ...]
    mean: Floats
    scale: Floats
    weights: Floats
    intercept: float

    def standardise(self, features: Floats) -> Floats:
        """Rows of features in standard deviations from their means; shape (rows, features)."""
        standardised: Floats = (features - self.mean) / self.scale
        return standardised

    def risk(self, features: Floats) -> Floats:
        """The probability of churn of each row, in (0, 1)."""
        return _sigmoid(self.intercept + self.standardise(features) @ self.weights)

    def reasons(self, features: Floats, most: int = 2) -> list[list[str]]:
        """Of each row the features that raise its log odds most above the average customer's, the strongest first."""
        effects = self.standardise(features) * self.weights
        order = np.argsort(-effects, axis=1, kind="stable")[:, :most]
        return [
            [f"{self.names[at]} {row[at]:+.2f}" for at in best if row[at] > 0.0]
            for row, best in zip(effects, order, strict=True)
        ]


def fit(names: tuple[str, ...], features: Floats, churned: npt.NDArray[np.bool_], ridge: float = RIDGE) -> Model:
    """Fit the model.

    Args:
        names: of the features. features: shape (rows, features), finite. churned: shape (rows,).
        ridge: strength of the pull of the weights towards 0.

    Raises ValueError when all rows churned or none did: there is nothing to tell apart.
    """
    if churned.all() or not churned.any():
        raise ValueError("all customers of the sample churned, or none did")
    mean = features.mean(axis=0)
    scale = features.std(axis=0)
    scale[scale == 0.0] = 1.0
    design = np.column_stack([np.ones(len(features)), (features - mean) / scale])
    penalty = np.full(design.shape[1], ridge)
    penalty[0] = 0.0
    weights = np.zeros(design.shape[1])
    target = churned.astype(np.float64)
    for _ in range(TURNS):
        p = _sigmoid(design @ weights)
        gradient = design.T @ (target - p) - penalty * weights
        curvature = (design.T * (p * (1.0 - p))) @ design + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        weights = weights + step
        if np.abs(step).max() < CLOSE:
            break
    return Model(names, mean, scale, weights[1:], float(weights[0]))


def _sigmoid(x: Floats) -> Floats:
    p: Floats = 1.0 / (1.0 + np.exp(-np.clip(x, -35.0, 35.0)))
    return p
