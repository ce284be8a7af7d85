"""The stay stage: arrival, what is asked for and complained of, the feedback card on the desk, departure."""

from __future__ import annotations

from streams.sources.simulate.cases import HALAL, STAY, open_case
from streams.sources.simulate.moments import live
from streams.sources.simulate.trip import DAY, HOUR, MINUTE, Trip


def stay(trip: Trip) -> bool:
    """Everything from the arrival at the hotel to the departure from it. False where nobody reports the departure."""
    random, lead, hotel = trip.random, trip.lead, trip.hotel
    for traveller in trip.party:
        if traveller is lead or trip.chance(0.5):
            at = trip.arrival + random.randint(0, 40) * MINUTE
            trip.report(traveller, at, "stay.arrived", "in_person", unit=hotel, agent_id=trip.agent())
    live(trip, "stay", trip.arrival + HOUR, trip.departure - HOUR, hotel)
    if trip.chance(0.03):
        text = trip.complaint(lead, "halal_food")
        trip.worsen(0.6)
        open_case(trip, lead, _during(trip), HALAL, hotel, text=text, facility="restaurant")
    if trip.chance(0.05 if trip.mood > 0 else 0.25):
        who = random.choice(trip.party)
        text = trip.complaint(who, random.choice(trip.kind.aspects))
        open_case(trip, who, _during(trip), STAY, hotel, text=text)
    if trip.chance(0.2):
        trip.report(
            random.choice(trip.party),
            _during(trip),
            "stay.survey_answered",
            "app",
            unit=hotel,
            survey=trip.survey("csat"),
            text=trip.text(lead) if trip.chance(0.6) else None,
        )
    if trip.chance(0.06):
        # A card with the reservation number printed on it, and no name.
        answer = trip.survey("stars")
        trip.report_unnamed(
            _during(trip), "stay.survey_answered", "letter", unit=hotel, survey=answer, text=trip.text(lead)
        )
    if trip.last_reported == "stay.arrived" and trip.arrival + HOUR <= trip.recorder.end:
        trip.unfinished()
        return False
    extras = {"amount_minor": random.randint(500, 40_000), "currency": trip.kind.currency} if trip.chance(0.4) else None
    trip.report(lead, trip.departure, "stay.checked_out", "in_person", unit=hotel, money=extras)
    return True


def _during(trip: Trip) -> int:
    latest = trip.departure - HOUR
    return trip.random.randint(min(trip.arrival + 3 * HOUR, latest), max(latest, trip.arrival + DAY // 4))
