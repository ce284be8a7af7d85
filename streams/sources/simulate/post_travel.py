"""The post-travel stage: reviews, surveys, complaints, recommendations. Much of it names no booking."""

from __future__ import annotations

from typing import Any

from streams.sources.simulate.cases import AFTERWARDS, LOST_ITEM, open_case
from streams.sources.simulate.moments import live
from streams.sources.simulate.people import Person
from streams.sources.simulate.trip import DAY, HOUR, Trip

_PLATFORMS = ("tripadvisor", "google", "halalbooking", "x", "instagram")


def look_back(trip: Trip) -> None:
    """What they say in the weeks after the journey."""
    random, lead, home = trip.random, trip.lead, trip.departure + 10 * HOUR
    live(trip, "post_travel", home, home + 10 * DAY, trip.hotel)
    for traveller in trip.party:
        if trip.chance(0.35):
            text = trip.text(traveller) if trip.chance(0.5) else None
            at = home + int(random.expovariate(1 / 3) * DAY)
            _say(trip, traveller, at, "post_travel.nps_answered", "email", survey=trip.survey("nps"), text=text)
    if trip.chance(0.2):
        _say(trip, lead, home + 2 * DAY, "post_travel.csat_answered", "email", survey=trip.survey("csat"))
    if trip.chance(0.15 + 0.2 * abs(trip.mood)):
        aspects = random.sample(sorted(set(trip.kind.aspects)), 2)
        _say(
            trip,
            lead,
            home + random.randint(1, 20) * DAY,
            "post_travel.review_posted",
            "social",
            unit=trip.hotel,
            survey=trip.survey("stars"),
            text=trip.text(lead, *aspects),
            platform=random.choice(_PLATFORMS),
            reach=int(random.paretovariate(0.8) * 50) % 1_000_000,
            aspect_ratings=[{"aspect": aspect, "rating": trip.survey("stars")["score"]} for aspect in aspects],
        )
    if trip.chance(0.02 if trip.mood > 0 else 0.15):
        text = trip.complaint(lead, random.choice(("price", "baggage", "delay")))
        open_case(trip, lead, home + 2 * DAY, AFTERWARDS, trip.hotel, text=text)
        if trip.chance(0.4):
            _say(trip, lead, home + 25 * DAY, "post_travel.improvement_told", "email")
    if trip.chance(0.03):
        open_case(trip, lead, home + DAY, LOST_ITEM, trip.hotel)
    if trip.mood > 0.3 and trip.chance(0.2):
        _say(trip, lead, home + 6 * DAY, "post_travel.referral_made", "app")


def _say(trip: Trip, who: Person, at: int, touchpoint: str, medium: str, **fields: Any) -> None:
    report = trip.report if trip.chance(0.5) else trip.report_loose
    report(who, at, touchpoint, medium, **fields)
