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

from streams.text import features
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
    """Training options: the least count of a feature, L2 strength, steps and their size, balance (0 to 1), and in how
    many different words an n-gram of letters must be (0: no n-grams).
    """

    least: int = 3
    penalty: float = 3e-5
    steps: int = 300
    rate: float = 0.05
    balance: float = 0.7
    spelt: int = 0


def named(example: Example) -> list[str]:
    """The names of the word features of an example, with repetitions."""
    words = [features.word(word) for word in example.words]
    return words + [f"{left} {right}" for left, right in pairwise([features.BEGIN, *words])]


@dataclass(slots=True)
class Trained:
    """Feature names, their weights by class, and the classes."""

    names: list[str]
    weights: Matrix
    classes: list[int]

    def predict(self, examples: Sequence[Example]) -> Matrix:
        """Probabilities, a row for each example, a column for each class."""
        return _softmax(_Features(examples, self.names).product(self.weights))

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
    if options.spelt:
        words = {features.word(word) for example in examples for word in example.words}
        spelt = Counter(gram for word in words for gram in set(features.grams(word)))
        names += sorted(gram for gram, count in spelt.items() if count >= options.spelt)
    classes = sorted({example.label for example in examples})
    seen = _Features(examples, names)
    truth = np.zeros((len(examples), len(classes)))
    truth[np.arange(len(examples)), [classes.index(example.label) for example in examples]] = 1.0
    importance = np.array([example.weight for example in examples])
    share = (truth * importance[:, None]).sum(axis=0) / importance.sum()
    importance = importance * (truth @ (1.0 / (share * len(classes))) ** options.balance)
    importance /= importance.sum()
    weights = np.zeros((len(names), len(classes)))
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, options.steps + 1):
        error = (_softmax(seen.product(weights)) - truth) * importance[:, None]
        slope = seen.product_back(error) + options.penalty * weights
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


class _Features:
    """The features of examples as a sparse matrix: what stands in the text itself, and, as a product of two (texts by
    words, words by n-grams), what its words are spelt of, since texts repeat words.
    """

    def __init__(self, examples: Sequence[Example], names: Sequence[str]) -> None:
        index = {name: at for at, name in enumerate(names)}
        self._examples, self._names = len(examples), len(names)
        places: dict[str, int] = {}
        own: list[tuple[int, int, float]] = []
        spelt: list[tuple[int, int, float]] = []
        lexical = [index[name] for name in features.LEXICAL]
        for row, example in enumerate(examples):
            scale = features.scale(example.words)
            counts = Counter(index[name] for name in named(example) if name in index)
            own += [(row, column, count * scale) for column, count in counts.items()]
            own += [(row, column, value) for column, value in zip(lexical, example.lexical, strict=True)]
            words = Counter(features.word(word) for word in example.words)
            spelt += [(row, places.setdefault(word, len(places)), count * scale) for word, count in words.items()]
        grams: list[tuple[int, int, float]] = []
        for word, place in places.items():
            found = features.grams(word)
            if found:
                share = features.gram_scale(len(found))
                grams += [(place, index[gram], share) for gram in found if gram in index]
        self._words = len(places)
        self._own, self._spelt, self._grams = _columns(own), _columns(spelt), _columns(grams)

    def product(self, weights: Matrix) -> Matrix:
        """The scores of the examples: a row each, a column a class."""
        total = _multiply(self._own, weights, self._examples)
        if len(self._grams[0]):
            total = total + _multiply(self._spelt, _multiply(self._grams, weights, self._words), self._examples)
        return total

    def product_back(self, error: Matrix) -> Matrix:
        """The transposed product: a row a feature, a column a class."""
        total = _multiply(_turned(self._own), error, self._names)
        if len(self._grams[0]):
            words = _multiply(_turned(self._spelt), error, self._words)
            total = total + _multiply(_turned(self._grams), words, self._names)
        return total


Columns = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Matrix]
"""Rows, columns and values of a sparse matrix."""


def _columns(cells: list[tuple[int, int, float]]) -> Columns:
    rows, columns, values = zip(*cells, strict=True) if cells else ((), (), ())
    return np.array(rows, dtype=np.int64), np.array(columns, dtype=np.int64), np.array(values, dtype=np.float64)


def _turned(matrix: Columns) -> Columns:
    return matrix[1], matrix[0], matrix[2]


def _multiply(matrix: Columns, weights: Matrix, count: int) -> Matrix:
    rows, columns, values = matrix
    return np.stack(
        [np.bincount(rows, values * weights[columns, k], minlength=count) for k in range(weights.shape[1])], axis=1
    )


def _softmax(scores: Matrix) -> Matrix:
    powers: Matrix = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Matrix = powers / powers.sum(axis=1, keepdims=True)
    return shares
