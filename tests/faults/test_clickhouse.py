"""A short form of tests.faults.clickhouse: everything that may happen to inserts, at random, on the embedded broker."""

from __future__ import annotations

import pytest

from streams.embedded.plan import TANSU
from tests.faults.clickhouse import FAULTS


@pytest.mark.long
def test_trouble_of_every_kind_leaves_the_tables_exact() -> None:
    fault = next(fault for fault in FAULTS if fault.name == "clickhouse-anything")
    outcome = fault.run_at(7, TANSU, customers=60)
    assert outcome.events > 300
    assert outcome.differences == []
