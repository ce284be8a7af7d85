"""Changelog records to a partition's state: what counts, and how far it has been read."""

from __future__ import annotations

from streams.kafka.changelog import MARK, TERM, PartitionState, apply
from tests.support.columns import columns


def record(offset: int, key: bytes, value: bytes, term: int = 0) -> tuple[int, bytes, bytes]:
    """A changelog record; a mark's value is what it is."""
    return offset, key, value if key == MARK else TERM.pack(term) + value


def test_what_is_behind_the_mark_is_left_to_the_next_recovery() -> None:
    log = [record(0, MARK, b"one"), record(1, b"a", b"1"), record(2, MARK, b"two"), record(3, MARK, b"three"),
           record(4, b"a", b"2", 3), record(5, MARK, b"two again")]  # fmt: skip
    state = PartitionState()
    chunk = columns(log[:5])  # brings what another owner wrote behind our mark
    assert apply(state, chunk, 2, None) == set()
    assert (state.data, state.position) == ({b"a": b"1"}, 2)
    following = columns(log[state.position :])
    assert apply(state, following, 5, None) == set()  # that recovery was broken off; this one has a new mark
    assert (state.data, state.position) == ({b"a": b"2"}, 5)


def test_a_record_of_a_term_gone_by_is_skipped_and_named() -> None:
    log = [record(0, MARK, b"one"), record(1, MARK, b"two"), record(2, b"a", b"new", 1), record(3, b"a", b"old", 0)]
    state = PartitionState()
    assert apply(state, columns(log), 4, None) == {b"a"}
    assert state.data == {b"a": b"new"}


def test_a_record_that_no_table_has_written_is_skipped_and_named() -> None:
    log = [
        record(0, MARK, b"one"),
        record(1, b"a", b"1"),
        (2, b"a", b"junk"),
        (3, b"foreign", b""),
        record(4, b"b", b"2"),
    ]
    state = PartitionState()
    assert apply(state, columns(log), 5, None) == {b"a", b"foreign"}  # both are written over after the recovery
    assert (state.data, state.position) == ({b"a": b"1", b"b": b"2"}, 5)
