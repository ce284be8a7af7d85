"""Who is past their retention leaves the state, and what comes for them later is as exact as if they had stayed."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path

import pytest

from streams.sources.simulate import Options, write
from tests.integration.test_run import rihla
from tests.integration.test_up import PATIENCE, WITHOUT_EDGES, owner_of, sums, up
from tests.support.brokers import wait_until
from tests.support.exactness import fingerprints, shuffled, tables
from tests.support.waiting import HUNG


def counted(data: Path, metric: str) -> float:
    """A metric without labels, over all stitch workers of a pipeline."""
    total = 0.0
    for name, url in owner_of(data).workers.items():
        if name.startswith("stitch"):
            with urllib.request.urlopen(f"{url}/metrics", timeout=HUNG) as page:
                found = re.search(rf"^{metric} (\S+)$", page.read().decode(), re.MULTILINE)
                total += float(found[1]) if found else 0.0
    return total


@pytest.mark.slow
@pytest.mark.parametrize(("broker", "workers"), [("tansu", 1), pytest.param("kafka", 2, marks=pytest.mark.kafka)])
def test_evicted_customers_come_back_whole(
    broker: str, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if broker == "kafka":
        request.getfixturevalue("kafka_broker")  # for its skip, or failure, where there is none
    events = tmp_path / "events.jsonl"
    summary = write(Options(customers=60, seed=31, disorder=1.0, duplicates=0.2), events)
    lines = shuffled(events, tmp_path / "shuffled.jsonl", 5).read_text().splitlines(keepends=True)
    halves = (tmp_path / "first.jsonl", tmp_path / "second.jsonl")
    halves[0].write_text("".join(lines[: len(lines) // 2]))
    halves[1].write_text("".join(lines[len(lines) // 2 :]))
    whole, data = tmp_path / "whole", tmp_path / "data"
    assert rihla("run", str(events), "--data", str(whole)).returncode == 0

    monkeypatch.setenv("RIHLA_EMBEDDED_BROKER", broker)
    monkeypatch.setenv("RIHLA_WORKERS", str(workers))
    monkeypatch.setenv("RIHLA_STATE_RETENTION", "1")  # day: all of these events are older
    monkeypatch.setenv("RIHLA_STATE_IDLE", "3")
    with up(data, *WITHOUT_EDGES):
        assert rihla("produce", str(halves[0]), "--data", str(data)).returncode == 0
        wait_until(lambda: counted(data, "rihla_state_evictions_total") >= 50, PATIENCE, "most have been evicted")
        assert rihla("produce", str(halves[1]), "--data", str(data)).returncode == 0
        wait_until(lambda: sums(data) == (summary["interactions"],) * 3, PATIENCE, "all events in the tables")
        assert counted(data, "rihla_state_recalls_total") >= 25
        verified = rihla("verify", "--data", str(data), "--source", "topics", "--settle", "20")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    assert fingerprints(tables(data)) == fingerprints(tables(whole))
