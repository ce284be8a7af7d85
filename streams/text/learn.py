"""Lexicon lines that would mend texts which people say were read wrongly. Proposals, for a person to approve: nothing
is changed. Pure.

A word is proposed where the corrections that contain it all pull one way (a sign test, one-sided), in at least LEAST
texts of one language, and the texts that it would mend are more than those that it would break among the corrections.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from streams.text import normalise
from streams.text.scorer import LEXICONS, Scorer

LEAST: Final = 2
"""Texts in which a word must be."""
STRONGEST: Final = 2.5
"""The largest valence that is proposed; the lexicons go to 4."""
SHOWN: Final = 60
"""Characters of a text that are quoted."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A text, what it says in the judgement of a person (-1 to 1; 0: nothing), and the BCP 47 tag that it came with."""

    text: str
    right: float
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A line for a lexicon file. texts: those that it comes from. chance: of so many agreeing by luck (sign test)."""

    file: str
    term: str
    valence: float
    listed: float | None
    texts: tuple[str, ...]
    chance: float

    def __str__(self) -> str:
        before = "new" if self.listed is None else f"now {self.listed:g}"
        quoted = self.texts[0][:SHOWN].replace("\n", " ")
        return f"{self.valence:g}: {self.term}  # {before}; {len(self.texts)} texts, p = {self.chance:.3f}: {quoted!r}"


def proposals(scorer: Scorer, corrections: Iterable[Correction]) -> list[Proposal]:
    """What the corrections speak for, by file, the surest first."""
    pulls: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    listed: dict[tuple[str, str], float | None] = {}
    for one in corrections:
        text = normalise.clean(one.text)
        score = scorer.score_one(text, one.locale, by_sentence=False).score or 0.0
        lexicon = scorer.lexicon_of(text, one.locale)
        pull = one.right - score
        if lexicon is None or abs(pull) < 0.1:
            continue
        for word in {token.lower() for kind, token, _ in normalise.tokens(text) if kind == "word" and len(token) > 2}:
            known = lexicon.word(word)
            if known.role is not None:
                continue
            valence = known.valence if known.known else None
            if valence and valence * pull > 0:
                continue  # it already pulls that way
            pulls[lexicon.language, word].append((pull, one.text))
            listed[lexicon.language, word] = valence
    found = []
    for (language, word), some in pulls.items():
        up, down = sum(pull > 0 for pull, _ in some), sum(pull < 0 for pull, _ in some)
        if len(some) < LEAST or min(up, down):
            continue
        mean = sum(pull for pull, _ in some) / len(some)
        before = listed[language, word]
        valence = 0.0 if before else round(math.copysign(min(STRONGEST, 2 * abs(mean)), mean), 1)
        found.append(
            Proposal(LEXICONS[language][-1], word, valence, before, tuple(text for _, text in some), 0.5 ** len(some))
        )
    return sorted(found, key=lambda one: (one.file, one.chance, -abs(one.valence), one.term))


def lines(found: Iterable[Proposal]) -> Iterator[str]:
    """The proposals as lines of lexicon files, under the name of each file."""
    file = None
    for one in found:
        if one.file != file:
            file = one.file
            yield f"# streams/text/lexicons/{file}.txt"
        yield str(one)
