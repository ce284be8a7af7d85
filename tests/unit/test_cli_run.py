"""What `rihla run` says at its end, and its exit status."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from streams.cli.display import show_summary
from streams.cli.run import exit_status
from streams.embedded.accounting import Account
from streams.embedded.run import Summary
from streams.sources.spelling import Unknown

CLEAN = Summary(
    account=Account(events=1000, stored=990, duplicates=10, refused={}, lost=0),
    bad_lines={},
    restored=0,
    customers=120,
    journeys={"booked": 30, "completed": 90},
    restarts={},
    seconds=2.0,
    joining_seconds=0.5,
    total_seconds=5.0,
    peak_memory=3 << 29,
    memory_at_peak={},
)
REFUSED = replace(
    CLEAN,
    account=Account(events=1000, stored=985, duplicates=10, refused={"bad_time": 5}, lost=0),
    bad_lines={"undecodable": 2, "bad_time": 1},
)
LOST = replace(CLEAN, account=Account(events=1000, stored=900, duplicates=100, refused={}, lost=93))
TOO_MANY = replace(CLEAN, account=Account(events=1000, stored=1001, duplicates=-1, refused={}, lost=0))


def shown(summary: Summary) -> str:
    out = StringIO()
    show_summary(summary, Path("some/data"), Console(file=out, width=100))
    return " ".join(out.getvalue().split())


@pytest.mark.parametrize(("summary", "status"), [(CLEAN, 0), (REFUSED, 3), (LOST, 1), (TOO_MANY, 1)])
def test_the_exit_status_tells_whether_all_is_stored(summary: Summary, status: int) -> None:
    assert exit_status(summary) == status


def test_a_clean_run_says_so_and_what_to_try_next() -> None:
    text = shown(CLEAN)
    assert "lines read 1,000" in text
    assert "events stored 990" in text
    assert "duplicates 10" in text
    assert "journeys 120 booked 30, completed 90" in text
    assert "time 2.0 s 0.5 s until workers had joined, 5.0 s all in all" in text
    assert "rate 500 events a second" in text
    assert "memory 1.50 GiB" in text
    assert "Every event is accounted for." in text
    assert "rihla query --data some/data nps" in text


def test_dead_letters_are_counted_by_reason_whether_of_lines_or_of_events() -> None:
    text = shown(REFUSED)
    assert "lines read 1,003" in text
    assert "dead letters 8 bad_time 6, undecodable 2" in text
    assert "Every event is accounted for; 8 of them could not be used" in text


def test_loss_is_not_hidden() -> None:
    text = shown(LOST)
    assert "lost 93" in text
    assert "Not every event is accounted for" in text
    assert "do not add up" in shown(TOO_MANY)


def test_touchpoints_that_the_catalogue_does_not_know_are_listed_with_what_they_may_mean() -> None:
    unknown = Unknown()
    unknown.add(pl.DataFrame({"touchpoint": ["stay.arived", "stay.arived", "stay.arrived", "zz.[bold]"]}))
    text = shown(replace(CLEAN, unknown=unknown))
    assert "unknown 2 stay.arived: the catalogue does not know it; did you mean stay.arrived" in text
    assert "zz.[bold]: the catalogue does not know it" in text
    assert "unknown" not in shown(CLEAN)


def test_counting_touchpoints_takes_bounded_memory() -> None:
    unknown = Unknown()
    for first in range(0, 40_000, 5_000):
        names = [f"t{n}" for n in range(first, first + 5_000)]
        unknown.add(pl.DataFrame({"touchpoint": ["often"] * 10 + names}))
    assert len(unknown.counts) <= 10_000
    assert unknown.lines()[0][:2] == ("often", 80)
