"""Commands that need no running pipeline: score, doctor, simulate, and what query makes of its arguments."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli import main


def run(*arguments: str, stdin: str | bytes = "") -> Result:
    """A command in this process, its output and exit status kept."""
    return CliRunner().invoke(main.cli, list(arguments), input=stdin, standalone_mode=False)


def test_score_answers_each_line_in_order() -> None:
    lines = [
        '{"text": "The room was spotless and the staff were wonderful."}',
        '{"text": null}',
        "not json",
        '{"locale": "en"}',
        '{"text": 7}',
        '{"text": "Terrible service, we waited two hours.", "locale": "en-GB"}',
    ]
    done = run("score", stdin="\n".join(lines))
    answers = [json.loads(line) for line in done.output.splitlines()]
    assert len(answers) == len(lines)
    assert answers[0]["score"] > 0 > answers[5]["score"]
    assert answers[0]["language"] == answers[5]["language"] == "en"
    assert {"aspect", "score"} == answers[0]["aspects"][0].keys()
    nothing = {"intents": [], "emotion": None, "effort": False, "urgent": False, "concerns": []}
    assert answers[1] == {"score": None, "confidence": 0.0, "language": None, "aspects": [], **nothing}
    assert ["error" in answer for answer in answers] == [False, False, True, True, True, False]
    assert done.return_value == 1


def test_score_of_good_lines_only_is_a_success() -> None:
    assert run("score", stdin=b'{"text": "\xd8\xb4\xd9\x83\xd8\xb1\xd8\xa7"}\n').return_value == 0
    assert run("score").return_value == 0


def test_simulate_writes_the_same_events_for_the_same_seed(tmp_path: Path) -> None:
    files = [tmp_path / "one" / "events.jsonl", tmp_path / "other" / "events.jsonl"]
    for file in files:
        done = run("simulate", "--customers", "20", "--seed", "4", "--out", str(file), "--truth", f"{file}.truth")
        assert done.exception is None
    assert files[0].read_bytes() == files[1].read_bytes() != b""
    assert Path(f"{files[0]}.truth").read_bytes() == Path(f"{files[1]}.truth").read_bytes()


def test_simulate_refuses_what_makes_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["simulate", "--languages", "en,xx"]) == 2
    assert "languages must be some of" in capsys.readouterr().err


def test_doctor_tells_a_problem_from_what_nobody_has_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = ["--brokers", "127.0.0.1:1", "--clickhouse", "http://user:secret@127.0.0.1:1"]
    assert main.main(["doctor", *nobody]) == 1
    out = capsys.readouterr().out
    assert "problem  broker 127.0.0.1:1" in out
    assert re.search(r"problem  ClickHouse http://127\.0\.0\.1:1: .*: Connection refused\n", out)
    assert "secret" not in out
    assert out.endswith("2 problems\n")
    monkeypatch.setenv("RIHLA_REGISTRY", "http://127.0.0.1:1")
    assert main.main(["doctor", *nobody]) == 1
    assert "problem  registry http://127.0.0.1:1" in capsys.readouterr().out


def test_query_lists_and_explains_the_named_queries() -> None:
    listed = run("query", "--list")
    assert "Net Promoter Score" in listed.output
    about = run("query", "nps", "--list").output
    assert "Columns:" in about
    assert "--param NAME=VALUE" in about


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["query"], 2, "name a query or give SQL"),
        (["query", "npss"], 1, "there is no query named 'npss'"),
        (["query", "nps", "--param", "colour=red"], 2, "has no parameter colour"),
        (["query", "nps", "--param", "colour"], 2, "'colour' is not NAME=VALUE"),
    ],
)
def test_query_says_what_is_wrong_before_it_asks(
    arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(arguments) == status
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("run", "nowhere.jsonl"), 1, "nowhere.jsonl"),
        (("run", "table.csv"), 1, "--adapter"),
        (("run", "nowhere.jsonl", "--adapter", "nothing"), 1, "there is no adapter 'nothing'"),
        (("run", "nowhere.jsonl", "--broker", "nonsense"), 2, "neither tansu, kafka nor HOST:PORT"),
        (("run",), 2, "Missing argument"),
        (("query", "SELECT 1"), 1, "there is no database in"),
        (("produce", "-", "--brokers", "127.0.0.1:1"), 1, "127.0.0.1"),
        (("migrate", "--clickhouse", "http://127.0.0.1:1"), 1, "127.0.0.1:1"),
        (("worker", "enrich", "--brokers", "127.0.0.1:1", "--metrics-port", "0"), 1, "127.0.0.1:1"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # a worker puts its own there
    (tmp_path / "table.csv").write_text("a,b\n")
    assert main.main(arguments) == status
    told = capfd.readouterr().err
    assert message in told
    assert "Traceback" not in told
    assert not (tmp_path / "rihla-data").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("produce", "e.jsonl", "--brokers", "kafka:9092"), "--brokers"),
        (("simulate", "--to-kafka", "--prefix", "other"), "--prefix"),
        (("feed", "pms", "--mapping", "m.toml", "--wire", "confluent"), "--wire"),
        (("feed", "pms", "--mapping", "m.toml", "--registry", "http://127.0.0.1:1"), ""),
    ],
)
def test_what_data_answers_is_not_passed_over_in_silence(
    tmp_path: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The registry of a topic that is fed is not the pipeline's: it may be named beside --data."""
    code = main.main([*arguments, "--data", str(tmp_path)])
    told = capsys.readouterr().err
    assert (code, f"--data says what {said} would say" in told) == ((2, True) if said else (1, False))
