"""Workers killed, frozen and stopped in mid-batch, on real brokers: every event is counted once.

tests/faults/kill_trial.py runs many of these in a row.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.trial import FAULTS, trial
from tests.support.brokers import Broker


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_every_event_counts_once(broker: Broker, topic_prefix: str, tmp_path: Path, fault: str) -> None:
    result = asyncio.run(trial(broker, topic_prefix, tmp_path, fault, events=60_000))
    assert result.good, result.line()
    assert result.hit_at_work, result.line()
