"""Explains a text's score: its words, each with its effect. Pure; for people, not for the pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streams.text import normalise
from streams.text.lexicon import Lexicon, Word
from streams.text.polarity import explained
from streams.text.ratings import ratings
from streams.text.scorer import Scorer, TextScore

_GREEN, _RED, _YELLOW, _BOLD, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m"
_RIGHT_TO_LEFT, _POP = "\u2067", "\u2069"
ROLE_WORDS = {
    "not": "negates",
    "more": "strengthens",
    "less": "weakens",
    "but": "turns: what follows counts more",
    "wanted": "is wanted: its absence is blame",
    "verdict": "sums up: its sentence counts 1.8 times",
    "wish": "wishes or asks for what stands near: no praise yet",
    "ask": "asks: no praise yet",
    "prayer": "is said to God: what follows is no review",
    "flaw": "the only drawback: blame counts little",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A span of a text (`start` to `end`) and its effect: the valence in the lexicon, the valence that was counted
    (None: it was left out), and its role or None.
    """

    start: int
    end: int
    text: str
    listed: float
    counted: float | None
    role: str | None


def marks(scorer: Scorer, text: str, locale: str | None = None) -> tuple[str, list[Mark], TextScore]:
    """The cleaned text, its words that had an effect, in order, and its score."""
    text = normalise.clean(text)
    result = scorer.score_one(text, locale)
    lexicon = scorer.lexicon_of(text, locale)
    found: list[Mark] = []
    tokens = normalise.tokens(text)
    rated = ratings(text, tokens)
    found += [Mark(begin, end, text[begin:end], value, value, "rating") for begin, end, value in rated]
    if lexicon is not None:
        for clause in _clauses(tokens, lexicon):
            words = [word for word, _, _ in clause]
            for place, (listed, counted, role, length) in explained(words, lexicon).items():
                start, end = clause[place][1], clause[place + length - 1][2]
                found.append(Mark(start, end, text[start:end], listed, counted, role))
    for kind, token, at in tokens:
        value = scorer.emotion_of(token) if kind in ("emoji", "emoticon") else 0.0
        if value and not any(begin <= at < end for begin, end, _ in rated):
            found.append(Mark(at, at + len(token), token, value, value, None))
    return text, sorted(found, key=lambda mark: mark.start), result


def _clauses(tokens: list[normalise.Token], lexicon: Lexicon) -> Iterator[list[tuple[Word, int, int]]]:
    """The words of each clause, with their start and end."""
    clause: list[tuple[Word, int, int]] = []
    for kind, token, at in tokens:
        if kind == "word":
            word = lexicon.word(token)
            if word.role == "but" and clause:
                yield clause
                clause = []
            clause.append((word, at, at + len(token)))
        elif kind in ("end", "pause") and clause:
            yield clause
            clause = []
    if clause:
        yield clause


def lines(scorer: Scorer, text: str, locale: str | None = None, *, colour: bool = True) -> Iterator[str]:
    """The text with what counted in colour (right to left where its language is written so), then a line a mark."""
    text, found, result = marks(scorer, text, locale)

    def paint(code: str, said: str) -> str:
        return f"{code}{said}{_PLAIN}" if colour else said

    shown, at = "", 0
    for mark in found:
        if mark.start < at:
            continue
        shown += text[at : mark.start] + paint(_code(mark), f"[{mark.text}]" if not colour else mark.text)
        at = mark.end
    shown += text[at:]
    right = result.language in ("ar", "ur") and any("\u0600" <= letter <= "\u06ff" for letter in text)
    yield f"{_RIGHT_TO_LEFT}{shown}{_POP}" if right else shown
    if result.score is None:
        why = "no opinion found" if result.language else "a language that is not scored, or no words"
        yield f"  no score ({why}); language {result.language or 'null'}"
    else:
        said = paint(_BOLD, f"{result.score:+.2f}")
        yield f"  score {said}, confidence {result.confidence:.2f}, language {result.language}"
    for mark in found:
        if mark.role == "rating":
            what = f"a rating: {mark.listed:+.1f}"
        elif mark.counted is None:
            what = f"{mark.listed:+.1f} left out: it is wished, asked or prayed for"
        elif mark.listed or mark.counted:
            changed = "" if abs(mark.counted - mark.listed) < 0.005 else f", counted as {mark.counted:+.2f}"
            what = f"{mark.listed:+.1f}{changed}"
        else:
            what = ROLE_WORDS.get(mark.role or "", "")
        if mark.role in ROLE_WORDS and (mark.listed or mark.counted):
            what += f"; {ROLE_WORDS[mark.role]}"
        yield f"    {paint(_code(mark), mark.text)}: {what}"
    for word, margin in scorer.hints(text, locale).items():
        yield f"    {word}: {margin:+.2f} by a trained model, since the lexicon finds little"
    for aspect, score in result.aspects:
        yield f"    about {aspect}" + ("" if score is None else f": {score:+.2f}")
    if scorer.has_model(text, locale):
        yield "    and a trained model read the words, too"


def _code(mark: Mark) -> str:
    value = mark.counted if mark.counted else mark.listed
    return _YELLOW if mark.counted is None or not value else _GREEN if value > 0 else _RED
