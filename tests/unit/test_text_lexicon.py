"""The lexicon files are well formed, and the forms of words lead to their entries."""

from __future__ import annotations

import pytest

from streams.model.vocabulary import ASPECTS
from streams.text.lexicon import ROLES, Lexicon, read
from streams.text.normalise import clean
from streams.text.scorer import LEXICONS


@pytest.fixture(scope="module")
def lexicons() -> dict[str, Lexicon]:
    return {name: Lexicon(name, names) for name, names in LEXICONS.items()}


@pytest.mark.parametrize("name", sorted({name for names in LEXICONS.values() for name in names} | {"emoji"}))
def test_every_line_has_a_kind_that_is_known(name: str) -> None:
    for kind, term in read(name):
        assert kind in ROLES or (kind.startswith("aspect ") and kind[7:] in ASPECTS) or -4 <= float(kind) <= 4, (
            kind,
            term,
        )


@pytest.mark.parametrize("language", sorted(LEXICONS))
def test_every_language_names_every_aspect(language: str) -> None:
    named = {kind[7:] for name in LEXICONS[language] for kind, _ in read(name) if kind.startswith("aspect ")}
    assert named == set(ASPECTS)


@pytest.mark.parametrize(
    ("language", "word", "sign"),
    [
        ("ar", "والممتازة", 1),
        ("ar", "رااااائع", 1),
        ("ar", "مُمتاز", 1),
        ("ar", "معجبنيش", -1),
        ("tr", "beğendik", 1),
        ("tr", "beğenmedik", -1),
        ("tr", "BERBATTI", -1),
        ("tr", "lezzetsizdi", -1),
        ("tr", "sorunsuzdu", 1),
        ("tr", "memnunuz", 1),
        ("ur", "گندی", -1),
        ("ur", "اچھے", 1),
        ("ur-Latn", "achhi", 1),
        ("ur-Latn", "behtareeen", 1),
        ("ur-Latn", "ghatiyaa", -1),
        ("id", "kotornya", -1),
        ("ms", "selesanya", 1),
        ("en", "disappointing", -1),
    ],
)
def test_written_forms_lead_to_their_entries(lexicons: dict[str, Lexicon], language: str, word: str, sign: int) -> None:
    assert lexicons[language].word(clean(word)).valence * sign > 0


def test_a_small_memory_changes_nothing() -> None:
    small, large = Lexicon("tr", ("tr",), memory=2), Lexicon("tr", ("tr",))
    for word in ("güzel", "kötü", "güzeldi", "kötüydü", "güzel"):
        assert small.word(word).valence == large.word(word).valence
