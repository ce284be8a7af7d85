"""The bodies of agents: handle the batches of a stream, one at a time or in groups, then ack them.

The contract of a handler: when it returns, everything that its batches caused is durable, because they are acked then.
Where it raises OwnershipLost, the group is given up, and after a rebalance the new owner of the partition gets it
again. Any other exception stops the worker before anything of the group is committed.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

from streams.errors import RihlaError
from streams.kafka.ownership import OwnershipLost, handling
from streams.kafka.progress import RecordBatch

READ_AHEAD = 4
"""Batches taken from the stream while a group is handled. The limit is the back-pressure: the rest stays in Kafka."""
PATIENCE = 4.0
"""Default length of the pause between two groups, as a multiple of the time that the last group took."""

log = logging.getLogger(__name__)


async def consume(stream: Any, handle: Callable[[RecordBatch], Awaitable[None]]) -> None:
    """Run `handle` on each batch of an agent's stream, one at a time. The body of an agent without grouping."""

    async def one(batches: list[RecordBatch]) -> None:
        await handle(batches[0])

    async for event in stream.noack().events():
        if not await _handled(stream.app, [event], one):
            return


async def consume_groups(
    stream: Any,
    handle: Callable[[list[RecordBatch]], Awaitable[None]],
    max_records: int,
    max_bytes: int,
    linger: float,
    read_ahead: int = READ_AHEAD,
    patience: float = PATIENCE,
    spacing: float = math.inf,
) -> None:
    """Run `handle` on groups of batches of an agent's stream. The body of an agent for which large groups are cheaper.

    All batches of a group belong to one assignment (`RecordBatch.generation`) and are in the order in which they came.

    Args:
        max_records, max_bytes: a group is full when it has this many records, or this many bytes of keys and values. A
            batch is never split, so a group may exceed each limit by less than one batch.
        linger: longest pause between two groups, in seconds (see `pause`). Batches that arrive while `handle` runs are
            in the next group anyway; a batch that arrives after the pause is handled at once.
        read_ahead: batches taken from the stream while a group is handled.
        patience: length of the pause as a multiple of the time that the last group took (see `pause`).
        spacing: seconds; there is no pause after a group that took this long or longer (see `pause`).
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
    """The next event of a queue; None if none is there and none comes by `until` (a time of time.monotonic)."""
    if ahead.empty() and (left := until - time.monotonic()) > 0:
        try:
            return await asyncio.wait_for(ahead.get(), left)
        except TimeoutError:
            return None
    return None if ahead.empty() else ahead.get_nowait()


async def _handled(app: Any, events: list[Any], handle: Callable[[list[RecordBatch]], Awaitable[None]]) -> bool:
    """Handle the batches of events and ack them. False: they were not handled, and the worker stops."""
    batches = [event.value for event in events]
    handling.set(batches[0].generation)
    prepare = getattr(app, "prepare", None)
    try:
        if prepare is not None and not await prepare([batch.values for batch in batches]):
            for event in events:  # the worker is stopping, and does not know their schemas
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
        if isinstance(exc, RihlaError):
            app.give_up(exc)
        else:
            await app.crash(exc)
        return False
    for event in events:
        event.ack()
    return True


def pause(took: float, linger: float, patience: float = PATIENCE, spacing: float = math.inf) -> float:
    """Seconds to pause after a group that took `took` seconds, before the next one that is not full is handled.

    The pause is `patience` times `took`, so that groups that are not full take at most 1 / (1 + `patience`) of the
    time: each has a fixed cost, and a slow or busy database makes it a high one. The pause is never longer than
    `linger`, which bounds the delay that it adds. It ends at the latest `spacing` seconds after the group began, so
    there is none after a group that took longer: such a group took its time for its many records, and a pause would
    only make the next one larger.
    """
    return min(linger, patience * took, max(spacing - took, 0.0))
