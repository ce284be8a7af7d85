"""Small trained models: a sum of weights of words, pairs of words and the n-grams of their letters for each of three
classes.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Sequence
from importlib.resources import files

from streams.text import features

Weights = tuple[float, float, float]
_ALONE = features.scale(["one"])


class LinearModel:
    """Softmax over linear scores. The weights file is gzip TSV: a header `scale<TAB>-1<TAB>0<TAB>1`, then
    `feature` and an integer for each class; an integer times the scale is a weight. `train/` documents how each was
    made.
    """

    def __init__(self, name: str, *, memory: int = 200_000) -> None:
        data = (files("streams.text") / "weights" / f"{name}.tsv.gz").read_bytes()
        lines = gzip.decompress(data).decode("utf-8").splitlines()
        unit, *classes = lines[0].split("\t")
        if classes != ["-1", "0", "1"]:
            raise ValueError(f"weights {name}: classes {classes}, not negative, neutral, positive")
        triples: dict[str, Weights] = {}  # each of a few thousand is stored once: they stay in the CPU's cache
        self._weights: dict[str, Weights] = {}
        self._pairs: dict[str, dict[str, Weights]] = {}
        self._grams: dict[str, Weights] = {}
        for line in lines[1:]:
            feature, _, numbers = line.partition("\t")
            weights = triples.get(numbers)
            if weights is None:
                negative, neutral, positive = [int(number) * float(unit) for number in numbers.split("\t")]
                weights = triples[numbers] = (negative, neutral, positive)
            first, _, second = feature.partition(" ")
            if feature[0] == features.GRAM:
                self._grams[feature[len(features.GRAM) :]] = weights
            elif second:
                self._pairs.setdefault(first, {})[second] = weights
            else:
                self._weights[feature] = weights
        self._lexical = [self._weights.get(feature, (0.0, 0.0, 0.0)) for feature in features.LEXICAL]
        self._words: dict[str, tuple[str, Weights | None, dict[str, Weights] | None]] = {}
        self._memory = memory

    def _word(self, raw: str) -> tuple[str, Weights | None, dict[str, Weights] | None]:
        if len(self._words) >= self._memory:
            self._words.clear()
        plain = features.word(raw)
        weights = self._weights.get(plain)
        if self._grams and (weights is not None or not _a_name(raw)):
            weights = self._with_grams(plain, weights)
        found = self._words[raw] = plain, weights, self._pairs.get(plain)
        return found

    def _with_grams(self, plain: str, weights: Weights | None) -> Weights | None:
        """The weights of a word with those of its n-grams, which stand in for it where the
        training texts did not have it.
        """
        names = features.spelt(plain)
        if not names:
            return weights
        first = second = third = 0.0
        for one, two, three in filter(None, map(self._grams.get, names)):
            first += one
            second += two
            third += three
        scale = features.gram_scale(len(names))
        base = weights or (0.0, 0.0, 0.0)
        return base[0] + scale * first, base[1] + scale * second, base[2] + scale * third

    def margin(self, plain: str) -> float:
        """The probability of positive less that of negative for a text of one word, given by its `features.word`, and
        nothing else: what `probabilities` would say, for a fraction of the time. Not remembered.
        """
        weights = self._weights.get(plain)
        if self._grams:
            weights = self._with_grams(plain, weights)
        first, second, third = weights or (0.0, 0.0, 0.0)
        followers = self._pairs.get(features.BEGIN)
        known = followers.get(plain) if followers is not None else None
        if known is not None:
            first, second, third = first + known[0], second + known[1], third + known[2]
        first, second, third = first * _ALONE, second * _ALONE, third * _ALONE
        most = max(first, second, third)
        negative, positive = math.exp(first - most), math.exp(third - most)
        return (positive - negative) / (negative + math.exp(second - most) + positive)

    def probabilities(self, words: Sequence[str], lexical: Sequence[float]) -> Weights:
        """The probabilities of negative, neutral and positive, given a text's words and `features.lexical`."""
        first = second = third = 0.0
        followers = self._pairs.get(features.BEGIN)
        cache = self._words
        for raw in words:
            plain, known, next_followers = cache.get(raw) or self._word(raw)
            if known is not None:
                first += known[0]
                second += known[1]
                third += known[2]
            if followers is not None:
                known = followers.get(plain)
                if known is not None:
                    first += known[0]
                    second += known[1]
                    third += known[2]
            followers = next_followers
        scale = features.scale(words)
        first, second, third = first * scale, second * scale, third * scale
        for value, known in zip(lexical, self._lexical, strict=True):
            if value:
                first += value * known[0]
                second += value * known[1]
                third += value * known[2]
        most = max(first, second, third)
        first, second, third = math.exp(first - most), math.exp(second - most), math.exp(third - most)
        whole = first + second + third
        return first / whole, second / whole, third / whole


def _a_name(raw: str) -> bool:
    """Whether a word that no training text had looks like a name, whose spelling has no meaning."""
    return raw[0].isupper() and not raw.isupper()
