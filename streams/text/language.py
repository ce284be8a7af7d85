"""Which language a text is in: by script, then by its frequent words and letters, with the locale as a prior.

Made for short and mixed text, so it counts words (function words, and words of the polarity lexicons) instead of
guessing from a few characters. Languages that we do not score have votes as well, so that French is not called English.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from streams.text import normalise
from streams.text.lexicon import Lexicon, read

SCORED = ("en", "ar", "de", "fr", "id", "ms", "tr", "ur")
TWIN = 0.3
"""A head start of Indonesian over Malay, which share most words: it has ten times the speakers."""
_LATIN = ("en", "id", "ms", "tr", "ur")

_ARABIC_SCRIPT = re.compile("[\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufeff]")
_LATIN_SCRIPT = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_OTHER_SCRIPT = re.compile("[\u0370-\u05ff\u0700-\u074f\u0780-\u1dff\u2e80-\ua7ff\uac00-\ud7ff]")
_URDU_LETTERS = re.compile("[ٹڈڑںےۓہھۂ]")
_PERSIAN_LETTERS = re.compile("[کیگچپژ]")
_ARABIC_LETTERS = re.compile("[ةىيكأإؤ]")
_OTHER_LETTERS = re.compile("[ßäñãõêëïôœæøåąćęłńśźżčďěňřšťůžđơưăằạẹọṣɓɗƙñ]", re.IGNORECASE)
_PASHTO_LETTERS = re.compile("[ډړږښټځڅېۍګڼۆێەڕڵڤ]")
"""Letters of Pashto and Kurdish that none of our languages has."""
_ARABIZI = re.compile(
    r"[a-z][23579][a-z]|[a-z]{2}[37]\b"
    r"|(?<![\w.,:$€£])[37](?!am\b|pm\b|hr|min|star|day|night|km|th|rd|x|d\b)[a-z]{3}"
)
"""Digits that are letters of Arabic in Latin script: 7abibi, ya3ni, sa3a, wasa5."""
_ELIDED = frozenset("ldjcnmt")
"""French before an apostrophe: l'hôtel, d'accord, j'ai."""
_BEGINNINGS = {
    "id": ("meng", "meny", "memp", "memb", "dib", "dik", "dip", "dis", "dit", "terb", "terd", "terk", "terp", "ters"),
    "en": ("th", "wh", "sh"),
}
_ENDINGS = {
    "tr": (
        *("lar", "ler", "yor", "yorum", "mak", "mek", "dım", "dim", "dum", "düm"),
        *("sınız", "sıniz", "sinız", "siniz", "çık", "çik", "çuk", "çük"),
    ),
    "id": ("nya", "kan"),
    "en": ("ing", "tion", "ght", "ough", "n't", "ness", "ould", "ed", "ly", "'s", "'re", "'ve", "'ll"),
    "ur": ("ein", "aan", "iya", "iyan", "unga", "engi", "enge", "raha", "rahi", "rahe", "ain"),
}


