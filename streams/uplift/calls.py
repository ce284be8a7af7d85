"""Who is called on a day, when more customers need a call than can be called. Pure.

The more urgent go first. Where those of one urgency are more than there is room for, chance decides, and the chance
that each had is logged: only so can anybody say later what calling changes. The dice are a hash of what is called about
and of the day, so that the same day, asked again, gives the same list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who needs a call. about: the alert, case or else that it is about. priority: 1 the most urgent."""

    customer_id: str
    unit: str
    action: str
    priority: int
    about: str
    language: str = ""
    case: str = ""
    """What the case is about: the touchpoint that opened it; empty: no case."""


@dataclass(frozen=True, slots=True)
class Call:
    """What was decided of a candidate. drawn: whether chance decided; propensity: of being called."""

    candidate: Candidate
    place: int
    chosen: bool
    propensity: float
    drawn: bool


def dice(about: str, day: date) -> int:
    """A number that is as good as random: 64 bits of a hash."""
    return int.from_bytes(hashlib.blake2b(f"{about}\0{day.isoformat()}".encode(), digest_size=8).digest(), "big")


def capacity_of(capacities: Mapping[str, int], unit: str) -> int:
    """How many can be called at a unit on a day: of the first pattern that fits; `*` fits all. 0 where none does."""
    return next((number for pattern, number in capacities.items() if fnmatchcase(unit, pattern)), 0)


def allocate(candidates: Iterable[Candidate], capacities: Mapping[str, int], day: date) -> list[Call]:
    """The calls of a day, by unit: each candidate once, those chosen first, in order of urgency.

    A customer who needs several calls is a candidate for the most urgent one.
    """
    best: dict[str, Candidate] = {}
    for one in sorted(candidates, key=lambda one: (one.priority, one.about, one.action)):
        best.setdefault(one.customer_id, one)
    found: list[Call] = []
    by_unit = sorted(best.values(), key=lambda one: (one.unit, one.priority, dice(one.about, day), one.about))
    for unit, waiting in groupby(by_unit, key=lambda one: one.unit):
        room, place = capacity_of(capacities, unit), 0
        for _, tied in groupby(waiting, key=lambda one: one.priority):
            some = [*tied]
            chosen = min(room, len(some))
            drawn = 0 < chosen < len(some)
            for at, one in enumerate(some):
                place += 1
                found.append(Call(one, place, at < chosen, chosen / len(some), drawn))
            room -= chosen
    return found
