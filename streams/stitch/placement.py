"""Places a customer's events in journeys and cases, by the rules of docs/identity-and-journeys.md. Pure.

- Events with a booking reference form the journey (customer, reference); only they determine its span.
- A loose event belongs to the booking journey whose span, widened by 30 days on both sides, contains it; of several,
  to the one with the latest start not after the event, else to the one with the earliest start.
- The other events form visits: in order of time, events at most 30 days apart are one visit.
- A case belongs to the journey of its earliest event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from time import gmtime
from typing import Final

import msgspec

from streams.model.vocabulary import DAY_MS
from streams.stitch.case import Case
from streams.stitch.journey import Journey
from streams.stitch.summary import Loose, Summary

WIDENING_MS: Final = 30 * DAY_MS
_in_time: Final = attrgetter("at", "event_id")

Span = tuple[int, str, int]
"""(start, booking_ref, end) of a booking."""


class PlacedJourney(msgspec.Struct):
    """One journey as it is published, and what it is made of."""

    key: str
    """The journey id without its customer: a booking reference, or `visit/START-EVENT`."""
    booking_ref: str | None
    span: tuple[int, int] | None
    """First and last event with the booking reference; None for visits."""
    journey: Journey
    cases: list[Case] = []


def booking_at(spans: Sequence[Span], at: int) -> str | None:
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


@lru_cache(maxsize=4096)
def _day(number: int) -> str:
    """The date of a day since the epoch, as YYYYMMDD."""
    year, month, day, *_ = gmtime(number * 86_400)
    return f"{year:04d}{month:02d}{day:02d}"


_TWO: Final = tuple(f"{number:02d}" for number in range(60))
_THREE: Final = tuple(f"{number:03d}" for number in range(1000))


def visit_key(first: Loose) -> str:
    """The key of the visit that begins with `first`."""
    if first.visit:
        return first.visit
    # With looked-up digits instead of gmtime and formats, as every batch names visits by the hundred; without divmod,
    # which makes objects of compiled numbers.
    day, rest = first.at // DAY_MS, first.at % DAY_MS
    hour, minute, second, millis = rest // 3_600_000, rest // 60_000 % 60, rest // 1000 % 60, rest % 1000
    two = _TWO
    clock = f"{two[hour]}{two[minute]}{two[second]}.{_THREE[millis]}"
    first.visit = f"visit/{_day(day)}T{clock}Z-{first.event_id[:4].hex()}"
    return first.visit


def spans_of(bookings: Mapping[str, Journey]) -> list[Span]:
    """The spans of a customer's bookings, sorted."""
    spans = [(journey.first, ref, journey.last) for ref, journey in bookings.items()]
    if len(spans) > 1:
        spans.sort()
    return spans


def _is_in_time(loose: Sequence[Loose]) -> bool:
    """Whether events are in order of time, as they mostly come."""
    last = 0
    for event in loose:
        if event.at <= last:
            return False
        last = event.at
    return True


def placed(spans: Sequence[Span], loose: Sequence[Loose]) -> tuple[dict[str, list[Loose]], list[list[Loose]]]:
    """Where loose events belong: those of each booking, and those of each visit, all in order of time.

    Args:
        spans: those of the customer's bookings, sorted.
        loose: in any order.
    """
    if not spans and len(loose) == 1:
        return {}, [[loose[0]]]
    guests: dict[str, list[Loose]] = {}
    visits: list[list[Loose]] = []
    last = 0
    for event in loose if _is_in_time(loose) else sorted(loose, key=_in_time):
        at = event.at
        ref = booking_at(spans, at) if spans else None
        if ref is not None:
            if ref in guests:
                guests[ref].append(event)
            else:
                guests[ref] = [event]
            continue
        if visits and at - last <= WIDENING_MS:
            visits[-1].append(event)
        else:
            visits.append([event])
        last = at
    return guests, visits


def joined(booking: Journey | None, guests: Sequence[Loose]) -> Journey:
    """A booking's events, if there is one, and loose ones, as one journey. Not to be changed: it may be one of them."""
    if booking is not None and not guests:
        return booking
    whole = Journey() if booking is None else booking.copy()
    for guest in guests:
        guest.join(whole)
    return whole


def journeys_of(summary: Summary) -> list[PlacedJourney]:
    """The journeys of a customer, with their cases; the summary is not changed."""
    bookings = summary.bookings
    spans = spans_of(bookings)
    guests, unbooked = placed(spans, summary.loose)
    visits = [PlacedJourney(visit_key(members[0]), None, None, joined(None, members), []) for members in unbooked]
    journeys: dict[str, PlacedJourney] = {}
    for ref, booking in bookings.items():
        whole = joined(booking, guests.get(ref, ()))
        journeys[ref] = PlacedJourney(ref, ref, (booking.first, booking.last), whole, [])
    for case in summary.cases.values():
        owner = _journey_of_case(case, journeys, spans, visits)
        if owner is not None:
            owner.cases.append(case)
    return [*journeys.values(), *visits]


def _journey_of_case(
    case: Case, journeys: dict[str, PlacedJourney], spans: Sequence[Span], visits: list[PlacedJourney]
) -> PlacedJourney | None:
    """The journey of a case's earliest event."""
    if case.first is None:
        return None
    at, ref = case.first[0], case.first[4] or booking_at(spans, case.first[0])
    if ref is not None:
        return journeys.get(ref)
    return next((visit for visit in visits if visit.journey.first <= at <= visit.journey.last), None)
