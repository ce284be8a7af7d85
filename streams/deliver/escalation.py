"""Which targets get an alert that nobody has taken, and when. Pure: it is given the time.

A step is due a given time after the alert was raised, counted continuously or in the working hours of its unit. An
answer in the meantime cancels the steps; "not mine" starts them again; a snoozed alert's steps wait for the end of the
snooze.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from streams.deliver.match import DAYS, holds_of, state_of
from streams.deliver.model import Routes, Unit
from streams.deliver.route_checks import HOURS
from streams.deliver.state import Delivery, Entry, Step, Told
from streams.model import zones
from streams.model.durations import milliseconds
from streams.model.prayer import Place, pauses
from streams.model.whose import owner_of

ESCALATING = ("alert", "incident")
"""Kinds of things that escalate."""
LOOKED_AHEAD = 400
"""Days that are searched for a unit's working hours."""
_NO_UNIT = Unit()


def steps_of(routes: Routes, thing: Mapping[str, Any], start: int) -> list[Step]:
    """The steps of an alert that has been waiting since a time (epoch ms), in order of their due times."""
    unit = routes.units.get(owner_of(thing) or "", _NO_UNIT)
    found: dict[int, dict[str, bool]] = {}
    for one in routes.escalations:
        if holds_of(one, routes, thing):
            after = milliseconds(one.after)
            assert after is not None, "checked when the routes were read"
            due = worked(start, after, unit) if one.working else start + after
            targets = found.setdefault(due, {})
            for name in one.to:
                targets[name] = targets.get(name, False) or one.identifiers
    return [Step(due, level, found[due]) for level, due in enumerate(sorted(found), 1)]


def worked(start: int, length: int, unit: Unit) -> int:
    """The time at which a unit has worked for a duration (ms) since a time (epoch ms); by the clock if it never works.

    Its days are those of its zone, so a day on which clocks are changed is an hour longer or shorter.
    """
    zone = zones.zone(unit.zone or "UTC")
    closed = {date.fromisoformat(one) for one in unit.holidays}
    first = datetime.fromtimestamp(start / 1000, UTC).astimezone(zone).date() - timedelta(days=1)
    left = length
    for number in range(LOOKED_AHEAD):
        day = first + timedelta(days=number)
        if day in closed or (unit.days is not None and DAYS[day.weekday()] not in unit.days):
            continue
        opens, closes = _hours(day, unit, zone)
        for begin, end in _between(max(opens, start), closes, _prayers(day, unit)):
            if end - begin >= left:
                return begin + left
            left -= end - begin
    return start + length


def _between(begin: int, end: int, pauses: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What is left of a time without its pauses, which are in their order."""
    for first, last in pauses:
        if first > begin:
            yield begin, min(first, end)
        begin = max(begin, last)
        if begin >= end:
            return
    if end > begin:
        yield begin, end


def _prayers(day: date, unit: Unit) -> Iterator[tuple[int, int]]:
    """When a unit prays on a day and, for nights that it works, on the next: from and until, epoch ms."""
    if unit.prayer is None or unit.latitude is None or unit.longitude is None:
        return
    length = milliseconds(unit.prayer)
    assert length is not None, "checked when the routes were read"
    place = Place(unit.latitude, unit.longitude, unit.prayer_method, unit.zone or "")
    for one in (day - timedelta(days=1), day, day + timedelta(days=1)):  # Isha may be after midnight
        yield from pauses(place, one, length)


def _hours(day: date, unit: Unit, zone: zones.ZoneInfo) -> tuple[int, int]:
    """Start and end of a unit's working hours on a day, epoch ms."""
    match = HOURS.fullmatch(unit.hours or "00:00-24:00")
    assert match is not None, "checked when the routes were read"
    begin, end = (int(match[1]) * 60 + int(match[2])), (int(match[3]) * 60 + int(match[4]))
    if end <= begin:
        end += 24 * 60  # a night ends on the next day
    return _at(day, begin, zone), _at(day, end, zone)


def _at(day: date, minutes: int, zone: zones.ZoneInfo) -> int:
    days, minute = divmod(minutes, 24 * 60)
    local = datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60), zone)
    return int(local.timestamp() * 1000)


def plan(routes: Routes, entry: Entry, kind: str, thing: Mapping[str, Any], fresh: bool, since: int) -> None:
    """Bring the steps of an entry up to date with a further version of its thing.

    fresh: whether nothing was known of it before. since: when the version was published, epoch ms.
    """
    if kind not in ESCALATING or state_of(kind, thing) != "raised":
        entry.steps, entry.waits, entry.latest = [], False, None
        return
    if not entry.waits:
        entry.steps, entry.waits = steps_of(routes, thing, thing["raised_at"] if fresh else since), True
    until = thing.get("snoozed_until") or 0
    entry.steps = [Step(max(one.due, until), one.level, one.targets) for one in entry.steps]
    entry.latest = dict(thing) if entry.steps else None


def escalate(entry: Entry, now: int) -> list[Delivery]:
    """The deliveries of the steps that are due, except to targets that have this version already."""
    found: list[Delivery] = []
    due = [one for one in entry.steps if one.due <= now]
    if not due or entry.latest is None:
        return found
    for step in due:
        for target, clear in step.targets.items():
            entry.escalated[target] = clear
            known = entry.told.get(target)
            if known is None or known.version != entry.top:
                found.append(Delivery(target, entry.top, clear, now, now, level=step.level))
                entry.told[target] = Told(entry.top, entry.digest, known.sent if known else 0)
    if found:
        entry.things[entry.top] = dict(entry.latest)
        entry.deliveries += found
    entry.steps = [one for one in entry.steps if one.due > now]
    entry.latest, entry.at = entry.latest if entry.steps else None, now
    return found
