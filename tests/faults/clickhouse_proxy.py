"""A proxy before ClickHouse's HTTP interface that does to inserts what networks and servers do.

Queries and pings pass. Of the inserts, a spell of trouble begins when it is called for, and ends by itself after a
number of inserts and some seconds; then everything passes again.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

KEPT_OUT = frozenset(("connection", "host", "keep-alive", "transfer-encoding", "content-length"))
"""Headers that belong to one connection, not to the message."""

CODE = "X-ClickHouse-Exception-Code"

SLOW_SECONDS = 3.0

ERRORS = {
    "too-many-parts": 252,
    "memory-exceeded": 241,
    "table-read-only": 242,
    "server-read-only": 164,
    "timeout": 159,
    "overloaded": 202,
    "keeper-lost": 999,
    "status-unknown": 319,
    "not-enough-space": 243,
    "file-not-written": 75,
}
"""Errors that an insert may be answered with: a word, and ClickHouse's code (src/Common/ErrorCodes.cpp)."""

KINDS = (
    "refuse",  # nobody listens
    "slow",  # an answer after SLOW_SECONDS
    "cut-before",  # the connection breaks before ClickHouse has seen the rows
    "cut-within",  # it breaks in the middle of the rows
    "cut-after",  # it breaks after the rows were stored
    "hang-after",  # stored, and never answered
    "error-after",  # stored, and answered with an error
    "crash-after",  # stored, and the worker is killed before it hears of it
    "gateway",  # a load balancer answers in ClickHouse's place
    *ERRORS,
)
"""What may happen to an insert."""

REFUSED = "refused"
"""Nothing happens to it here; how often, and with which codes, ClickHouse itself refuses it is counted."""


@dataclass
class Trouble:
    """A spell: of which kinds (each insert draws one), for how many inserts and seconds at least.

    share: of the inserts meanwhile that have trouble. on_crash: kills the worker (for crash-after).
    before: called before each insert that ClickHouse is to refuse, on_end: when it is to be let alone (for `refused`).
    """

    kinds: tuple[str, ...]
    inserts: int
    seconds: float
    share: float = 1.0
    seed: int = 0
    on_crash: Callable[[], None] = lambda: None
    before: Callable[[], None] = lambda: None
    on_end: Callable[[], None] = lambda: None
    hit: Counter[str] = field(default_factory=Counter)
    """How often each kind was dealt out."""
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when so many inserts have had trouble."""

    def count(self, kind: str) -> None:
        """Note that an insert has had trouble."""
        self.hit[kind] += 1
        if self.hit.total() >= self.inserts:
            self.enough.set()


class Proxy:
    """`await start()`, give workers `url`, call `begin(trouble)`, `await ended()`, `await stop()`."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._port = 0
        self._trouble: Trouble | None = None
        self._rng = random.Random()
        self._over = asyncio.Event()
        self._timer: asyncio.Task[None] | None = None
        self._site: web.TCPSite | None = None
        self.seen = 0
        """Inserts that arrived."""

    @property
    def url(self) -> str:
        """The proxy's address."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Listen on a free port."""
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, auto_decompress=False, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self._session = aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(total=600))
        await self._listen()

    async def stop(self) -> None:
        """End everything."""
        if self._timer is not None:
            self._timer.cancel()
        self._over.set()
        await self._runner.cleanup()
        await self._session.close()

    async def _listen(self) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await self._site.start()
        self._port = int(self._runner.addresses[0][1])

    def begin(self, trouble: Trouble) -> None:
        """Let a spell of trouble begin."""
        self._trouble, self._rng = trouble, random.Random(trouble.seed)
        self._timer = asyncio.ensure_future(self._spell(trouble))

    async def _spell(self, trouble: Trouble) -> None:
        if "refuse" in trouble.kinds and self._site is not None:
            await self._site.stop()
            for connection in list(self._runner.server.connections if self._runner.server else ()):
                connection.force_close()
            trouble.hit["refuse"] += 1
            await asyncio.sleep(trouble.seconds)
            await self._listen()
            self._trouble = None
            return
        try:
            await asyncio.sleep(trouble.seconds)
            await trouble.enough.wait()
        finally:
            trouble.on_end()
        self._trouble = None
        self._over.set()  # lets go of what hangs

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        insert = (
            request.headers.get("Content-Type") == "application/octet-stream"
        )  # of clickhouse-connect's, all else is text
        self.seen += insert
        trouble = self._trouble
        if trouble is None or not insert or self._rng.random() >= trouble.share:
            return await self._forward(request, await request.read())
        kind = self._rng.choice(trouble.kinds)
        if kind == REFUSED:
            trouble.before()
            answer = await self._forward(request, await request.read())
            if answer.status != 200:
                trouble.count(f"{kind} {answer.headers.get(CODE)}")
            return answer
        trouble.count(kind)
        return await self._deal(kind, trouble, request)

    async def _deal(self, kind: str, trouble: Trouble, request: web.Request) -> web.StreamResponse:
        if kind == "cut-within":
            await request.content.readany()
            return _cut(request)
        body = await request.read()
        if kind == "cut-before":
            return _cut(request)
        if kind == "gateway":
            return web.Response(status=502, text="<html>Bad gateway</html>")
        if kind == "slow":
            await asyncio.sleep(SLOW_SECONDS)
            return await self._forward(request, body)
        if kind in ERRORS:
            return _error(ERRORS[kind])
        stored = await self._forward(request, body)
        if kind == "error-after" and stored.status == 200:
            return _error(self._rng.choice((159, 209, 210, 319)))
        if kind == "crash-after":
            trouble.on_crash()
            return _cut(request)
        if kind == "hang-after":
            await self._over.wait()
        return _cut(request)

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in KEPT_OUT}
        url = f"{self._upstream}{request.raw_path}"
        async with self._session.request(request.method, url, data=body or None, headers=headers) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in KEPT_OUT}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


def _cut(request: web.Request) -> web.Response:
    """Break the connection; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _error(code: int) -> web.Response:
    text = f"Code: {code}. DB::Exception: injected. (INJECTED)"
    return web.Response(status=500, text=text, headers={CODE: str(code)})
