"""Sends what is in the lanes, and reports each outcome. Every target has a task of its own, so none waits for
another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from streams import metrics
from streams.clock import now_ms
from streams.deliver.lane import Failure, Item, Lane
from streams.deliver.message import Message
from streams.deliver.senders import Send, attempt
from streams.deliver.state import DEAD, DELIVERED, RETRYING
from streams.kafka.ownership import OwnershipLost

PUT_BACK = 500
"""Milliseconds after which a state is looked up again that could not be read while partitions moved."""
GRACE = 5.0
"""Seconds after a target's own time-out at which an attempt is cancelled in any case."""


class Held(Exception):
    """A message that may not be sent before a time. until: epoch ms."""

    def __init__(self, until: int) -> None:
        super().__init__(until)
        self.until = until


Look = Callable[[Item, str], Message | None]
"""The message of an item; None if the delivery no longer exists. Raises OwnershipLost, Held."""
Done = Callable[[Item, str, str, int | None, str | None], None]
"""Called with the outcome for an item and a target: status, code and error."""


class Courier:
    """The lanes of all targets.

    ways: the sender of each target. timeouts: seconds, by target. look, done: see Look and Done.
    """

    def __init__(
        self, lanes: Mapping[str, Lane], ways: Mapping[str, Send], timeouts: Mapping[str, float], look: Look, done: Done
    ) -> None:
        self.lanes = lanes
        self._ways, self._timeouts, self._look, self._done = ways, timeouts, look, done
        self._news = {name: asyncio.Event() for name in lanes}
        self._sending: set[asyncio.Task[None]] = set()

    def add(self, target: str, item: Item) -> None:
        """Queue an item; it is dropped if its target is no longer in the routes."""
        if target in self.lanes:
            self.lanes[target].add(item)
            self._news[target].set()

    def drop(self, partition: int, key: bytes | None = None) -> None:
        """Send nothing more of a partition, or of one thing in it."""
        for lane in self.lanes.values():
            lane.drop(partition, key)

    def export(self) -> None:
        """Bring the gauges up to date."""
        for name, lane in self.lanes.items():
            metrics.DELIVERIES_WAITING.labels(name).set(len(lane))
            metrics.DELIVERY_CIRCUIT_OPEN.labels(name).set(lane.circuit.is_open)

    async def serve(self, name: str) -> None:
        """Send the items of a target's lane, until cancelled."""
        lane, news = self.lanes[name], self._news[name]
        while True:
            now = now_ms()
            for item in lane.take(now):
                task = asyncio.ensure_future(self._send(name, lane, item))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
            wake = lane.wake()
            news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), None if wake is None else max(wake - now_ms(), 1) / 1000)

    async def stop(self) -> None:
        """Cancel what is being sent: the next worker sends it again."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _send(self, name: str, lane: Lane, item: Item) -> None:
        try:
            message = None if item.dropped else self._look(item, name)
        except OwnershipLost:
            lane.put_back(item, now_ms() + PUT_BACK)
            self._news[name].set()
            return
        except Held as held:
            lane.put_back(item, held.until)
            self._news[name].set()
            return
        except Exception as error:  # the item stays in the state, and those after it go on
            self._failed(name, lane, item, Failure(f"no message can be made of it: {type(error).__name__}", final=True))
            return
        outcome: Any = await attempt(self._ways[name], message, self._timeouts[name] + GRACE) if message else None
        if isinstance(outcome, Failure):
            self._failed(name, lane, item, outcome)
        else:
            lane.succeeded(item)
            if message is not None and not item.dropped:
                metrics.DELIVERIES.labels(name, DELIVERED).inc()
                metrics.DELIVERY_SECONDS.labels(name).observe(max(now_ms() - item.since, 0) / 1000)
                self._done(item, name, DELIVERED, outcome, None)
        self._news[name].set()

    def _failed(self, name: str, lane: Lane, item: Item, failure: Failure) -> None:
        verdict = lane.failed(item, now_ms(), failure)
        if not item.dropped:
            status = DEAD if verdict == "dead" else RETRYING
            metrics.DELIVERIES.labels(name, status).inc()
            self._done(item, name, status, failure.code, failure.detail)
        self._news[name].set()
