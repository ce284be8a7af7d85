"""A worker's HTTP page, asked over a real socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams import metrics
from streams.worker.page import ListenError, WorkerPage, serve


def nothing() -> dict[str, Any]:
    return {}


def ready() -> tuple[bool, str]:
    return True, "4 partitions"


async def get(page: WorkerPage, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(page.url + path) as response:
        return response.status, await response.json()


async def with_page(check: Callable[[WorkerPage], Awaitable[None]], **options: Any) -> None:
    page = await serve("enrich", 0, options.pop("progress", nothing), options.pop("ready", ready), **options)
    try:
        await check(page)
    finally:
        await page.stop()


def test_progress_has_partitions_as_keys() -> None:
    progress = {"inputs": {"cx.stay": {0: 12, 3: 7}}, "outputs": {"cx.links": {0: 2}}, "counters": {"events": 19}}

    async def check(page: WorkerPage) -> None:
        assert page.port > 0
        assert await get(page, "/progress") == (
            200,
            {
                "worker": "enrich",
                "inputs": {"cx.stay": {"0": 12, "3": 7}},
                "outputs": {"cx.links": {"0": 2}},
                "counters": {"events": 19},
            },
        )

    asyncio.run(with_page(check, progress=lambda: progress))


def test_progress_of_a_worker_with_nothing_yet_has_every_key() -> None:
    async def check(page: WorkerPage) -> None:
        assert await get(page, "/progress") == (200, {"worker": "enrich", "inputs": {}, "outputs": {}, "counters": {}})

    asyncio.run(with_page(check))


def test_ready_only_when_the_worker_says_so() -> None:
    state = [(False, "recovering state: 10 of 90 keys"), (True, "4 partitions")]

    async def check(page: WorkerPage) -> None:
        assert await get(page, "/readyz") == (
            503,
            {"worker": "enrich", "ok": False, "reason": "recovering state: 10 of 90 keys"},
        )
        assert (await get(page, "/healthz"))[0] == 200  # recovering is no reason to be restarted
        state.pop(0)
        assert await get(page, "/readyz") == (200, {"worker": "enrich", "ok": True, "reason": "4 partitions"})

    asyncio.run(with_page(check, ready=lambda: state[0]))


def test_unhealthy_when_the_loop_makes_no_progress() -> None:
    last = [time.monotonic()]

    async def check(page: WorkerPage) -> None:
        assert (await get(page, "/healthz"))[0] == 200
        last[0] = time.monotonic() - 3601
        status, verdict = await get(page, "/healthz")
        assert status == 503
        assert verdict["ok"] is False
        assert "no progress of the worker's loop for 36" in verdict["reason"]
        last[0] = time.monotonic()
        assert (await get(page, "/healthz"))[0] == 200

    asyncio.run(with_page(check, last_progress=lambda: last[0], stale_after=3600))


def test_metrics_are_prometheus_text_and_tell_readiness() -> None:
    metrics.EVENTS_ACCEPTED.labels("stay").inc(3)

    async def samples(page: WorkerPage) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        async with aiohttp.ClientSession() as session, session.get(page.url + "/metrics") as response:
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/plain; version=")
            families = text_string_to_metric_families(await response.text())
            return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    state = [(True, "")]

    async def check(page: WorkerPage) -> None:
        found = await samples(page)
        assert found["rihla_events_accepted_total", frozenset({("channel", "stay")})] >= 3
        assert found["rihla_ready", frozenset({("worker", "enrich")})] == 1
        state[0] = (False, "no partitions")
        assert (await samples(page))["rihla_ready", frozenset({("worker", "enrich")})] == 0

    asyncio.run(with_page(check, ready=lambda: state[0]))


def test_taken_port_is_a_clear_error() -> None:
    async def check(page: WorkerPage) -> None:
        with pytest.raises(ListenError, match=rf"the sink worker .* 127\.0\.0\.1:{page.port}: .*--metrics-port"):
            await serve("sink", page.port, nothing, ready)

    asyncio.run(with_page(check))


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("127.0.0.1", 65536)])
def test_impossible_address_is_a_clear_error(host: str, port: int) -> None:
    with pytest.raises(ListenError, match="cannot serve its metrics on"):
        asyncio.run(serve("sink", port, nothing, ready, host=host))


async def test_stopped_page_frees_its_port() -> None:
    page = await serve("enrich", 0, nothing, ready)
    port = page.port
    await page.stop()
    await page.stop()
    assert await page.start(port) == port
    assert (await get(page, "/readyz"))[0] == 200
    await page.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await get(page, "/readyz")
