"""When a guest may be contacted: not in the quiet hours of the unit's zone, and not while people pray there. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from fnmatch import fnmatchcase

from streams.model.guests import Guests
from streams.model.prayer import pauses
from streams.model.zones import ZoneInfo, zone

_LOOKS = 20
"""More than there are prayers and nights in a row: quiet hours and prayers that leave no minute end the search."""


def zone_of(guests: Guests, unit: str | None) -> ZoneInfo:
    """The time zone of a unit: that of the first pattern that matches, else the company's."""
    if not guests.zones:
        return zone(guests.zone)
    name = next((its for pattern, its in guests.zones if fnmatchcase(unit or "", pattern)), guests.zone)
    return zone(name)


def open_at(guests: Guests, unit: str | None, at: int) -> int:
    """The first time (epoch ms), from `at` on, at which a guest of a unit may be contacted."""
    for _ in range(_LOOKS):  # a prayer may end in quiet hours, and quiet hours in a prayer
        later = _after_prayer(guests, unit, _after_quiet(guests, unit, at))
        if later == at:
            break
        at = later
    return at


def _after_prayer(guests: Guests, unit: str | None, at: int) -> int:
    place = next((place for pattern, place in guests.places if fnmatchcase(unit or "", pattern)), None)
    if not guests.prayer or place is None:
        return at
    zone = zone_of(guests, unit)
    day = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date()
    of_zone = place._replace(timezone=zone.key)
    for one in (day - timedelta(days=1), day):  # Isha may be after midnight
        at = next((end for begin, end in pauses(of_zone, one, guests.prayer) if begin <= at < end), at)
    return at


def _after_quiet(guests: Guests, unit: str | None, at: int) -> int:
    if guests.quiet is None:
        return at
    begin, end = guests.quiet
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone_of(guests, unit))
    minute = local.hour * 60 + local.minute
    if begin < end:
        if not begin <= minute < end:
            return at
        day = local.date()
    elif minute >= begin:
        day = local.date() + timedelta(days=1)
    elif minute < end:
        day = local.date()
    else:
        return at
    over = datetime.combine(day, time(end // 60, end % 60), local.tzinfo)
    return max(int(over.timestamp() * 1000), at)
