"""`rihla query --explain`: SQL with its values, nothing run; and what a shell completes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from sinks.clickhouse import named
from streams.cli import main
from streams.cli.query_explain import explain, fill


def completed(*words: str) -> list[str]:
    """What may stand in the place of the last word, behind `rihla`."""
    shell = ShellComplete(main.cli, {}, "rihla", "_RIHLA_COMPLETE")
    return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize(
    ("sql", "values", "filled"),
    [
        ("SELECT {a:String}", {"a": "o'clock \\ x"}, r"SELECT 'o''clock \\ x'"),
        ("SELECT {n:UInt32} + 1", {"n": "7"}, "SELECT CAST(7, 'UInt32') + 1"),
        ("SELECT {n:UInt32}", {"n": "7); DROP"}, "SELECT CAST('7); DROP', 'UInt32')"),
        ("SELECT {t:DateTime64(3,'UTC')}", {"t": "2026-01-01"}, "SELECT CAST('2026-01-01', 'DateTime64(3,''UTC'')')"),
        ("SELECT 1 FROM {t:Identifier}", {"t": "journeys"}, "SELECT 1 FROM `journeys`"),
        ("SELECT '{a:String}', `{a:String}` -- {a:String}", {}, "SELECT '{a:String}', `{a:String}` -- {a:String}"),
        ("SELECT 'it''s', {a:String} /* {b:String} */", {"a": "x"}, "SELECT 'it''s', 'x' /* {b:String} */"),
        ("SELECT {'a': 1}", {}, "SELECT {'a': 1}"),
    ],
)
def test_values_stand_where_parameters_stood(sql: str, values: dict[str, str], filled: str) -> None:
    assert fill(sql, values) == filled


@pytest.mark.parametrize("name", list(named.load()))
def test_no_parameter_of_a_named_query_is_left(name: str) -> None:
    query = named.load()[name]
    values = query.bind()
    text = explain(query, query.text(values), values)
    statement = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    assert not [one for one in query.parameters if f"{{{one.name}:" in statement]
    comments = [line for line in text.splitlines() if line.startswith("--")]
    assert all(any(line.startswith(f"--   {column} ") for line in comments) for column, _ in query.columns)
    assert not [line for line in comments if "'" in line or '"' in line]


def test_a_value_with_a_line_break_stays_in_its_comment() -> None:
    query = named.load()["customer"]
    values = query.bind({"id": "x\nDROP TABLE y"})
    assert "\nDROP" not in explain(query, "", values)


def test_the_command_prints_it_without_a_database(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert main.main(["query", "nps", "--explain", "--param", "country=SA"]) == 0
    out = capsys.readouterr().out
    assert "--   country=SA" in out
    assert "has(splitByChar(char(31), 'SA')" in out
    assert main.main(["query", "SELECT {a:UInt8}", "--explain", "--param", "a=3"]) == 0
    assert capsys.readouterr().out == "SELECT CAST(3, 'UInt8')\n"
    assert main.main(["query", "SELECT {a:UInt8}", "--explain"]) == 2
    assert "the parameter a has no value; give it: --param a=VALUE" in capsys.readouterr().err


def test_names_and_parameters_are_completed() -> None:
    assert completed("query", "np") == ["nps"]
    assert completed("query", "") == list(named.load())
    assert completed("query", "nps", "--param", "si") == ["since="]
    assert completed("query", "nps", "--param", "by=c") == ["by=channel", "by=country", "by=customer", "by=campaign"]
    assert completed("query", "nps", "--param", "since=2") == []
    assert completed("query", "SELECT 1", "--param", "b") == []
    assert completed("query", "--param", "b") == []
    assert "--explain" in completed("query", "nps", "--")


def test_a_shell_gets_them_from_the_program() -> None:
    asked = {**os.environ, "_RIHLA_COMPLETE": "zsh_complete", "COMP_WORDS": "rihla query np", "COMP_CWORD": "2"}
    command = [sys.executable, "-m", "streams.cli"]
    done = subprocess.run(command, env=asked, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[:2] == ["plain", "nps"]
    assert done.stderr == ""
