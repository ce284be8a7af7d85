"""The bodies of agents: batches of a stream are handled, one by one or gathered into larger ones, and then acked.

All that a batch causes must be durable when its handler returns. OwnershipLost gives it up: it is delivered again,
after a rebalance, to whoever owns its partition then. Any other exception stops the worker, with nothing of the batch
committed.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

from streams.kafka.transport import OwnershipLost, RecordBatch, handling

READ_AHEAD = 4
"""Batches taken from the stream while others are handled; beyond that the stream, and Kafka, wait."""
PATIENCE = 4.0
"""Between two groups there is a pause of so many times as long as the last one took, unless told otherwise."""

log = logging.getLogger(__name__)


async def consume(stream: Any, handle: Callable[[RecordBatch], Awaitable[None]]) -> None:
    """Run `handle` on each batch of an agent's stream, one after the other: the body of an agent."""

    async def alone(batches: list[RecordBatch]) -> None:
        await handle(batches[0])

    async for event in stream.noack().events():
        if not await _handled(stream.app, [event], alone):
            return


async def gather(
    stream: Any,
    handle: Callable[[list[RecordBatch]], Awaitable[None]],
    max_records: int,
    max_bytes: int,
    linger: float,
    read_ahead: int = READ_AHEAD,
    patience: float = PATIENCE,
    spacing: float = math.inf,
) -> None:
    """Run `handle` on gathered batches of an agent's stream: the body of an agent for whom large ones are cheaper.

    The batches of a group are of one assignment (`RecordBatch.generation`), in the order in which they came.

    Args:
        max_records: handle once so many records have come together. max_bytes: or so many bytes of keys and values. A
            batch that was read is never split, so both are passed by less than one batch.
        linger: seconds at most between two groups that are not full (see `pause`). What comes while `handle` runs is
            in the next one anyway, and what comes after a longer pause is handled at once.
        read_ahead: batches taken from the stream while others are handled.
        patience: so many times as long as the last group took is the pause before the next one (see `pause`).
        spacing: seconds; a group that took so long, or longer, is followed by the next at once (see `pause`).
    """
    ahead: asyncio.Queue[Any] = asyncio.Queue(read_ahead)

    async def read() -> None:
        async for event in stream.noack().events():
            await ahead.put(event)

    reading = asyncio.ensure_future(read())
    took, until = 0.0, 0.0
    following = None
    try:
        while True:
            events, following = [following or await ahead.get()], None
            records, size = len(events[0].value), events[0].value.size
            while records < max_records and size < max_bytes:
                event = await _next(ahead, until)
                if event is None:
                    break
                if event.value.generation != events[0].value.generation:
                    following = event
                    break
                events.append(event)
                records += len(event.value)
                size += event.value.size
            began = time.monotonic()
            if not await _handled(stream.app, events, handle):
                return
            ended = time.monotonic()
            took = ended - began
            until = ended + pause(took, linger, patience, spacing)
    finally:
        reading.cancel()


async def _next(ahead: asyncio.Queue[Any], until: float) -> Any:
    """What is next in a queue; None where there is nothing, and nothing comes until then (time.monotonic)."""
    if ahead.empty() and (left := until - time.monotonic()) > 0:
        try:
            return await asyncio.wait_for(ahead.get(), left)
        except TimeoutError:
            return None
    return None if ahead.empty() else ahead.get_nowait()


async def _handled(app: Any, events: list[Any], handle: Callable[[list[RecordBatch]], Awaitable[None]]) -> bool:
    """Handle the batches of events and ack them; False when the worker is to stop instead."""
    batches = [event.value for event in events]
    handling.set(batches[0].generation)
    prepare = getattr(app, "prepare", None)
    try:
        if prepare is not None and not await prepare([batch.values for batch in batches]):
            for event in events:  # the worker is to stop, and cannot handle them
                event.value.abandoned = True
                event.ack()
            return False
        await handle(batches)
    except OwnershipLost as exc:
        log.warning("gave up %s: %s", batches, exc)
        for batch in batches:
            await app.consumer.abandon(batch)
    except Exception as exc:
        for event in events:
            event.value.abandoned = True
            event.ack()
        await app.crash(exc)
        return False
    for event in events:
        event.ack()
    return True


def pause(took: float, linger: float, patience: float = PATIENCE, spacing: float = math.inf) -> float:
    """Seconds between the end of a group that took so many to handle and the next one: so many times that, or `linger`.

    A lone record is handled at once. Where many come, and each group has a cost of its own, or a database is slow, or
    far, or has much else to do, no more than one part in 1 + `patience` of the time goes into groups that are not full.
    Whoever waits for nobody else, and takes long for the number of records alone, has large groups without a pause: of
    such a one no more is left than makes `spacing` from the beginning of a group to that of the next.
    """
    return min(linger, patience * took, max(spacing - took, 0.0))
