"""Which language a text is in, of 25 (tests/sentences/languages/): 30 sentences each, written before the words that
were added for them; ours must be told, of the others none may be taken for ours. mixed.tsv: texts of several languages.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.text.scorer import Scorer

SENTENCES = Path(__file__).parent.parent / "sentences" / "languages"
OURS = {"en": "en", "ar": "ar", "de": "de", "fr": "fr", "id": "id", "ms": "ms", "tr": "tr", "ur": "ur", "ur-Latn": "ur"}
LEAST = {"ms": 22, "su": 24, "jv": 25}
SIGN = {"+": 1, "-": -1, "0": 0}


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer()


def rows(name: str) -> list[list[str]]:
    return [line.split("\t") for line in (SENTENCES / f"{name}.tsv").read_text(encoding="utf-8").splitlines()]


HELD_OUT = rows("held_out")


@pytest.mark.parametrize("language", sorted({language for language, _ in HELD_OUT}))
def test_ours_are_told_and_others_are_none(scorer: Scorer, language: str) -> None:
    texts = [text for named, text in HELD_OUT if named == language]
    assert len(texts) == 30
    found = [scorer.score_one(text, None).language for text in texts]
    wanted = {"ur", None} if language == "hi-Latn" else {OURS.get(language)}  # Hindi in Latin letters reads as Urdu
    assert sum(one in wanted for one in found) >= LEAST.get(language, 28), list(zip(texts, found, strict=True))


@pytest.mark.parametrize(("sign", "language", "text"), rows("mixed"))
def test_of_a_mixed_text_the_sentences_in_our_languages_count(
    scorer: Scorer, sign: str, language: str, text: str
) -> None:
    said = scorer.score_one(text, None)
    assert (said.language or "-") == language
    assert (0 if said.score is None else (said.score > 0) - (said.score < 0)) == SIGN[sign]


def test_the_other_sentences_are_kept_without_a_score(scorer: Scorer) -> None:
    said = scorer.score_one(
        "La habitación era pequeña y el baño frío. Las camas eran muy duras para nosotros. The staff was great!", None
    )
    assert [part.score is None for part in said.sentences] == [True, True, False]
    assert said.sentences[2].text == "The staff was great!"
    assert (dict(said.aspects)["staff"] or 0) > 0
    assert scorer.score_one("La habitación era pequeña. The staff was great!", None, by_sentence=False).sentences == []


@pytest.mark.parametrize("text", ["Our room for 3 had 2 beds at 7am", "B2B flight A380, 3stars, 5km away at 3pm"])
def test_numbers_are_no_letters_of_arabic(scorer: Scorer, text: str) -> None:
    assert scorer.score_one(text, None).language == "en"
