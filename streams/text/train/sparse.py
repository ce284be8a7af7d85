"""Softmax regression for streams.text.classifier, with numpy alone: full batches, Adam, L2, balanced classes."""

from __future__ import annotations

import gzip
from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streams.text.classifier import GRAM, pairs, share, spelt

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Labelled:
    """The words of a sentence, its class, its weight in training."""

    words: tuple[str, ...]
    label: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """least: in how many sentences a feature must be. penalty: L2. steps, rate: Adam's."""

    least: int = 4
    penalty: float = 1e-6
    steps: int = 40
    rate: float = 0.15


def named(words: Sequence[str]) -> dict[str, float]:
    """The features of a sentence: name and value. The runtime adds up the same sums (Classifier.probabilities)."""
    part = share(len(words))
    found: defaultdict[str, float] = defaultdict(float)
    for word in words:
        names = spelt(word)
        each = part * share(len(names))
        for name in names:
            found[name] += each
    for name in pairs(words):
        found[name] += part
    return found


@dataclass(slots=True)
class Trained:
    """Names of features, their weights by class, the biases, the classes."""

    names: list[str]
    weights: Matrix
    bias: Matrix
    classes: list[str]

    def save(self, path: Path, *, least: int = 1) -> int:
        """Write the weights quantised to 8 bits, those of less than `least` left out; how many features were kept."""
        at = {name: place for place, name in enumerate(self.names)}
        weights = self.weights.copy()
        for name, place in at.items():  # a word is written with its n-grams added, so that a known word is one look-up
            if name[0] != GRAM and " " not in name:
                names = spelt(name)
                weights[place] = share(len(names)) * self.weights[[at[one] for one in names if one in at]].sum(axis=0)
        unit = float(max(np.abs(weights).max(), np.abs(self.bias).max())) / 127
        numbers = np.rint(weights / unit).astype(int)
        numbers -= np.median(numbers, axis=1, keepdims=True).astype(int)  # only differences between classes count
        kept = np.abs(numbers).max(axis=1) >= least
        head = "\t".join([f"{unit:.8g}", *self.classes])
        bias = "\t".join(["", *map(str, np.rint(self.bias / unit).astype(int).tolist())])
        body = sorted(
            "\t".join([name, *map(str, row)])
            for name, row, keep in zip(self.names, numbers.tolist(), kept, strict=True)
            if keep
        )
        path.write_bytes(gzip.compress(("\n".join([head, bias, *body]) + "\n").encode("utf-8"), 9, mtime=0))
        return int(kept.sum())


def train(examples: Sequence[Labelled], classes: list[str], options: Options) -> Trained:
    """Fit the weights; deterministic."""
    features = [named(example.words) for example in examples]
    counts = Counter(name for found in features for name in found)
    names = sorted(name for name, count in counts.items() if count >= options.least)
    index = {name: at for at, name in enumerate(names)}
    cells = array("i"), array("i"), array("f")
    for row, found in enumerate(features):
        for name, value in found.items():
            if name in index:
                cells[0].append(row)
                cells[1].append(index[name])
                cells[2].append(value)
    del features, counts
    rows, columns = (np.frombuffer(some, dtype=np.int32).astype(np.int64) for some in cells[:2])
    values = np.frombuffer(cells[2], dtype=np.float32)
    back = np.argsort(columns, kind="stable")
    labels = np.array([classes.index(example.label) for example in examples])
    truth = np.zeros((len(examples), len(classes)), dtype=np.float32)
    truth[np.arange(len(examples)), labels] = 1.0
    importance = np.array([example.weight for example in examples], dtype=np.float32)
    importance /= importance.sum()
    weights = np.zeros((len(names), len(classes)), dtype=np.float32)
    bias = np.zeros(len(classes), dtype=np.float32)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, options.steps + 1):
        scores = _product(rows, columns, values, weights, len(examples)) + bias
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        error = (powers / powers.sum(axis=1, keepdims=True) - truth) * importance[:, None]
        slope = _product(columns[back], rows[back], values[back], error, len(names)) + options.penalty * weights
        first *= 0.9
        first += 0.1 * slope
        second *= 0.999
        second += 0.001 * slope**2
        weights -= options.rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-9)
        bias -= 2.0 * error.sum(axis=0)
    return Trained(names, weights, bias, classes)


def _product(
    rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], values: Matrix, dense: Matrix, count: int
) -> Matrix:
    """A sparse matrix, its rows in order, times a dense one."""
    found = np.zeros((count, dense.shape[1]), dtype=np.float32)
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    found[rows[starts]] = np.add.reduceat(values[:, None] * dense[columns], starts, axis=0)
    return found
