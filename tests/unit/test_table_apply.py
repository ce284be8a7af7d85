"""Changelog records to a partition's state: what counts, and how far it has been read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from streams.table import MARK, TERM, _apply, _Partition


def record(offset: int, key: bytes, value: bytes, term: int = 0) -> Any:
    """A changelog record; a mark's value is what it is."""
    return SimpleNamespace(offset=offset, key=key, value=value if key == MARK else TERM.pack(term) + value, headers=())


def test_what_is_behind_the_mark_is_left_to_the_next_recovery() -> None:
    log = [record(0, MARK, b"one"), record(1, b"a", b"1"), record(2, MARK, b"two"), record(3, MARK, b"three"),
           record(4, b"a", b"2", 3), record(5, MARK, b"two again")]  # fmt: skip
    state = _Partition()
    assert _apply(state, log[:5], 2, None) == set()  # one chunk brings what another owner wrote behind our mark
    assert (state.data, state.position) == ({b"a": b"1"}, 2)
    assert (
        _apply(state, log[state.position :], 5, None) == set()
    )  # that recovery was broken off; this one has a new mark
    assert (state.data, state.position) == ({b"a": b"2"}, 5)


def test_a_record_of_a_term_gone_by_is_skipped_and_named() -> None:
    log = [record(0, MARK, b"one"), record(1, MARK, b"two"), record(2, b"a", b"new", 1), record(3, b"a", b"old", 0)]
    state = _Partition()
    assert _apply(state, log, 4, None) == {b"a"}
    assert state.data == {b"a": b"new"}
