"""Whole events through the whole pipeline, for a short while; `python -m tests.faults.fuzz events` is the long form."""

from __future__ import annotations

import json
import subprocess
import sys
from random import Random

import pytest

from schemas.decode import BatchDecoder
from schemas.registry import LocalRegistry
from tests.faults.trial import ROOT
from tests.faults.whole_events import SURROGATE, encoded, mixed


@pytest.mark.slow
def test_no_event_stops_a_worker_and_verify_finds_nothing() -> None:
    command = [sys.executable, "-m", "tests.faults.fuzz", "events", "--seed", "7", "--seconds", "8"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["findings"], found["restarts"]) == ([], {})
    assert found["verified"] == {"table": 0, "topics": 0}
    assert found["accepted"] > 0
    assert sum(found["dead_letters"].values()) == found["events"] - found["accepted"]
    assert "unprocessable" not in found["dead_letters"]


def test_events_are_events_but_for_texts_that_are_none() -> None:
    event = {"event_id": str.upper, "occurred_at": 0, "ids": [], "touchpoint": SURROGATE, "medium": "web",
             "attributes": [], "booking_ref": None, "unit": None, "agent_id": None, "locale": None, "country": None,
             "survey": None, "text": None, "money": None, "case_id": None, "room": None, "facility": None,
             "service": None, "nights": None}  # fmt: skip
    rng = Random(1)
    made = mixed([("stay", event) for _ in range(30)], 3, rng)
    values = [encoded(channel, {**event, "ids": one["ids"]}, rng) for channel, one in made]
    decoded = BatchDecoder("stay", LocalRegistry()).decode([*values])
    assert decoded.frame.height + len(decoded.errors) == 120
    assert 0 < len(decoded.errors) < 60
    assert decoded.frame["event_id"].str.len_chars().unique().to_list() == [36]
