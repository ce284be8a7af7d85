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
        self._whole: Summary | None = None

    def __call__(self, signal: Signal) -> Owner:
        if signal.unit:
            return owned(signal.unit, "own", signal.brand, self._brands)
        if self._whole is None:
            self._whole = self._load()
        channel = signal.channel or (signal.touchpoint or "").partition(".")[0]
        places = places_at(self._whole, signal.booking_ref, signal.at)
        unit, basis = whose(None, channel, signal.at, places.items())
        return owned(unit, basis, signal.brand, self._brands)


def places_at(summary: Summary, booking_ref: str | None, at: int) -> dict[str, Place]:
    """The units of the journey to which an event belongs.

    Args:
        summary: of the whole customer.
        booking_ref, at: the event's booking reference, and when it was (epoch ms).
    """
    spans = spans_of(summary.bookings)
    ref = booking_ref or booking_at(spans, at)
    guests: dict[str, list[Loose]] = {}
    visits: list[list[Loose]] = []
    units = summary.loose_units or {}
    if units:
        guests, visits = placed(spans, summary.loose)
    if ref is not None:
        found = {**(summary.places or {}).get(ref, {})}
        members = guests.get(ref, [])
    else:
        found = {}
        members = next((some for some in visits if some[0].at <= at <= some[-1].at), [])
    for one in members:
        unit = units.get(one.event_id)
        if unit is not None and isinstance(one.channel, int):
            said = place(CHANNELS[one.channel], one.at)
            found[unit] = both(found[unit], said) if unit in found else said
    return found
