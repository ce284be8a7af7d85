"""The collector's HTTP server: uvicorn, with limits that it lacks.

Connections whose request head does not come or does not end, and those beyond a limit, are closed, as in streams.door.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import uvicorn
from starlette.datastructures import Headers
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from streams import metrics
from streams.door import Visitors, is_wide
from streams.errors import RihlaError

CONNECTIONS = 1024
"""A connection beyond this number is answered with 503 and closed."""
HEAD_SECONDS = 10.0
"""Seconds from the first byte of a request, or the start of a connection, to the end of the request's head."""
HEAD_BYTES = 32 << 10
CHUNK_BYTES = 16
"""Limit of the parts of a chunked body that are discarded (chunk sizes, extensions, trailers): twice HEAD_BYTES, plus
this many bytes for each byte of the body."""
IDLE_SECONDS = 75
"""Seconds between requests on one connection: longer than the 60 s of most load balancers, which must close first."""
STOP_SECONDS = 45
"""Seconds for requests under way after SIGTERM."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with limits on request heads and on the number of connections."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head: asyncio.TimerHandle | None = None
        self._came = self._body = 0  # bytes of this request: all, and of its body
        self._in_head = True
        if len(self.connections) > CONNECTIONS:
            self._end(b"503 Service Unavailable", b"Retry-After: 1\r\n")
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        if self._in_head and self._head is None:
            self._watch()
        self._came += len(data)
        super().data_received(data)
        if self._in_head and self._came > HEAD_BYTES:
            self._end(b"431 Request Header Fields Too Large")
        elif self._came - self._body > 2 * HEAD_BYTES + CHUNK_BYTES * self._body:
            self._end(b"400 Bad Request")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # a trailer is no header (RFC 9110, 6.5.1), and the request was admitted without it
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._unwatch()
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._came, self._body = True, 0, 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        self._head = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._end, b"408 Request Timeout")

    def _unwatch(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _end(self, status: bytes, header: bytes = b"") -> None:
        self._unwatch()
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 " + status + b"\r\n" + header + b"Connection: close\r\nContent-Length: 0\r\n\r\n"
            )
            self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server in our own event loop, which handles the signals."""

    def __init__(self, app: Any, names: Iterable[str] = (), linked: tuple[str, ...] = ()) -> None:
        """names: further host names by which it is reached (streams.door.Visitors). linked: path prefixes of pages to
        which other sites may link, such as a mail that is read in a browser."""
        self._app, self._others, self._linked = app, names, linked
        self._visitors = Visitors("", others=names)
        super().__init__(
            uvicorn.Config(
                self._admit,
                http=Connection,
                interface="asgi3",
                ws="none",
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self._serving: asyncio.Task[None] | None = None
        self.port = 0

    async def _admit(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer 403 to pages of other sites and to requests for another host name; pass all others to the
        application."""
        headers = Headers(scope=scope)
        site = headers.get("sec-fetch-site", "none")
        followed = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
        if followed and scope["method"] == "GET" and scope["path"].startswith(self._linked):
            site = "none"
        reason = self._visitors.refuses(headers.getlist("host"), headers.getlist("origin"), site)
        if reason is None:
            await self._app(scope, receive, send)
            return
        metrics.COLLECT_REQUESTS.labels("other", "403").inc()
        body = orjson.dumps({"status": 403, "detail": reason.encode(errors="replace").decode()})
        response = Response(body, 403, {"Connection": "close"}, media_type="application/problem+json")
        await response(scope, receive, send)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Does nothing: uvicorn must not handle signals."""
        yield

    async def listen(self, host: str, port: int) -> int:
        """Listen, and return the port. Raises RihlaError if that fails."""
        loop = asyncio.get_running_loop()
        try:
            listener = await loop.run_in_executor(None, _bound, host, port)
        except (OSError, OverflowError) as error:
            raise RihlaError(
                f"the collector cannot listen on {host}:{port}: {error}",
                "choose another address: RIHLA_COLLECT_HOST and RIHLA_COLLECT_PORT (port 0 takes a free one)",
            ) from error
        self.port = int(listener.getsockname()[1])
        self._visitors = Visitors(host, is_wide([listener]), self._others)
        self._serving = asyncio.create_task(self.serve(sockets=[listener]), name="serve")
        while not self.started:
            if self._serving.done():
                self._serving.result()
            await asyncio.sleep(0.01)
        return self.port

    async def close(self) -> None:
        """Stop listening; return when the requests under way have their answers."""
        self.should_exit = True
        if self._serving is not None:
            await self._serving


def _bound(host: str, port: int) -> Any:
    """A socket that is bound to an address."""
    import socket

    *_, (family, kind, protocol, _, address) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.set_inheritable(False)
    except BaseException:
        bound.close()
        raise
    return bound
