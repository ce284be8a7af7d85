"""The body of a request: bounded in size, in time, and in what it takes up unzipped."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import ClientDisconnect, Request

from streams.collect.throttle import Room

MAX_BODY: Final = 4 << 20
"""Bytes of a body as it comes. Segment's libraries send 500 KB at most."""
MAX_UNZIPPED: Final = 16 << 20
STALL_SECONDS: Final = 15.0
"""Without one byte of a body."""
BODY_SECONDS: Final = 60.0
"""For the whole of a body."""


class BadBody(Exception):
    """A body that is not taken: status and sentence for the sender."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class Held:
    """What one request has taken of a Room: `with Held(room) as held`."""

    def __init__(self, room: Room) -> None:
        self._room, self._number = room, 0

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        self._room.release(self._number)

    def take(self, number: int) -> None:
        """Raises Full."""
        self._room.take(number)
        self._number += number


async def read(request: Request, held: Held) -> bytes:
    """The body, unzipped. Raises BadBody, and Full where there is no room for it."""
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > MAX_BODY:
        raise BadBody(413, f"the body has {said} bytes; {MAX_BODY} are taken")
    encodings = [one.strip().lower() for one in request.headers.get("content-encoding", "").split(",") if one.strip()]
    if encodings not in ([], ["identity"], ["gzip"], ["x-gzip"]):
        raise BadBody(415, "Content-Encoding is neither gzip nor identity")
    unzip = zlib.decompressobj(wbits=31) if encodings and "gzip" in encodings[0] else None
    parts: list[bytes] = []
    came = size = 0
    async for piece in _pieces(request):
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
        parts.append(part)
    if unzip is not None and not unzip.eof:
        raise BadBody(400, "the gzip data of the body is broken off")
    if unzip is not None and unzip.unused_data:
        raise BadBody(400, "there is more after the gzip data of the body")
    return b"".join(parts)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes. Raises BadBody where it stalls, or its sender is gone."""
    loop = asyncio.get_running_loop()
    end = loop.time() + BODY_SECONDS
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout_at(min(loop.time() + STALL_SECONDS, end)):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise BadBody(408, "the body does not come") from None
        except ClientDisconnect:
            raise BadBody(400, "the sender is gone") from None
        yield piece
