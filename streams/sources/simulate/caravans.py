"""Caravans: groups of pilgrims with buses, guides and tents, one of which may be bad. The truth is known beside them.

Each pilgrim's content is the sum of their caravan's, guide's, bus's and tent's, their family's and their own; what they
answer adds chance. Most guides, buses and tents differ a little, as they do; in most caravans one, the **culprit**,
differs a lot. Families stay together in a bus and mostly with the bus's guide and tent, so that guide, bus and tent
have to be told apart by those who are not where most of their bus are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from streams.sources.simulate.options import DAY_MS, Options
from streams.sources.simulate.recorder import Recorder

KINDS: Final = ("guide", "bus", "tent")
SEATS: Final = {"guide": 40, "bus": 45, "tent": 30}
"""People in each."""
_LEAST, _MOST = 150, 420
"""Pilgrims of a caravan."""
_DAYS: Final = 20
_ALIGNED: Final = {"guide": 0.6, "tent": 0.5}
"""How many families have the guide, and the tent, of most of their bus."""
_USUAL, _OF_CARAVANS, _OF_FAMILIES, _OF_PEOPLE, _OF_ANSWERS = 0.04, 0.1, 0.1, 0.3, 0.35
"""Standard deviations of guides, buses and tents that are no culprits, of caravans, families, pilgrims and answers."""
_BAD: Final = (0.35, 0.6)
"""How much worse a culprit is."""
_GUILTY: Final = 0.75
"""How many caravans have a culprit."""
_MOVES, _MISTAKEN, _TWICE = 0.02, 0.02, 0.05
"""How many families change the bus on the way, were never in the caravan, and were said to join twice."""

Record = dict[str, Any]


@dataclass(slots=True)
class Caravan:
    """A caravan, and what is bad in it."""

    group: str
    pilgrims: int
    culprit: tuple[str, str] | None
    """Kind and name of the culprit."""
    effect: float
    """How much worse it is, in points of sentiment."""
    starts_at: int
    effects: dict[tuple[str, str], float] = field(default_factory=dict)
    """Of each guide, bus and tent."""

    def truth(self) -> Record:
        """The record of it in the truth."""
        kind, name = self.culprit or (None, None)
        return {
            "record": "caravan",
            "group": self.group,
            "pilgrims": self.pilgrims,
            "culprit": kind,
            "name": name,
            "effect": round(self.effect, 6),
        }


def caravans(options: Options, truth: Callable[[Record], object] | None = None) -> Iterator[list[Record]]:
    """The events of each caravan, a function of the options and its number alone. truth: called with its record."""
    for number in range(options.caravans):
        random = Random(f"rihla {options.seed} caravan {number}")
        caravan = _caravan(options, random, number)
        recorder = Recorder(random, options.end_ms)
        _travel(recorder, caravan)
        if truth is not None:
            truth(caravan.truth())
        yield recorder.events


def _caravan(options: Options, random: Random, number: int) -> Caravan:
    pilgrims = random.randint(_LEAST, _MOST)
    days = max(options.days - _DAYS - 10, 1)
    starts_at = options.start_ms + random.randrange(days) * DAY_MS
    caravan = Caravan(f"CARAVAN-{options.seed}-{number:03d}", pilgrims, None, 0.0, starts_at)
    for kind in KINDS:
        for place in range(_places(kind, pilgrims)):
            caravan.effects[kind, _name(kind, place)] = random.gauss(0, _USUAL)
    if random.random() < _GUILTY:
        kind = random.choice(KINDS)
        caravan.culprit = random.choice([one for one in caravan.effects if one[0] == kind])
        caravan.effect = -random.uniform(*_BAD)
        caravan.effects[caravan.culprit] = caravan.effect
    return caravan


def _places(kind: str, pilgrims: int) -> int:
    """How many guides, buses or tents a caravan has."""
    return -(-pilgrims // SEATS[kind])


def _name(kind: str, place: int) -> str:
    return f"guide-{place + 1}" if kind == "guide" else str(place + 1)


def _travel(recorder: Recorder, caravan: Caravan) -> None:
    """Families join, until the caravan is full; then they tell how it was."""
    random, base = recorder.random, 0.2 + recorder.random.gauss(0, _OF_CARAVANS)
    places = {kind: _places(kind, caravan.pilgrims) for kind in KINDS}
    seated = 0
    while seated < caravan.pilgrims:
        size = min(random.randint(1, 5), caravan.pilgrims - seated)
        where = {"bus": _name("bus", seated * places["bus"] // caravan.pilgrims)}
        for kind in ("guide", "tent"):
            usual = seated * places[kind] // caravan.pilgrims
            place = usual if random.random() < _ALIGNED[kind] else random.randrange(places[kind])
            where[kind] = _name(kind, place)
        other = {**where, "bus": _name("bus", random.randrange(places["bus"]))}
        chance = random.random()
        moves, mistaken = chance < _MOVES, _MOVES <= chance < _MOVES + _MISTAKEN
        family = base + random.gauss(0, _OF_FAMILIES)
        for _ in range(size):
            seated += 1
            _pilgrim(recorder, caravan, seated, family, where, other if moves else None, mistaken)
    for day, touchpoint, labels in ((3, "stay.guide_met", {}), (9, "stay.group_member_lost", {"bus": "1"})):
        at = caravan.starts_at + day * DAY_MS + random.randrange(DAY_MS)
        recorder.record(None, at, touchpoint, "in_person", [("group", caravan.group)], attributes=_said(labels))


def _pilgrim(
    recorder: Recorder,
    caravan: Caravan,
    number: int,
    family: float,
    where: dict[str, str],
    later: dict[str, str] | None,
    mistaken: bool,
) -> None:
    """A pilgrim joins, moves perhaps, and answers some questions. later: where they are from the tenth day on."""
    random, start = recorder.random, caravan.starts_at
    name = ("customer", f"{caravan.group}-P{number}")
    both = [name, ("group", caravan.group)]
    own = family + random.gauss(0, _OF_PEOPLE)
    until = start + _DAYS * DAY_MS
    said = {"valid_from": _day(start), "valid_until": _day(until), "kind": "hajj", "role": "pilgrim"}
    booked = start - random.randint(1, 100) * DAY_MS
    reference = f"{caravan.group}-B{number}"
    recorder.record(None, booked, "booking.confirmed", "partner", [name], reference)
    for _ in range(2 if random.random() < _TWICE else 1):
        recorder.record(
            None, booked, "booking.group_joined", "partner", both, reference, attributes=_said(said | where)
        )
    half = start + 10 * DAY_MS
    if later is not None:
        moved = said | later | {"valid_from": _day(half)}
        recorder.record(None, half, "booking.group_joined", "partner", both, reference, attributes=_said(moved))
    if mistaken:
        recorder.record(None, booked + DAY_MS, "booking.group_withdrawn", "partner", both, reference)
    for _ in range(random.randint(1, 4)):
        at = start + random.randrange(_DAYS * DAY_MS)
        here = later if later is not None and at >= half else where
        content = own + sum(caravan.effects[kind, here[kind]] for kind in KINDS) if not mistaken else own
        answer = round(3 + 2 * (content + random.gauss(0, _OF_ANSWERS)))
        survey = {"instrument": "csat", "score": float(min(max(answer, 1), 5))}
        recorder.record(None, at, "stay.survey_answered", "app", [name], reference, survey=survey)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()


def _said(attributes: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in attributes.items()]
