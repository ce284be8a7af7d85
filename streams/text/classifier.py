"""A small trained classifier of sentences: what in a text must never wait, put in words that no pattern has.

Softmax over sums of weights: words, their n-grams of letters (for typing errors and endings), and pairs of neighbouring
word stems. The sentences of a text are judged one by one; `hint`
tells for a fraction of the time which are worth it. Offline, pure, deterministic.
"""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import pairwise
from typing import Final

from streams.text.features import places

NONE: Final = "none"
"""The class of sentences that raise nothing."""
STEM: Final = 5
"""Letters of a word that stand for it in pairs."""
SHORTEST, LONGEST = 3, 5
"""Letters of an n-gram, "<" and ">" at the ends of the word included."""
MOST: Final = 30
"""Words that are judged at a time: a longer sentence is cut."""
USUAL: Final = 24
"""Letters of a word that are looked at."""

GRAM: Final = "~"
"""Prefix of the names of n-grams; no word contains it."""
Weights = tuple[float, ...]
"""A weight for each class."""

_END = re.compile(r"[.!?\u061f\u06d4\n;]+")
_WORD = re.compile(r"[^\W\d_]+|\d+")


def sentences(said: str) -> Iterator[list[str]]:
    """The words of each sentence of a text in the spelling of the patterns (concerns.plain), MOST at a time."""
    for sentence in _END.split(said):
        words = [word[:USUAL] for word in _WORD.findall(sentence)]
        for at in range(0, len(words), MOST):
            yield words[at : at + MOST]


def spelt(word: str) -> list[str]:
    """The names of a word and of its n-grams."""
    if word.isdigit():
        return ["0"]
    framed = f"<{word}>"
    return [word, *(GRAM + framed[place] for place in places(len(framed), SHORTEST, LONGEST))]


def pairs(words: Sequence[str]) -> Iterator[str]:
    """The names of the pairs of neighbouring words."""
    for first, second in pairwise(word[:STEM] for word in words):
        yield f"{first} {second}"


def share(count: int) -> float:
    """The factor for what `count` n-grams or words add up to."""
    return 1.0 / math.sqrt(count + 1.0)


class Classifier:
    """The weights of `classifiers/NAME.tsv.gz`: a header `scale<TAB>CLASS...`, a line of biases without a name, then
    `feature` and an integer for each class; an integer times the scale is a weight. A word's weights are with those of
    its n-grams, which stand in for words that are not listed. `train/concerns.py` makes them.
    """

    def __init__(self, name: str, *, memory: int = 200_000) -> None:
        data = (files("streams.text") / "classifiers" / f"{name}.tsv.gz").read_bytes()
        lines = gzip.decompress(data).decode("utf-8").splitlines()
        unit, *self.classes = lines[0].split("\t")
        if self.classes[0] != NONE:
            raise ValueError(f"weights {name}: the first class is {self.classes[0]}, not {NONE}")
        scale = float(unit)
        rows: dict[str, Weights] = {}  # each of a few thousand is stored once: they stay in the CPU's cache
        self._words: dict[str, Weights] = {}
        self._grams: dict[str, Weights] = {}
        self._pairs: dict[str, Weights] = {}
        for line in lines[1:]:
            feature, _, numbers = line.partition("\t")
            weights = rows.get(numbers)
            if weights is None:
                weights = rows[numbers] = tuple(int(number) * scale for number in numbers.split("\t"))
            if feature[:1] == GRAM:
                self._grams[feature[len(GRAM) :]] = weights
            elif " " in feature:
                self._pairs[feature] = weights
            else:
                self._words[feature] = weights
        self._bias = self._words.pop("")
        self._zero = (0.0,) * len(self.classes)
        self._seen: dict[str, Weights] = {}
        self._leads: dict[str, float] = {}
        self._tokens: dict[str, float] = {}
        self._memory = memory

    def word(self, word: str) -> Weights:
        """The weights of a word with those of its n-grams, by class."""
        found = self._words.get(word) or self._seen.get(word)
        if found is None:
            if word.isdigit():
                return self._words.get("0", self._zero)
            if len(self._seen) >= self._memory:
                self._seen.clear()
            framed = f"<{word}>"
            slices = places(len(framed), SHORTEST, LONGEST)
            rows = filter(None, map(self._grams.get, map(framed.__getitem__, slices)))
            part = share(len(slices) + 1)
            found = self._seen[word] = tuple([part * each for each in map(sum, zip(*rows, strict=True))]) or self._zero
        return found

    def lead(self, word: str) -> float:
        """By how much a word speaks for the class that it speaks for most, against none, in log odds."""
        lead = self._leads.get(word)
        if lead is None:
            if len(self._leads) >= self._memory:
                self._leads.clear()
            none, *others = self.word(word)
            lead = self._leads[word] = max(others) - none
        return lead

    def hint(self, words: Sequence[str]) -> float:
        """What the words of a sentence speak for any class against none, in log odds, without pairs: cheap."""
        return share(len(words)) * sum(map(self.lead, words))

    def hint_of_tokens(self, tokens: Sequence[str]) -> float:
        """`hint` for what stands between blanks, punctuation included: cheaper where the tokens have been seen."""
        try:
            total = sum(map(self._tokens.__getitem__, tokens))
        except KeyError:
            total = sum(map(self._lead_of_token, tokens))
        return share(len(tokens)) * total

    def _lead_of_token(self, token: str) -> float:
        lead = self._tokens.get(token)
        if lead is None:
            lead = sum(map(self.lead, [part for words in sentences(token) for part in words]))
            if len(token) <= 64:
                if len(self._tokens) >= self._memory:
                    self._tokens.clear()
                self._tokens[token] = lead
        return lead

    def probabilities(self, words: Sequence[str]) -> Mapping[str, float]:
        """The probability of each class for a sentence of at least one word."""
        rows = [*map(self.word, words), *filter(None, map(self._pairs.get, pairs(words)))]
        part = share(len(words))
        totals = map(sum, zip(*rows, strict=True))
        sums = [part * total + bias for total, bias in zip(totals, self._bias, strict=True)]
        most = max(sums)
        powers = [math.exp(one - most) for one in sums]
        whole = sum(powers)
        return {name: power / whole for name, power in zip(self.classes, powers, strict=True)}
