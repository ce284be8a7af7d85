"""From a customer's summary to journeys and cases: the rules of docs/identity-and-journeys.md, pure.

- Events with a booking reference form the journey (customer, reference); its span is theirs alone.
- A loose event belongs to the booking journey whose span, widened by 30 days on both sides, contains it; of several,
  to the one with the latest start not after the event, else to the one with the earliest start.
- What is left forms visits: in order of time, events at most 30 days apart are one visit.
- A case belongs to the journey of its earliest event.
"""

from __future__ import annotations

from collections.abc import Set
from time import gmtime

import msgspec

from streams.stitch.case import Case
from streams.stitch.journey import Journey
from streams.stitch.rolling import DAY_MS
from streams.stitch.summary import Loose, Summary

WIDENING_MS = 30 * DAY_MS


class Assembled(msgspec.Struct):
    """One journey as it is published, and what it is made of."""

    key: str
    """The journey id without its customer: a booking reference, or `visit/START-EVENT`."""
    booking_ref: str | None
    span: tuple[int, int] | None
    """First and last event with the booking reference; None for visits."""
    journey: Journey
    cases: list[Case] = []


def booking_at(spans: list[tuple[int, str, int]], at: int) -> str | None:
    """The booking reference that a loose event at `at` (epoch ms) belongs to, or None.

    Args:
        spans: (start, booking_ref, end) of the customer's bookings, sorted. Of equal starts the smaller reference wins.
    """
    chosen: str | None = None
    latest = 0
    for start, ref, end in spans:
        if start - WIDENING_MS <= at <= end + WIDENING_MS:
            if start > at:
                return ref if chosen is None else chosen
            if chosen is None or start > latest:
                chosen, latest = ref, start
    return chosen


def visit_key(first: Loose) -> str:
    """The key of the visit that begins with `first`."""
    seconds, millis = divmod(first.at, 1000)
    year, month, day, hour, minute, second, *_ = gmtime(seconds)
    return (
        f"visit/{year:04d}{month:02d}{day:02d}T{hour:02d}{minute:02d}{second:02d}.{millis:03d}Z-"
        f"{first.event_id[:4].hex()}"
    )


def assemble(summary: Summary, only: Set[str] | None = None) -> list[Assembled]:
    """The journeys of a customer, with their cases.

    Args:
        summary: everything that is known of the customer; it is not changed.
        only: booking references of interest. Only where there are no loose events: then the other journeys are
            left out, because nothing of theirs can have changed.
    """
    bookings = summary.bookings
    wanted = bookings if only is None or summary.loose else only & bookings.keys()
    journeys = {
        ref: Assembled(ref, ref, (bookings[ref].first, bookings[ref].last), bookings[ref], []) for ref in wanted
    }
    spans: list[tuple[int, str, int]] = []
    visits: list[Assembled] = []
    if summary.loose:
        spans = sorted((journey.first, ref, journey.last) for ref, journey in bookings.items())
        copied: set[str] = set()
        last = 0
        for event in sorted(summary.loose, key=lambda loose: (loose.at, loose.event_id)):
            ref = booking_at(spans, event.at)
            if ref is not None:
                home = journeys[ref]
                if ref not in copied:
                    copied.add(ref)
                    home.journey = home.journey.copy()
            elif visits and event.at - last <= WIDENING_MS:
                home = visits[-1]
            else:
                home = Assembled(visit_key(event), None, None, Journey(), [])
                visits.append(home)
            if home.booking_ref is None:
                last = event.at
            home.journey.absorb(event.part)
    for case in summary.cases.values():
        owner = _journey_of_case(case, journeys, spans, visits)
        if owner is not None:
            owner.cases.append(case)
    return [*journeys.values(), *visits]


def _journey_of_case(
    case: Case, journeys: dict[str, Assembled], spans: list[tuple[int, str, int]], visits: list[Assembled]
) -> Assembled | None:
    """The journey of a case's earliest event; None when that journey is not among those of interest."""
    if case.first is None:
        return None
    at, ref = case.first[0], case.first[4] or booking_at(spans, case.first[0])
    if ref is not None:
        return journeys.get(ref)
    return next((visit for visit in visits if visit.journey.first <= at <= visit.journey.last), None)
