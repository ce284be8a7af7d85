"""Softmax regression on sparse features, with numpy alone: full batches, Adam, L2, balanced classes."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streams.text import features, normalise
from streams.text.evaluate import f1_by_label

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled text: its word tokens, `features.lexical` of it, its class, its weight in training."""

    words: list[str]
    lexical: tuple[float, ...]
    label: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """Training options: the least count of a feature, L2 strength, steps and their size, balance (0 to 1)."""

    least: int = 3
    penalty: float = 3e-5
    steps: int = 300
    rate: float = 0.05
    balance: float = 0.7


def named(example: Example) -> list[str]:
    """The names of the word features of an example, with repetitions."""
    words = [normalise.plain(word) for word in example.words]
    return words + [f"{left} {right}" for left, right in pairwise([features.BEGIN, *words])]


@dataclass(slots=True)
class Trained:
    """Feature names, their weights by class, and the classes."""

    names: list[str]
    weights: Matrix
    classes: list[int]

    def predict(self, examples: Sequence[Example]) -> Matrix:
        """Probabilities, a row for each example, a column for each class."""
        rows, columns, values = _sparse(examples, {name: at for at, name in enumerate(self.names)})
        return _softmax(_product(rows, columns, values, self.weights, len(examples)))

    def save(self, path: Path, *, least: float = 0.5) -> int:
        """Write the weights quantised to 8 bits, the smallest left out; returns how many features were kept."""
        unit = float(np.abs(self.weights).max()) / 127
        numbers = np.rint(self.weights / unit).astype(int)
        kept = np.abs(numbers).max(axis=1) >= max(1, least)
        head = "\t".join([f"{unit:.8g}", *map(str, self.classes)])
        body = sorted(
            "\t".join([name, *map(str, row)])
            for name, row, keep in zip(self.names, numbers.tolist(), kept, strict=True)
            if keep
        )
        path.write_bytes(gzip.compress(("\n".join([head, *body]) + "\n").encode("utf-8"), 9, mtime=0))
        return int(kept.sum())


def train(examples: Sequence[Example], options: Options) -> Trained:
    """Fit the weights; deterministic."""
    counts = Counter(name for example in examples for name in set(named(example)))
    names = sorted(name for name, count in counts.items() if count >= options.least)
    names += features.LEXICAL
    classes = sorted({example.label for example in examples})
    rows, columns, values = _sparse(examples, {name: at for at, name in enumerate(names)})
    truth = np.zeros((len(examples), len(classes)))
    truth[np.arange(len(examples)), [classes.index(example.label) for example in examples]] = 1.0
    importance = np.array([example.weight for example in examples])
    share = (truth * importance[:, None]).sum(axis=0) / importance.sum()
    importance = importance * (truth @ (1.0 / (share * len(classes))) ** options.balance)
    importance /= importance.sum()
    weights = np.zeros((len(names), len(classes)))
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, options.steps + 1):
        error = (_softmax(_product(rows, columns, values, weights, len(examples))) - truth) * importance[:, None]
        slope: Matrix = np.stack(
            [np.bincount(columns, values * error[rows, k], minlength=len(names)) for k in range(len(classes))], axis=1
        )
        slope = slope + options.penalty * weights
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        weights -= options.rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return Trained(names, weights, classes)


def cross_validate(examples: Sequence[Example], options: Options, folds: int = 5) -> float:
    """Mean macro-F1 over folds taken every `folds`-th example."""
    scores = []
    for fold in range(folds):
        test = [example for at, example in enumerate(examples) if at % folds == fold]
        trained = train([example for at, example in enumerate(examples) if at % folds != fold], options)
        guesses = [trained.classes[at] for at in trained.predict(test).argmax(axis=1)]
        f1 = f1_by_label([example.label for example in test], guesses)
        scores.append(sum(f1.values()) / len(f1))
    return sum(scores) / folds


def _sparse(
    examples: Sequence[Example], index: dict[str, int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Matrix]:
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    lexical = [index[name] for name in features.LEXICAL]
    for row, example in enumerate(examples):
        scale = features.scale(example.words)
        counts = Counter(index[name] for name in named(example) if name in index)
        for column, count in counts.items():
            rows.append(row)
            columns.append(column)
            values.append(count * scale)
        for column, value in zip(lexical, example.lexical, strict=True):
            rows.append(row)
            columns.append(column)
            values.append(value)
    return np.array(rows), np.array(columns), np.array(values)


def _product(
    rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], values: Matrix, weights: Matrix, count: int
) -> Matrix:
    return np.stack(
        [np.bincount(rows, values * weights[columns, k], minlength=count) for k in range(weights.shape[1])], axis=1
    )


def _softmax(scores: Matrix) -> Matrix:
    powers: Matrix = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Matrix = powers / powers.sum(axis=1, keepdims=True)
    return shares
