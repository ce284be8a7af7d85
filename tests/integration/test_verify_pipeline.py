"""rihla verify on a pipeline: while events flow through it, on its topics, and at rest."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_up import WITHOUT_EDGES, up
from tests.support.brokers import wait_until
from tests.support.waiting import HUNG

RIHLA = (sys.executable, "-m", "streams.cli")


def rihla(*arguments: object, statuses: tuple[int, ...] = (0,)) -> str:
    """Run a command, in a process of its own, and return what it writes to stdout."""
    done = subprocess.run([*RIHLA, *map(str, arguments)], capture_output=True, text=True, timeout=HUNG)
    assert done.returncode in statuses, done.stdout + done.stderr
    return done.stdout


def verified(*arguments: object) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(rihla("verify", "--format", "json", *arguments))
    return said


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Path]:
    """The data folder of a running `rihla up`."""
    data = tmp_path / "data"
    with up(data, *WITHOUT_EDGES):
        yield data


@pytest.mark.slow
def test_a_pipeline_in_motion_and_at_rest(pipeline: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    rihla("simulate", "--customers", 300, "--seed", 5, "--disorder", 0.5, "--late", 0.1, "--out", events)
    rihla("produce", events, "--data", pipeline)
    # The events have only just been accepted: what is under way must settle, and then everything must agree.
    said = verified("--data", pipeline, "--source", "topics", "--settle", 20)
    assert (said["source"], said["differences"]) == ("topics", 0)
    ids = {json.loads(line)["event_id"].lower() for line in events.read_text().splitlines()}
    wait_until(lambda: verified("--data", pipeline)["interactions"] == len(ids), what="every event is stored")
    assert verified("--data", pipeline, "--source", "topics")["tables"]["interactions (topic)"]["rows"] == len(ids)

    rihla("query", "INSERT INTO journeys_store SELECT * REPLACE ('booked' AS status, version + 1 AS version) FROM "
          "(SELECT * FROM journeys_store FINAL WHERE status = 'completed' LIMIT 1)",
          "--user", "owner", "--data", pipeline)  # fmt: skip
    out = rihla("verify", "--data", pipeline, "--settle", 1, statuses=(1,))
    assert "status: expected completed, found booked" in out
    assert "1 value is not as it should be" in out


@pytest.mark.slow
def test_a_folder_at_rest_is_looked_at_once(tmp_path: Path) -> None:
    events, data = tmp_path / "events.jsonl", tmp_path / "data"
    rihla("simulate", "--customers", 100, "--seed", 6, "--bad", 0.05, "--out", events)
    rihla("run", events, "--data", data, statuses=(3,))
    said = verified("--data", data)
    assert (said["differences"], said["looks"]) == (0, 1)
    assert said["interactions"] > 100
    assert said["tables"]["next_actions"]["rows"] > 5
    assert (
        "no pipeline runs on"
        in subprocess.run(
            [*RIHLA, "verify", "--data", str(data), "--source", "topics"], capture_output=True, text=True, timeout=HUNG
        ).stderr
    )
