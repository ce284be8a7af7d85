"""What waits for one target, and when it may be sent: order, retries, circuit. Pure: it is given the time.

The versions of one thing (an alert, a case, a move) are sent one after the other, in the order in which they were
added; different things are sent concurrently, at most `together` of them. A failed attempt is repeated at growing
intervals until it is given up. When a target fails several times in a row its circuit opens: only one attempt now and
then is made, until one succeeds. Each target has a lane of its own, so none of this delays another one.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["retry", "dead"]

TRIES_TO_OPEN = 5
"""Failures in a row after which a circuit opens."""
OPEN_FIRST, OPEN_LONGEST = 5_000, 300_000
"""Milliseconds between attempts while it is open: at first, and at most."""
LONGEST_REQUEST = 3_600_000
"""Milliseconds: the longest pause that a target can ask for (Retry-After)."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often a failed delivery is tried again. Milliseconds."""

    first: int = 1_000
    longest: int = 600_000
    give_up_after: int = 259_200_000
    """Time since the record was published after which a failure is final."""

    def pause(self, attempts: int, rng: random.Random) -> int:
        """The pause before the next attempt, after at least one attempt: doubled each time, half of it random."""
        whole = min(self.longest, self.first << min(attempts - 1, 40))
        return int(whole * rng.uniform(0.5, 1.0))


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that did not succeed.

    final: another attempt would fail as well (the target refuses this very message).
    retry_after: milliseconds for which the target asked to be left alone.
    """

    detail: str
    code: int | None = None
    final: bool = False
    retry_after: int | None = None


@dataclass(slots=True, eq=False)
class Item:
    """One version of a thing for one target. Times are epoch ms."""

    partition: int
    key: bytes
    """Of the thing, whose versions are sent in order."""
    version: int
    since: int
    attempts: int = 0
    due: int = 0
    dropped: bool = False
    """It was taken out while it was being sent: its outcome is ignored."""


@dataclass(slots=True)
class _Thing:
    items: deque[Item] = field(default_factory=deque)
    under_way: bool = False


class Circuit:
    """A circuit breaker. Closed: everything may be sent. Open: nothing until `until`, then one attempt."""

    def __init__(self) -> None:
        self.failures = 0
        self.opened = 0
        """How often it has opened since it was last closed; 0: closed."""
        self.until = 0

    @property
    def is_open(self) -> bool:
        """Whether only a trial now and then is sent."""
        return self.opened > 0

    def succeeded(self) -> None:
        """Close."""
        self.failures = self.opened = self.until = 0

    def failed(self, now: int, rng: random.Random) -> None:
        """Count a failure; open after several in a row, and stay open after one more.

        What fails while it is open was under way when it opened, and says nothing new: thirty that fail at once are one
        reason to wait, not thirty.
        """
        if now < self.until:
            return
        self.failures += 1
        if self.failures >= TRIES_TO_OPEN:
            self.opened += 1
            whole = min(OPEN_LONGEST, OPEN_FIRST << min(self.opened - 1, 20))
            self.until = now + int(whole * rng.uniform(0.75, 1.0))


class Lane:
    """See the module. together: most things that are sent at once. spacing: least ms between two attempts."""

    def __init__(
        self, schedule: Schedule, together: int, rng: random.Random | None = None, spacing: float = 0.0
    ) -> None:
        self._spacing, self._next_at = spacing, 0.0
        self._schedule, self._together = schedule, together
        self._rng = rng or random.Random()
        self._things: dict[tuple[int, bytes], _Thing] = {}
        self._heap: list[tuple[int, int, Item]] = []
        self._count = 0
        self.circuit = Circuit()
        self.under_way = 0
        self._paused_until = 0

    def __len__(self) -> int:
        """The number of items that wait or are being sent."""
        return sum(len(thing.items) for thing in self._things.values())

    def add(self, item: Item) -> None:
        """Add a version, after those of the same thing that are here."""
        thing = self._things.setdefault((item.partition, item.key), _Thing())
        thing.items.append(item)
        if len(thing.items) == 1:
            self._push(item)

    def take(self, now: int) -> list[Item]:
        """The items to send now; each must end in `succeeded`, `failed` or `put_back`."""
        found: list[Item] = []
        room = 1 - self.under_way if self.circuit.is_open else self._together - self.under_way
        if now < max(self._paused_until, self.circuit.until):
            return found
        while room > 0 and self._heap and self._heap[0][0] <= now and self._next_at <= now:
            item = heapq.heappop(self._heap)[2]
            thing = self._things.get((item.partition, item.key))
            if item.dropped or thing is None or thing.under_way or thing.items[0] is not item:
                continue
            thing.under_way = True
            item.attempts += 1
            self.under_way += 1
            room -= 1
            self._next_at = max(self._next_at, now - 1000.0) + self._spacing  # a second's worth may go at once
            found.append(item)
        return found

    def wake(self) -> int | None:
        """When `take` may next return something (epoch ms); None: only after a change."""
        if not self._heap or (self.under_way >= (1 if self.circuit.is_open else self._together)):
            return None
        return max(self._heap[0][0], self._paused_until, self.circuit.until, math.ceil(self._next_at))

    def succeeded(self, item: Item) -> None:
        """Note that the target has accepted it: the next version of the thing may be sent."""
        self.under_way -= 1
        self.circuit.succeeded()
        self._next(item)

    def failed(self, item: Item, now: int, failure: Failure) -> Verdict:
        """Note a failure. "dead": it is given up, and the next version of the thing may be sent."""
        self.under_way -= 1
        if failure.retry_after is not None:
            self._paused_until = max(self._paused_until, now + min(failure.retry_after, LONGEST_REQUEST))
        elif failure.final:
            self.circuit.succeeded()  # it answers, and refuses this one
        else:
            self.circuit.failed(now, self._rng)
        if item.dropped:
            return "retry"
        if failure.final or now - item.since >= self._schedule.give_up_after:
            self._next(item)
            return "dead"
        self._wait(item, now + self._schedule.pause(item.attempts, self._rng))
        return "retry"

    def put_back(self, item: Item, due: int) -> None:
        """Note that it was not attempted: it may be from `due` on."""
        self.under_way -= 1
        item.attempts -= 1
        if not item.dropped:
            self._wait(item, due)

    def drop(self, partition: int, key: bytes | None = None) -> None:
        """Take out all of a partition, or of one thing."""
        for at in [at for at in self._things if at[0] == partition and key in (None, at[1])]:
            for item in self._things.pop(at).items:
                item.dropped = True

    def _wait(self, item: Item, due: int) -> None:
        item.due = due
        self._things[item.partition, item.key].under_way = False
        self._push(item)

    def _next(self, item: Item) -> None:
        if item.dropped:
            return
        thing = self._things[item.partition, item.key]
        thing.under_way = False
        thing.items.popleft()
        if thing.items:
            self._push(thing.items[0])
        else:
            del self._things[item.partition, item.key]

    def _push(self, item: Item) -> None:
        self._count += 1
        heapq.heappush(self._heap, (item.due, self._count, item))
