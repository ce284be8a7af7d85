"""The evaluation table: macro-F1 by hand on a small set, and the command that prints it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from streams.cli.score import score
from streams.text.evaluate import evaluate, table
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


def test_table_has_each_set_with_and_without_neutral(tmp_path: Path) -> None:
    ROWS.write_csv(tmp_path / "en_small.csv")
    lines = list(table(tmp_path))
    assert [line.split()[0] for line in lines] == ["set", "en_small", "en_small/2"]


def test_the_command_prints_the_table(tmp_path: Path) -> None:
    ROWS.write_csv(tmp_path / "en_small.csv.gz", compression="gzip")
    done = CliRunner().invoke(score, ["--labelled", str(tmp_path)])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.output.splitlines()] == ["set", "en_small", "en_small/2"]


def test_the_command_wants_a_directory_that_is_there(tmp_path: Path) -> None:
    assert CliRunner().invoke(score, ["--labelled", str(tmp_path / "none")]).exit_code == 2
