"""Batches of a stream, gathered into larger ones before they are handled: fewer, larger inserts for a database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from streams.transport import RecordBatch

READ_AHEAD = 4
"""Batches taken from the stream while others are handled; beyond that the stream, and Kafka, wait."""


async def gather(
    stream: Any, handle: Callable[[list[RecordBatch]], Awaitable[None]], max_records: int, linger: float
) -> None:
    """Run `handle` on gathered batches of an agent's stream, and ack them when it returns: the body of an agent.

    Like `streams.transport.consume`, for agents that own no state by partition: all that the batches cause must be
    durable when `handle` returns, and an exception stops the worker with nothing of them committed.

    Args:
        max_records: handle once so many records have come together.
        linger: seconds to wait for more after the first batch. While `handle` runs the next ones come together anyway.
    """
    app = stream.app
    ahead: asyncio.Queue[Any] = asyncio.Queue(READ_AHEAD)

    async def read() -> None:
        async for event in stream.noack().events():
            await ahead.put(event)

    reading = asyncio.ensure_future(read())
    try:
        while True:
            events = [await ahead.get()]
            records = len(events[0].value)
            until = time.monotonic() + linger
            while records < max_records and (left := until - time.monotonic()) > 0:
                try:
                    event = await asyncio.wait_for(ahead.get(), left)
                except TimeoutError:
                    break
                events.append(event)
                records += len(event.value)
            try:
                await handle([event.value for event in events])
            except Exception as exc:
                for event in events:
                    event.value.abandoned = True
                    event.ack()
                await app.crash(exc)
                return
            for event in events:
                event.ack()
    finally:
        reading.cancel()
