"""Whose next actions are said without an event: the look at the states of a table that is a dict."""

from __future__ import annotations

import asyncio

import pytest

from streams.stitch.catch_up import ASKED_BACK, AT_ONCE, SLICE_SECONDS, CatchUp
from streams.stitch.encoding import encode
from streams.stitch.peek import unsaid
from streams.stitch.subject import EVICTED, HERE, NOTHING, Subject

OLD, NEW = encode(Subject(interactions_applied=1, actions=None)), encode(Subject(interactions_applied=1))

AWAY = encode(Subject(interactions_applied=1, presence=EVICTED, actions=None))


class Table:
    """What a CatchUp uses of a BatchTable, with a clock that takes as long as it was told to for each state."""

    def __init__(self, partitions: dict[int, dict[bytes, bytes]]) -> None:
        self.data = partitions
        self.reads: dict[int, object] = {partition: object() for partition in partitions}
        self.seconds, self.each = 0.0, 0.0
        self.said: list[tuple[int, bytes]] = []
        self.refuses = False

    @property
    def partitions_held(self) -> frozenset[int]:
        return frozenset(self.data)

    def reading(self, partition: int) -> object:
        return self.reads[partition]

    def keys(self, partition: int) -> list[bytes]:
        return list(self.data[partition])

    def get(self, partition: int, key: bytes) -> bytes | None:
        self.seconds += self.each
        return self.data[partition].get(key)

    async def say(self, partition: int, keys: list[bytes]) -> None:
        if self.refuses:
            raise ConnectionError
        self.said += [(partition, key) for key in keys]
        self.data[partition].update(dict.fromkeys(keys, NEW))


def catching_up(table: Table, unreadable: list[BaseException] | None = None) -> CatchUp:
    told: list[BaseException] = [] if unreadable is None else unreadable
    return CatchUp(table, table.say, told.append, lambda: table.seconds)


def step(catch_up: CatchUp, times: int = 1) -> None:
    for _ in range(times):
        asyncio.run(catch_up.step())


def test_a_state_tells_whether_a_version_without_next_actions_wrote_it() -> None:
    assert (unsaid(OLD), unsaid(NEW), unsaid(encode(Subject(actions=7)))) == (HERE, None, None)
    assert unsaid(AWAY) == EVICTED
    assert Subject().actions == NOTHING, "who is new to this version has nothing published"


def test_each_state_of_before_has_one_turn() -> None:
    table = Table({0: {b"a": OLD, b"b": NEW}, 3: {b"c": OLD}})
    catch_up = catching_up(table)
    step(catch_up, 3)
    assert sorted(table.said) == [(0, b"a"), (3, b"c")]
    assert catch_up.pending == 0


def test_a_slice_ends_in_time_and_the_next_goes_on() -> None:
    table = Table({0: {f"{number}".encode(): OLD for number in range(3 * AT_ONCE)}})
    table.each = SLICE_SECONDS / AT_ONCE
    catch_up = catching_up(table)
    step(catch_up)
    assert len(table.said) == AT_ONCE
    assert catch_up.pending == 2 * AT_ONCE
    step(catch_up, 2)
    assert len({*table.said}) == len(table.said) == 3 * AT_ONCE


def test_who_was_evicted_comes_last_and_a_few_at_a_time() -> None:
    table = Table({0: {f"{number}".encode(): AWAY for number in range(2 * ASKED_BACK)}, 1: {b"here": OLD}})
    catch_up = catching_up(table)
    step(catch_up)
    assert table.said[0] == (1, b"here")
    assert len(table.said) == 1 + ASKED_BACK
    assert catch_up.pending == ASKED_BACK
    step(catch_up, 2)
    assert len({*table.said}) == len(table.said) == 1 + 2 * ASKED_BACK


def test_what_could_not_be_said_is_said_later() -> None:
    table = Table({0: {b"a": OLD}})
    catch_up, table.refuses = catching_up(table), True
    with pytest.raises(ConnectionError):
        step(catch_up)
    assert catch_up.pending == 1
    table.refuses = False
    step(catch_up)
    assert table.said == [(0, b"a")]


def test_states_are_looked_at_again_only_where_somebody_else_may_have_written() -> None:
    table = Table({0: {b"a": NEW}, 1: {b"b": NEW}})
    catch_up = catching_up(table)
    step(catch_up)
    table.data[0][b"a"] = table.data[1][b"b"] = OLD
    table.reads[1] = object()  # an older worker had partition 1 for a while
    step(catch_up)
    assert table.said == [(1, b"b")]


def test_a_state_that_cannot_be_read_is_told_and_its_neighbours_go_on() -> None:
    told: list[BaseException] = []
    table = Table({0: {b"a": OLD, b"b": b"\0no state", b"c": OLD}})
    step(catching_up(table, told))
    assert sorted(table.said) == [(0, b"a"), (0, b"c")]
    assert len(told) == 1
