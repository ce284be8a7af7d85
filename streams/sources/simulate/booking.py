"""The booking stage: looking around, often before logging in; booking, changing, cancelling."""

from __future__ import annotations

from datetime import UTC, datetime

from streams.sources.simulate.cases import REFUND, open_case
from streams.sources.simulate.moments import live
from streams.sources.simulate.trip import DAY, HOUR, MINUTE, Trip

_REQUESTS = (
    ("diet", "halal"),
    ("prayer", "mat"),
    ("room", "connecting"),
    ("room", "high floor"),
    ("access", "wheelchair"),
)


def look_around(trip: Trip) -> None:
    """Searches and pages, without a booking reference; the first ones by a device that nobody has logged in on."""
    known = trip.chance(0.4)
    at = trip.looked_at
    for touchpoint in ("booking.searched", "booking.page_viewed", "booking.page_viewed", "booking.abandoned"):
        if at >= trip.booked_at or trip.chance(0.2):
            break
        ids = trip.lead.ids(trip.random, "web") if known else [trip.lead.device]
        trip.recorder.record(trip.lead, at, touchpoint, "web", ids)
        at += int(trip.random.expovariate(1.0) * DAY) + MINUTE
        known = known or trip.chance(0.3)


def book(trip: Trip) -> bool:
    """The booking and what happens to it before the journey begins. False where it was cancelled."""
    random, kind, lead = trip.random, trip.kind, trip.lead
    medium = random.choices(("web", "app", "call_centre", "partner"), (45, 25, 10, 20))[0]
    at = trip.booked_at
    if trip.chance(0.06):
        trip.report(lead, at - 5 * MINUTE, "booking.payment_failed", medium)
        trip.worsen(0.15)
    waited = 0
    if kind.pilgrimage and trip.chance(0.12):
        waited = random.randint(1, max(1, min(30, (trip.arrival - at) // DAY - 1)))
        trip.report(lead, at - 2 * MINUTE, "booking.waitlisted", medium, waiting_days=waited)
    price = random.randint(*kind.night_price) * trip.nights * len(trip.party) * 100
    arrival_date = _iso_date(trip.arrival)
    trip.recorder.record(
        lead,
        at,
        "booking.confirmed",
        medium,
        _all_names(trip, medium),
        trip.reference,
        unit=trip.hotel,
        agent_id=trip.agent() if medium == "call_centre" else None,
        money={"amount_minor": price, "currency": kind.currency},
        attributes=[{"key": "trip", "value": kind.name}],
        party_size=len(trip.party),
        nights=trip.nights,
        lead_days=(trip.arrival - at) // DAY,
        arrival_date=arrival_date,
        package=random.choice(kind.packages),
        meal_plan=random.choice(kind.meal_plans),
        room_type=random.choice(("twin", "double", "triple", "quad", "suite")),
    )
    if trip.chance(0.1):
        trip.report(lead, at + HOUR, "booking.survey_answered", "email", survey=trip.survey("ces"))
    live(trip, "booking", _between(trip, 0.02), _between(trip, 0.6), trip.hotel)
    if trip.chance(0.3):
        key, value = random.choice(_REQUESTS)
        trip.report(
            lead,
            _between(trip, 0.2),
            "booking.special_request",
            medium,
            special_requests=1,
            attributes=[{"key": key, "value": value}],
        )
    if trip.chance(0.25):
        trip.report(lead, _between(trip, 0.5), "booking.modified", medium)
    if trip.part_cancelled:
        price -= _cancel_a_part(trip, medium, price)
    if trip.last_reported == "booking.confirmed" and at <= trip.recorder.end:
        trip.unfinished()
        return False
    if trip.chance(0.12):
        cancelled_at = _between(trip, 0.6 + 0.4 * random.random())
        trip.report(lead, cancelled_at, "booking.cancelled", medium)
        if trip.chance(0.7):
            refund = {"amount_minor": -price * random.choice((5, 8, 10)) // 10, "currency": kind.currency}
            open_case(trip, lead, cancelled_at + 2 * HOUR, REFUND, trip.hotel, settlement=refund)
        return False
    return True


def _cancel_a_part(trip: Trip, medium: str, price: int) -> int:
    """The last night of all, or one traveller; the booking stands. Returns what is paid back of the price, in minor
    units.
    """
    shorter = trip.nights > 2 and trip.chance(0.5)
    share = trip.nights if shorter else len(trip.party)
    if shorter:
        trip.nights -= 1
    else:
        trip.party = trip.party[:-1]
    trip.report(
        trip.lead,
        _between(trip, 0.55),
        "booking.part_cancelled",
        medium,
        money={"amount_minor": -(price // share), "currency": trip.kind.currency},
        nights=trip.nights if shorter else None,
        party_size=len(trip.party),
    )
    return price // share


def _all_names(trip: Trip, medium: str) -> list[tuple[str, str]]:
    """Who books fills in a form: account and e-mail or telephone, and what the form was filled in on."""
    lead = trip.lead
    names = lead.ids(trip.random, medium)
    if lead.account not in names and lead.account is not None:
        names = [lead.account, *names]
    contact = lead.phone if lead.email in lead.shared or trip.chance(0.5) else lead.email
    return names if contact in names else [*names, contact]


def _between(trip: Trip, share: float) -> int:
    """A moment after booking, so far on the way to an hour before arrival."""
    return trip.booked_at + MINUTE + int((trip.arrival - HOUR - MINUTE - trip.booked_at) * share)


def _iso_date(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()
