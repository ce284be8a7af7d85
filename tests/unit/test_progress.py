"""Accounts of a partition: what is delivered, acked in order, to be committed, read again."""

from __future__ import annotations

from streams.kafka.progress import Progress, RecordBatch
from tests.support.columns import columns


def batch(first: int, last: int) -> RecordBatch:
    """A batch of the offsets first..last."""
    return RecordBatch(columns((offset, b"key", b"value") for offset in range(first, last + 1)), "t", 0, 1)


def delivered(progress: Progress, *spans: tuple[int, int]) -> list[RecordBatch]:
    """Deliver batches of these spans of offsets."""
    batches = [batch(*span) for span in spans]
    for each in batches:
        progress.deliver(each)
    return batches


def test_only_the_acked_prefix_is_committed() -> None:
    progress = Progress(10, 10)
    a, b, c = delivered(progress, (10, 19), (20, 24), (25, 30))
    assert (progress.delivered, progress.acked, progress.committable()) == (31, 10, None)
    progress.ack(b)
    assert (progress.acked, progress.outstanding, progress.committable()) == (10, 3, None)
    progress.ack(a)
    assert (progress.acked, progress.outstanding, progress.committable()) == (25, 1, 25)
    progress.committed = 25
    assert progress.committable() is None
    progress.ack(c)
    assert (progress.acked, progress.outstanding, progress.committable()) == (31, 0, 31)


def test_a_batch_of_an_earlier_assignment_counts_for_nothing() -> None:
    before, now = Progress(0, None), Progress(0, None)
    (old,) = delivered(before, (0, 9))
    delivered(now, (0, 9))
    now.ack(old)
    assert now.acked == 0


def test_an_offset_that_was_never_committed_is_committed_once_something_is_acked() -> None:
    assert Progress(0, None).committable() is None
    progress = Progress(5, None)
    (only,) = delivered(progress, (5, 5))
    progress.ack(only)
    assert progress.committable() == 6


def test_rereads_are_counted_for_one_and_the_same_hole() -> None:
    progress = Progress(0, None)
    assert [progress.rereads_of(7) for _ in range(3)] == [0, 1, 2]
    assert progress.rereads_of(9) == 0
    delivered(progress, (0, 3))
    assert progress.rereads_of(9) == 0


def test_offsets_without_records_are_passed_only_behind_what_is_outstanding() -> None:
    progress = Progress(0, None)
    (only,) = delivered(progress, (0, 3))
    progress.skip_to(6)
    assert (progress.delivered, progress.acked) == (6, 0)
    progress.ack(only)
    assert progress.acked == 4
    progress.skip_to(8)
    assert (progress.delivered, progress.acked) == (8, 8)


def test_a_batch_knows_its_place() -> None:
    found = batch(3, 7)
    assert (found.first_offset, found.next_offset, len(found)) == (3, 8, 5)
    assert repr(found) == "<t[0] 3..7>"
