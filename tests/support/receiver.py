"""A receiver of webhooks for tests: answers as it is told to, and remembers what it took."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from streams.clock import now_ms


@dataclass
class Request:
    """A request that came: its headers and body, when it came, and what was answered."""

    headers: dict[str, str]
    raw: bytes
    at: int
    status: int

    @property
    def key(self) -> str:
        """The idempotency key."""
        return self.headers["Idempotency-Key"]

    @property
    def body(self) -> Any:
        """The JSON body."""
        return orjson.loads(self.raw)


@dataclass
class Receiver:
    """answer: given the number of the request (from 0), the status and further headers."""

    answer: Callable[[int], tuple[int, dict[str, str]]] = lambda number: (200, {})
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    @property
    def taken(self) -> list[Request]:
        """Those that were answered with success."""
        return [request for request in self.requests if 200 <= request.status < 300]

    async def _handle(self, request: web.Request) -> web.Response:
        status, headers = self.answer(len(self.requests))
        self.requests.append(Request(dict(request.headers), await request.read(), now_ms(), status))
        return web.Response(status=status, headers=headers)


@contextlib.asynccontextmanager
async def receiving(
    answer: Callable[[int], tuple[int, dict[str, str]]] = lambda number: (200, {}), port: int = 0
) -> AsyncIterator[Receiver]:
    """A receiver that listens on 127.0.0.1."""
    receiver = Receiver(answer)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver._handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    server = site._server
    assert server is not None
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"  # type: ignore[attr-defined]
    try:
        yield receiver
    finally:
        await runner.cleanup()
