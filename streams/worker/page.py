"""The HTTP page of one worker, in its own event loop: /metrics, /healthz, /readyz, /progress.

- /metrics: every metric of `streams.metrics` (and the process's own) in Prometheus's text format.
- /healthz: 200 while the worker's loop makes progress (see streams.worker.health), 503 when its last progress is older
  than `stale_after` seconds. An orchestrator restarts what fails here, so waiting for ClickHouse or for partitions is
  no reason to fail.
- /readyz: 200 once recovery is over and partitions are assigned, or the group has none left for this worker; else 503.
  Both answer {"worker", "ok", "reason"}.
- /progress: {"worker", "inputs": {topic: {partition: next offset to read}}, "outputs": {topic: {partition: next offset
  after the last acknowledged record}}, "counters": {name: number since the worker's start}}: only what is durable.

The page has no authentication, and shows no personal data and no secret. It listens on 127.0.0.1 by default, and
streams.door refuses requests from pages of other sites and closes connections that send nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from streams import metrics
from streams.door import Door, Limits

STALE_AFTER_SECONDS = 120.0
LIMITS = Limits(connections=64, line=8 << 10, header=8 << 10)
"""Limits of a page with small answers, which a few clients ask for every few seconds."""


class ListenError(OSError):
    """The page's address cannot be listened on; the message says which address, why, and what to do."""


class WorkerPage:
    """One worker's HTTP page. `await start()` makes it answer; `await stop()` closes it; both may be called again."""

    def __init__(
        self,
        worker: str,
        progress: Callable[[], dict[str, Any]],
        ready: Callable[[], tuple[bool, str]],
        *,
        last_progress: Callable[[], float] | None = None,
        stale_after: float = STALE_AFTER_SECONDS,
        registry: CollectorRegistry = REGISTRY,
        limits: Limits | None = None,
    ) -> None:
        """
        progress: gives "inputs", "outputs" and "counters" as described above; called for each request of /progress.
        ready: (is the worker ready, the reason in words); called for each request of /readyz and /metrics.
        last_progress: `time.monotonic()` of the loop's last progress (a poll counts, with or without records); without
            it an answer is proof enough, since this page lives in the same loop.
        stale_after: seconds without progress after which /healthz fails.
        """
        self.worker = worker
        self._progress = progress
        self._ready = ready
        self._last_progress = last_progress
        self._stale_after = stale_after
        self._registry = registry
        self._limits = limits or LIMITS
        self._door: Door | None = None
        self.host = ""
        self.port = 0

    @property
    def url(self) -> str:
        """The address that was listened on, e.g. "http://127.0.0.1:9100"."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def start(self, port: int, host: str = "127.0.0.1") -> int:
        """Listen, and return the port: the one given, or a free one for 0. Raises ListenError where that fails."""
        if self._door is not None:
            return self.port
        app = web.Application(client_max_size=1)  # nothing here has a body
        app.add_routes(
            [
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/progress", self._progress_page),
            ]
        )
        # Signals belong to the worker; probes and scrapes every few seconds are no news for its log.
        door = Door(app, self._limits)
        try:
            self.port = await door.listen(host, port)
        except (OSError, OverflowError) as exc:
            raise ListenError(
                f"the {self.worker} worker cannot serve its metrics on {host}:{port}: {exc}; "
                "choose another address with --metrics-host and --metrics-port (port 0 takes a free one)"
            ) from exc
        self._door = door
        self.host = host
        return self.port

    async def stop(self) -> None:
        """Stop answering and free the port."""
        if self._door is not None:
            door, self._door = self._door, None
            await door.close()

    async def _metrics(self, request: web.Request) -> web.Response:
        metrics.READY.labels(self.worker).set(self._ready()[0])
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, request: web.Request) -> web.Response:
        age = 0.0 if self._last_progress is None else time.monotonic() - self._last_progress()
        if age > self._stale_after:
            return self._verdict(False, f"no progress of the worker's loop for {age:.0f} s")
        return self._verdict(True, f"alive: last progress {age:.1f} s ago")

    async def _readyz(self, request: web.Request) -> web.Response:
        return self._verdict(*self._ready())

    def _verdict(self, ok: bool, reason: str) -> web.Response:
        return _json({"worker": self.worker, "ok": ok, "reason": reason}, status=200 if ok else 503)

    async def _progress_page(self, request: web.Request) -> web.Response:
        empty: dict[str, Any] = {"inputs": {}, "outputs": {}, "counters": {}}
        return _json({"worker": self.worker, **empty, **self._progress()})


def _json(value: dict[str, Any], status: int = 200) -> web.Response:
    body = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
    return web.Response(body=body, status=status, content_type="application/json")


async def serve(
    worker_name: str,
    port: int,
    progress: Callable[[], dict[str, Any]],
    ready: Callable[[], tuple[bool, str]],
    *,
    host: str = "127.0.0.1",
    last_progress: Callable[[], float] | None = None,
    stale_after: float = STALE_AFTER_SECONDS,
) -> WorkerPage:
    """Start a worker's page and return it: `.port` is the port chosen, `await .stop()` ends it. See WorkerPage."""
    page = WorkerPage(worker_name, progress, ready, last_progress=last_progress, stale_after=stale_after)
    await page.start(port, host)
    return page
