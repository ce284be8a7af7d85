"""Times of prayer of a place on a day, offline. Pure.

The reckoning is adhanpy's, a port of Batoul Apps' adhan: the sun's position after Meeus, "Astronomical Algorithms"
(1991), the angles of the method for Fajr and Isha, Asr where a shadow is as long as its thing and its noon shadow
(Shafi, Maliki, Hanbali). Two things are added: Umm al-Qura's Isha is two hours after Maghrib in Ramadan, as Saudi
Arabia prays it, and not one and a half; and a day is that of the place's own clock.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Final, Literal, NamedTuple

from streams.model.ramadan import is_ramadan
from streams.model.zones import zone

REVISION = 1
"""Number of this reckoning: raise it where the same place and day get other times; stored ones are then made anew."""
Method = Literal[
    "umm_al_qura",
    "muslim_world_league",
    "egyptian",
    "karachi",
    "dubai",
    "moon_sighting_committee",
    "north_america",
    "kuwait",
    "qatar",
    "singapore",
]
"""How times of prayer are reckoned."""
USUAL_METHOD: Final = "muslim_world_league"
"""Of places whose method nobody has said."""
PRAYERS: Final = ("fajr", "dhuhr", "asr", "maghrib", "isha")
FRIDAY: Final = 4
LONGEST_PAUSE: Final = 3_600_000
"""Milliseconds: of a pause for prayer, at most."""
RAMADAN_ISHA = {"umm_al_qura": timedelta(minutes=30)}
"""How much later Isha is in Ramadan."""


class Place(NamedTuple):
    """Where prayers are prayed: degrees, north and east positive; a Method; an IANA time zone,
    or an empty text for UTC's days."""

    latitude: float
    longitude: float
    method: str
    timezone: str


class Times(NamedTuple):
    """The times of a day, UTC, to the minute."""

    fajr: datetime
    sunrise: datetime
    dhuhr: datetime
    asr: datetime
    maghrib: datetime
    isha: datetime


@cache
def _method(name: str) -> Any:
    from adhanpy.calculation import CalculationMethod

    return CalculationMethod[(name or USUAL_METHOD).upper()]


def times(place: Place, day: date, ramadan: bool = False) -> Times | None:
    """The times of a day by the place's clock; None where the sun does not rise or set on it.

    ramadan: whether it is a day of that month. Raises KeyError for an unknown method, ZoneInfoNotFoundError for an
    unknown time zone.
    """
    found = _of(place, day)
    if found is not None and place.timezone:
        # The library's day is the sun's over that meridian. At the date line the clock's may be the one before or
        # after.
        off = day - found.dhuhr.astimezone(zone(place.timezone or "UTC")).date()
        if off and (other := _of(place, day + off)) is not None:
            found = other
    if found is not None and ramadan and place.method in RAMADAN_ISHA:
        found = found._replace(isha=found.isha + RAMADAN_ISHA[place.method])
    return found


@lru_cache(maxsize=4096)
def pauses(place: Place, day: date, length: int) -> tuple[tuple[int, int], ...]:
    """The five prayers of a day by the place's clock, each from its time until so long (ms) after it, epoch ms, in
    their order; on Friday noon, when people gather, twice as long. None on a day on which the sun does not rise or set.

    Raises as `times` does.
    """
    found = times(place, day, is_ramadan(day))
    if found is None:
        return ()
    begun = {name: int(getattr(found, name).timestamp() * 1000) for name in PRAYERS}
    longer = {"dhuhr": 2 * length} if day.weekday() == FRIDAY else {}
    return tuple(sorted((at, at + longer.get(name, length)) for name, at in begun.items()))


def _of(place: Place, day: date) -> Times | None:
    from adhanpy.PrayerTimes import PrayerTimes

    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    try:
        found = PrayerTimes((place.latitude, place.longitude), at, _method(place.method))
    except RuntimeError:
        return None
    return Times(*(getattr(found, name) for name in Times._fields))
