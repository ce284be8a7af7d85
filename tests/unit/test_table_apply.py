"""Changelog records to a partition's state: what counts, and how far it has been read."""

from __future__ import annotations

from streams.kafka.changelog import BARRIER, FENCING_EPOCH, PartitionState, apply
from tests.support.columns import columns


def record(offset: int, key: bytes, value: bytes, fencing_epoch: int = 0) -> tuple[int, bytes, bytes]:
    """A changelog record; a barrier's value is what it is."""
    return offset, key, value if key == BARRIER else FENCING_EPOCH.pack(fencing_epoch) + value


def test_what_is_behind_the_barrier_is_left_to_the_next_recovery() -> None:
    log = [record(0, BARRIER, b"one"), record(1, b"a", b"1"), record(2, BARRIER, b"two"), record(3, BARRIER, b"three"),
           record(4, b"a", b"2", 3), record(5, BARRIER, b"two again")]  # fmt: skip
    state = PartitionState()
    chunk = columns(log[:5])  # brings what another owner wrote behind our barrier
    assert apply(state, chunk, 2, None) == set()
    assert (state.data, state.position) == ({b"a": b"1"}, 2)
    following = columns(log[state.position :])
    assert apply(state, following, 5, None) == set()  # that recovery was broken off; this one has a new barrier
    assert (state.data, state.position) == ({b"a": b"2"}, 5)


def test_a_record_of_a_former_fencing_epoch_is_skipped_and_named() -> None:
    log = [record(0, BARRIER, b"one"), record(1, BARRIER, b"two")]
    log += [record(2, b"a", b"new", 1), record(3, b"a", b"old", 0)]
    state = PartitionState()
    assert apply(state, columns(log), 4, None) == {b"a"}
    assert state.data == {b"a": b"new"}


def test_a_record_that_no_table_has_written_is_skipped_and_named() -> None:
    log = [
        record(0, BARRIER, b"one"),
        record(1, b"a", b"1"),
        (2, b"a", b"junk"),
        (3, b"foreign", b""),
        record(4, b"b", b"2"),
    ]
    state = PartitionState()
    assert apply(state, columns(log), 5, None) == {b"a", b"foreign"}  # both are written over after the recovery
    assert (state.data, state.position) == ({b"a": b"1", b"b": b"2"}, 5)
