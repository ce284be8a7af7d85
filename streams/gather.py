"""Batches of a stream, gathered into larger ones before they are handled: fewer, larger inserts for a database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from streams.transport import RecordBatch

READ_AHEAD = 4
"""Batches taken from the stream while others are handled; beyond that the stream, and Kafka, wait."""
PATIENCE = 4.0
"""A first batch waits for others so many times as long as the last ones took to handle."""


async def gather(
    stream: Any, handle: Callable[[list[RecordBatch]], Awaitable[None]], max_records: int, max_bytes: int, linger: float
) -> None:
    """Run `handle` on gathered batches of an agent's stream, and ack them when it returns: the body of an agent.

    Like `streams.transport.consume`, for agents that own no state by partition: all that the batches cause must be
    durable when `handle` returns, and an exception stops the worker with nothing of them committed.

    Args:
        max_records: handle once so many records have come together. max_bytes: or so many bytes of keys and values. A
            batch that was read is never split, so both are passed by less than one batch.
        linger: seconds at most to wait for more after the first batch (see `patience`). While `handle` runs the next
            ones come together anyway.
    """
    app = stream.app
    ahead: asyncio.Queue[Any] = asyncio.Queue(READ_AHEAD)

    async def read() -> None:
        async for event in stream.noack().events():
            await ahead.put(event)

    reading = asyncio.ensure_future(read())
    took = 0.0
    try:
        while True:
            events = [await ahead.get()]
            records, size = len(events[0].value), size_of(events[0].value)
            until = time.monotonic() + patience(took, linger)
            while records < max_records and size < max_bytes and (left := until - time.monotonic()) > 0:
                try:
                    event = await asyncio.wait_for(ahead.get(), left)
                except TimeoutError:
                    break
                events.append(event)
                records += len(event.value)
                size += size_of(event.value)
            began = time.monotonic()
            try:
                await handle([event.value for event in events])
            except Exception as exc:
                for event in events:
                    event.value.abandoned = True
                    event.ack()
                await app.crash(exc)
                return
            took = time.monotonic() - began
            for event in events:
                event.ack()
    finally:
        reading.cancel()


def patience(took: float, linger: float) -> float:
    """Seconds to wait for more after a first batch, when handling the last ones took so many, and linger at most.

    A database that answers at once gets rows at once. One that is slow, or far, or has much else to do, is spared: it
    is kept busy a fifth of the time at most by inserts that are not full.
    """
    return min(linger, PATIENCE * took)


def size_of(batch: RecordBatch) -> int:
    """Bytes of a batch's keys and values."""
    return sum(len(record.key or b"") + len(record.value or b"") for record in batch)
