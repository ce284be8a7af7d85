"""A TCP proxy in front of a broker, whose connections can be slowed and cut."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

BLOCK = 1 << 16
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closed at once, and what is under way dropped


class Proxy:
    """Forwards connections to HOST:target.

    delay: seconds that each block of bytes is held back, in each direction. rate: bytes a second of each connection and
    direction, None: no limit. refusing: new connections are closed at once.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self.delay = 0.0
        self.rate: float | None = None
        self.refusing = False
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._running: set[asyncio.Task[None]] = set()

    def cut(self, share: float = 1.0) -> int:
        """Break off a share of the connections with a reset and in mid-message; how many."""
        alive = [writer for writer in self._open if not writer.is_closing()]
        doomed = alive[: round(len(alive) * share)]
        for writer in doomed:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()
        return len(doomed)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, there_writer}
        self._open |= both
        try:
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        finally:
            self._open -= both
            for each in both:
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while block := await reader.read(BLOCK):
                await asyncio.sleep(self.delay + (len(block) / self.rate if self.rate else 0.0))
                writer.write(block)
                await writer.drain()
        writer.transport.abort()  # an end on one side is an end on both


@contextlib.asynccontextmanager
async def proxy(target: int) -> AsyncIterator[Proxy]:
    """A proxy to a port of this machine, listening on a port of its own while the block runs."""
    made = Proxy(target)
    server = await asyncio.start_server(made._serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.refusing = True
        server.close()
        made.cut()
