"""What the routes schedule: which of it is due and not yet told, and the making of it.

A report of a period is a version of one thing, its slot, whose state is in the partition of its id. So of several
workers the one that holds the partition makes it; what is durable in the state is not made again; and after a time
without a worker, or with ClickHouse away, the latest period alone is. A slot without a state (a broker that keeps
nothing, or the first start) is what cx.deliveries says, and where that says nothing, the report of the last period is
due at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from streams.deliver.courier import PUT_BACK, Held
from streams.deliver.gatherings import Told
from streams.deliver.intake import targets_for, with_version
from streams.deliver.maker import Maker
from streams.deliver.model import Routes
from streams.deliver.schedule import KIND, Slot, period_of, slots_of, version_of
from streams.deliver.state import Entry, Place, key_of
from streams.kafka.partitioner import partitions_of
from streams.model.durations import milliseconds

BREACH = "breach"
PAUSE_MS = 30_000
"""How long nothing is tried after ClickHouse did not answer."""

log = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """A report that is due. fresh: nothing is known of its slot. anew: it waits, and its document is missing."""

    slot: Slot
    place: Place
    version: int
    fresh: bool
    anew: bool


class Made(NamedTuple):
    """A version of a thing to tell of. targets: who gets it, each with whether customers are named; None: as the routes
    say. known: target -> the version that it has accepted already."""

    place: Place
    kind: str
    version: int
    thing: dict[str, Any]
    targets: dict[str, bool] | None
    known: dict[str, int]


def taken(routes: Routes, entry: Entry | None, one: Made, now: int) -> Entry | None:
    """The state of a thing with what was made; None: it has it. Pure. now: epoch ms."""
    if one.kind == KIND and one.targets is None:
        if entry is None or one.version not in entry.things:
            return None
        entry.things[one.version], entry.at = dict(one.thing), now
        return entry
    told = Told(one.place[0], one.kind, one.version, one.thing)
    targets = targets_for(routes, entry, told, now) if one.targets is None else one.targets
    if targets is None:
        return None
    wanting = {name: clear for name, clear in targets.items() if one.known.get(name, 0) < one.version}
    return with_version(routes, entry, told, wanting, now, now)


def check(thing: Mapping[str, Any], now: int) -> None:
    """Raises Held for a report whose document is missing until it is made anew. now: epoch ms."""
    if thing.get("document", b"") is None:
        raise Held(now + PUT_BACK)


class Scheduled:
    """Of one worker. maker: asks ClickHouse. partitions: of the worker's state."""

    def __init__(self, routes: Routes, maker: Maker, partitions: int, clock: Callable[[], int]) -> None:
        self._maker, self._partitions, self._clock = maker, partitions, clock
        self._places: list[tuple[Slot, Place]] = [
            (slot, (slot.partition(partitions), key_of(KIND, slot.id))) for slot in slots_of(routes)
        ]
        self._done: dict[Place, int] = {}
        """The latest version that is known to be in a state."""
        self._tells_breaches = any(BREACH in route.kinds for route in routes.routes)
        self._every = milliseconds(routes.breaches.every) or 0
        self._breaches_at = self._again_at = 0

    @property
    def has_work(self) -> bool:
        """Whether the routes schedule anything."""
        return bool(self._places) or self._tells_breaches

    def anew(self) -> None:
        """States have changed otherwise than by what was made."""
        self._done.clear()

    def wanted(self, held: frozenset[int], entry_of: Callable[[int, bytes], Entry | None]) -> list[Wanted]:
        """The reports that are due. held: partitions whose states are here."""
        now = self._clock()
        found: list[Wanted] = []
        if now < self._again_at:
            return found
        for slot, place in self._places:
            version = version_of(slot.latest(now))
            if place[0] not in held or self._done.get(place, 0) >= version:
                continue
            entry = entry_of(*place)
            if entry is not None:
                blank = [each for each, thing in entry.things.items() if thing.get("document", b"") is None]
                found += [Wanted(slot, place, each, fresh=False, anew=True) for each in blank if each < version]
                if entry.top >= version:
                    if version in blank:
                        found.append(Wanted(slot, place, version, fresh=False, anew=True))
                    self._done[place] = version
                    continue
            found.append(Wanted(slot, place, version, entry is None, anew=False))
        return found

    async def made(self, wanted: list[Wanted], held: frozenset[int]) -> list[Made]:
        """Make them, and look for breaches if it is time to. Empty, and tried again later, if ClickHouse does not
        answer."""
        now = self._clock()
        breaches = self._tells_breaches and bool(held) and now >= max(self._breaches_at, self._again_at)
        if not wanted and not breaches:
            return []
        try:
            made = await asyncio.to_thread(self._make, wanted, breaches, held, now)
        except Exception as error:  # whatever it is, alerts go on
            log.warning("reports and breaches wait: %s: %s", type(error).__name__, error)
            self._again_at = now + PAUSE_MS
            self.anew()
            return []
        if breaches:
            self._breaches_at = now + self._every
        return made

    def _make(self, wanted: list[Wanted], breaches: bool, held: frozenset[int], now: int) -> list[Made]:
        found: list[Made] = []
        known = self._maker.known(KIND, [one.slot.id for one in wanted if one.fresh])
        for slot, place, version, fresh, anew in wanted:
            targets = dict.fromkeys(slot.report.to, slot.report.identifiers)
            has = known.get(slot.id, {}) if fresh else {}
            if all(has.get(name, 0) >= version for name in targets):
                thing: dict[str, Any] = {"customer_id": "", "report_id": slot.id}  # told of already
            else:
                thing = self._maker.report(slot, period_of(slot.report.period, version), now)
            found.append(Made(place, KIND, version, thing, None if anew else targets, has))
        for breach in self._maker.breaches(now) if breaches else ():
            place = partitions_of([breach.id.encode()], self._partitions)[0], key_of(BREACH, breach.id)
            if place[0] in held:
                found.append(Made(place, BREACH, 1, breach.thing, None, {**breach.known}))
        return found
