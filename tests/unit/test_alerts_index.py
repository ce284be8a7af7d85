"""The index of timers: made in slices from states, while batches tell of some of them."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from streams.alerts.index import Index
from streams.alerts.ticker import Ticker
from streams.kafka.ownership import OwnershipLost
from streams.stitch.peek import watch_of
from tests.support.alert_worlds import World, event

DUE = 1


@pytest.fixture(scope="module")
def fired() -> bytes:
    """The encoded state of a customer whose case nobody has answered, and whose timer has gone off just now."""
    world = World()
    world.take([event(1, 0, "stay.complaint_made", case_id="C1")])
    world.now = min(world.timers._due.values())
    assert world.tick(crash=True) == ["customer:a"]
    assert len(world.opened.count) == 1
    (state,) = world.states.values()
    return state


@pytest.fixture(scope="module")
def quiet() -> bytes:
    """The encoded state of a customer without alerts."""
    world = World()
    world.take([event(1, 0, "booking.page_viewed")])
    (state,) = world.states.values()
    return state


def test_what_may_not_have_been_published_is_due_at_once(fired: bytes, quiet: bytes) -> None:
    index = Index([b"a", b"b"])
    index.read({b"a": fired, b"b": quiet}.get, 10, watch_of)
    assert index.complete
    assert index.timers.take(DUE, 10) == [b"a"]
    assert sum(index.opened.count.values()) == 1


def test_what_a_batch_has_told_is_not_looked_up(fired: bytes) -> None:
    index = Index([b"a", b"b"])
    index.tell({b"a": 0}, {b"a": ()})
    index.read({b"a": fired, b"b": fired}.get, 10, watch_of)
    assert index.timers.take(DUE, 10) == [b"b"]


def test_it_is_where_its_batch_was_given_up(fired: bytes) -> None:
    index = Index([b"b"])
    index.tell({b"a": 0}, {b"a": ()})
    index.look_again([b"a"])
    assert not index.complete
    index.read({b"a": fired}.get, 10, watch_of)
    assert index.timers.take(DUE, 10) == [b"a"]


def test_a_slice_ends_in_time_and_a_lost_partition_loses_nothing(fired: bytes) -> None:
    keys = [b"%d" % number for number in range(1000)]
    index = Index(list(keys))

    def slow(key: bytes) -> bytes:
        time.sleep(0.0002)
        if key == b"500" and not index.timers.take(0, 0) and lost:
            lost.pop()
            raise OwnershipLost("p")
        return fired

    lost = ["once"]
    with pytest.raises(OwnershipLost):
        index.read(slow, 60, watch_of)
    assert not index.complete
    slices = 0
    while not index.complete:
        before = len(index.timers)
        index.read(slow, 0.001, watch_of)
        assert len(index.timers) - before <= 32, "a slice of a millisecond has looked at more than one handful"
        slices += 1
    assert slices > 5
    assert sorted(index.timers.take(DUE, 2000)) == sorted(keys)


class Table:
    """A table of one partition, whose states may be those of a recovery."""

    def __init__(self, states: dict[bytes, bytes]) -> None:
        self.states, self.looked = states, 0
        self.partitions_held = frozenset({0})
        self.read: object | None = object()

    def reading(self, partition: int) -> object | None:
        return self.read

    def keys(self, partition: int) -> list[bytes]:
        return list(self.states)

    def get(self, partition: int, key: bytes) -> bytes | None:
        self.looked += 1
        return self.states.get(key)

    def count(self, partition: int) -> int:
        return len(self.states)


async def ticked(ticker: Ticker, times: int = 1) -> None:
    """Tick so often, each time until the look at the states has ended."""
    for _ in range(times):
        await ticker.tick()
        if ticker._looking is not None:
            await ticker._looking


def ticker_of(table: Table, fires: list[bytes], **options: Any) -> Ticker:
    async def fire(partition: int, keys: list[bytes], until: int) -> None:
        if table.partitions_held and options.get("fails") and options["fails"].pop():
            raise OwnershipLost("p")
        fires.extend(keys)

    async def rejoin() -> None: ...

    consumer = SimpleNamespace(progress={}, rejoin=rejoin, highwater=None)

    async def crash(error: Exception) -> None:
        raise error

    app = SimpleNamespace(consumer=consumer, crash=crash, add_future=asyncio.ensure_future)

    def unreadable(error: BaseException) -> None:
        raise error

    return Ticker(app, table, (), fire, unreadable, watch_of, anything=options.get("anything", True))  # type: ignore[arg-type]


async def test_states_are_looked_at_once_a_recovery_and_not_once_a_rebalance(fired: bytes, quiet: bytes) -> None:
    table, fires = Table({b"a": fired, b"b": quiet}), list[bytes]()
    ticker = ticker_of(table, fires)
    await ticked(ticker, 3)
    assert fires == [b"a"]
    assert table.looked == 2
    table.partitions_held = frozenset()  # a rebalance, through which the partition stays
    await ticked(ticker)
    assert ticker.pending == 0
    table.partitions_held = frozenset({0})
    await ticked(ticker, 2)
    assert table.looked == 2
    table.read = object()  # it was elsewhere meanwhile
    await ticked(ticker, 2)
    assert table.looked == 4
    assert fires == [b"a", b"a"]


async def test_a_turn_of_timers_that_was_given_up_comes_again(fired: bytes) -> None:
    table, fires = Table({b"a": fired}), list[bytes]()
    ticker = ticker_of(table, fires, fails=[False, True])
    await ticked(ticker, 4)
    assert fires == [b"a"]


async def test_without_rules_no_state_is_looked_at(fired: bytes) -> None:
    table = Table({b"a": fired})
    await ticked(ticker_of(table, [], anything=False), 2)
    assert table.looked == 0


async def test_a_partition_given_up_in_the_middle_is_left_alone(fired: bytes) -> None:
    table, fires = Table({b"%d" % number: fired for number in range(500)}), list[bytes]()
    ticker = ticker_of(table, fires)

    def lost(partition: int, key: bytes) -> bytes:
        table.partitions_held, table.read = frozenset(), None
        raise OwnershipLost("p")

    table.get, get = lost, table.get  # type: ignore[method-assign, assignment]
    await ticked(ticker, 2)
    assert ticker.pending == 0
    assert not ticker._indexes
    table.get, table.partitions_held, table.read = get, frozenset({0}), object()  # type: ignore[method-assign]
    await ticked(ticker, 2)
    assert len(fires) == 500
