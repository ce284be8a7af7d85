"""Who is evicted, and when: the sweeper over a table that is a dict."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from streams.stitch.encoding import decode, encode
from streams.stitch.journey import Event
from streams.stitch.rolling import DAY_MS
from streams.stitch.subject import EVICTED, Subject
from streams.stitch.sweeper import Sweeper

NOW = 1_700_000_000_000
IDLE = 60.0


class Table:
    """What the sweeper uses of a BatchTable, with a clock beside it."""

    def __init__(self, partitions: dict[int, dict[bytes, bytes]]) -> None:
        self.data = partitions
        self.app: Any = SimpleNamespace(consumer=SimpleNamespace(generation=1))
        self.seconds = 0.0
        self.flushed = 0

    @property
    def partitions_held(self) -> frozenset[int]:
        return frozenset(self.data)

    def keys(self, partition: int) -> list[bytes]:
        return list(self.data[partition])

    def get(self, partition: int, key: bytes) -> bytes | None:
        return self.data[partition].get(key)

    def put(self, partition: int, key: bytes, value: bytes) -> None:
        self.data[partition][key] = value

    async def flush(self) -> None:
        self.flushed += 1

    def evicted(self) -> set[bytes]:
        return {key for held in self.data.values() for key, state in held.items() if decode(state).presence == EVICTED}


def state(days_ago: float) -> bytes:
    subject = Subject(interactions_applied=1, seen=b"12345678")
    subject.own.add(Event(int(NOW - days_ago * DAY_MS), bytes(16), "R", "stay.any", 2))
    return encode(subject)


def sweeping(table: Table, turns: int = 1, retention: float = 400.0) -> Sweeper:
    sweeper = Sweeper(table, retention, IDLE, lambda: table.seconds)  # type: ignore[arg-type]
    sweep(sweeper, turns)
    return sweeper


def sweep(sweeper: Sweeper, turns: int = 1) -> None:
    for _ in range(turns):
        asyncio.run(sweeper.sweep(NOW))


def test_only_who_is_past_the_retention_leaves_and_only_after_a_while() -> None:
    table = Table({0: {b"old": state(401), b"young": state(399)}, 2: {b"older": state(900)}})
    sweeper = sweeping(table, 5)
    assert table.evicted() == set()  # nobody knows whether a message came just before
    table.seconds += IDLE
    sweep(sweeper, 2)
    assert table.evicted() == {b"old", b"older"}
    assert len(table.data[0][b"old"]) < len(state(401))
    flushed = table.flushed
    sweep(sweeper, 4)
    assert table.flushed == flushed  # a stub is not evicted again


def test_who_was_touched_stays_until_they_have_been_idle() -> None:
    table = Table({0: {b"a": state(500), b"b": state(500)}})
    sweeper = sweeping(table)
    sweeper.note([b"a"])
    table.seconds += IDLE
    sweep(sweeper)
    assert table.evicted() == {b"b"}
    table.seconds += IDLE
    sweep(sweeper)
    assert table.evicted() == {b"a", b"b"}


def test_a_rebalance_begins_the_wait_anew_and_retention_0_evicts_nobody() -> None:
    table = Table({0: {b"a": state(500)}})
    sweeper = sweeping(table)
    table.seconds += IDLE
    table.app.consumer.generation = 2
    sweep(sweeper, 2)
    assert table.evicted() == set()
    never = sweeping(table, 1, retention=0)
    table.seconds += 10 * IDLE
    sweep(never, 2)
    assert table.evicted() == set()


def test_a_turn_takes_some_milliseconds() -> None:
    many = 5000
    table = Table({0: {b"%d" % n: state(500) for n in range(many)}})
    sweeper = sweeping(table)
    table.seconds += IDLE
    sweep(sweeper)
    assert 0 < len(table.evicted()) < many
    while len(table.evicted()) < many:
        sweep(sweeper)
