"""Train classifiers/concerns.tsv.gz: `python -m streams.text.train.concerns SMSA.csv.gz HOASA.csv.gz DIRECTORY`.

The classes are learned from sentences written one by one for this project (guests/written) and from such as templates
make (guests/LANGUAGE.txt). What raises nothing is learned from both, too, from random words of this project's lexicons,
and from texts that may be learned from: the training parts of SmSA and HoASA (IndoNLU, MIT / Apache-2.0), and the
ground-truth sets in the sdist of vaderSentiment 3.3.2 (DIRECTORY is its `hutto_ICWSM_2014`, MIT), and from what
passengers write to airlines (airline_phrases.txt, airline_more.txt, made up). Deterministic.
"""

from __future__ import annotations

import csv
import gzip
import random
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from streams.text.classifier import NONE, sentences
from streams.text.concerns import CONCERNS, plain
from streams.text.lexicon import read
from streams.text.train import guests, phrases
from streams.text.train.english import ratings
from streams.text.train.sparse import Labelled, Options, train

OUTPUT = Path(__file__).parent.parent / "classifiers" / "concerns.tsv.gz"
LANGUAGES = ("en", "ar", "id", "ms", "tr", "ur", "fr")
EACH = 100
"""Sentences from templates of each class and language."""
QUIET = 1500
"""Sentences from templates that raise nothing, of each language."""
WRITTEN = 5.0
"""The weight of a sentence written one by one, against 1 of one from a template."""
BAGS = 1200
"""Random words of each lexicon as sentences that raise nothing."""
LEXICONS = ("en", "ar", "id", "ms", "tr", "ur", "ur_latn")
FOUND = 30_000
"""Sentences of the sets that may be learned from, drawn at random."""
PASSENGERS = {"airline_phrases.txt": 3000, "airline_more.txt": 3000}
"""Made-up texts to airlines of each class (praise, blame, neither), which raise nothing; left out by a word:"""
URGENT = re.compile(
    r"disabled|pregnan|bab[iy]|child|kid|alone|police|threaten|crash|insulin|fire|elder|grand|year old|sleep"
)
SETS = ("tweets", "amazonReviewSnippets")
"""The English sets. Not film reviews and editorials, which speak of murder and courts as guests do not."""
OPTIONS = Options()

_CHOICE = re.compile(r"\{([^{}]*)\}")


class Grammar:
    """One file of guests/: choices by name, and the sentences of each class."""

    def __init__(self, language: str) -> None:
        self.choices: dict[str, list[str]] = {}
        self.sentences: dict[str, list[str]] = {}
        label = ""
        text = (files("streams.text.train.guests") / f"{language}.txt").read_text("utf-8")
        for line in text.splitlines():
            name, mark, rest = line.partition(" = ")
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("["):
                label = line.strip("[]")
            elif not label and mark:
                self.choices[name] = _parts(rest)
            else:
                self.sentences.setdefault(label, []).append(line.strip())

    def make(self, label: str, chance: random.Random) -> str:
        """A sentence of a class."""
        said = chance.choice(self.sentences[label])

        def choose(match: re.Match[str]) -> str:
            inner = match[1]
            if "|" not in inner:
                return chance.choice(self.choices[inner]) if inner in self.choices else inner
            return str(chance.choice(inner.split("|")))

        while _CHOICE.search(said):
            said = _CHOICE.sub(choose, said)
        return " ".join(said.split())


def _parts(written: str) -> list[str]:
    """The choices of a line: parted by | outside of braces."""
    parts, depth = [""], 0
    for letter in written:
        depth += (letter == "{") - (letter == "}")
        if letter == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def mistyped(said: str, chance: random.Random) -> str:
    """A text with a typing error in some of its words: a letter lost, doubled, or changed places with the next."""
    words = said.split()
    for at, word in enumerate(words):
        if len(word) > 3 and chance.random() < 0.06:
            place = chance.randrange(1, len(word) - 1)
            words[at] = chance.choice(
                [
                    word[:place] + word[place + 1 :],
                    word[:place] + word[place] + word[place:],
                    word[:place] + word[place + 1] + word[place] + word[place + 2 :],
                ]
            )
    return " ".join(words)


def made_up(language: str, chance: random.Random, classes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(text, class): a word may be missing or mistyped, a quiet sentence may stand beside."""
    grammar = Grammar(language)
    for label in classes:
        for _ in range(QUIET if label == NONE else EACH):
            said = grammar.make(label, chance)
            if chance.random() < 0.2:
                other = grammar.make(NONE, chance)
                said = " ".join(chance.sample([said, other], 2))
            if label != NONE and chance.random() < 0.5:
                words = said.split()
                said = " ".join(word for word in words if len(words) < 4 or chance.random() > 0.12)
            yield mistyped(said, chance), label


def found_texts(smsa: Path, hoasa: Path, directory: Path, names: Sequence[str] = SETS) -> Iterator[str]:
    """The texts of the sets that may be learned from: nothing in them is urgent for a hotel or an airline.
    names: of the English sets."""
    for path, name in ((smsa, "text"), (hoasa, "review")):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            yield from (row[name] for row in csv.DictReader(lines))
    for name in names:
        yield from (text for text, _ in ratings(directory / f"{name}_GroundTruth.txt"))


def bags(chance: random.Random) -> Iterator[str]:
    """Sentences of random words of the lexicons."""
    for name in LEXICONS:
        terms = [term for _, term in read(name)]
        for _ in range(BAGS):
            yield " ".join(chance.choice(terms) for _ in range(chance.randint(2, 7)))


def examples(smsa: Path, hoasa: Path, directory: Path) -> list[Labelled]:
    """All that is learned from."""
    chance = random.Random(22)
    classes = [NONE, *CONCERNS]
    data = [
        Labelled(tuple(words), label)
        for language in LANGUAGES
        for text, label in made_up(language, chance, classes)
        for words in [[word for some in sentences(plain(text)) for word in some]]
    ]
    data += [
        Labelled(tuple(words), label, WRITTEN)
        for language in guests.LANGUAGES
        for label, text in guests.written(language)
        for words in [[word for some in sentences(plain(text)) for word in some]]
        if words
    ]
    quiet_texts = [
        text
        for name, count in PASSENGERS.items()
        for text, _ in phrases.texts(name, count, seed=22)
        if not URGENT.search(text)
    ]
    data += [Labelled(tuple(words), NONE) for text in quiet_texts for words in sentences(plain(text)) if words]
    texts = found_texts(smsa, hoasa, directory)
    quiet = {tuple(words) for text in texts for words in sentences(plain(text)) if words}
    data += [Labelled(words, NONE) for words in chance.sample(sorted(quiet), FOUND)]
    data += [Labelled(tuple(words), NONE, 0.5) for text in bags(chance) for words in sentences(plain(text)) if words]
    return data


def main(smsa: str, hoasa: str, directory: str) -> None:
    """Train, and write the weights."""
    data = examples(Path(smsa), Path(hoasa), Path(directory))
    kept = train(data, [NONE, *CONCERNS], OPTIONS).save(OUTPUT)
    print(f"{len(data)} sentences, {kept} features, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:4])
