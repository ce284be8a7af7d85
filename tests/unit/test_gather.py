"""How batches are gathered: at once where handling is quick, fuller where it is slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from streams.gather import PATIENCE, gather, patience


@pytest.mark.parametrize(("took", "waits"), [(0.0, 0.0), (0.01, 0.01 * PATIENCE), (3.0, 0.5)])
def test_patience_grows_with_what_handling_takes_up_to_the_linger(took: float, waits: float) -> None:
    assert patience(took, 0.5) == waits


@dataclass
class Event:
    value: list[int]
    acked: bool = False

    def ack(self) -> None:
        self.acked = True


@dataclass
class Stream:
    """Yields events, then waits for the test's end."""

    coming: list[Event]
    app: Any = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def noack(self) -> Stream:
        return self

    async def events(self) -> AsyncIterator[Event]:
        for event in self.coming:
            yield event
        await self.ended.wait()


def test_what_comes_while_others_are_handled_is_handled_together_and_acked_afterwards() -> None:
    async def run() -> tuple[list[int], list[Event]]:
        events = [Event([number]) for number in range(4)]
        stream, sizes, done = Stream(events), list[int](), asyncio.Event()

        async def handle(batches: list[Any]) -> None:
            assert not any(event.acked for event in events if event.value in batches)
            if not sizes:
                await asyncio.sleep(0.01)  # the reader takes the others meanwhile
            sizes.append(len(batches))
            if sum(sizes) == len(events):
                done.set()

        task = asyncio.ensure_future(gather(stream, handle, 1000, 60.0))
        await asyncio.wait_for(done.wait(), 30)
        task.cancel()
        await asyncio.wait([task])
        return sizes, events

    sizes, events = asyncio.run(run())
    assert sizes == [1, 3]  # the first at once, though it might have lingered for a minute
    assert all(event.acked for event in events[:1])
