"""When a worker commits, on a clock of the test's own."""

from __future__ import annotations

from itertools import accumulate, repeat

from streams.kafka.commit_policy import CommitPolicy


def commits(acks: list[float], until: float, busy: list[tuple[float, float]] | None = None) -> list[float]:
    """When a worker commits that acks at these moments and has something in progress in these spans."""
    policy, found, now = CommitPolicy(1.0, 0.05), [], 0.0
    acks = sorted(acks)
    while now < until:
        wait = policy.wait(now, any(first <= now < last for first, last in busy or []))
        if wait == 0:
            policy.committing(now)
            found.append(round(now, 6))
            continue
        # The next ack wakes nobody who waits for the time to come, as in the worker.
        upto = now + wait if wait is not None else (acks[0] if acks else until)
        while acks and acks[0] <= upto:
            policy.acked(acks.pop(0))
        now = upto
    return found


def test_nothing_acked_is_nothing_to_commit() -> None:
    assert CommitPolicy(1.0).wait(5.0, False) is None
    assert commits([], 10.0) == []


def test_a_commit_that_had_nothing_to_commit_does_not_hold_up_the_next() -> None:
    policy = CommitPolicy(3600.0, 0.05)
    policy.acked(1.0)
    assert policy.wait(1.05, False) == 0.0
    policy.settled()
    assert policy.wait(1.05, False) is None
    policy.acked(2.0)
    assert policy.wait(2.05, False) == 0.0


def test_the_last_of_a_burst_is_committed_when_it_is_quiet() -> None:
    assert commits([3.0], 10.0) == [3.05]
    assert commits([3.0, 3.02, 3.06], 10.0) == [3.11]


def test_what_is_in_progress_is_waited_for() -> None:
    (at,) = commits([3.0, 3.4], 10.0, busy=[(3.0, 3.4)])
    assert 3.4 < at <= 3.5


def test_but_not_longer_than_an_interval() -> None:
    assert commits([3.0], 10.0, busy=[(3.0, 30.0)]) == [4.1]


def test_a_stream_of_batches_is_committed_once_an_interval_and_at_its_end() -> None:
    acks = list(accumulate(repeat(0.03, 199), initial=1.0))  # the last one at 6.97
    assert commits(acks, 20.0)[-1] == round(acks[-1] + 0.05, 6)
    assert len(commits(acks, 20.0)) <= 7


def test_a_trickle_of_batches_is_committed_no_more_often() -> None:
    for pause in (0.06, 0.1, 0.2, 0.5):
        acks = list(accumulate(repeat(pause, round(20 / pause) - 1), initial=0.0))
        assert len(commits(acks, 20.0)) <= 21
