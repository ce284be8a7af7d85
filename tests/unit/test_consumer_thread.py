"""When the embedded broker is asked for more."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from streams.kafka import consumer_thread


def test_only_after_a_fetch_that_found_something_the_next_one_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    answers = iter([(0.02, True), (0.3, True), (0.01, False), (0.0, True)])

    async def fetch(assignment: Any, node_id: Any, request: Any) -> bool:
        nonlocal now
        assert (assignment, node_id, request) == ("assignment", 1, "request")
        took, found = next(answers)
        now += took
        return found

    monkeypatch.setattr(consumer_thread, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(asyncio, "sleep", sleep)
    fetcher = SimpleNamespace(_proc_fetch_request=fetch)
    consumer_thread.space_out(fetcher, 0.1)

    async def four() -> list[tuple[bool, list[float]]]:
        told = []
        for _ in range(4):
            told.append((await fetcher._proc_fetch_request("assignment", 1, "request"), slept[:]))
            slept.clear()
        return told

    first, second, third, fourth = asyncio.run(four())
    assert first == (True, [])
    assert second == (True, [pytest.approx(0.08)])  # counted from when the first was sent
    assert third == (False, [])  # the second took longer than that
    assert fourth == (True, [])  # the third found nothing


def test_a_fetch_that_is_cancelled_while_it_waits_has_found_nothing() -> None:
    async def fetch(*_: Any) -> bool:
        return True

    fetcher = SimpleNamespace(_proc_fetch_request=fetch)
    consumer_thread.space_out(fetcher, 3600.0)

    async def cancelled() -> Any:
        assert await fetcher._proc_fetch_request(None, 1, None)
        waiting = asyncio.ensure_future(fetcher._proc_fetch_request(None, 1, None))
        await asyncio.sleep(0)
        waiting.cancel()
        return await waiting

    assert asyncio.run(cancelled()) is False
