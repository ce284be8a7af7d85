"""The body of a request: bounded in size, in time, and in what it takes up unzipped."""

from __future__ import annotations

import asyncio
import zlib
from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.requests import ClientDisconnect, Request

from streams.collect.throttle import Full, Lobby, Room, Unknown

MAX_BODY: Final = 4 << 20
"""Bytes of a body as it comes. Segment's libraries send 500 KB at most."""
MAX_UNZIPPED: Final = 16 << 20
STALL_SECONDS: Final = 15.0
"""Seconds without a byte of a body."""
BODY_SECONDS: Final = 60.0
"""Seconds for a whole body."""
UNKNOWN_SECONDS: Final = 20.0
"""Seconds for a whole body whose sender is not known yet."""


class BadBody(Exception):
    """A body that is refused: status, and a sentence for the sender."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class Held:
    """The share of a Room that one request of a sender has taken: `with Held(room, sender) as held`."""

    def __init__(self, room: Room, sender: str) -> None:
        self._room, self._sender, self._number = room, sender, 0

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        if self._number:
            self._room.release(self._number, self._sender)

    def take(self, number: int) -> None:
        """Raises Full."""
        self._room.take(number, self._sender)
        self._number += number


class Waiting:
    """The share of a Lobby that a request of an unknown sender has taken: `with Waiting(lobby, address) as waiting`."""

    def __init__(self, lobby: Lobby, address: str) -> None:
        self._lobby, self._one = lobby, Unknown(address, self._give_way)
        self._clock: asyncio.Timeout | None = None
        self._gone = False

    def __enter__(self) -> Waiting:
        return self

    def __exit__(self, *_: object) -> None:
        self._lobby.leave(self._one)

    def _give_way(self) -> None:
        self._gone = True
        if self._clock is not None and not self._clock.expired():
            self._clock.reschedule(0)

    async def read(self, request: Request) -> bytes:
        """The body as received: a signed body is unzipped only after its signature has been checked. Raises BadBody,
        Full."""
        _check_length(request)
        if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise BadBody(415, "a webhook's body is not compressed")
        whole = bytearray()  # chunks may have two bytes each, and a bytes object takes fifty
        came = 0
        try:
            async for piece in _pieces(request, UNKNOWN_SECONDS, self._watch):
                came += len(piece)
                if came > MAX_BODY:
                    raise BadBody(413, f"the body has more than {MAX_BODY} bytes")
                self._lobby.take(self._one, len(piece))
                whole += piece
        except BadBody:
            if self._gone:
                raise Full from None
            raise
        return bytes(whole)

    def _watch(self, clock: asyncio.Timeout | None) -> None:
        self._clock = clock


async def read(request: Request, held: Held) -> bytes:
    """The body, unzipped. Raises BadBody, and Full where there is no room for it."""
    _check_length(request)
    encodings = [one.strip().lower() for one in request.headers.get("content-encoding", "").split(",") if one.strip()]
    if encodings not in ([], ["identity"], ["gzip"], ["x-gzip"]):
        raise BadBody(415, "Content-Encoding is neither gzip nor identity")
    unzip = zlib.decompressobj(wbits=31) if encodings and "gzip" in encodings[0] else None
    whole = bytearray()
    came = size = 0
    async for piece in _pieces(request, BODY_SECONDS):
        came += len(piece)
        if came > MAX_BODY:
            raise BadBody(413, f"the body has more than {MAX_BODY} bytes")
        try:
            part = piece if unzip is None else unzip.decompress(piece, MAX_UNZIPPED + 1 - size)
        except zlib.error as error:
            raise BadBody(400, f"the body is no gzip: {error}") from None
        size += len(part)
        if size > MAX_UNZIPPED or (unzip is not None and unzip.unconsumed_tail):
            raise BadBody(413, f"the body has more than {MAX_UNZIPPED} bytes when it is unzipped")
        held.take(len(part))
        whole += part
    if unzip is not None and not unzip.eof:
        raise BadBody(400, "the gzip data of the body is broken off")
    if unzip is not None and unzip.unused_data:
        raise BadBody(400, "there is more after the gzip data of the body")
    return bytes(whole).removeprefix(BOM_UTF8)


def _check_length(request: Request) -> None:
    said = request.headers.get("content-length", "")
    if said.isdigit() and (len(said) > 18 or int(said) > MAX_BODY):
        raise BadBody(413, f"the body has {said[:18]} bytes; {MAX_BODY} are taken")


async def _pieces(
    request: Request, seconds: float, watch: Callable[[asyncio.Timeout | None], None] = lambda _: None
) -> AsyncIterator[bytes]:
    """The body as it comes. seconds: limit for all of it. watch: gets the clock that runs while a chunk is awaited.
    Raises BadBody if it stalls or its sender disconnects."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout_at(min(loop.time() + STALL_SECONDS, end)) as clock:
                watch(clock)
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise BadBody(408, "the body does not come") from None
        except ClientDisconnect:
            raise BadBody(400, "the sender is gone") from None
        finally:
            watch(None)
        yield piece
