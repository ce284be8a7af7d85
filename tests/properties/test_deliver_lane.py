"""Whatever fails, in whatever order: each version is delivered or dead, those of a thing in order."""

from __future__ import annotations

import random
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from streams.deliver.lane import Failure, Item, Lane, Schedule

SCHEDULE = Schedule(first=1_000, longest=60_000, give_up_after=10**12)
FAILURES = st.sampled_from(
    [
        None,
        None,
        None,
        Failure("refused"),
        Failure("answered 503", 503, retry_after=7_000),
        Failure("answered 429", 429, retry_after=30_000),
        Failure("answered 422", 422, final=True),
        "back",
        "crash",
    ]
)


@given(
    things=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    outcomes=st.lists(FAILURES, max_size=60),
    order=st.randoms(use_true_random=False),
    together=st.integers(1, 4),
)
def test_each_version_is_taken_in_order_or_given_up(
    things: list[int], outcomes: list[Failure | str | None], order: random.Random, together: int
) -> None:
    """`outcomes` are what happens to attempts, one after the other; then everything succeeds. "crash": another worker
    goes on from what is known, and does not know what was under way."""
    waiting = [(b"%d" % thing, version) for version, thing in enumerate(things, start=1)]
    received: dict[bytes, list[int]] = defaultdict(list)  # first arrivals
    dead: set[tuple[bytes, int]] = set()
    known: set[tuple[bytes, int]] = set()  # what is durable of what has arrived
    fresh: set[tuple[bytes, int]] = set()  # what is not yet
    now, lane, under_way = 0, Lane(SCHEDULE, together, random.Random(1)), list[Item]()

    def begin() -> None:
        for key, version in waiting:
            if (key, version) not in known | dead:
                lane.add(Item(0, key, version, since=0))

    def arrive(item: Item) -> None:
        if item.version not in received[item.key]:
            received[item.key].append(item.version)

    begin()
    for _ in range(10_000):
        under_way += lane.take(now)
        assert len(under_way) == lane.under_way <= together
        assert len({item.key for item in under_way}) == len(under_way), "two versions of a thing at once"
        if not under_way:
            wake = lane.wake()
            if wake is None:
                break
            assert wake > now
            now = wake
            continue
        item = under_way.pop(order.randrange(len(under_way)))
        outcome = outcomes.pop(0) if outcomes else None
        now += order.randrange(50)
        if outcome == "crash":
            if order.random() < 0.5:  # it had arrived, and nobody knows
                arrive(item)
            fresh.clear()
            lane, under_way = Lane(SCHEDULE, together, random.Random(2)), []
            begin()
        elif outcome == "back":
            lane.put_back(item, now + 10)
        elif isinstance(outcome, Failure):
            if lane.failed(item, now, outcome) == "dead":
                assert outcome.final
                dead.add((item.key, item.version))
        else:
            lane.succeeded(item)
            arrive(item)
            fresh.add((item.key, item.version))
            if order.random() < 0.5:
                known |= fresh
                fresh.clear()
    assert len(lane) == 0
    for key, version in waiting:
        assert version in received[key] or (key, version) in dead
    for versions in received.values():
        assert versions == sorted(versions)


@given(failures=st.integers(0, 40), seed=st.integers(0, 2**16))
def test_a_dead_target_is_tried_ever_more_rarely_and_no_more_than_once_at_a_time(failures: int, seed: int) -> None:
    lane = Lane(SCHEDULE, 8, random.Random(seed))
    for number in range(20):
        lane.add(Item(0, b"%d" % number, 1, since=0))
    now, pauses = 0, []
    for number in range(failures):
        while not (some := lane.take(now)):
            wake = lane.wake()
            assert wake is not None
            if number > 8:
                pauses.append(wake - now)
            now = wake
        assert len(some) <= (1 if lane.circuit.is_open else 8)
        for item in some:
            lane.failed(item, now, Failure("no answer"))
    assert all(pause <= 300_000 for pause in pauses)
    assert failures <= 1 or lane.circuit.is_open
    for _ in range(1000):  # it is back: all of them arrive
        for item in lane.take(now):
            lane.succeeded(item)
        wake = lane.wake()
        if wake is None:
            break
        now = max(now, wake)
    assert len(lane) == 0
    assert not lane.circuit.is_open
