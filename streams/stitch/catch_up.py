"""Says what may be done for customers whose states an earlier version wrote, a slice of a worker's states at a time.

A version without next actions (0.2.0 and before) writes states that do not say whether any are published, and publishes
no consents in a customer's record. Such states are there after an upgrade, while old and new workers share the
partitions, and after a rollback. Every state of a partition is looked at once after it has come to this worker; those
of earlier versions get a turn without any message (streams.stitch.fold.fold_unsaid), so that the tables are complete
without an event of each customer. A state that has had its turn says so, and is not looked into again.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from streams.stitch.peek import unsaid
from streams.stitch.subject import EVICTED
from streams.worker.sift import is_of_record

EVERY = 0.25
"""Seconds between slices."""
SLICE_SECONDS = 0.05
"""Length of a slice; messages wait for one turn at most."""
AT_ONCE = 200
"""Customers of a turn."""
ASKED_BACK = 20
"""Customers of a slice who are asked back from ClickHouse. For a while they are in memory as if they were active."""

Say = Callable[[int, list[bytes]], Awaitable[None]]
"""Given a partition and keys: gives these subjects their turn, and publishes what follows."""


@dataclass(slots=True)
class _Left:
    """What is left of a partition. read: what the table has read of it."""

    read: object
    keys: list[bytes]
    """Of states not looked at yet."""
    evicted: list[bytes] = field(default_factory=list)
    """Of those that are to be asked back."""


class States(Protocol):
    """The states of a worker, as `BatchTable` has them."""

    @property
    def partitions_held(self) -> frozenset[int]:
        """Partitions whose states are here."""

    def reading(self, partition: int) -> object:
        """What has been read of a partition: another object after it came anew."""

    def keys(self, partition: int) -> list[bytes]:
        """Of all states of a partition."""

    def get(self, partition: int, key: bytes) -> bytes | None:
        """An encoded state."""


class CatchUp:
    """Those of one worker. unreadable: called with the error of a state that cannot be read, which is passed over."""

    def __init__(
        self,
        table: States,
        say: Say,
        unreadable: Callable[[BaseException], None] = lambda error: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """clock: in seconds."""
        self._table, self._say, self._unreadable, self._clock = table, say, unreadable, clock
        self._left: dict[int, _Left] = {}

    @property
    def pending(self) -> int:
        """States that have not been looked at yet, or asked back, as far as partitions are known."""
        return sum(len(left.keys) + len(left.evicted) for left in self._left.values())

    async def step(self) -> None:
        """A slice. Raises OwnershipLost as the table does, and what `say` raises; what was to be said is then left."""
        end, held = self._clock() + SLICE_SECONDS, self._table.partitions_held
        self._left = {partition: left for partition, left in self._left.items() if partition in held}
        for partition in sorted(held):
            left = self._of(partition)
            while left.keys and self._clock() < end:
                here = self._unsaid(partition, left)
                await self._say_all(partition, here, left.keys)
        for partition, left in self._left.items():
            if left.evicted and not left.keys:
                some = left.evicted[-ASKED_BACK:]
                del left.evicted[-ASKED_BACK:]
                await self._say_all(partition, some, left.evicted)
                break

    async def _say_all(self, partition: int, keys: list[bytes], otherwise: list[bytes]) -> None:
        """Give subjects their turn; where that raises, they are put back."""
        try:
            if keys:
                await self._say(partition, keys)
        except BaseException:
            otherwise += keys
            raise

    def _of(self, partition: int) -> _Left:
        """What is left of a partition: everything where somebody else may have written states since."""
        read = self._table.reading(partition)
        known = self._left.get(partition)
        if known is None or known.read is not read:
            known = self._left[partition] = _Left(read, self._table.keys(partition))
        return known

    def _unsaid(self, partition: int, left: _Left) -> list[bytes]:
        """Look at the next states: those that have their turn now."""
        here: list[bytes] = []
        for key in left.keys[-AT_ONCE:]:
            presence = self._presence(partition, key)
            if presence is not None:
                (left.evicted if presence == EVICTED else here).append(key)
        del left.keys[-AT_ONCE:]
        return here

    def _presence(self, partition: int, key: bytes) -> int | None:
        state = self._table.get(partition, key)
        if state is None:
            return None
        try:
            return unsaid(state)
        except Exception as error:
            if not is_of_record(error):
                raise
            self._unreadable(error)
            return None
