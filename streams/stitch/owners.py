"""Finds whose an alert is, from what stitch knows of its customer when it is raised. Pure.

It is a function of the customer's events: an event that comes later may give an alert another unit, and so a further
version.
"""

from __future__ import annotations

from collections.abc import Callable

from streams.alerts.owner import Owner, owned
from streams.alerts.signals import Signal
from streams.model.brands import Brands
from streams.model.whose import Place, both, place, whose
from streams.stitch.journey import CHANNELS
from streams.stitch.placement import booking_at, placed, spans_of
from streams.stitch.summary import Loose, Summary


class Whose:
    """The owners of one customer's alerts (streams.alerts.owner.Owners).

    whole: gives the summary of the whole customer; asked for where an alert names no unit, and once.
    """

    def __init__(self, brands: Brands, whole: Callable[[], Summary]) -> None:
        self._brands, self._load = brands, whole
        self._placed: Placed | None = None

    def __call__(self, signal: Signal) -> Owner:
        if signal.unit:
            return owned(signal.unit, "own", signal.brand, self._brands)
        if self._placed is None:
            self._placed = Placed(self._load())
        channel = signal.channel or (signal.touchpoint or "").partition(".")[0]
        places = self._placed.at(signal.booking_ref, signal.at)
        unit, basis = whose(None, channel, signal.at, places.items())
        return owned(unit, basis, signal.brand, self._brands)


class Placed:
    """The journeys of a customer with the units that their events name. summary: of the whole customer."""

    def __init__(self, summary: Summary) -> None:
        self._places = summary.places or {}
        self._units = summary.loose_units or {}
        self._spans = spans_of(summary.bookings)
        self._guests: dict[str, list[Loose]] = {}
        self._visits: list[list[Loose]] = []
        if self._units:
            self._guests, self._visits = placed(self._spans, summary.loose)

    def at(self, booking_ref: str | None, at: int) -> dict[str, Place]:
        """The units of the journey to which an event belongs.

        booking_ref, at: the event's booking reference, and when it was (epoch ms).
        """
        ref = booking_ref or booking_at(self._spans, at)
        found: dict[str, Place] = {}
        if ref is not None:
            found.update(self._places.get(ref, {}))
            members = self._guests.get(ref, [])
        else:
            members = next((some for some in self._visits if some[0].at <= at <= some[-1].at), [])
        for one in members:
            unit = self._units.get(one.event_id)
            if unit is not None and isinstance(one.channel, int):
                said = place(CHANNELS[one.channel], one.at)
                found[unit] = both(found[unit], said) if unit in found else said
        return found
