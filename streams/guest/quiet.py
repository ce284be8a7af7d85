"""When a guest may be contacted: not in the quiet hours of the unit's zone. Pure.

`open_at` is the only place that decides on times of day: prayer times of a unit would be added here.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from streams.model.guests import Guests


def zone_of(guests: Guests, unit: str | None) -> ZoneInfo:
    """The time zone of a unit: that of the first pattern that matches, else the company's."""
    name = next((zone for pattern, zone in guests.zones if fnmatchcase(unit or "", pattern)), guests.zone)
    return ZoneInfo(name)


def open_at(guests: Guests, unit: str | None, at: int) -> int:
    """The first time (epoch ms), from `at` on, at which a guest of a unit may be contacted."""
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
