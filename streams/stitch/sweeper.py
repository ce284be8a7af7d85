"""Searches a worker's states for those past their retention, a slice at a time, and evicts them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from streams import metrics
from streams.kafka.changelog_table import BatchTable
from streams.model.vocabulary import DAY_MS
from streams.stitch.eviction import evict
from streams.worker.sift import is_of_record

SLICE_SECONDS = 0.004
"""Length of a slice; messages wait meanwhile."""
_BETWEEN_LOOKS = 16
"""States between looks at the clock."""
SLOTS = 1 << 22
"""Bytes of the table of subjects touched lately, one a slot. Two keys that share a slot cost nothing but a later
eviction."""


class Sweeper:
    """The evictions of one worker.

    retention: days since a customer's last event; 0: nobody is evicted. idle: seconds without any message before that
    (while old events are being loaded, everybody's last event is old). clock: monotonic seconds. unreadable: called
    with the error of a state that cannot be read; the state stays.
    """

    def __init__(
        self,
        table: BatchTable,
        retention: float,
        idle: float,
        clock: Callable[[], float] = time.monotonic,
        unreadable: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        self._unreadable = unreadable
        self._table, self._retention, self._idle, self._clock = table, int(retention * DAY_MS), idle, clock
        self._generation = -1
        self._partition, self._waiting = -1, list[bytes]()  # keys of that partition that are still to be examined
        self._begin()

    def _begin(self) -> None:
        """Start without knowing which subjects were touched before."""
        self._touched, self._earlier = bytearray(SLOTS), bytearray(SLOTS)
        self._turned, self._known = self._clock(), False
        self._waiting.clear()

    def note(self, keys: Iterable[bytes]) -> None:
        """Take note of subjects to which a message has been applied."""
        if self._retention:
            touched = self._touched
            for key in keys:
                touched[hash(key) % SLOTS] = 1

    async def sweep(self, now: int) -> None:
        """Look at the next few states; now: epoch ms. Raises OwnershipLost as the table does.

        To be called again and again, and not while a batch is being handled.
        """
        if not self._retention:
            return
        generation = self._table.app.consumer.generation
        if generation != self._generation:  # somebody else may have had the partitions, and touched what they hold
            self._generation = generation
            self._begin()
        if self._clock() - self._turned >= self._idle:
            self._touched, self._earlier = bytearray(SLOTS), self._touched
            self._turned, self._known = self._clock(), True
        if not self._known:
            return
        held = self._table.partitions_held
        if not self._waiting and held:
            following = (partition for partition in sorted(held) if partition > self._partition)
            self._partition = next(following, min(held))
            self._waiting = self._table.keys(self._partition)
        if self._partition not in held:
            self._waiting.clear()
        evicted, looked, end = 0, 0, time.perf_counter() + SLICE_SECONDS
        while self._waiting and (looked % _BETWEEN_LOOKS or time.perf_counter() < end):
            key, looked = self._waiting.pop(), looked + 1
            slot = hash(key) % SLOTS
            if self._touched[slot] or self._earlier[slot]:
                continue
            state = self._table.get(self._partition, key)
            stub = None if state is None else self._stub(state, now)
            if stub is not None:
                self._table.put(self._partition, key, stub)
                evicted += 1
        if evicted:
            await self._table.flush()
            metrics.STATE_EVICTIONS.inc(evicted)

    def _stub(self, state: bytes, now: int) -> bytes | None:
        try:
            return evict(state, now - self._retention)
        except Exception as error:
            if not is_of_record(error):
                raise
            self._unreadable(error)
            return None