class Identifier:
    """Finds the language of texts; the words that the lexicons know count as evidence."""

    def __init__(self, lexicons: Mapping[str, Lexicon], *, memory: int = 200_000) -> None:
        self._words: dict[str, dict[str, float]] = {}
        for languages, word in read("languages"):
            for language in languages.split():
                self._words.setdefault(normalise.plain(word), {})[language] = 1.0
        self._listed: dict[str, list[str]] = {}
        for language in ("en", "id", "ms"):
            for term in lexicons[language].terms():
                self._listed.setdefault(term, []).append(language)
        self._inflected = (("tr", lexicons["tr"]), ("ur", lexicons["ur-Latn"]))
        self._arabic_words = {word: votes for word, votes in self._words.items() if _ARABIC_SCRIPT.match(word)}
        self._kinds: dict[tuple[tuple[str, float], ...], int] = {}
        self._votes: list[tuple[tuple[str, float], ...]] = []
        self._kind: dict[str, int] = {}
        self._memory = memory

    def identify(self, text: str, words: Sequence[str], locale: str | None) -> tuple[str | None, float, str | None]:
        """(language or None, confidence in [0, 1], a second language that the text mixes in or None).

        `words` are the word tokens of the text; `locale` is a BCP 47 tag. Urdu in Latin letters is "ur-Latn".
        """
        prior = locale[:2].lower() if locale else None
        prior = "id" if prior == "in" else prior
        arabic, latin, other = 0, 0, 0
        if text.isascii():
            latin = sum(map(len, words))
        for word in () if latin else words:
            first = word[0]
            if first < "\u0250":
                latin += len(word)
            elif "\u0600" <= first <= "\u06ff" or _ARABIC_SCRIPT.match(first):
                arabic += len(word)
            elif _OTHER_SCRIPT.match(first):
                other += len(word)
            elif _LATIN_SCRIPT.match(first):
                latin += len(word)
        if other > arabic + latin or not arabic + latin:
            return None, 0.0, None
        if arabic >= latin:
            found, certainty = self._arabic_script(text, words, prior)
            return found, certainty, self._latin(words, None, "")[0] if latin >= 12 else None
        language, confidence, mixed = self._latin(words, prior, text)
        if arabic >= 6 and mixed is None:
            mixed = self._arabic_script(text, words, None)[0]
        return language, confidence, mixed

    def _arabic_script(self, text: str, words: Sequence[str], prior: str | None) -> tuple[str | None, float]:
        persian = len(_PERSIAN_LETTERS.findall(text))
        votes = {
            "ar": 0.3 * len(_ARABIC_LETTERS.findall(text)),
            "ur": 1.5 * len(_URDU_LETTERS.findall(text)) + 0.25 * persian,
            "fa": 0.3 * persian,
            "ps": 1.5 * len(_PASHTO_LETTERS.findall(text)),
        }
        known = self._arabic_words
        for word in words:
            for language in known.get(word) or ():
                votes[language] = votes.get(language, 0.0) + 1.2
        if not any(votes.values()):
            votes["ar"] = 0.2
        if prior in votes:
            votes[prior] += 0.8
        return _best(votes)[:2]

    def _latin(self, words: Sequence[str], prior: str | None, text: str) -> tuple[str | None, float, str | None]:
        votes: dict[str, float] = {}
        if any(map(text.__contains__, "23579")):
            digits = len(_ARABIZI.findall(text.lower()))
            if digits:
                votes["arz"] = 0.9 * digits
        kinds: dict[int, int] = {}
        for word in words:
            kind = self._kind.get(word)
            if kind is None:
                kind = self._remember(word)
            kinds[kind] = kinds.get(kind, 0) + 1
        for kind, count in kinds.items():
            for language, vote in self._votes[kind]:
                votes[language] = votes.get(language, 0.0) + count * vote
        if prior is not None and (prior in _LATIN or votes):
            votes[prior] = votes.get(prior, 0.0) + 0.7
        if not votes:
            return None, 0.0, None
        if "ms" in votes and "id" in votes:
            votes["id"] += TWIN
        found, confidence, mixed = _best(votes)
        return ("ur-Latn" if found == "ur" else found), confidence, ("ur-Latn" if mixed == "ur" else mixed)

    def _remember(self, raw: str) -> int:
        """The kind of votes (`_votes`) that a word has."""
        if len(self._kind) >= self._memory:
            self._kind.clear()
        word = normalise.plain(raw)
        listed = self._words.get(word)
        votes: dict[str, float] = {}
        if listed:
            share = 1.0 / len(listed) ** 0.5
            votes = dict.fromkeys(listed, share)
        else:
            known: list[str] = []
            if len(word) > 2:
                known += self._listed.get(word, ())
                known += [language for language, lexicon in self._inflected if lexicon.lists(raw)]
            votes = dict.fromkeys(known, 0.6 / max(1, len(known)) ** 0.5)
            for language in _clues(word) if len(word) > 3 else ():
                votes[language] = votes.get(language, 0.0) + 0.3
                if language == "id":
                    votes["ms"] = votes.get("ms", 0.0) + 0.3
            if len(word) > 3 and word[1] == "'" and word[0] in _ELIDED:
                votes["fr"] = 0.6
            if "ə" in word:
                votes["az"] = 1.0
            if not word.isascii() and _OTHER_LETTERS.search(word):
                votes["other"] = 0.6
        found = tuple(votes.items())
        if found not in self._kinds:
            self._kinds[found] = len(self._votes)
            self._votes.append(found)
        kind = self._kind[raw] = self._kinds[found]
        return kind


def _clues(word: str) -> list[str]:
    """The languages of which a word of at least four letters has a letter, a prefix or a suffix; in a fixed order."""
    found = []
    if word.endswith(_ENDINGS["tr"]) or "ı" in word or "ğ" in word or "ş" in word:
        found.append("tr")
    if (
        word.startswith(_BEGINNINGS["id"])
        or word.endswith(_ENDINGS["id"])
        or (word.startswith("ber") and word[3] not in "aeiou")
    ):
        found.append("id")
    if word.endswith(_ENDINGS["en"]) or word.startswith(_BEGINNINGS["en"]):
        found.append("en")
    if word.endswith(_ENDINGS["ur"]):
        found.append("ur")
    return found


def _best(votes: Mapping[str, float]) -> tuple[str | None, float, str | None]:
    """(the language with most votes or None if it is not ours, confidence, a second one of ours with many votes)."""
    ranked = sorted(votes.items(), key=lambda item: (-item[1], item[0]))
    language, most = ranked[0]
    total = sum(votes.values())
    twins = {"id": "ms", "ms": "id"}
    second = next(((name, vote) for name, vote in ranked[1:] if name != twins.get(language)), ("", 0.0))
    rival = total - votes.get(twins.get(language, ""), 0.0)
    confidence = round(min(1.0, most / max(rival, 1e-9)) * (1 - 0.5 ** (most / 0.7)), 4)
    mixed = second[0] if second[1] >= 1.2 and second[1] >= 0.25 * most and second[0] in SCORED else None
    if language not in SCORED:
        return None, confidence, None
    return language, confidence, mixed
