"""Score texts: language, polarity and aspects. Offline, deterministic, fast; all state is in the `Scorer`."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from streams.model.aspects import Aspect, parents
from streams.text import features, normalise
from streams.text.language import Identifier
from streams.text.lexicon import UNKNOWN, Lexicon, read
from streams.text.model import LinearModel
from streams.text.polarity import Clause, compound
from streams.text.ratings import ratings
from streams.text.sentences import LEAST, Sentence, sentences

VERSION = "5"
"""Version of the rules; raised when the same lexicons and weights give other scores. Part of `Scorer.version`."""
LEXICONS = {
    "en": ("vader", "en"),
    "ar": ("ar",),
    "de": ("de",),
    "fr": ("fr",),
    "id": ("id",),
    "ms": ("id", "ms"),
    "tr": ("tr",),
    "ur": ("ur",),
    "ur-Latn": ("ur_latn",),
}


@dataclass(frozen=True, slots=True)
class Mix:
    """How a language's trained model and its lexicon are combined.

    model: the name of its weights. push: how much the lexicon's sum adds to the model's log odds: more where the texts
    that it learned from are further from travel. plain_words: in texts of fewer words, a plain sum of the lexicon is
    an opinion even where the model sees none. doubtful: where the lexicon finds nothing, the model must be this sure.
    """

    model: str
    push: float
    plain_words: int = 1_000_000
    doubtful: float = 0.6


MODELS = {"en": Mix("en", 0.3), "id": Mix("id", 0.0, plain_words=0, doubtful=0.5), "ms": Mix("id", 0.3)}
OPINIONS = {"id": "id_aspects", "ms": "id_aspects"}
"""Languages with a model of what is said of an aspect (`train/aspects.py`), and the name of its weights."""
TAUGHT = {
    name: f"#{name}"
    for name in (
        *("air_conditioning", "amenities", "bed", "breakfast", "cleanliness", "general", "hot_water", "smell", "staff"),
        *("tv", "wifi"),
    )
}
"""The aspects that it knows, and the word by which it is told of which it is asked."""
TRUST = 0.6
"""How much the lexicon's sum of the clauses adds to that model's log odds: its texts complain more than most."""
UNSURE = 0.5
"""Where the lexicon finds no opinion of an aspect, the model must be this sure."""
HINTED = ("ar", "tr", "ur")
"""Languages without labelled texts to learn from: a model of single words (`train/vocabulary.py`) reads the words that
the lexicon does not know, where the lexicon finds little.
"""
HINT, HINTS, FAINT = 0.2, 0.5, 1.2
"""Least margin of a word between praise and blame that counts; least sum of margins that is an opinion where the
lexicon finds none; the size of the lexicon's sum up to which hints are added.
"""
UNSAID = (0.0,) * len(features.LEXICAL)
"""For `features.lexical` where a single word is judged."""
PLAIN = 4.5
"""A lexicon sum this far from 0 (less in a text of under ten words) is an opinion even where the model sees none."""
MUCH = 12.0
"""A text whose valences, positive and negative, have at least this sum of sizes is not neutral."""
FEW, CLEAR = 4, 2.0
"""In a text of this few words, a lexicon sum of this size decides, regardless of the model."""
MEMORY = 200_000
"""Words whose margins are kept, for each language."""
FEW_OURS, SURELY = 3, 0.5
"""A sentence in a text of another language is one of ours if it has this many words and is told this surely."""
SHORT = 2.0
"""Divided by the number of words, a further weight of the lexicon's sum: models judge short texts poorly."""


@dataclass(frozen=True, slots=True)
class SentenceScore:
    """One sentence: its text, and its score in [-1, 1] or None where it expresses nothing."""

    text: str
    score: float | None


@dataclass(frozen=True, slots=True)
class TextScore:
    """The score of a text: `score` in [-1, 1], None where nothing is expressed or the language is not one of ours;
    `confidence` in [0, 1]; `language` en, ar, de, fr, id, ms, tr, ur or None; (aspect, its score or None) by name;
    sentences.
    """

    score: float | None
    confidence: float
    language: str | None
    aspects: list[tuple[str, float | None]]
    sentences: list[SentenceScore]


