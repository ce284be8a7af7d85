"""The checks in front of every HTTP endpoint of Rihla: which clients may connect, for how long, and how many at once.

- A page of another site, open in a browser of this machine, is refused, also where its name was made to point here (DNS
  rebinding): the Host must be a name of ours, an Origin must be of that Host, and a browser's own word for where a
  request comes from (Sec-Fetch-Site) must not be another site. There is no CORS, so no page reads an answer either.
- A connection whose first request does not come, a body that stops coming, and a client that does not take its answer
  are closed; and the number of connections is limited.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import StreamReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_protocol import RequestHandler

log = logging.getLogger(__name__)

_OFTEN_LATIN = frozenset((hdrs.USER_AGENT, hdrs.REFERER))
"""Headers that are not read, and that some clients write in an encoding of their own."""
_THIS_MACHINE = frozenset(("localhost", "127.0.0.1", "::1"))
# Names that no public name server answers for: a page of the web cannot have them.
_PRIVATE = (".local", ".internal", ".localhost", ".svc", ".home.arpa")


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, bytes and numbers at the door of one endpoint."""

    head: float = 10.0
    """From a connection's begin to the end of its first request's head."""
    idle: float = 60.0
    """Between requests on one connection; the head of each after the first must come within it, too."""
    stall: float = 30.0
    """Without one byte of a body."""
    body: float = 600.0
    """For the whole of a body."""
    answer: float = 120.0
    """Without one byte of an answer taken."""
    connections: int = 256
    """A connection beyond this number is answered with 503 and closed."""
    line: int = 64 << 10
    """Bytes of a request's line, so of its URL."""
    header: int = 16 << 10
    """Bytes of one header."""
    headers: int = 64


