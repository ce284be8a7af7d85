"""The polarity of one sentence from its words: lexicon, phrases, negation, intensifiers, contrast, emphasis.

The rules are those of VADER (Hutto and Gilbert 2014), told apart by where a language puts its negation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from streams.text.lexicon import Entry, Lexicon, Word

ALPHA = 15.0
"""VADER's constant: a sum s of valences becomes s / sqrt(s^2 + 15)."""

MORE, LESS = 1.3, 0.6
FLIP_POSITIVE, FLIP_NEGATIVE = -0.8, -0.5


@dataclass(frozen=True, slots=True)
class Grammar:
    """Where negation stands, and what a negation that negates no polar word says by itself."""

    before: int = 3
    after: int = 0
    alone: float = 0.0
    boost_after: bool = False


GRAMMARS = {
    "en": Grammar(before=3, alone=-0.6),
    "ar": Grammar(before=3, alone=-0.4, boost_after=True),
    "id": Grammar(before=3, alone=-0.4, boost_after=True),
    "ms": Grammar(before=3, alone=-0.4, boost_after=True),
    "tr": Grammar(before=0, after=2, alone=-0.5),
    "ur": Grammar(before=1, after=3, alone=-0.4),
    "ur-Latn": Grammar(before=2, after=3, alone=-0.4),
}


@dataclass(slots=True)
class Clause:
    """What one clause says: its valences added up, how much was said in all, and its aspects (indices)."""

    total: float = 0.0
    evidence: float = 0.0
    aspects: tuple[int, ...] = ()


def compound(total: float) -> float:
    """A sum of valences on the scale of scores, (-1, 1)."""
    return total / math.sqrt(total * total + ALPHA)


def clause(words: Sequence[Word], lexicon: Lexicon, shouted: Sequence[bool] | None = None) -> Clause:
    """Score the words of a clause, which holds no punctuation."""
    grammar = GRAMMARS[lexicon.language]
    count = len(words)
    valences = [word.valence for word in words]
    roles = [word.role for word in words]
    aspects: list[int] = []
    for word in words:
        if word.aspects:
            aspects.extend(word.aspects)
    for place, word in enumerate(words):
        if word.phrases:
            _phrase(word, words, place, valences, roles, aspects)
    total = evidence = 0.0
    used: set[int] = set()
    for place, valence in enumerate(valences):
        if not valence:
            continue
        weight = 1.0
        low = max(0, place - 3)
        for back in range(place - 1, low - 1, -1):
            role = roles[back]
            if role is None:
                continue
            if role == "more" and not valences[back]:
                weight *= MORE if place - back == 1 else 1.15
            elif role == "less":
                weight *= LESS
            elif role == "not" and place - back <= grammar.before:
                valence *= FLIP_POSITIVE if valence > 0 else FLIP_NEGATIVE
                used.add(back)
            elif role == "but":
                break
        for ahead in range(place + 1, min(count, place + 1 + max(grammar.after, 1))):
            if roles[ahead] == "not" and ahead - place <= grammar.after:
                valence *= FLIP_POSITIVE if valence > 0 else FLIP_NEGATIVE
                used.add(ahead)
                break
            if roles[ahead] == "more" and grammar.boost_after and ahead == place + 1:
                weight *= MORE
            if words[ahead].negative_verb and grammar.after and not words[ahead].known:
                valence *= FLIP_POSITIVE if valence > 0 else FLIP_NEGATIVE
                used.add(ahead)
                break
            if valences[ahead]:
                break
        if shouted is not None and shouted[place]:
            weight *= 1.25
        total += weight * valence
        evidence += abs(weight * valence)
    if grammar.alone:
        for place, role in enumerate(roles):
            if (role == "not" or words[place].negative_verb) and not valences[place] and place not in used:
                total += grammar.alone
                evidence += abs(grammar.alone)
    return Clause(total, evidence, tuple(dict.fromkeys(aspects)))


def _phrase(
    word: Word, words: Sequence[Word], place: int, valences: list[float], roles: list[str | None], aspects: list[int]
) -> None:
    """Apply the longest phrase that begins here: its entry stands for all its words."""
    done = False
    for rest, entry in word.phrases:
        end = _match(rest, words, place + 1)
        if end:
            aspects.extend(entry.aspects)
            if done or (entry.valence is None and entry.role is None):
                continue
            _put(entry, place, end, valences, roles)
            done = True


def _put(entry: Entry, place: int, end: int, valences: list[float], roles: list[str | None]) -> None:
    for inner in range(place, end):
        valences[inner] = 0.0
        roles[inner] = None
    valences[place] = entry.valence or 0.0
    roles[place] = entry.role


def _match(rest: tuple[str, ...], words: Sequence[Word], at: int) -> int:
    """Where the phrase ends (exclusive), 0 if it does not fit; "*" stands for up to two words."""
    for number, term in enumerate(rest):
        if term == "*":
            for gap in range(3):
                end = _match(rest[number + 1 :], words, at + gap)
                if end:
                    return end
            return 0
        if at >= len(words) or term not in words[at].keys:
            return 0
        at += 1
    return at
