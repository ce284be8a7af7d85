"""Concerns in a text that must never wait: danger, illness, somebody lost, a child, privacy, harassment, a threat to go
public.

Patterns of a data file (lexicons/concerns.toml) in six languages, Malay with Indonesian, and a trained classifier
(classifier.py) for what is put in other words. The patterns are tried on every text, because people mix languages, and
the language of a short text is uncertain; the classifier is asked where a pattern is found or the words hint at a
concern, and a pattern counts only where the classifier does not think it all but impossible ("I died laughing"). A
concern is a reason to read the text, not a judgement: its reader decides. Offline, pure; bounded work for each
character of a text.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from streams.text.classifier import MOST, NONE, Classifier, sentences
from streams.text.normalise import clean
from streams.text.required import Clause, alternatives, clauses, clearest

CONCERNS: Final = ("medical", "safety", "lost_member", "child", "privacy", "harassment", "threat", "halal")
LONGEST: Final = 8_000
"""Most characters of a text that are searched: urgent matters come first."""

SURE: Final = {"latin": 0.82, "arabic": 0.9}
"""The classifier raises a concern alone if the chance that a sentence of this script raises any is this or more."""
DOUBTFUL: Final = {"latin": 0.15, "arabic": 0.25}
"""A pattern counts if the classifier gives some sentence of the text this chance at least of raising anything, or if
the text has at most CURT words: the classifier knows sentences."""
CURT: Final = 3
CLEAR: Final = 0.5
"""The least chance of its likeliest concern: what may be anything is mostly nothing."""
BESIDE: Final = 0.3
"""The chance of each further concern of a sentence that raises one."""
HINT, FAINT = 3.0, 1.6
"""The least sum of the words of a sentence (Classifier.hint) for it to be classified, and that of all words of a short
text for it to be split into sentences: it costs none of 396 held-out urgent sentences, and saves most of the time."""
_GAP = r"(?:[^.!?\n]{0,60}?)"
_SCRIPTS = {"latin": re.compile("[a-z]{2}"), "arabic": re.compile("[\u0621-\u064a]")}
_JOINED = "[وفبلك]{0,2}(?:ال)?[يتنا]?"
"""Prefixes that Arabic writes with the next word: and, so, in, to, as, the; and the persons of a verb."""
_LETTERS = [*zip("أإآٱىیےةۃہھۂکؤئ", "اااايييهههههكوي", strict=True)]
_ACCENTED = re.compile("[à-ÿā-ž]")
_USUAL = 64
"""Characters of the longest word that is cached."""
_NOTHING = frozenset[str]()
_OTHERS = [("ı", "i"), ("ş", "s"), ("ß", "ss"), ("œ", "oe"), ("’", "'"), ("`", "'"), ("ʼ", "'")]


def plain(text: str) -> str:
    """A text in the spelling of the patterns: lower case without accents, and one letter for those of Arabic and Urdu
    that people interchange."""
    if text.isascii():
        return text.lower().replace("`", "'")
    text = _with(clean(text).replace("İ", "i").lower(), _OTHERS)
    if text.isascii():
        return text
    text = _with(_with(unicodedata.normalize("NFC", text), _LETTERS), _OTHERS)
    if not _ACCENTED.search(text):
        return text
    parted = unicodedata.normalize("NFKD", text)
    accents = [(letter, "") for letter in set(parted) if letter >= "\u0300" and unicodedata.combining(letter)]
    return _with(parted, accents)


def _with(text: str, others: Iterable[tuple[str, str]]) -> str:
    """A text with some letters replaced; no replacement is itself replaced. Ten times as fast as str.translate."""
    for letter, other in others:
        text = text.replace(letter, other)
    return text


def concerns(text: str) -> frozenset[str]:
    """The CONCERNS that a text raises."""
    said = plain(text[:LONGEST])
    words = said.split()
    found = found_in(patterns(), said, words)
    model = classifier()
    if not found and len(words) <= MOST and model.hint_of_tokens(words) < FAINT:
        return _NOTHING
    counts = len(words) <= CURT
    for sentence in sentences(said):
        if sentence and (found or model.hint(sentence) >= HINT):
            chances = model.probabilities(sentence)
            some, script = 1.0 - chances[NONE], "latin" if sentence[0] < "\u0600" else "arabic"
            counts |= some >= DOUBTFUL[script]
            most = max(CONCERNS, key=chances.__getitem__)
            if some >= SURE[script] and chances[most] >= CLEAR:
                found |= {most, *(name for name in CONCERNS if chances[name] >= BESIDE)}
    return frozenset(found) if counts else _NOTHING


def found_in(patterns: Patterns, said: str, words: Sequence[str]) -> set[str]:
    """The names of the patterns that match in a text in their spelling; words: those between its blanks."""
    found = set[str]()
    for pattern in patterns.likely(words):
        if pattern.concern not in found and _SCRIPTS[pattern.script].search(said) and pattern.matches(said):
            found.add(pattern.concern)
    return found


@cache
def classifier() -> Classifier:
    """The trained classifier."""
    return Classifier("concerns")


class Pattern:
    """A pattern without alternatives, `written` as a regular expression without the prefix that all patterns of its
    script have. needed: the bits of its clauses (streams.text.required).
    """

    def __init__(self, concern: str, script: str, written: str, needed: int) -> None:
        self.concern, self.script, self.written, self.needed = concern, script, written, needed
        self._compiled: re.Pattern[str] | None = None

    def matches(self, said: str) -> bool:
        if self._compiled is None:  # compiled when first needed: a thousand would take seconds
            joined = _JOINED if self.script == "arabic" else ""
            self._compiled = re.compile(rf"\b{joined}(?:{self.written})")
        return self._compiled.search(said) is not None


class Patterns:
    """The patterns, indexed by what a text must contain for them to match.

    Each clause has a bit. A word has the bits of the clauses of which it contains a piece; this is computed once for
    each word. A pattern is only tried on a text whose words have all of its clauses.
    """

    def __init__(self, written: Iterable[tuple[str, str, str]], *, memory: int = 200_000) -> None:
        bits: dict[Clause, int] = {}
        self.all: list[Pattern] = []
        self._first: dict[int, list[Pattern]] = {}
        for concern, script, pattern in written:
            needs = clauses(pattern)
            if not needs:
                raise ValueError(f"{concern}: {pattern} matches texts that have no word in common")
            needed = 0
            for need in needs:
                needed |= bits.setdefault(need, 1 << len(bits))
            self.all.append(Pattern(concern, script, pattern, needed))
            self._first.setdefault(bits[clearest(needs)], []).append(self.all[-1])
        self._firsts = sum(self._first)
        self._pieces: dict[str, int] = {}
        for clause, bit in bits.items():
            for piece in clause:
                self._pieces[piece] = self._pieces.get(piece, 0) | bit
        self._lengths = sorted({len(piece) for piece in self._pieces})
        self._words: dict[str, int] = {}
        self._memory = memory

    def likely(self, words: Sequence[str]) -> Iterator[Pattern]:
        """The patterns that may match in a text of these words; no other does."""
        kinds: set[int | None] = set(map(self._words.get, words))
        if None in kinds:
            kinds = {self._bits(word) for word in words}
        has = 0
        for kind in kinds:
            has |= kind or 0
        firsts = has & self._firsts
        while firsts:
            first = firsts & -firsts
            firsts ^= first
            for pattern in self._first[first]:
                if pattern.needed & has == pattern.needed:
                    yield pattern

    def _bits(self, word: str) -> int:
        """The clauses of which a word contains a piece."""
        found = self._words.get(word)
        if found is None:
            found, pieces = 0, self._pieces
            for length in self._lengths:
                for at in range(len(word) - length + 1):
                    found |= pieces.get(word[at : at + length], 0)
            if len(word) <= _USUAL:
                if len(self._words) >= self._memory:
                    self._words.clear()
                self._words[word] = found
        return found


@cache
def patterns() -> Patterns:
    """The patterns of the data file."""
    said = read("concerns")
    return Patterns((name, *one) for name in CONCERNS for one in said.get(name, ()))


def read(name: str) -> dict[str, list[tuple[str, str]]]:
    """The patterns of a data file, without alternatives, by its tables: script and regular expression of each."""
    said = tomllib.loads(files("streams.text.lexicons").joinpath(f"{name}.toml").read_text("utf-8"))
    words: dict[str, dict[str, str]] = said.pop("words", {})
    return {
        table: [
            ("arabic" if _SCRIPTS["arabic"].search(pattern) else "latin", one)
            for at, some in languages.items()
            for pattern in (_written(each, words.get(at, {})) for each in some)
            for one in alternatives(pattern)
        ]
        for table, languages in said.items()
    }


def _written(pattern: str, words: Mapping[str, str]) -> str:
    """A pattern of the file as a regular expression."""
    for name, meaning in words.items():
        pattern = pattern.replace(f"<{name}>", meaning)
    return plain(pattern).replace("~", _GAP)
