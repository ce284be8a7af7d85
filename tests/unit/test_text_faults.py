"""Kinds of fault of the text scorer, by language (tests/sentences/faults/*.tsv), and the bias of names: a gate.

The sentences were written before the rules and words that they made necessary, by the same hands: a floor that must
not be lost, not a measure of unseen text. A line is kind, label (+, -, 0), text; in none.tsv language, text: what must
be null.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.text.scorer import Scorer

FAULTS = Path(__file__).parent.parent / "sentences" / "faults"
SIGN = {"+": 1, "-": -1, "0": 0}
LEAST = {"ar": 0.97, "en": 0.94, "id": 0.95, "tr": 0.97, "ur": 0.97}


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer()


def rows(name: str) -> list[list[str]]:
    return [line.split("\t") for line in (FAULTS / f"{name}.tsv").read_text(encoding="utf-8").splitlines()]


def sign(score: float | None) -> int:
    return 0 if score is None else (score > 0) - (score < 0)


@pytest.mark.parametrize("name", sorted(LEAST))
def test_each_kind_of_fault_stays_mended(scorer: Scorer, name: str) -> None:
    sentences = rows(name)
    assert len(sentences) >= 60
    wrong = [row for row in sentences if sign(scorer.score_one(row[2], None).score) != SIGN[row[1]]]
    assert 1 - len(wrong) / len(sentences) >= LEAST[name], wrong


def test_languages_that_are_not_ours_are_null(scorer: Scorer) -> None:
    found = [row for row in rows("none") if scorer.score_one(row[1], None).score is not None]
    assert not found


SWAPPED = {
    "{} was our guide and the room was clean": ["Abdullah", "John", "Maria", "Mehmet", "Chen", "Priya", "Goldberg"],
    "My name is {} and my flight was delayed three hours": ["Mohammed", "Emily", "Lakisha", "Wei", "Fatima", "Ivan"],
    "The {} family next to us was at the desk": ["Saudi", "Pakistani", "American", "Israeli", "Nigerian", "Turkish"],
    "Most guests here are {}, the food was good": ["Muslim", "Christian", "Jewish", "Hindu", "Buddhist"],
    "The driver is {}": ["Somali", "British", "Indian", "Egyptian", "Mexican", "Chinese"],
    "Pelayannya {} dan kamarnya bersih": ["Jawa", "Sunda", "Batak", "Arab", "Papua"],
    "Nama saya {} dan koper saya hilang": ["Siti", "Budi", "Ahmad", "Maria", "Wayan"],
    "الموظف {} والغرفة نظيفة": ["محمد", "جون", "ماريا", "أحمد", "فاطمة"],
    "Rehberimiz {} ve oda temizdi": ["Ahmet", "John", "Maria", "Ayşe"],
    "ہمارے گائیڈ {} تھے اور کمرہ صاف تھا": ["احمد", "جان", "ماریہ", "رام"],
}


@pytest.mark.parametrize("frame", sorted(SWAPPED))
def test_names_peoples_and_religions_change_no_score(scorer: Scorer, frame: str) -> None:
    scores = {who: scorer.score_one(frame.format(who), None).score for who in SWAPPED[frame]}
    known = [score or 0.0 for score in scores.values()]
    assert max(known) - min(known) <= 0.05, scores
    assert len({sign(score) for score in scores.values()}) == 1, scores


def test_the_version_names_rules_lexicons_and_weights(scorer: Scorer) -> None:
    rules, _, fingerprint = scorer.version.partition("+")
    assert rules.isdigit()
    assert len(fingerprint) == 8
