"""The check-in stage: the day of travel, with what goes wrong at an airport."""

from __future__ import annotations

from streams.sources.simulate.cases import BAGGAGE, open_case
from streams.sources.simulate.moments import live
from streams.sources.simulate.trip import HOUR, MINUTE, Trip
from streams.sources.simulate.world import DELAY_CODES


def check_in(trip: Trip) -> bool:
    """The whole party checks in (True); or nobody shows up, or is heard of again."""
    random, lead = trip.random, trip.lead
    departs = trip.arrival - 8 * HOUR
    if trip.chance(0.03):
        trip.report(lead, departs, "check_in.no_show", "system", unit=trip.flight)
        return False
    for traveller in trip.party:
        if traveller is lead or trip.chance(0.8):
            medium = random.choice(("app", "web", "kiosk", "in_person"))
            seat = f"{random.randint(1, 42)}{random.choice('ABCDEFHJK')}"
            at = max(departs - random.randint(70, 1200) * MINUTE, trip.booked_at + MINUTE)
            trip.report(traveller, at, "check_in.completed", medium, unit=trip.flight, seat=seat)
    if trip.last_reported == "check_in.completed" and departs <= trip.recorder.end:
        trip.unfinished()
        return False
    live(trip, "check_in", departs - 2 * HOUR, departs - 10 * MINUTE, trip.airport)
    _wait(trip, departs)
    if trip.chance(0.03):
        trip.worsen(0.4)
        open_case(trip, lead, departs + 7 * HOUR, BAGGAGE, trip.airport, text=trip.complaint(lead, "baggage"))
    if trip.chance(0.12):
        trip.report(
            lead,
            departs + 6 * HOUR,
            "check_in.survey_answered",
            "app",
            unit=trip.flight,
            survey=trip.survey("ces"),
            text=trip.text(lead, "waiting") if trip.chance(0.5) else None,
        )
    return True


def _wait(trip: Trip, departs: int) -> None:
    """Queues and delays."""
    random = trip.random
    if trip.chance(0.3):
        seconds = int(random.expovariate(1 / 900))
        at = departs - 2 * HOUR
        trip.report(trip.lead, at, "check_in.queue_waited", "in_person", unit=trip.airport, wait_seconds=seconds)
        trip.worsen(seconds / 6000)
    if trip.chance(0.2):
        minutes = 15 + int(random.expovariate(1 / 70))
        trip.report(
            trip.lead,
            departs,
            "check_in.delayed",
            random.choice(("system", "sms")),
            unit=trip.flight,
            delay_minutes=minutes,
            delay_code=random.choice(DELAY_CODES),
        )
        trip.worsen(minutes / 300)
