"""End to end: the same events, in another order and through other numbers of workers, give the same tables.

A fifth of the events comes twice, the stream is fully shuffled, and its people begin anonymously, share kiosks and book
as groups. `python -m tests.faults.orders_trial` is the long form.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.exactness import against_truth, fingerprints, rihla, shuffled, tables

pytestmark = pytest.mark.slow


def test_orders_and_workers_change_nothing(tmp_path: Path) -> None:
    events, truth = tmp_path / "events.jsonl", tmp_path / "truth.jsonl"
    rihla("simulate", "--customers", "250", "--seed", "11", "--duplicates", "0.2", "--disorder", "1", "--late", "0.1",
          "--out", str(events), "--truth", str(truth))  # fmt: skip
    found = []
    for order, workers in ((0, 1), (1, 2)):
        file = shuffled(events, tmp_path / f"order-{order}.jsonl", order)
        data = tmp_path / f"data-{order}"
        rihla("run", str(file), "--data", str(data), "--workers", str(workers))
        found.append(tables(data))
    assert against_truth(found[0], truth) == {"customer": [], "journey": [], "case": [], "shared": []}
    assert len(found[0]["interactions"]) > 1000
    assert fingerprints(found[0]) == fingerprints(found[1])
