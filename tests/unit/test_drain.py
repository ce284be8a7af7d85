"""The ledger that decides when all is stored."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streams.kafka.drain import Lag, Ledger, Stalled, behind, wait_until_drained

TOPICS = {"enrich": ["cx.booking"], "stitch": ["cx.interactions", "cx.parts"]}


def test_nothing_written_is_nothing_to_wait_for() -> None:
    assert Ledger(TOPICS).lags() == []


def test_a_reader_is_behind_until_it_has_done_every_known_record() -> None:
    ledger = Ledger(TOPICS)
    ledger.wrote({"cx.booking": {0: 10, 1: 5}})
    ledger.processed("enrich", {"cx.booking": {0: 10}})
    assert ledger.lags() == [Lag("enrich", "cx.booking", 10, 15)]
    assert behind(ledger.lags()) == "enrich has 5 of 15 records of cx.booking to go"
    ledger.processed("enrich", {"cx.booking": {1: 5}})
    assert behind(ledger.lags()) == ""


def test_what_was_seen_once_stays_known_when_its_witness_is_gone() -> None:
    ledger = Ledger(TOPICS)
    ledger.wrote({"cx.interactions": {0: 10}})
    ledger.wrote({"cx.interactions": {0: 4}})
    ledger.processed("stitch", {"cx.interactions": {0: 7}})
    ledger.processed("stitch", {"cx.interactions": {0: 0}})
    assert ledger.lags() == [Lag("stitch", "cx.interactions", 7, 10)]


def test_records_that_the_broker_has_deleted_are_not_waited_for() -> None:
    ledger = Ledger(TOPICS)
    ledger.begins({"cx.parts": {0: 10, 1: 3}})
    ledger.wrote({"cx.parts": {0: 10, 1: 8}})
    assert ledger.lags() == [Lag("stitch", "cx.parts", 0, 5)]
    ledger.processed("stitch", {"cx.parts": {1: 8}})
    assert behind(ledger.lags()) == ""


def test_a_reader_ahead_of_what_is_known_does_not_hide_another_partition() -> None:
    ledger = Ledger(TOPICS)
    ledger.wrote({"cx.parts": {0: 5, 1: 5}})
    ledger.processed("stitch", {"cx.parts": {0: 10, 1: 0}})
    assert ledger.lags() == [Lag("stitch", "cx.parts", 5, 10)]


def test_state_changes_exactly_when_something_moves() -> None:
    ledger = Ledger(TOPICS)
    before = ledger.state()
    ledger.wrote({"cx.parts": {0: 5}})
    after = ledger.state()
    assert before != after
    ledger.wrote({"cx.parts": {0: 3}})
    assert ledger.state() == after


def drain(script: list[dict[str, Any]], **options: Any) -> tuple[Ledger, int]:
    """Wait over scripted looks, the last of which is repeated; returns the ledger and how many looks it took."""
    ledger = Ledger(TOPICS)
    taken = 0

    async def look() -> bool:
        nonlocal taken
        seen = script[min(taken, len(script) - 1)]
        ledger.wrote(seen.get("wrote", {}))
        ledger.processed("enrich", seen.get("enrich", {}))
        ledger.processed("stitch", seen.get("stitch", {}))
        taken += 1
        return bool(seen.get("answered", True))

    asyncio.run(wait_until_drained(ledger, look, pause_seconds=0, clock=lambda: float(taken), **options))
    return ledger, taken


def test_it_takes_two_equal_looks() -> None:
    done = {"wrote": {"cx.booking": {0: 2}}, "enrich": {"cx.booking": {0: 2}}}
    assert drain([done])[1] == 2


def test_output_that_appears_between_two_looks_is_waited_for() -> None:
    first = {"wrote": {"cx.booking": {0: 2}}, "enrich": {"cx.booking": {0: 2}}}
    written = {"wrote": {"cx.interactions": {3: 2}}}
    folded = {"stitch": {"cx.interactions": {3: 2}}}
    ledger, taken = drain([first, written, written, folded])
    assert taken == 5
    assert behind(ledger.lags()) == ""


def test_looks_that_the_broker_did_not_answer_count_for_nothing() -> None:
    done = {"wrote": {"cx.booking": {0: 2}}, "enrich": {"cx.booking": {0: 2}}}
    silent = {"answered": False}
    assert drain([done, silent, silent, done])[1] == 5


def test_a_broker_that_never_answers_is_a_stall() -> None:
    with pytest.raises(Stalled, match="the broker does not answer"):
        drain([{"answered": False}])


def test_more_looks_can_be_asked_for() -> None:
    done = {"wrote": {"cx.booking": {0: 2}}, "enrich": {"cx.booking": {0: 2}}}
    assert drain([done], looks=lambda: 6)[1] == 6


def test_a_stall_names_who_is_behind() -> None:
    with pytest.raises(Stalled, match=r"nothing has moved for 600 s: enrich has 7 of 9 records of cx\.booking to go"):
        drain([{"wrote": {"cx.booking": {0: 9}}, "enrich": {"cx.booking": {0: 2}}}])
