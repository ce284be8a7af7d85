"""How batches are gathered: by number, by size, by time; at once where few come, fuller where handling is slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from streams.kafka.ownership import OwnershipLost
from streams.kafka.progress import RecordBatch
from streams.worker import batching as module
from streams.worker.batching import PATIENCE, READ_AHEAD, consume_groups, pause
from tests.support.columns import columns
from tests.support.waiting import HUNG, until


def batch(number: int, records: int = 10, size: int = 100, generation: int = 1) -> RecordBatch:
    """A batch of records with 4 bytes of key each."""
    rows = ((number * records + n, b"key0", b"v" * size) for n in range(records))
    return RecordBatch(columns(rows), "t", 0, generation)


@dataclass
class Stream:
    """An agent's stream that gives some batches and then nothing; it is its own app and consumer."""

    batches: list[RecordBatch]
    at_first: int | None = None
    """How many to give before `more` is set; None: all."""
    taken: int = 0
    acked: list[RecordBatch] = field(default_factory=list)
    abandoned: list[RecordBatch] = field(default_factory=list)
    crashed: list[BaseException] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def app(self) -> Stream:
        return self

    consumer = app

    async def abandon(self, one: RecordBatch) -> None:
        self.abandoned.append(one)

    async def crash(self, error: BaseException) -> None:
        self.crashed.append(error)

    def noack(self) -> Stream:
        return self

    async def events(self) -> AsyncIterator[Any]:
        for number, one in enumerate(self.batches):
            if number == self.at_first:
                await self.more.wait()
            self.taken += 1
            yield SimpleNamespace(value=one, ack=lambda one=one: self.acked.append(one))
        await asyncio.Event().wait()


def handled(stream: Stream, groups: int, max_records: int, max_bytes: int, linger: float = 60.0) -> list[list[int]]:
    """The first offsets of the batches of each of the first groups."""
    found: list[list[int]] = []

    async def run() -> None:
        enough = asyncio.Event()

        async def handle(batches: list[RecordBatch]) -> None:
            found.append([one.first_offset for one in batches])
            if len(found) == groups:
                enough.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(consume_groups(stream, handle, max_records, max_bytes, linger))
        waiting = asyncio.create_task(enough.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()  # its error, instead of waiting for ever
        task.cancel()

    asyncio.run(run())
    return found


@pytest.mark.parametrize(("took", "waits"), [(0.0, 0.0), (0.01, 0.01 * PATIENCE), (3.0, 0.5)])
def test_patience_grows_with_what_handling_takes_up_to_the_linger(took: float, waits: float) -> None:
    assert pause(took, 0.5) == waits


def test_who_is_in_no_hurry_waits_longer_after_a_short_group_and_not_beyond_the_linger() -> None:
    assert pause(0.01, 0.5) < pause(0.01, 0.5, 25.0) == 0.25
    assert pause(1.0, 0.5, 25.0) == 0.5


def test_a_group_that_took_long_of_itself_is_followed_at_once() -> None:
    assert pause(0.01, 0.1, spacing=0.15) == 0.04
    assert pause(0.04, 0.1, spacing=0.15) == 0.1
    assert pause(0.12, 0.1, spacing=0.15) == pytest.approx(0.03)
    assert pause(0.15, 0.1, spacing=0.15) == pause(3.0, 0.1, spacing=0.15) == 0.0


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits as long as it may, however quickly batches are handled."""
    monkeypatch.setattr(module, "pause", lambda took, linger, patience, spacing: linger)


@pytest.mark.usefixtures("patient")
def test_by_number() -> None:
    assert handled(Stream([batch(n) for n in range(9)]), 2, 30, 1 << 30) == [[0, 10, 20], [30, 40, 50]]


@pytest.mark.usefixtures("patient")
def test_by_size() -> None:
    assert batch(0).size == 10 * 104
    assert handled(Stream([batch(n) for n in range(9)]), 2, 1000, 2000) == [[0, 10], [20, 30]]


def test_what_comes_while_others_are_handled_is_handled_together_and_acked_afterwards() -> None:
    async def run() -> tuple[list[int], Stream]:
        stream, sizes, done = Stream([batch(n) for n in range(4)], at_first=1), list[int](), asyncio.Event()

        async def handle(batches: list[RecordBatch]) -> None:
            assert not any(one in stream.acked for one in batches)
            stream.more.set()
            if not sizes:
                await until(lambda: stream.taken == len(stream.batches))  # the reader takes the others meanwhile
            sizes.append(len(batches))
            if sum(sizes) == len(stream.batches):
                done.set()

        task = asyncio.ensure_future(consume_groups(stream, handle, 1000, 1 << 30, 60.0))
        await asyncio.wait_for(done.wait(), HUNG)
        task.cancel()
        await asyncio.wait([task])
        return sizes, stream

    sizes, stream = asyncio.run(run())
    assert sizes == [1, 3]  # the first at once, though it might have lingered for a minute
    assert stream.acked[:1] == stream.batches[:1]


@pytest.mark.usefixtures("patient")
def test_batches_of_two_assignments_are_not_handled_together() -> None:
    stream = Stream([batch(n, generation=1 if n < 2 else 2) for n in range(4)])
    assert handled(stream, 2, 40, 1 << 30, linger=0.1) == [[0, 10], [20, 30]]


def test_a_group_that_may_belong_to_another_is_given_up_whole_and_the_next_is_handled() -> None:
    stream = Stream([batch(n) for n in range(3)], at_first=2)
    groups: list[int] = []

    async def run() -> None:
        done = asyncio.Event()

        async def handle(batches: list[RecordBatch]) -> None:
            groups.append(len(batches))
            stream.more.set()
            if len(groups) == 1:
                raise OwnershipLost("of a partition")
            done.set()

        task = asyncio.ensure_future(consume_groups(stream, handle, 1000, 1 << 30, 60.0))
        await asyncio.wait_for(done.wait(), HUNG)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(run())
    assert groups == [2, 1]
    assert stream.abandoned == stream.batches[:2]
    assert stream.crashed == []


def test_reads_no_further_ahead_than_it_may() -> None:
    stream = Stream([batch(n) for n in range(50)])
    assert handled(stream, 1, 10, 1 << 30) == [[0]]
    assert stream.taken <= 1 + READ_AHEAD + 1, "one at work, so many ahead, one in the hand"
    assert stream.acked == []


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("failing", [0, 1])
def test_what_failed_is_not_acked_as_done(failing: int) -> None:
    stream = Stream([batch(n) for n in range(4)])
    calls: list[int] = []

    async def handle(batches: list[RecordBatch]) -> None:
        calls.append(len(batches))
        if len(calls) == failing + 1:
            raise ArithmeticError

    asyncio.run(consume_groups(stream, handle, 20, 1 << 30, 60.0))
    assert [type(error) for error in stream.crashed] == [ArithmeticError]
    assert [one.abandoned for one in stream.acked] == [False, False] * failing + [True, True]
