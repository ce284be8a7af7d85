"""The evaluation table: macro-F1 by hand on a small set, and the command that prints it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from streams.cli.score import score
from streams.text.errors import CAUSES
from streams.text.evaluate import evaluate, f1_by_label, interval, table
from streams.text.explain import lines
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
    assert [line.split()[0] for line in lines] == ["model", "set", "en_small", "en_small/2"]


def test_the_command_prints_the_table(tmp_path: Path) -> None:
    ROWS.write_csv(tmp_path / "en_small.csv.gz", compression="gzip")
    done = CliRunner().invoke(score, ["--labelled", str(tmp_path)])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.output.splitlines()] == ["model", "set", "en_small", "en_small/2"]


def test_the_command_wants_a_directory_that_is_there(tmp_path: Path) -> None:
    assert CliRunner().invoke(score, ["--labelled", str(tmp_path / "none")]).exit_code == 2


def test_the_interval_holds_the_figure_and_narrows_with_more_texts() -> None:
    truth, guesses = [1, 1, -1, -1, 0, 0, 1, -1] * 10, [1, -1, -1, -1, 0, 1, 1, 1] * 10
    figure = sum(f1_by_label(truth, guesses).values()) / 3
    low, high = interval(truth, guesses)
    assert low < figure < high
    narrow = interval(truth * 16, guesses * 16)
    assert narrow[1] - narrow[0] < (high - low) / 2
    assert interval(truth, guesses) == (low, high)


def test_a_file_of_another_kind_is_named_and_left_out(tmp_path: Path) -> None:
    pl.DataFrame({"review": ["a"], "wifi": ["pos"]}).write_csv(tmp_path / "id_hotels.csv")
    assert list(table(tmp_path))[-1] == "id_hotels.csv: left out, it has no columns text and label"


def test_explain_shows_what_each_word_did() -> None:
    done = CliRunner().invoke(score, ["--explain", "The room was not clean. I hope the pool is great. 2/10"])
    assert done.exit_code == 0
    assert "[not clean]" in done.output
    assert "left out: it is wished, asked or prayed for" in done.output
    assert "a rating: -3.6" in done.output


def test_explain_is_in_colour_and_right_to_left() -> None:
    shown = list(lines(Scorer(), "الغرفة وسخة لكن الموظفين رائعين"))
    assert shown[0].startswith("\u2067")
    assert shown[0].endswith("\u2069")
    assert "\x1b[31mوسخة\x1b[0m" in shown[0]
    assert "\x1b[32mرائعين\x1b[0m" in shown[0]


def test_a_file_is_scored_line_by_line_with_a_count(tmp_path: Path) -> None:
    (tmp_path / "texts.jsonl").write_text('{"text": "The hotel was excellent"}\nno json\n{"text": null}\n')
    done = CliRunner().invoke(score, ["--file", str(tmp_path / "texts.jsonl")], standalone_mode=False)
    assert done.return_value == 1
    answers = done.stdout.splitlines()
    assert len(answers) == 3
    assert '"language":"en"' in answers[0]
    assert answers[1].startswith('{"error"')
    assert "3 lines, 1 not scored" in done.stderr


def test_a_set_that_falls_below_its_interval_fails_the_gate(tmp_path: Path) -> None:
    sets, gate = tmp_path / "sets", tmp_path / "gate.csv"
    sets.mkdir()
    ROWS.write_csv(sets / "en_small.csv")
    asked = ["--labelled", str(sets), "--gate", str(gate)]
    first = CliRunner().invoke(score, asked, standalone_mode=False)
    assert first.return_value == 0
    kept = pl.read_csv(gate)
    assert kept["set"].to_list() == ["en_small", "en_small/2"]
    assert CliRunner().invoke(score, asked, standalone_mode=False).return_value == 0
    kept.with_columns(pl.col("low") + 1.0).write_csv(gate)
    fallen = CliRunner().invoke(score, asked, standalone_mode=False)
    assert fallen.return_value == 1
    assert fallen.output.count("worse: en_small") == 2
    (sets / "en_small.csv").rename(sets / "en_other.csv")
    assert "worse: en_small is not there" in CliRunner().invoke(score, asked, standalone_mode=False).output


def test_errors_are_told_by_cause(tmp_path: Path) -> None:
    pl.DataFrame(
        {
            "text": [
                "La habitación está muy sucia",
                "The room flummoxed us",
                "An excellent hotel",
                "The breakfast was lovely",
                "bad",
            ],
            "label": [-1, -1, -1, 0, -1],
        }
    ).write_csv(tmp_path / "en_small.csv")
    output = tmp_path / "errors.csv"
    done = CliRunner().invoke(score, ["--labelled", str(tmp_path), "--errors", str(output)], standalone_mode=False)
    assert done.return_value == 0
    assert done.output.splitlines()[0] == "en_small: 4 errors of 5"
    written = {row["text"]: row for row in pl.read_csv(output).iter_rows(named=True)}
    causes = {text: row["cause"] for text, row in written.items()}
    assert causes == {
        "La habitación está muy sucia": "language",
        "The room flummoxed us": "nothing",
        "An excellent hotel": "words",
        "The breakfast was lovely": "fact",
    }
    assert written["An excellent hotel"]["counted"].startswith("excellent:")
    assert "flummoxed" in written["The room flummoxed us"]["unknown"].split()
    assert set(causes.values()) <= set(CAUSES)


def test_gate_and_errors_need_sets() -> None:
    assert CliRunner().invoke(score, ["--gate", "gate.csv"]).exit_code == 2
