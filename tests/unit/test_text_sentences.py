"""Sentences written for these tests (tests/sentences/*.tsv), travel only: least shares that the scorer must get right.

A line is label, aspects, text: the label is +, - or 0 (nothing expressed), ~ where praise and blame are even; an
aspect ends in the sign of its own polarity. languages.tsv has short and mixed texts, each with its language, "-" for
none of ours.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.text.evaluate import f1_by_label
from streams.text.scorer import Scorer, TextScore

SENTENCES = Path(__file__).parent.parent / "sentences"
SETS = ["english", "arabic", "indonesian", "malay", "turkish", "urdu", "roman_urdu"]
LANGUAGE = {"english": "en", "arabic": "ar", "indonesian": "id", "malay": "ms", "turkish": "tr"}
SIGN = {"+": 1, "-": -1, "0": 0}


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer()


def rows(name: str) -> list[list[str]]:
    return [line.split("\t") for line in (SENTENCES / f"{name}.tsv").read_text(encoding="utf-8").splitlines()]


def results(scorer: Scorer, texts: list[str]) -> list[TextScore]:
    return [result for result in scorer.score(texts) if result is not None]


def sign(score: float | None) -> int:
    return 0 if score is None else (score > 0) - (score < 0)


@pytest.mark.parametrize("name", SETS)
def test_polarity_and_null(scorer: Scorer, name: str) -> None:
    kept = [row for row in rows(name) if row[0] != "~"]
    truth = [SIGN[label] for label, _, _ in kept]
    found = [sign(result.score) for result in results(scorer, [text for _, _, text in kept])]
    f1 = f1_by_label(truth, found)
    assert sum(f1.values()) / 3 >= 0.9, f1


@pytest.mark.parametrize("name", SETS)
def test_nothing_expressed_is_null(scorer: Scorer, name: str) -> None:
    neutral = [text for label, _, text in rows(name) if label == "0"]
    assert len(neutral) >= 8
    scored = [text for text, result in zip(neutral, results(scorer, neutral), strict=True) if result.score is not None]
    assert not scored


@pytest.mark.parametrize("name", SETS)
def test_aspects_with_their_own_polarity(scorer: Scorer, name: str) -> None:
    wanted = found = 0
    for (_, aspects, _), result in zip(rows(name), results(scorer, [text for _, _, text in rows(name)]), strict=True):
        polarity = dict(result.aspects)
        for aspect in aspects.split():
            wanted += 1
            found += sign(polarity.get(aspect[:-1])) == SIGN[aspect[-1]]
    assert wanted >= 20
    assert found / wanted >= 0.9, (found, wanted)


@pytest.mark.parametrize("name", SETS)
def test_language(scorer: Scorer, name: str) -> None:
    found = [result.language for result in results(scorer, [text for _, _, text in rows(name)])]
    assert found.count(LANGUAGE.get(name, "ur")) / len(found) >= 0.9


def test_language_of_short_and_mixed_texts(scorer: Scorer) -> None:
    kept = rows("languages")
    found = [result.language or "-" for result in results(scorer, [text for _, text in kept])]
    wrong = [(text, language) for (truth, text), language in zip(kept, found, strict=True) if truth != language]
    assert len(wrong) / len(kept) <= 0.1, wrong


@pytest.mark.parametrize(
    ("text", "aspect", "polarity"),
    [
        ("الطعام غير حلال", "halal_food", -1),
        ("الطعام ليس حلال", "halal_food", -1),
        ("الأكل مش حلال", "halal_food", -1),
        ("اللحم مو حلال", "halal_food", -1),
        ("لا يوجد طعام حلال", "halal_food", -1),
        ("ما في مصلى", "prayer", -1),
        ("الفندق مش بعيد عن الحرم", "location", 1),
        ("the food is not halal", "halal_food", -1),
        ("there was no place to pray", "prayer", -1),
        ("the hotel is not far from the haram", "location", 1),
        ("makanannya tidak halal", "halal_food", -1),
        ("hotelnya nggak jauh dari masjid", "location", 1),
        ("tiada surau di hotel", "prayer", -1),
        ("hotel tak jauh dari masjid", "location", 1),
        ("yemekler helal değil", "halal_food", -1),
        ("otelde mescit yok", "prayer", -1),
        ("otel hareme uzak değil", "location", 1),
        ("کھانا حلال نہیں", "halal_food", -1),
        ("ہوٹل حرم سے دور نہیں", "location", 1),
        ("khana halal nahi tha", "halal_food", -1),
        ("hotel haram se door nahi", "location", 1),
    ],
)
def test_negation_of_what_a_traveller_wants_and_of_distance(
    scorer: Scorer, text: str, aspect: str, polarity: int
) -> None:
    (result,) = results(scorer, [text])
    assert sign(result.score) == polarity
    assert sign(dict(result.aspects)[aspect]) == polarity


def test_the_sentence_that_sums_up_decides_a_long_review(scorer: Scorer) -> None:
    praise = (
        "The screen was large, the crew friendly and the food good. However the seat is so narrow that my "
        "shoulders overlapped with my neighbour and my knees hit the seat in front. I would not recommend this seat."
    )
    blame = (
        "The seat was a bit narrow and the recline limited. Food was average and the tray table was old. "
        "Overall a comfortable seat for the price and I would choose it again."
    )
    first, second = results(scorer, [praise, blame])
    assert sign(first.score) == -1
    assert sign(second.score) == 1
