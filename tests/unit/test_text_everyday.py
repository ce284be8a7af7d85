"""Everyday words say nothing, however they are inflected: none is read as a word that is spelt like it."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.text.lexicon import Lexicon
from streams.text.scorer import LEXICONS

WORDS = Path(__file__).parent.parent / "sentences" / "everyday"
LANGUAGES = {"ar": "ar", "tr": "tr", "ur": "ur", "roman_urdu": "ur-Latn"}


@pytest.mark.parametrize("name", LANGUAGES)
def test_everyday_words_say_nothing(name: str) -> None:
    language = LANGUAGES[name]
    lexicon = Lexicon(language, LEXICONS[language])
    words = (WORDS / f"{name}.txt").read_text(encoding="utf-8").split()
    assert len(words) > 200
    assert {word: lexicon.word(word).valence for word in words if abs(lexicon.word(word).valence) >= 0.8} == {}


@pytest.mark.parametrize(
    ("language", "word"), [("ur-Latn", "kaam"), ("ur-Latn", "ne"), ("ur", "بنایا"), ("ar", "الصوص"), ("tr", "döner")]
)
def test_an_everyday_word_negates_and_weakens_nothing(language: str, word: str) -> None:
    assert Lexicon(language, LEXICONS[language]).word(word).role is None
