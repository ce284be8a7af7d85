"""Splits a text into sentences and clauses, and weighs each against the others."""

from __future__ import annotations

from collections.abc import Sequence

from streams.model.vocabulary import ASPECTS
from streams.text import polarity
from streams.text.lexicon import UNKNOWN, Lexicon, Word
from streams.text.normalise import Token
from streams.text.polarity import Clause, compound

LEAST = 0.25
"""Least evidence (in valence) for a score; below it the score is null."""

VERDICT = 1.8
"""Weight of a summarising sentence relative to the others."""

ASKED = 14
"""Most words of the last clause of a question that count as asking: a longer clause has reported something first."""

PRAISED, DRAWBACK = 4.4, -3.5
"""Praise of this size without blame is not outweighed by a drawback (up to that size) after a "but"."""

TURN = 20
"""Words of the longest sentence in which a "but" weighs one half against the other: in a longer one, as reviews without
punctuation are, it only ends a clause.
"""

CURRENCIES = frozenset("$€£¥₺₹₨﷼")
"""Signs that make the number beside them an amount of money."""
PRICE = ASPECTS.index("price")


class Sentence:
    """A sentence (from `start` to `end` of its text): its clauses, their valences added up (`total`), how much they
    say in all (`evidence`), what it counts among others (`weight`), and whether it is a question (`asks`). What a
    question asks about, and what a wish or a prayer is for, is no praise: such praise was left out if the sentence is
    `unmet`.
    """

    __slots__ = ("asks", "clauses", "end", "evidence", "start", "total", "unmet", "weight")

    def __init__(self, start: int, end: int, clauses: list[Clause], question: bool) -> None:
        self.start, self.end, self.clauses = start, end, clauses
        total = evidence = 0.0
        self.weight = 1.0
        self.unmet = False
        self.asks = question
        if question and clauses[-1].words <= ASKED:
            clauses[-1].blame_only()
        elif question and clauses[-1].total > 0:
            clauses[-1].total *= 0.6
        for clause in clauses:
            if clause.question and clause.words <= ASKED:
                clause.blame_only()
            total += clause.total
            evidence += clause.evidence
            if clause.verdict:
                self.weight = VERDICT
            if clause.unmet:
                self.unmet = True
        self.total = total
        self.evidence = evidence

    @property
    def score(self) -> float | None:
        """In [-1, 1], or None if the sentence expresses nothing."""
        return round(compound(self.total), 4) if self.evidence >= LEAST and abs(self.total) >= 0.05 else None


class _Reading:
    """A text that is being read: the sentences so far, the clauses of the next one, the words of its last clause."""

    def __init__(self, text: str, lexicon: Lexicon) -> None:
        self.sentences: list[Sentence] = []
        self._lexicon = lexicon
        self._arabic = lexicon.language == "ar"
        self._capitals = lexicon.language == "en" and not text.isupper()
        self._clauses: list[Clause] = []
        self._words: list[Word] = []
        self._written: list[str] = []
        self._start = 0
        self._turn = 0
        self.priced = False
        """Whether the clause names an amount of money."""

    def read(self, word: Word, token: str) -> None:
        """The next word, written as `token`."""
        if word is not UNKNOWN:
            self._begin(word, token)
        self._words.append(word)
        if self._capitals:
            self._written.append(token)

    def _begin(self, word: Word, token: str) -> None:
        """End the clause if the word begins another."""
        if word.aspects and self._arabic and token[0] == "و" and self._words and self._complete():
            self.end_clause()
        role = word.role
        if role == "and":
            if self._complete():
                self.end_clause()
        elif role == "but":
            self.end_clause()
            self._turn = len(self._clauses)

    def end_clause(self) -> None:
        """Begin another clause."""
        if self._words:
            clause = polarity.clause(self._words, self._lexicon, self._written if self._capitals else None)
            if self.priced:
                self.priced = False
                if PRICE not in clause.aspects:
                    clause.aspects = (*clause.aspects, PRICE)
            self._clauses.append(clause)
            self._words, self._written = [], []

    def end_sentence(self, end: int, mark: str) -> None:
        """Begin another sentence at `end`; the current one ended with the mark."""
        self.end_clause()
        if self._clauses:
            if self._turn:
                _contrast(self._clauses[: self._turn], self._clauses[self._turn :])
            if "!" in mark:
                self._clauses[-1].total *= 1.0 + 0.1 * min(mark.count("!"), 3)
            self.sentences.append(Sentence(self._start, end, self._clauses, "?" in mark or "؟" in mark))
        self._clauses, self._start, self._turn = [], end, 0

    def _complete(self) -> bool:
        """Whether the clause has both a valence and an aspect: after an "and", another may follow."""
        return any(word.aspects for word in self._words) and any(word.valence for word in self._words)


def _contrast(before: Sequence[Clause], after: Sequence[Clause]) -> None:
    """Weigh the clauses before and after a "but": the later one counts more, unless it is one drawback after praise."""
    if sum(clause.words for clause in before) + sum(clause.words for clause in after) > TURN:
        return
    praise, rest = sum(clause.total for clause in before), sum(clause.total for clause in after)
    blame = sum(clause.evidence - clause.total for clause in before) / 2
    if praise >= PRAISED and blame < 0.5 and DRAWBACK <= rest < 0 and not any(clause.verdict for clause in after):
        for clause in after:
            clause.total *= 0.6
        return
    for clause in before:
        clause.total *= 0.6
    for clause in after:
        clause.total *= 1.3


def sentences(text: str, tokens: Sequence[Token], lexicon: Lexicon, second: Lexicon | None) -> list[Sentence]:
    """The sentences of a text; `second` is the lexicon of a language that it mixes in."""
    reading = _Reading(text, lexicon)
    for kind, token, at in tokens:
        if kind == "word":
            word = lexicon.word(token)
            if second is not None and not word.known and not word.keys:
                word = second.word(token)
            reading.read(word, token)
        elif kind == "end":
            if token != "." or not text[at + 1 : at + 2].isalnum():
                reading.end_sentence(at + len(token), token)
        elif kind == "pause":
            reading.end_clause()
        elif kind == "number":
            end = at + len(token)
            if CURRENCIES & {*text[max(0, at - 2) : at].strip(), *text[end : end + 2].strip()}:
                reading.priced = True
    reading.end_sentence(len(text), "")
    return reading.sentences
