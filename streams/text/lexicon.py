"""Lexicons: the meaning of words and phrases of one language, read from a text file of the package.

A line is `kind: term, term, ...`; `#` starts a comment. The kinds: a number (valence, -4 to 4), `not` (negates what
follows; in Turkish and Urdu what precedes; with a valence too, that is what it says where it negates nothing), `more`
and `less` (intensifiers), `but` (what follows counts more), `and`, `wanted` (says nothing until it is negated: "not
halal", "no prayer room"), `verdict` (its sentence sums up), `wish` (asks for something: what is praised
near it is not there yet), `ask` (makes its clause a question), `prayer` (what stands near is said to God, not to us),
`flaw` (what its clause blames is the only drawback), and `aspect NAME` (with its parent in streams/model/aspects.csv).
A term of several words is a phrase, whose own valence replaces that of its words ("no problem"), and whose own aspects
those of its words; `*` in it stands for up to two words. `=term` takes no affixes, `term*` takes any ending. A later
line overrides an earlier.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.resources import files

from streams.model.vocabulary import ASPECT_PARENTS, ASPECTS
from streams.text import normalise
from streams.text.morphology import FORMS, turkish_negative_verb

ROLES = ("not", "more", "less", "but", "and", "wanted", "verdict", "wish", "ask", "prayer", "flaw")
_NORMALISE = {
    "ar": normalise.arabic,
    "fr": normalise.french,
    "tr": normalise.turkish,
    "ur": normalise.urdu,
    "ur-Latn": normalise.roman_urdu,
}


class Entry:
    """The meaning of a term: valence (None: neutral), role (one of ROLES or None) and aspects (indices into
    ASPECTS)."""

    __slots__ = ("aspects", "role", "valence")

    def __init__(self, valence: float | None = None, role: str | None = None, aspects: tuple[int, ...] = ()) -> None:
        self.valence, self.role, self.aspects = valence, role, aspects

    def about(self, aspects: Sequence[int]) -> None:
        """The same meaning with further aspects."""
        self.aspects = (*self.aspects, *(one for one in aspects if one not in self.aspects))

    def add(self, kind: str) -> None:
        if kind in ROLES:
            self.role = kind
        elif kind.startswith("aspect "):
            self.about([ASPECTS.index(name) for name in (kind[7:], ASPECT_PARENTS[kind[7:]]) if name is not None])
        else:
            self.valence = float(kind)


Phrase = tuple[tuple[str, ...], Entry]
"""The terms of a phrase after its first, and its meaning."""


_NO_PHRASES: Mapping[str, list[Phrase]] = {}


class Word:
    """A written word in one language: its entry, with its own negation applied, and the phrases that it may begin, by
    their second term.
    """

    __slots__ = ("aspects", "keys", "known", "negative_verb", "phrases", "role", "valence")

    def __init__(self) -> None:
        self.valence = 0.0
        self.role: str | None = None
        self.aspects: tuple[int, ...] = ()
        self.known = False
        self.negative_verb = False
        self.keys: frozenset[str] = frozenset()
        self.phrases: Mapping[str, list[Phrase]] = _NO_PHRASES


UNKNOWN = Word()
"""A word that no lexicon has: without meaning, and beginning no phrase."""


def read(name: str) -> Iterator[tuple[str, str]]:
    """(kind, term) pairs of a lexicon file of this package."""
    text = (files("streams.text") / "lexicons" / f"{name}.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        line = line.split("#", 1)[0].strip()
        if line:
            kind, terms = line.split(":", 1)
            for term in terms.split(","):
                if term.strip():
                    yield kind.strip(), term.strip()


class Lexicon:
    """The terms of one language. `word` is memoised, up to a limit, since texts repeat words."""

    def __init__(
        self,
        language: str,
        names: tuple[str, ...],
        *,
        memory: int = 200_000,
        own: Sequence[tuple[str, tuple[int, ...]]] = (),
    ) -> None:
        """names: of the files. own: further terms with their aspects."""
        self.language = language
        self.normalise = _NORMALISE.get(language, normalise.plain)
        self._forms = FORMS[language]
        self._exact: dict[str, Entry] = {}
        self._terms: dict[str, Entry] = {}
        self._stems: dict[str, Entry] = {}
        self._phrases: dict[str, dict[str, list[Phrase]]] = {}
        self._keys: set[str] = set()
        self._words: dict[str, Word] = {}
        self._memory = memory
        phrases: dict[str, dict[tuple[str, ...], Entry]] = {}
        for name in names:
            for kind, term in read(name):
                self._entry(term, phrases).add(kind)
        for term, aspects in own:
            self._entry(term, phrases).about(aspects)
        for first, entries in phrases.items():
            by_second = self._phrases[first] = {}
            for rest, entry in entries.items():
                by_second.setdefault(rest[0], []).append((rest, entry))
            for found in by_second.values():
                found.sort(key=longest_first)
        self._known = frozenset(self._terms) | self._keys
        self._longest_stem = max(map(len, self._stems), default=0)

    def _entry(self, term: str, phrases: dict[str, dict[tuple[str, ...], Entry]]) -> Entry:
        """The entry of a term, for adding to it."""
        words = [word if word == "*" else self._term(word) for word in term.replace("=", "").split()]
        if len(words) > 1:
            self._keys.update(word for word in words if word != "*")
            return phrases.setdefault(words[0], {}).setdefault(tuple(words[1:]), Entry())
        if term.startswith("="):
            return self._exact.setdefault(self.normalise(term[1:]), Entry())
        if term.endswith("*"):
            return self._stems.setdefault(self.normalise(term[:-1]), Entry())
        return self._terms.setdefault(words[0], Entry())

    def _term(self, word: str) -> str:
        verb = word.endswith("-")
        return self.normalise(word[:-1]) + "-" if verb else self.normalise(word)

    def terms(self) -> Collection[str]:
        """Its single words, normalised."""
        return self._terms.keys()

    def lists(self, raw: str) -> bool:
        """Whether the lexicon has this word itself or, in Turkish, a long prefix of it; cheaper than `word`."""
        token = self.normalise(raw)
        if self.language == "tr":
            return any(token[:cut] in self._terms for cut in range(len(token), 3, -1))
        return token in self._terms

    def word(self, raw: str) -> Word:
        """The word that `raw`, a token as written, is in this language."""
        found = self._words.get(raw)
        if found is None:
            if len(self._words) >= self._memory:
                self._words.clear()
            found = self._words[raw] = self._look_up(self.normalise(raw))
        return found

    def _look_up(self, token: str) -> Word:
        keys = []
        entry, negated, verb = self._exact.get(token), False, False
        for form, negative in self._forms(token, self._known):
            if entry is None and form in self._terms:
                entry, negated, verb = self._terms[form], negative, form[-1] == "-"
            if form in self._keys and not negative:
                keys.append(form)
        if entry is None:
            for cut in range(min(len(token), self._longest_stem), 2, -1):
                entry = self._stems.get(token[:cut])
                if entry is not None:
                    break
        verb = self.language == "tr" and (entry is None or verb) and turkish_negative_verb(token)
        if entry is None and not keys and not verb:
            return UNKNOWN
        word = Word()
        word.negative_verb = verb
        if entry is not None:
            word.known = True
            word.role = entry.role
            word.aspects = entry.aspects
            word.valence = entry.valence or 0.0
            if negated:
                word.valence *= -0.7
        if keys:
            word.keys = frozenset(keys)
            begun = [self._phrases[key] for key in keys if key in self._phrases]
            word.phrases = begun[0] if len(begun) == 1 else _merge(begun)
        return word


def longest_first(phrase: Phrase) -> tuple[int, tuple[str, ...]]:
    """Sort key: the order in which phrases are tried."""
    return -len(phrase[0]), phrase[0]


def _merge(begun: Sequence[Mapping[str, list[Phrase]]]) -> dict[str, list[Phrase]]:
    merged: dict[str, list[Phrase]] = {}
    for phrases in begun:
        for second, found in phrases.items():
            merged.setdefault(second, []).extend(found)
    for found in merged.values():
        found.sort(key=longest_first)
    return merged
