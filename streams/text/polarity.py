"""The polarity of one sentence from its words: lexicon, phrases, negation, intensifiers, contrast, emphasis.

The rules are those of VADER (Hutto and Gilbert 2014), adapted to where a language places its negation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from streams.text.lexicon import UNKNOWN, Lexicon, Word, longest_first

ALPHA = 15.0
"""VADER's constant: a sum s of valences becomes s / sqrt(s^2 + 15)."""

MORE, LESS = 1.3, 0.6
FLIP_POSITIVE, FLIP_NEGATIVE = -0.8, -0.5
WISHED = 7
"""Number of words after a wish or a prayer that it applies to."""
FLAW = 0.4
"""Factor for the negative valence in "its only fault is ..."."""
WANTED = 2.6
"""The valence of something wanted, which counts only when it is negated ("not halal")."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """Where negation stands; the valence of a negation that negates no polar word; how many words before a wish it
    applies to (after it: `WISHED`).
    """

    before: int = 3
    after: int = 0
    alone: float = 0.0
    boost_after: bool = False
    wish_before: int = 0


GRAMMARS = {
    "en": Grammar(before=3, alone=-0.6),
    "ar": Grammar(before=3, alone=-0.4, boost_after=True),
    "de": Grammar(before=3, after=2, alone=-0.4),
    "fr": Grammar(before=3, alone=-0.4),
    "id": Grammar(before=3, alone=-0.4, boost_after=True),
    "ms": Grammar(before=3, alone=-0.4, boost_after=True),
    "tr": Grammar(before=0, after=2, alone=-0.5, wish_before=4),
    "ur": Grammar(before=1, after=3, alone=-0.4, wish_before=4),
    "ur-Latn": Grammar(before=2, after=3, alone=-0.4, wish_before=4),
}


@dataclass(slots=True)
class Clause:
    """The result for one clause: the sum of its valences, the sum of their sizes, and its aspects (indices); whether it
    is a summary or a question; whether something was left out as a wish, a request or a prayer; its number of words.
    """

    total: float = 0.0
    evidence: float = 0.0
    aspects: tuple[int, ...] = ()
    verdict: bool = False
    question: bool = False
    unmet: bool = False
    words: int = 0

    def blame_only(self) -> None:
        """Leave out positive valences."""
        blame = (self.evidence - self.total) / 2
        self.unmet = self.unmet or self.evidence - blame > 0.01
        self.total, self.evidence = -blame, blame


def compound(total: float) -> float:
    """A sum of valences on the scale of scores, (-1, 1)."""
    return total / math.sqrt(total * total + ALPHA)


Trace = dict[int, tuple[float, float | None, str | None, int]]
"""Place of a word -> the valence it has (of the phrase that begins there), the valence counted (None: left out), its
role, and how many words the phrase has.
"""


def explained(words: Sequence[Word], lexicon: Lexicon) -> Trace:
    """The effect of each word of a clause."""
    trace: Trace = {}
    clause(words, lexicon, trace=trace)
    return trace


def clause(
    words: Sequence[Word], lexicon: Lexicon, written: Sequence[str] | None = None, *, trace: Trace | None = None
) -> Clause:
    """Score the words of a clause, which holds no punctuation. written: the words as they are written, where capitals
    shout. `trace` is filled with the effect of each.
    """
    count = len(words)
    telling = [place for place, word in enumerate(words) if word is not UNKNOWN]
    if not telling:
        return Clause(words=count)
    grammar = GRAMMARS[lexicon.language]
    valences = [0.0] * count
    roles: list[str | None] = [None] * count
    named: list[tuple[int, ...]] = [()] * count
    verbs = [False] * count
    begins: list[int] = []
    for place in telling:
        word = words[place]
        valences[place], roles[place] = word.valence, word.role
        named[place], verbs[place] = word.aspects, word.negative_verb
        if word.phrases and place + 1 < count and (words[place + 1].keys or "*" in word.phrases):
            begins.append(place)
    consumed = 0
    for place in begins:
        consumed = _phrase(words[place], words, place, consumed, valences, roles, named, verbs)
    kinds = set(roles)
    if trace is not None:
        _begin(trace, words, valences, roles)
    lonely: dict[int, float] = {}
    if grammar.after or "not" in kinds:
        for place, role in enumerate(roles):
            if role == "not" or (verbs[place] and not valences[place]):
                lonely[place] = valences[place] or grammar.alone
                if role == "not":
                    valences[place] = 0.0
    total = evidence = 0.0
    unmet = False
    spared = _spared(roles, count, grammar) if "wish" in kinds or "prayer" in kinds else None
    qualified = len(kinds) > 1 or None not in kinds or (grammar.after > 0 and True in verbs)
    for place, valence in enumerate(valences):
        if not qualified:  # nothing negates, strengthens or weakens: most clauses
            if not valence:
                continue
            weight = 1.25 if written is not None and _shouts(written[place]) else 1.0
            total += weight * valence
            evidence += abs(weight * valence)
            if trace is not None:
                trace[place] = (valence, weight * valence, None, trace[place][3])
            continue
        wanted = False
        if not valence:
            if roles[place] != "wanted":
                continue
            wanted, valence = True, WANTED
        negated = False
        weight = 1.0
        for back in range(place - 1, max(0, place - 3) - 1, -1):
            role = roles[back]
            if role is None:
                continue
            if role == "more" and not valences[back]:
                weight *= MORE if place - back == 1 else 1.15
            elif role == "less":
                weight *= LESS
            elif role == "not" and place - back <= grammar.before:
                valence *= FLIP_POSITIVE if valence > 0 else FLIP_NEGATIVE
                negated = not negated
                lonely.pop(back, None)
            elif role == "but":
                break
        for ahead in range(place + 1, min(count, place + 1 + max(grammar.after, 1))):
            if (roles[ahead] == "not" and ahead - place <= grammar.after) or (
                verbs[ahead] and grammar.after and not words[ahead].known
            ):
                valence *= FLIP_POSITIVE if valence > 0 else FLIP_NEGATIVE
                negated = not negated
                lonely.pop(ahead, None)
                break
            if roles[ahead] == "more" and grammar.boost_after and ahead == place + 1:
                weight *= MORE
            if valences[ahead]:
                break
        if wanted and not negated:
            continue
        if spared is not None and (spared[place] == "prayer" or (spared[place] == "wish" and valence > 0)):
            unmet = True
            if trace is not None:
                trace[place] = (valences[place], None, roles[place], trace[place][3])
            continue
        if written is not None and _shouts(written[place]):
            weight *= 1.25
        total += weight * valence
        evidence += abs(weight * valence)
        if trace is not None:
            trace[place] = (valences[place], weight * valence, roles[place], trace[place][3])
    for place, alone in lonely.items():
        if spared is not None and spared[place]:
            unmet = True
            continue
        total += alone
        evidence += abs(alone)
        if trace is not None:
            trace[place] = (0.0, alone, "not", trace.get(place, (0.0, None, None, 1))[3])
    aspects = [some for some in named if some]
    several = tuple(dict.fromkeys(chain.from_iterable(aspects))) if len(aspects) > 1 else ()
    said = Clause(total, evidence, several or (aspects[0] if aspects else ()), words=count, unmet=unmet)
    if qualified:
        said.verdict, said.question = "verdict" in kinds, "ask" in kinds
        if total < 0 and "flaw" in kinds:
            said.total = max(total * FLAW, -1.0)
    return said


def _shouts(written: str) -> bool:
    return len(written) > 2 and written.isupper()


def _begin(trace: Trace, words: Sequence[Word], valences: Sequence[float], roles: Sequence[str | None]) -> None:
    """Enter words that count, each with the length of its phrase: the following words that belong to it."""
    for place, valence in enumerate(valences):
        if valence or roles[place]:
            length = 1
            if valence != words[place].valence or roles[place] != words[place].role:
                while (
                    place + length < len(words)
                    and not (valences[place + length] or roles[place + length])
                    and (words[place + length].keys and length < 5)
                ):
                    length += 1
            trace[place] = (valence, valence if valence else 0.0, roles[place], length)


def _spared(roles: Sequence[str | None], count: int, grammar: Grammar) -> list[str | None]:
    """For each word whether it belongs to a wish or a prayer: the role of a word near it, or None."""
    spared: list[str | None] = [None] * count
    for place, role in enumerate(roles):
        if role == "wish" or role == "prayer":
            for at in range(max(0, place - grammar.wish_before), min(count, place + WISHED + 1)):
                if spared[at] != "prayer":
                    spared[at] = role
    return spared


def _phrase(
    word: Word,
    words: Sequence[Word],
    place: int,
    consumed: int,
    valences: list[float],
    roles: list[str | None],
    named: list[tuple[int, ...]],
    verbs: list[bool],
) -> int:
    """Apply the longest phrase that begins here: its entry stands for all its words. Of what begins within a phrase
    (before `consumed`) only the aspects count. Returns where the last phrase that counted ends.
    """
    phrases, following = word.phrases, words[place + 1].keys
    found = [phrases[second] for second in following if second in phrases]
    if "*" in phrases:
        found.append(phrases["*"])
    if not found:
        return consumed
    for rest, entry in found[0] if len(found) == 1 else sorted(chain.from_iterable(found), key=longest_first):
        end = _match(rest, words, place + 1)
        if end:
            if entry.aspects and named[place] is words[place].aspects:
                named[place:end] = [entry.aspects] + [()] * (end - place - 1)
            if place >= consumed and (entry.valence is not None or entry.role is not None):
                valences[place:end] = [entry.valence or 0.0] + [0.0] * (end - place - 1)
                roles[place:end] = [entry.role] + [None] * (end - place - 1)
                verbs[place:end] = [False] * (end - place)  # the phrase includes the effect of its negated verb
                consumed = end
    return consumed


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
