"""Finds whose an alert, a move or a case is, from what stitch knows of its customer. Pure.

It is a function of the customer's events: an event that comes later may give an alert or a case another unit, and so a
further version. A move keeps the one that it was published with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from streams.alerts.moves import Move
from streams.alerts.owner import Owner, owned
from streams.alerts.signals import Signal
from streams.model.brands import Brands
from streams.model.whose import Place, both, place, whose
from streams.stitch.case import Case
from streams.stitch.journey import CHANNELS
from streams.stitch.placement import booking_at, placed, spans_of, visit_key
from streams.stitch.summary import Loose, Summary

NO_BRANDS: Final = Brands({})
EVER: Final = 7_258_118_400_000
"""2200-01-01, epoch ms: when a case was that has no time of its own."""
Attributed = tuple[str | None, str]
"""A unit and its basis (streams.model.whose)."""


class Whose:
    """The owners of one customer's alerts (streams.alerts.owner.Owners) and moves.

    whole: gives the summary of the whole customer; asked for where an alert names no unit, and once.
    """

    def __init__(self, brands: Brands, whole: Callable[[], Summary]) -> None:
        self._brands, self._load = brands, whole
        self._placed: Placed | None = None

    def __call__(self, signal: Signal) -> Owner:
        if signal.unit:
            return owned(signal.unit, "own", signal.brand, self._brands)
        channel = signal.channel or (signal.touchpoint or "").partition(".")[0]
        unit, basis = self._attributed(channel, signal.booking_ref, signal.at)
        return owned(unit, basis, signal.brand, self._brands)

    def of_move(self, move: Move, brand: str | None) -> Owner:
        """The owner of a move. brand: that which the attribute of its event names."""
        _, _, at, _, touchpoint, unit, booking_ref, _, _ = move
        found = (unit, "own") if unit else self._attributed(touchpoint.partition(".")[0], booking_ref, at)
        return owned(*found, brand, self._brands)

    def _attributed(self, channel: str, booking_ref: str | None, at: int) -> Attributed:
        if self._placed is None:
            self._placed = Placed(self._load())
        return whose(None, channel, at, self._placed.at(booking_ref, at).items())


class Placed:
    """The journeys of a customer with the units that their events name. summary: of the whole customer."""

    def __init__(self, summary: Summary) -> None:
        self._places: dict[str, dict[str, Place]] = summary.places or {}
        self._units: dict[bytes, str] = summary.loose_units or {}
        self._bookings = summary.bookings
        self._guests: dict[str, list[Loose]] = {}
        self._visits: list[list[Loose]] = []
        if self._units:
            self._guests, self._visits = placed(spans_of(self._bookings), summary.loose)

    def at(self, booking_ref: str | None, at: int) -> dict[str, Place]:
        """The units of the journey to which an event belongs.

        booking_ref, at: the event's booking reference, and when it was (epoch ms).
        """
        ref = booking_ref or booking_at(spans_of(self._bookings), at)
        if ref is not None and not self._units:
            return self._places.get(ref, {})
        if ref is not None:
            return _together([self._places.get(ref, {})], self._guests.get(ref, []), self._units)
        members = next((some for some in self._visits if some[0].at <= at <= some[-1].at), [])
        return _together([], members, self._units)


def of_cases(
    cases: Mapping[str, Case],
    homes: Mapping[str, str | None],
    members: Mapping[str, Sequence[Loose]],
    summaries: Sequence[Summary],
) -> dict[str, Attributed]:
    """The units of those of a customer's cases that name none themselves; one of which nothing is known is left out.

    Args:
        homes: case -> key of its journey.
        members: key of a journey -> its loose events.
        summaries: of the customer, and of its parts.
    """
    found: dict[str, Attributed] = {}
    for case_id, case in cases.items():
        if case.first is None or case.first[3]:
            continue
        key = homes.get(case_id)
        if key is None:
            continue
        units: dict[bytes, str] = {}
        for one in summaries:
            units.update(one.loose_units or {})
        placed_there = _together([(one.places or {}).get(key, {}) for one in summaries], members.get(key, ()), units)
        at = case.opened or case.responded or case.resolved or case.reopened or EVER
        found[case_id] = whose(None, case.first[2].partition(".")[0], at, placed_there.items())
    return found


def units_of_cases(summary: Summary, homes: Mapping[str, str | None]) -> dict[str, Attributed]:
    """The same of the summary of a whole customer."""
    if not any(case.first is not None and not case.first[3] for case in summary.cases.values()):
        return {}
    guests, visits = placed(spans_of(summary.bookings), summary.loose)
    members = {**guests, **{visit_key(some[0]): some for some in visits}}
    return of_cases(summary.cases, homes, members, [summary])


def owner_of_case(case: Case, attributed: Attributed | None, brands: Brands) -> Owner:
    """Who has to act on a case. attributed: of one that names no unit, its entry in `of_cases`."""
    unit = None if case.first is None else case.first[3]
    found = (unit, "own") if unit else attributed or (None, "none")
    return owned(*found, case.brand, brands)


def _together(
    places: Iterable[Mapping[str, Place]], members: Iterable[Loose], units: Mapping[bytes, str]
) -> dict[str, Place]:
    """The units of one journey: those that events with its reference name, and those of its loose events."""
    found: dict[str, Place] = {}
    for some in places:
        for unit, said in some.items():
            found[unit] = both(found[unit], said) if unit in found else said
    for one in members:
        named = units.get(one.event_id)
        if named is not None and isinstance(one.channel, int):
            said = place(CHANNELS[one.channel], one.at)
            found[named] = both(found[named], said) if named in found else said
    return found