class Scorer:
    """Reads the package's lexicons once; then `score_one` or `score` (many). For one thread at a time.

    Without `models` it works by lexicon alone (that is how the models' own features are made).
    """

    def __init__(self, *, models: bool = True, aspects: Sequence[Aspect] = ()) -> None:
        """aspects: of the company's model."""
        above = parents(aspects)
        self._aspects = tuple(above)
        self._taught = {place: name for place, name in enumerate(self._aspects) if name in TAUGHT}
        terms: dict[str, list[tuple[str, tuple[int, ...]]]] = {name: [] for name in LEXICONS}
        for one in aspects:
            places = tuple(self._aspects.index(name) for name in (one.name, above[one.name]) if name is not None)
            for variety in (one.language, "ms") if one.language == "id" else (one.language,):
                if variety:
                    terms[variety] += [(word, places) for word in one.words]
        self._lexicons = {name: Lexicon(name, names, own=terms[name]) for name, names in LEXICONS.items()}
        self._identifier = Identifier(self._lexicons)
        loaded = {name: LinearModel(name) for name in {mix.model for mix in MODELS.values()}} if models else {}
        self._models = {language: (loaded[mix.model], mix) for language, mix in MODELS.items() if models}
        self._hints = {language: LinearModel(language) for language in HINTED if models}
        opinions = {name: LinearModel(name) for name in set(OPINIONS.values())} if models else {}
        self._opinions = {language: opinions[name] for language, name in OPINIONS.items() if models}
        self._margins: dict[str, dict[str, float]] = {language: {} for language in HINTED}
        self._emoji = {term: float(kind) for kind, term in read("emoji")}

    @property
    def version(self) -> str:
        """Which lexicons and weights these are: `VERSION` and eight digits of their fingerprint. Another text score
        from the same text means another version.
        """
        digest = hashlib.sha256()
        for folder in ("lexicons", "weights"):
            for path in sorted((files("streams.text") / folder).iterdir(), key=lambda each: each.name):
                if path.name.endswith((".txt", ".gz")):
                    digest.update(path.name.encode() + path.read_bytes())
        return f"{VERSION}+{digest.hexdigest()[:8]}"

    def score(self, texts: Sequence[str | None], locales: Sequence[str | None] | None = None) -> list[TextScore | None]:
        """Score each text (None: no text); `locales` are BCP 47 tags, a prior for the language."""
        tags: Sequence[str | None] = [None] * len(texts) if locales is None else locales
        if len(tags) != len(texts):
            raise ValueError(f"{len(texts)} texts but {len(tags)} locales")
        return [None if text is None else self.score_one(text, tag) for text, tag in zip(texts, tags, strict=True)]

    def score_one(self, text: str, locale: str | None, *, by_sentence: bool = True) -> TextScore:
        """Score a text; `locale` is a BCP 47 tag, a prior for the language. Sentences are left out if not asked for."""
        text = normalise.clean(text)
        tokens = normalise.tokens(text)
        words = [token for kind, token, _ in tokens if kind == "word"]
        variety, certainty, mixed = self._identifier.identify(text, words, locale)
        if variety is None and words:
            return self._ours_among(text, tokens, by_sentence) or TextScore(None, 0.0, None, [], [])
        lexicon = self._lexicons[variety or "en"]
        said = sentences(text, tokens, lexicon, self._lexicons[mixed] if mixed else None)
        total, evidence = _weigh(said, self._emotion(text, tokens))
        if evidence < LEAST and any(sentence.unmet for sentence in said):
            score, strength = None, 0.0
        elif variety in self._models and words and (len(words) > FEW or abs(total) < CLEAR):
            score, strength = self._by_model(variety, text, words, total, evidence)
        else:
            if abs(total) < FAINT and variety in self._hints and not said[-1].asks:
                hint = self._hint(variety, words, lexicon)
                if evidence >= LEAST or abs(hint) >= HINTS:
                    total, evidence = total + hint, evidence + abs(hint)
            score, strength = _by_lexicon(total, evidence)
        confidence = round(strength * (certainty if words else 0.5), 4)
        parts = [SentenceScore(text[p.start : p.end].strip(), p.score) for p in said] if by_sentence else []
        aspects = self._named(said)
        if variety in self._opinions and aspects:
            aspects = self._judged(aspects, self._opinions[variety], said, words)
        return TextScore(score, confidence, variety and variety[:2], aspects, parts)

    def _ours_among(self, text: str, tokens: Sequence[normalise.Token], by_sentence: bool) -> TextScore | None:
        """The score of the sentences in one of our languages, of a text that is in another as a whole: the language
        with most such words. None: there are none. The other sentences are kept, without a score.
        """
        pieces: list[tuple[str, str | None, int]] = []
        begin, words = 0, list[str]()
        counts: dict[str, int] = {}
        for kind, token, at in [*tokens, ("end", "", len(text))]:
            if kind == "word":
                words.append(token)
            elif kind == "end" and words and (token != "." or not text[at + 1 : at + 2].isalnum()):
                piece = text[begin : at + len(token)].strip()
                variety, certainty, _ = self._identifier.identify(piece, words, None)
                if len(words) < FEW_OURS or certainty < SURELY:
                    variety = None
                if variety is not None:
                    counts[variety] = counts.get(variety, 0) + len(words)
                pieces.append((piece, variety, len(words)))
                begin, words = at + len(token), []
        if not counts or len(pieces) < 2:
            return None
        most = max(sorted(counts), key=counts.__getitem__)
        ours = self.score_one(" ".join(piece for piece, variety, _ in pieces if variety == most), most[:2])
        if ours.language != most[:2]:
            return None
        ready = iter(ours.sentences)
        parts = []
        for piece, variety, _ in pieces:
            found = next(ready, None) if variety == most else None
            parts.append(found or SentenceScore(piece, None))
        share = counts[most] / sum(count for _, _, count in pieces)
        kept = parts if by_sentence else []
        return TextScore(ours.score, round(ours.confidence * share, 4), ours.language, ours.aspects, kept)

    def _named(self, said: list[Sentence]) -> list[tuple[str, float | None]]:
        """Each aspect with the polarity of the clauses that name it; a neutral clause takes its sentence's."""
        totals: dict[int, float | None] = {}
        for sentence in said:
            for clause in sentence.clauses:
                if not clause.aspects:
                    continue
                if clause.evidence >= LEAST:
                    total: float | None = clause.total
                else:
                    total = sentence.total if sentence.score is not None else None
                for aspect in clause.aspects:
                    before = totals.get(aspect)
                    totals[aspect] = total if before is None else before + (total or 0.0)
        return sorted(
            (self._aspects[aspect], None if total is None else round(compound(total), 4))
            for aspect, total in totals.items()
        )

    def _judged(
        self, aspects: list[tuple[str, float | None]], model: LinearModel, said: list[Sentence], words: Sequence[str]
    ) -> list[tuple[str, float | None]]:
        """The aspects, of which those that the model was taught have the polarity that it and the lexicon give."""
        if not any(name in TAUGHT for name, _ in aspects):
            return aspects
        clauses = self._clauses(said, words, self._taught)
        judged = []
        for name, score in aspects:
            if name in TAUGHT:
                own, clause = clauses[name]
                negative, _, positive = model.probabilities(
                    [TAUGHT[name], *own], features.lexical("", clause.total, clause.evidence)
                )
                push = math.exp(max(-20.0, min(20.0, TRUST * clause.total / 2)))
                negative, positive = negative / push, positive * push
                margin = (positive - negative) / (positive + negative)
                if score is not None or abs(margin) >= UNSURE:
                    size = 0.5 * abs(margin) + 0.5 * abs(score or 0.0) * (1.0 if margin * (score or 0.0) > 0 else -0.5)
                    score = round(math.copysign(max(0.0001, size), margin), 4)
            judged.append((name, score))
        return judged

    def _clauses(
        self, said: list[Sentence], words: Sequence[str], wanted: Mapping[int, str]
    ) -> dict[str, tuple[list[str], Clause]]:
        """Each wanted aspect (index to name) with the words of the clauses that name it, and their sums."""
        found: dict[str, tuple[list[str], Clause]] = {}
        begin = 0
        for sentence in said:
            for clause in sentence.clauses:
                end = begin + clause.words
                for aspect in clause.aspects:
                    name = wanted.get(aspect)
                    if name is None:
                        continue
                    entry = found.get(name)
                    if entry is None:
                        entry = found[name] = ([], Clause())
                    own, sums = entry
                    own += words[begin:end]
                    sums.total += clause.total
                    sums.evidence += clause.evidence
                begin = end
        return found

    def about(self, text: str, variety: str) -> dict[str, tuple[list[str], Clause]]:
        """Each aspect of a text in a known language, with the words of the clauses that name it and their sums: what
        models of what is said of it train on.
        """
        text = normalise.clean(text)
        tokens = normalise.tokens(text)
        words = [token for kind, token, _ in tokens if kind == "word"]
        return self._clauses(
            sentences(text, tokens, self._lexicons[variety], None), words, dict(enumerate(self._aspects))
        )

    def _by_model(
        self, variety: str, text: str, words: Sequence[str], total: float, evidence: float
    ) -> tuple[float | None, float]:
        """(score, strength) from the model and the lexicon; null if neutral is the likeliest and the evidence is
        small."""
        model, mix = self._models[variety]
        negative, neutral, positive = model.probabilities(words, features.lexical(text, total, evidence))
        push = math.exp(max(-20.0, min(20.0, (mix.push + SHORT / len(words)) * total / 2)))
        negative, positive = negative / push, positive * push
        whole = negative + neutral + positive
        margin = (positive - negative) / whole
        plain = len(words) < mix.plain_words and (abs(total) >= PLAIN * min(1.0, len(words) / 10) or evidence >= MUCH)
        unsaid = neutral >= max(positive, negative) and not plain
        if unsaid or (evidence < LEAST and abs(margin) < mix.doubtful):
            return None, 0.0
        size = max(0.0001, 0.5 * abs(margin) + 0.5 * abs(compound(total)) * (1.0 if margin * total > 0 else -0.5))
        return round(math.copysign(size, margin), 4), max(positive, negative) / whole

    def _hint(self, variety: str, words: Sequence[str], lexicon: Lexicon) -> float:
        """The sum of the margins of the words that the lexicon does not know."""
        known = self._margins[variety]
        if len(known) > MEMORY:
            known.clear()
        model = self._hints[variety]
        total = 0.0
        for raw in words:
            margin = known.get(raw)
            if margin is None:
                margin = 0.0
                if lexicon.word(raw) is UNKNOWN and not raw[0].isupper():
                    margin = model.margin(features.word(lexicon.normalise(raw)))
                    if abs(margin) < HINT:
                        margin = 0.0
                known[raw] = margin
            total += margin
        return total

    def knows(self, word: str, variety: str) -> bool:
        """Whether a word means anything to a language's lexicon."""
        return self._lexicons[variety].word(word) is not UNKNOWN

    def unknown(self, text: str, lexicon: Lexicon) -> list[str]:
        """The words of a text that a lexicon does not have, as it spells them."""
        words = [token for kind, token, _ in normalise.tokens(normalise.clean(text)) if kind == "word"]
        return [lexicon.normalise(word) for word in words if lexicon.word(word) is UNKNOWN]

    def evidence(self, text: str, variety: str) -> tuple[list[str], float, float]:
        """The words of a text in a known language, the lexicon's sum and how much it found: what models train on."""
        text = normalise.clean(text)
        tokens = normalise.tokens(text)
        total, evidence = _weigh(sentences(text, tokens, self._lexicons[variety], None), self._emotion(text, tokens))
        return [token for kind, token, _ in tokens if kind == "word"], total, evidence

    def lexicon_of(self, text: str, locale: str | None) -> Lexicon | None:
        """The lexicon by which a cleaned text is read; None where its language is not scored."""
        words = [token for kind, token, _ in normalise.tokens(text) if kind == "word"]
        variety = self._identifier.identify(text, words, locale)[0]
        return self._lexicons[variety] if variety is not None else None

    def hints(self, text: str, locale: str | None) -> dict[str, float]:
        """The words of a cleaned text that a model of words reads, as the lexicon finds little, with their margins."""
        lexicon = self.lexicon_of(text, locale)
        if lexicon is None or lexicon.language not in self._hints:
            return {}
        words, total, _ = self.evidence(text, lexicon.language)
        if abs(total) >= FAINT:
            return {}
        self._hint(lexicon.language, words, lexicon)
        margins = self._margins[lexicon.language]
        return {word: margins[word] for word in words if margins[word]}

    def has_model(self, text: str, locale: str | None) -> bool:
        """Whether a trained model applies to this text."""
        lexicon = self.lexicon_of(text, locale)
        return lexicon is not None and lexicon.language in self._models

    def emotion_of(self, mark: str) -> float:
        """The valence of an emoji or emoticon; 0: none."""
        return self._emoji.get(mark, 0.0)

    def _emotion(self, text: str, tokens: Sequence[normalise.Token]) -> list[float]:
        """The valences of the ratings, the emoji and the emoticons of a text."""
        rated = ratings(text, tokens)
        said = [valence for _, _, valence in rated]
        for kind, token, at in tokens:
            if kind == "emoji" or kind == "emoticon":
                valence = self._emoji.get(token, 0.0)
                if valence and not any(begin <= at < end for begin, end, _ in rated):
                    said.append(valence)
        return said


def _weigh(said: list[Sentence], emotion: list[float]) -> tuple[float, float]:
    """The sum of all valences of a text, and the sum of their sizes; of many emoji, the first count most."""
    total = evidence = 0.0
    for sentence in said:
        total += sentence.total * sentence.weight
        evidence += sentence.evidence
    for place, valence in enumerate(emotion[:6]):
        share = 1.0 if place < 3 else 0.3
        total += share * valence
        evidence += share * abs(valence)
    return total, max(abs(total), evidence)


def _by_lexicon(total: float, evidence: float) -> tuple[float | None, float]:
    """(score, strength) from the lexicon alone."""
    if evidence < LEAST or abs(total) < 0.05:
        return None, 0.0
    return round(compound(total), 4), evidence / (evidence + 2.0) * (0.5 + 0.5 * abs(total) / evidence)
