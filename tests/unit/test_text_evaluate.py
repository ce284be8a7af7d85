"""The evaluation table: macro-F1 by hand on a small set, and the command."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from streams.text.evaluate import evaluate, main
from streams.text.scorer import Scorer

ROWS = pl.DataFrame(
    {
        "text": [
            "excellent hotel",
            "terrible hotel",
            "awful room",
            "What time is breakfast?",
            "I love delays",
            "excellent hotel",
        ],
        "label": [1, -1, 1, 0, -1, 1],
    }
)


def test_macro_f1_counts_duplicates_once() -> None:
    report = evaluate(Scorer(models=False), "en_small", ROWS.head(4))
    assert report.rows == 4
    assert report.f1 == {-1: pytest.approx(2 / 3), 0: 1.0, 1: pytest.approx(2 / 3)}
    assert report.macro_f1 == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    assert report.accuracy == 0.75
    assert evaluate(Scorer(models=False), "en_small", ROWS).rows == 5


def test_command_prints_each_set_with_and_without_neutral(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ROWS.write_csv(tmp_path / "en_small.csv")
    assert main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["set", "en_small", "en_small/2"]


def test_command_wants_a_directory() -> None:
    assert main([]) == 2
