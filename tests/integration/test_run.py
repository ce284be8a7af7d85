"""`rihla run` as people use it: a process over a file, its exit status, its summary, and what the tables then hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streams.embedded.datadir import DataDirectory, History
from streams.sources.simulate import Options, write
from tests.support.brokers import Broker
from tests.support.waiting import HUNG

BAD_LINES = b'{"no json\n\n{"channel": "booking", "touchpoint": 7}\n[]\n'
N_BAD_LINES = 3


@dataclass(frozen=True)
class Simulated:
    """A file of events, some of them bad, and what the tables must hold of it."""

    file: Path
    customers: list[dict[str, Any]]
    journeys: list[dict[str, Any]]
    summary: dict[str, Any]


def simulated(folder: Path, **options: Any) -> Simulated:
    """Simulate events, and lines that are no events behind them."""
    file, truth = folder / "events.jsonl", folder / "truth.jsonl"
    summary = write(Options(**options), file, truth)
    with file.open("ab") as lines:
        lines.write(BAD_LINES)
    records = [json.loads(line) for line in truth.read_bytes().splitlines()]
    return Simulated(
        file,
        [record for record in records if record["record"] == "customer"],
        [record for record in records if record["record"] == "journey"],
        summary,
    )


def rihla(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments],
        env={**os.environ, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=HUNG,
        check=False,
    )


def rows(data: Path, sql: str) -> list[dict[str, Any]]:
    """What a query gives through `rihla query`."""
    done = rihla("query", sql, "--data", str(data), "--format", "JSONEachRow")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


CUSTOMER = ("customer_id", "kind", "value", "interactions", "journeys", "open_cases")
JOURNEY = (
    *("customer_id", "booking_ref", "status", "interactions", "booking_interactions", "check_in_interactions"),
    *("stay_interactions", "post_travel_interactions", "nps", "csat", "ces", "stars", "cases_opened", "cases_resolved"),
)


def check_tables(data: Path, events: Simulated) -> None:
    """The tables hold what the simulation knows to be true; every bad event and bad line is a dead letter, whole."""
    found = rows(
        data,
        f"""
        SELECT (SELECT count() FROM interactions) AS interactions, (SELECT count() FROM dead_letters) AS dead_letters,
            (SELECT groupArray(({", ".join(CUSTOMER)})) FROM customers) AS customers,
            (SELECT groupArray(({", ".join(JOURNEY)}, toUnixTimestamp64Milli(started_at))) FROM journeys) AS journeys,
            (SELECT argMax((topic, offset, payload), offset) FROM dead_letters WHERE topic LIKE 'file:%') AS last_line,
            (SELECT count() FROM system.databases WHERE name = 'rihla_run') AS scratch
        """,
    )[0]
    assert found["interactions"] == events.summary["interactions"]
    assert ordered(found["customers"]) == ordered([[row[name] for name in CUSTOMER] for row in events.customers])
    expected = [[row[name] for name in (*JOURNEY, "started_at")] for row in events.journeys]
    assert ordered(found["journeys"]) == ordered(expected)
    assert found["dead_letters"] >= events.summary["bad"] + N_BAD_LINES  # a record read again is one more
    assert found["last_line"] == [f"file:{events.file}", len(events.file.read_bytes().splitlines()), "[]"]
    assert found["scratch"] == 0


def ordered(table: list[list[Any]]) -> list[str]:
    """Rows in one order, whatever is null in them."""
    return sorted(map(json.dumps, table))


def said(text: str) -> str:
    return " ".join(text.split())


def check_two_runs(events: Simulated, data: Path, *options: str) -> None:
    """A first run stores everything, a second one nothing; both say so, and the tables are right after each."""
    good = events.summary["interactions"]
    refused = events.summary["bad"] + N_BAD_LINES
    first = rihla("run", str(events.file), "--data", str(data), *options)
    assert first.returncode == 3, first.stderr
    summary = said(first.stdout)
    assert f"events stored {good:,} new" in summary
    assert f"duplicates {events.summary['duplicates']:,} stored before" in summary
    assert f"dead letters {refused:,}" in summary
    assert "Every event is accounted for" in summary
    check_tables(data, events)
    assert rows(data, "SELECT count() AS n FROM dead_letters") == [{"n": refused}]
    second = rihla("run", str(events.file), "--data", str(data), *options)
    assert second.returncode == 3, second.stderr
    summary = said(second.stdout)
    assert "events stored 0 new" in summary
    assert f"duplicates {good + events.summary['duplicates']:,} stored before" in summary
    assert "Every event is accounted for" in summary
    check_tables(data, events)
    verified = rihla("verify", "--data", str(data))
    assert verified.returncode == 0, verified.stdout


def test_a_file_is_stored_once_however_often_it_is_run(tmp_path: Path) -> None:
    events = simulated(tmp_path, customers=120, bad=0.03, duplicates=0.05, disorder=0.5, late=0.1, seed=11)
    data = tmp_path / "data"
    check_two_runs(events, data)
    assert DataDirectory(data).history() == History("tansu", 1)
    assert DataDirectory(data).owner() is None


@pytest.mark.kafka
def test_the_same_on_apache_kafka_which_remembers(tmp_path: Path, kafka_broker: Broker) -> None:
    events = simulated(tmp_path, customers=120, bad=0.03, duplicates=0.05, disorder=0.5, late=0.1, seed=12)
    data = tmp_path / "data"
    check_two_runs(events, data, "--broker", "kafka", "--workers", "2")
    assert DataDirectory(data).history() == History("kafka", 0)
    moved = rihla("run", str(events.file), "--data", str(data))
    assert moved.returncode == 3, moved.stderr
    check_tables(data, events)
    back = rihla("run", str(events.file), "--data", str(data), "--broker", "kafka")
    assert back.returncode == 1
    assert "was last written through the broker tansu" in back.stderr


def test_the_example_of_the_readme(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    example = readme.partition("```json\n")[2].partition("```")[0]
    file, data = tmp_path / "events.jsonl", tmp_path / "data"
    file.write_text(example, "utf-8")
    done = rihla("run", str(file), "--data", str(data))
    assert done.returncode == 0, done.stderr
    assert "dead letters 0" in said(done.stdout)
    sql = readme.partition('rihla query --data ./mine "')[2].partition('"')[0]
    shown = rihla("query", "--data", str(data), sql).stdout.splitlines()
    assert len(shown) == 3
    for line in shown:
        assert line in readme, "the README shows another answer"
