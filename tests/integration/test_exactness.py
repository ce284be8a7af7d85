"""End to end: the same events, in another order and through other numbers of workers, give the same tables.

A fifth of the events comes twice, the stream is fully shuffled, and its people begin anonymously, share kiosks and book
as groups. `python -m tests.faults.orders_trial` is the long form.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.exactness import against_truth, fingerprints, rihla, shuffled, tables

pytestmark = pytest.mark.slow


@pytest.mark.long
def test_two_files_one_after_the_other_are_one_run_over_both(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    rihla("simulate", "--customers", "200", "--seed", "12", "--duplicates", "0.1", "--disorder", "1", "--late", "0.1",
          "--out", str(events))  # fmt: skip
    lines = shuffled(events, tmp_path / "all.jsonl", 2).read_bytes().splitlines(keepends=True)
    halves = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    halves[0].write_bytes(b"".join(lines[::2]))
    halves[1].write_bytes(b"".join(lines[1::2]))
    for half in halves:
        rihla("run", str(half), "--data", str(tmp_path / "apart"))
    rihla("run", *map(str, halves), "--data", str(tmp_path / "together"))
    assert fingerprints(tables(tmp_path / "apart")) == fingerprints(tables(tmp_path / "together"))


def test_orders_and_workers_change_nothing(tmp_path: Path) -> None:
    events, truth = tmp_path / "events.jsonl", tmp_path / "truth.jsonl"
    rihla("simulate", "--customers", "250", "--seed", "11", "--duplicates", "0.2", "--disorder", "1", "--late", "0.1",
          "--out", str(events), "--truth", str(truth))  # fmt: skip
    found = []
    for order, workers in ((0, 1), (1, 2)):
        file = shuffled(events, tmp_path / f"order-{order}.jsonl", order)
        data = tmp_path / f"data-{order}"
        rihla("run", str(file), "--data", str(data), "--workers", str(workers))
        rihla("verify", "--data", str(data))
        found.append(tables(data))
    assert against_truth(found[0], truth) == {"customer": [], "journey": [], "case": [], "shared": []}
    assert len(found[0]["interactions"]) > 1000
    assert fingerprints(found[0]) == fingerprints(found[1])
