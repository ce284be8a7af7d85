"""What the classifier of concerns learns from is not what it is judged by."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from streams.text.concerns import CONCERNS, plain
from streams.text.train.guests import LANGUAGES, written

FOLDER = Path(__file__).parents[1] / "sentences" / "concerns"
GRAM = 5
"""Letters and blanks of an n-gram."""
COPY = 0.7
"""A held-out sentence with this share of its n-grams in one sentence that is learned from is a near copy of it."""


def grams(text: str) -> set[str]:
    said = f" {' '.join(''.join(letter if letter.isalnum() else ' ' for letter in plain(text)).split())} "
    return {said[at : at + GRAM] for at in range(len(said) - GRAM + 1)}


LEARNED = [(name, text) for language in LANGUAGES for name, text in written(language)]


def test_near_copies_are_seen() -> None:
    """The measure: a changed word and other punctuation are a copy, another situation is none."""
    one = grams("My mother fainted in the bus and nobody came to help us.")
    assert len(one & grams("my mother fainted in the lobby, and nobody came to help us")) >= COPY * len(one)
    assert len(one & grams("A man fell in the bathroom and we had to wait an hour")) < COPY * len(one) / 2


@pytest.mark.parametrize("name", ["held_out", "second", "third"])
def test_no_held_out_sentence_is_nearly_one_that_is_learned_from(name: str) -> None:
    """Says where, and not what: the held-out sentences are read by nobody who works on the classifier."""
    index: defaultdict[str, set[int]] = defaultdict(set)
    for place, (_, text) in enumerate(LEARNED):
        for gram in grams(text):
            index[gram].add(place)
    copies = []
    for line, row in enumerate((FOLDER / f"{name}.tsv").read_text("utf-8").splitlines()[1:], 2):
        text = row.split("\t")[2]
        some = grams(text)
        shared: defaultdict[int, int] = defaultdict(int)
        for gram in some:
            for place in index.get(gram, ()):
                shared[place] += 1
        copies += [(line, LEARNED[place]) for place, count in shared.items() if count >= COPY * len(some)]
    assert copies == []


def test_every_language_has_sentences_of_every_kind_and_none_twice() -> None:
    for language in LANGUAGES:
        some = list(written(language))
        assert {name for name, _ in some} == {*CONCERNS, "none"}
        assert len({plain(text) for _, text in some}) == len(some)
