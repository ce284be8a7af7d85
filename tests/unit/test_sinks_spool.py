"""Files in memory for the rows of inserts, and their use again."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.embedded.clickhouse import spool
from streams.embedded.clickhouse.spool import Spool, Spools


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "LARGE", 100)
    monkeypatch.setattr(spool, "KEPT", 1000)


def filled(spools: Spools, data: bytes, expected: int | None = None) -> Spool:
    taken = spools.take(len(data) if expected is None else expected)
    taken.write(data)
    taken.end()
    assert Path(taken.path).read_bytes() == data
    return taken


def test_a_large_body_is_written_over_the_one_before_whatever_their_sizes() -> None:
    spools = Spools()
    first = filled(spools, b"a" * 500)
    spools.give(first)
    for size in (300, 800, 100, 1000):
        again = filled(spools, bytes([size % 256]) * size)
        assert again is first
        spools.give(again)
    spools.close()


def test_a_body_that_turns_out_shorter_than_was_said_is_whole_and_alone() -> None:
    spools = Spools()
    spools.give(filled(spools, b"a" * 500))
    spools.give(filled(spools, b"b" * 7, expected=500))
    filled(spools, b"c" * 100)
    spools.close()


def test_small_ones_leave_what_is_kept_alone_and_huge_ones_are_freed() -> None:
    spools = Spools()
    kept = filled(spools, b"a" * 500)
    spools.give(kept)
    assert filled(spools, b"b" * 10) is not kept
    huge = filled(spools, b"c" * 2000)
    assert huge is kept
    spools.give(huge)
    assert filled(spools, b"d" * 500) is not kept


def test_two_bodies_at_once_never_share_one() -> None:
    spools = Spools()
    several = [filled(spools, b"a" * 500) for _ in range(4)]
    assert len(set(map(id, several))) == 4
    for one in several:
        spools.give(one)
    again = [filled(spools, b"b" * 500) for _ in range(3)]
    assert sum(one in several for one in again) == spool.KEPT_SPOOLS