class _Connection(RequestHandler):
    """aiohttp's connection, with a bound on their number and on the time until a first request."""

    def __init__(self, door: Door, server: web.Server, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(server, loop=loop, **options)
        self._door = door
        self._head: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._door.open.add(self)
        if len(self._door.open) > self._door.limits.connections:
            self._end(b"503 Service Unavailable")
        else:
            loop = asyncio.get_running_loop()
            self._head = loop.call_later(self._door.limits.head, self._end, b"408 Request Timeout")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_answer()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _watch_answer(self, left: int | None = None) -> None:
        """Look again and again whether the client takes anything of what waits for it; else give it up."""
        transport = self.transport
        waiting = 0 if transport is None else transport.get_write_buffer_size()
        if transport is not None and left is not None and waiting >= left:
            transport.abort()
        elif transport is not None:
            loop = asyncio.get_running_loop()
            self._stuck = loop.call_later(self._door.limits.answer, self._watch_answer, waiting)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._door.open.discard(self)
        self.began()
        if self._stuck is not None:
            self._stuck.cancel()
        super().connection_lost(exc)

    def log_exception(self, *args: Any, **options: Any) -> None:
        """Log what went wrong here. Of a request that is no HTTP, or whose body cannot be unpacked, nothing: what it
        asks for may name a person, and any client could fill the log."""
        error = sys.exc_info()[1] or options.get("exc_info")
        if not isinstance(error, HttpProcessingError | web.RequestPayloadError):
            super().log_exception(*args, **options)

    def began(self) -> None:
        """A request is here: from now on aiohttp's own time-out between requests counts."""
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _end(self, status: bytes) -> None:
        transport = self.transport
        if transport is not None:
            transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self.force_close()
            transport.close()


class Door:
    """One endpoint's listening socket and what it lets in. `await listen()` opens it, `await close()` ends all."""

    def __init__(
        self,
        app: web.Application,
        limits: Limits | None = None,
        names: Iterable[str] = (),
        linked: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        """
        app: its middlewares run behind the door's own. names: by which it is reached besides its own (`Visitors`).
        linked: beginnings of the paths of pages to which other sites may link, as a mail read in a browser does.
        options: of aiohttp's RequestHandler.
        """
        self.limits = limits or Limits()
        self.open: set[_Connection] = set()
        self.port = 0
        self._others, self._linked = names, linked
        self._visitors = Visitors("", others=names)
        self._listener: asyncio.Server | None = None
        app.middlewares.insert(0, self._admit())
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None, **options)

    async def listen(self, host: str, port: int) -> int:
        """Listen, and return the port. Raises OSError where that fails."""
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        loop = asyncio.get_running_loop()
        limits = self.limits
        options = {
            **server._kwargs,  # what Server itself hands to each connection
            "keepalive_timeout": limits.idle,
            "lingering_time": 5.0,
            "max_line_size": limits.line,
            "max_field_size": limits.header,
            "max_headers": limits.headers,
        }
        try:
            self._listener = await loop.create_server(
                lambda: _Connection(self, server, loop, **options), host, port, backlog=128
            )
        except BaseException:
            await self._runner.cleanup()
            raise
        self.port = int(self._listener.sockets[0].getsockname()[1])
        self._visitors = Visitors(host, is_wide(self._listener.sockets), self._others)
        return self.port

    async def close(self) -> None:
        """Stop listening and end open requests. Idempotent."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self._runner.cleanup()

    def _admit(self) -> Middleware:
        @web.middleware
        async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
            if isinstance(request.protocol, _Connection):
                request.protocol.began()
            if reason := self.refuses(request):
                # What is quoted of a header may be no UTF-8.
                return web.Response(status=403, body=f"{reason}\n".encode(errors="replace"), content_type="text/plain")
            if not all(_is_utf8(value) for name, value in request.headers.items() if name not in _OFTEN_LATIN):
                return web.Response(status=400, text="a header is not UTF-8\n")
            try:
                return await handler(request)
            except web.RequestPayloadError:
                return web.Response(status=400, text="the body cannot be unpacked\n")

        return admit

    def refuses(self, request: web.Request) -> str | None:
        """Why a request is not let in, for people; None where it is."""
        headers = request.headers
        site = headers.get("Sec-Fetch-Site", "none")
        # Somebody has followed a link: the page that it is on sees nothing of the answer, and GET changes nothing.
        followed = (headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")) == ("navigate", "document")
        if followed and request.method in ("GET", "HEAD") and request.path.startswith(self._linked):
            site = "none"
        return self._visitors.refuses(headers.getall(hdrs.HOST, []), headers.getall(hdrs.ORIGIN, []), site)


class Visitors:
    """Which Host, and Origin, a request to an endpoint may have."""

    def __init__(self, host: str, wide: bool = False, others: Iterable[str] = ()) -> None:
        """host: that is listened on. wide: whether others than this machine reach it. others: names by which it is
        reached, too: those of a proxy in front, which may also end TLS there."""
        self._others = frozenset(one.lower() for one in others)
        self._names = None if wide else _THIS_MACHINE | {host.lower()} | self._others

    def refuses(self, hosts: Sequence[str], origins: Sequence[str], site: str) -> str | None:
        """Why a request is not let in, for people; None where it is. Of each header all values; site: Sec-Fetch-Site,
        "none" where there is none."""
        if len(hosts) != 1 or not self._is_ours(_name_of(hosts[0])):
            return (
                f"this is not {hosts[0] if hosts else 'without a Host header'}: ask by the address that is listened on"
            )
        # A proxy that ends TLS may ask by its own name for us, or by that of the page.
        allowed = {f"http://{hosts[0]}", *(f"https://{name}" for name in self._others)}
        if _name_of(hosts[0]) in self._others:
            allowed.add(f"https://{hosts[0]}")
        if origins and (len(origins) > 1 or origins[0] not in allowed):
            return f"requests from pages of {origins[0]} are not allowed"
        if site not in ("none", "same-origin"):
            return "requests from pages of other sites are not allowed"
        return None

    def _is_ours(self, name: str) -> bool:
        if self._names is not None:
            return name in self._names
        # All of a machine's addresses are listened on, whose names we do not know: but a page of the web can have
        # neither an address for its name, nor one without a dot, nor one of a private network.
        if name in self._others or _is_address(name):
            return True
        return "." not in name.rstrip(".") or name.endswith(_PRIVATE) or name in _own_names()


def _is_utf8(value: str) -> bool:
    """Whether a header was UTF-8: aiohttp keeps what is not in surrogates, which nothing can encode."""
    return value.isascii() or not any("\ud800" <= one <= "\udfff" for one in value)


def _name_of(host: str) -> str:
    """The name in a Host header, without its port, in small letters."""
    name, bracket, _ = host.partition("]")
    return name.removeprefix("[").lower() if bracket else host.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_wide(sockets: Iterable[Any]) -> bool:
    """Whether others than this machine can reach listening sockets."""
    return not all(ipaddress.ip_address(one.getsockname()[0]).is_loopback for one in sockets)


def _own_names() -> frozenset[str]:
    return frozenset((socket.gethostname().lower(), socket.getfqdn().lower()))


async def pieces(content: StreamReader, limits: Limits) -> AsyncIterator[bytes]:
    """A body as it comes. Raises TimeoutError when it stalls, or takes too long as a whole."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limits.body
    while True:
        async with asyncio.timeout_at(min(loop.time() + limits.stall, end)):
            piece, ends_chunk = await content.readchunk()
        if not piece and (not ends_chunk or content.at_eof()):
            return
        yield piece
