"""Small trained models: a sum of weights of words and pairs of words, one sum a class."""

from __future__ import annotations

import gzip
import math
from collections.abc import Sequence
from importlib.resources import files

from streams.text import features, normalise

Weights = tuple[float, ...]


class LinearModel:
    """Softmax over linear scores. The weights file is gzip TSV: a header `scale<TAB>class...`, then
    `feature<TAB>integer a class`; an integer times the scale is a weight. `train/` says how each was made.
    """

    def __init__(self, name: str, *, memory: int = 200_000) -> None:
        data = (files("streams.text") / "weights" / f"{name}.tsv.gz").read_bytes()
        lines = gzip.decompress(data).decode("utf-8").splitlines()
        unit, *classes = lines[0].split("\t")
        self.classes = tuple(int(label) for label in classes)
        self._weights: dict[str, Weights] = {}
        for line in lines[1:]:
            feature, *numbers = line.split("\t")
            self._weights[feature] = tuple(int(number) * float(unit) for number in numbers)
        nothing = (0.0,) * len(self.classes)
        self._lexical = [self._weights.get(feature, nothing) for feature in features.LEXICAL]
        self._plain: dict[str, str] = {}
        self._memory = memory

    def _word(self, raw: str) -> str:
        if len(self._plain) >= self._memory:
            self._plain.clear()
        plain = self._plain[raw] = normalise.plain(raw)
        return plain

    def probabilities(self, words: Sequence[str], lexical: Sequence[float]) -> tuple[float, ...]:
        """The probability of each of `classes`, given the words of a text and `features.lexical` of it."""
        sums = [0.0] * len(self.classes)
        before = ""
        cache, weights = self._plain, self._weights
        for raw in words:
            plain = cache.get(raw) or self._word(raw)
            own = weights.get(plain)
            if own is not None:
                for place, weight in enumerate(own):
                    sums[place] += weight
            both = weights.get(f"{before} {plain}")
            if both is not None:
                for place, weight in enumerate(both):
                    sums[place] += weight
            before = plain
        scale = features.scale(words)
        sums = [total * scale for total in sums]
        for value, own in zip(lexical, self._lexical, strict=True):
            if value:
                sums = [total + value * weight for total, weight in zip(sums, own, strict=True)]
        most = max(sums)
        powers = [math.exp(total - most) for total in sums]
        whole = sum(powers)
        return tuple(power / whole for power in powers)
