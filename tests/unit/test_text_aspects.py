"""Aspects of hotels and restaurants (tests/sentences/aspects/*.tsv: aspects with their signs, text): a floor.

The sentences were written before the words that they made necessary, and mended by; those in neighbours/ after that,
and nothing was mended by them: the least counts there are what was found when they were first read.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.text.polarity import Clause
from streams.text.scorer import TAUGHT, Scorer
from streams.text.train.aspects import COLUMNS, FOLDS, example, fold, learnt, report
from streams.text.train.linear import Options, train

SENTENCES = Path(__file__).parent.parent / "sentences" / "aspects"
SIGN = {"+": 1, "-": -1}


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer()


def sign(score: float | None) -> int:
    return 0 if score is None else (score > 0) - (score < 0)


@pytest.mark.parametrize(
    ("name", "found", "right"),
    [
        ("id", 57, 54),
        ("en_hotel", 59, 56),
        ("en_restaurant", 64, 62),
        ("neighbours/id", 22, 20),
        ("neighbours/en_hotel", 20, 11),
        ("neighbours/en_restaurant", 18, 9),
    ],
)
def test_aspects_are_found_with_their_polarity(scorer: Scorer, name: str, found: int, right: int) -> None:
    named = judged = 0
    for line in (SENTENCES / f"{name}.tsv").read_text(encoding="utf-8").splitlines():
        aspects, text = line.split("\t")
        said = dict(scorer.score_one(text, None).aspects)
        for aspect in aspects.split():
            named += aspect[:-1] in said
            judged += sign(said.get(aspect[:-1])) == SIGN[aspect[-1]]
    assert named >= found
    assert judged >= right


@pytest.mark.parametrize("amount", ["$69", "€70", "70 €", "£5.50", "₺900", "900 ₺"])
def test_an_amount_of_money_is_about_the_price(scorer: Scorer, amount: str) -> None:
    assert "price" in dict(scorer.score_one(f"The dinner was {amount} and we left early", None).aspects)
    assert "price" not in dict(scorer.score_one("The dinner was at 8 and we left early, pay in $", None).aspects)


@pytest.mark.parametrize("text", ["Wi-Fi was slow", "wi-fi was slow", "wifi was slow", "The wi fi was slow"])
def test_one_word_however_it_is_written(scorer: Scorer, text: str) -> None:
    assert dict(scorer.score_one(text, None).aspects)["wifi"] == pytest.approx(-0.4, abs=0.3)


def test_only_indonesian_and_malay_ask_the_model(scorer: Scorer) -> None:
    plain = Scorer(models=False)
    assert set().union(*COLUMNS.values()) == set(TAUGHT)
    text = "Air panas mati dan tv buram, pelayanannya ramah"
    assert dict(scorer.score_one(text, "id").aspects)["tv"] != dict(plain.score_one(text, "id").aspects)["tv"]
    text = "The tv was broken, the staff friendly"
    assert scorer.score_one(text, "en").aspects == plain.score_one(text, "en").aspects


ROWS = [
    {"review": f"{text} {number}", **dict.fromkeys(COLUMNS, "neut"), "wifi": said}
    for number in range(6)
    for text, said in (("wifi lemot", "neg"), ("wifi kencang", "pos"), ("wifi ada dan tv ada", "neut"))
]


def test_what_is_said_is_learned_from_the_clauses_that_name_it() -> None:
    scorer = Scorer(models=False)
    found = [scorer.about(row["review"], "id") for row in ROWS]
    data = learnt(ROWS, found)
    assert sorted({one.label for one in data}) == [-1, 0, 1]
    trained = train(data, Options(least=1, steps=60))
    for word, best in (("lemot", 0), ("kencang", 2)):
        row = trained.predict([example("wifi", ["wifi", word], Clause(), 0)])[0]
        assert row.argmax() == best
    wifi = next(line for line in report(ROWS, found, lambda number, _: -1) if line[0] == "wifi")
    assert wifi[1] == 12
    assert wifi[2] == pytest.approx(2 * 12 / (18 + 12))
    assert wifi[3] == 0.5


def test_a_text_is_in_the_same_fold_every_time() -> None:
    assert [fold(text) for text in ("a", "b", "c")] == [4, 0, 3]
    assert {fold(str(number)) for number in range(60)} == set(range(FOLDS))
