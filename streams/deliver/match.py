"""Which targets the routes choose for a thing. Pure: it is given the time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from streams.deliver.model import Escalation, Route, Routes, Storm, Unit
from streams.deliver.route_checks import HOURS
from streams.model import zones
from streams.model.whose import owner_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NO_UNIT = Unit()

Fields = Mapping[str, Any]


def state_of(kind: str, thing: Fields) -> str:
    """The state of a thing: raised, acknowledged or closed; for a segment, entered or left; for next
    actions, proposed or withdrawn. A planned invitation and a
    draft count as raised, an approved message as acknowledged."""
    if kind in ("alert", "incident"):
        closed, seen = thing["closed_at"] is not None, thing["acknowledged_at"] is not None
    elif kind == "case":
        closed = thing["status"] == "resolved" or bool(thing["withdrawn"])
        seen = thing["first_response_at"] is not None
    elif kind in ("invitation", "message"):
        closed, seen = thing["status"] not in ("planned", "draft", "approved"), thing["status"] == "approved"
    elif kind == "segment":
        return "entered" if thing["member"] else "left"
    elif kind == "next_action":
        return "proposed" if thing["actions"] else "withdrawn"
    else:
        closed = seen = False
    return "closed" if closed else "acknowledged" if seen else "raised"


def targets_of(routes: Routes, kind: str, thing: Fields, now: int, told: Collection[str] = ()) -> dict[str, bool]:
    """Names of the targets that get this version of a thing, each with whether the message may contain identifiers.

    now: epoch ms. told: targets that got an earlier version: they get this one at any hour.
    """
    found: dict[str, bool] = {}
    for route in routes.routes:
        if not _holds(route, routes, kind, thing):
            continue
        open_ = is_open(route, routes.units.get(owner_of(thing) or "", _NO_UNIT), now)
        for name in route.to:
            if (open_ or name in told) and (name in told or _has_action(route, kind, thing)):
                found[name] = found.get(name, False) or route.identifiers
    return found


def _holds(route: Route, routes: Routes, kind: str, thing: Fields) -> bool:
    told_as = "alert" if kind == "incident" else kind
    if told_as not in route.kinds or not holds_of(route, routes, thing):
        return False
    if route.segments is not None and thing.get("segment") not in route.segments:
        return False
    return route.states is None or state_of(kind, thing) in route.states


def _has_action(route: Route, kind: str, thing: Fields) -> bool:
    """Whether a thing is news to who was never told of it: of next actions, one of those that the route names."""
    if kind != "next_action":
        return True
    return any(route.actions is None or one["action"] in route.actions for one in thing["actions"])


def holds_of(route: Route | Escalation | Storm, routes: Routes, thing: Fields) -> bool:
    """Whether a thing matches what a route, an escalation or a storm says of rule, severity, unit (that of its owner),
    brand, tier, region and language."""
    if route.rules is not None and thing.get("rule") not in route.rules:
        return False
    if route.severities is not None and thing.get("severity") not in route.severities:
        return False
    if route.brands is not None and thing.get("brand") not in route.brands:
        return False
    if route.tiers is not None and thing.get("tier") not in route.tiers:
        return False
    unit = owner_of(thing)
    if route.regions is not None and routes.units.get(unit or "", _NO_UNIT).region not in route.regions:
        return False
    if route.units is not None and not any(fnmatchcase(unit or "", pattern) for pattern in route.units):
        return False
    return route.languages is None or routes.units.get(unit or "", _NO_UNIT).language in route.languages


def is_open(route: Route, unit: Unit, now: int) -> bool:
    """Whether a time (epoch ms) is within the hours and days of a route, in its zone, the unit's, or UTC."""
    if route.hours is None and route.days is None:
        return True
    zone = zones.zone(route.zone or unit.zone or "UTC")
    local = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone)
    begins = local
    if route.hours is not None:
        match = HOURS.fullmatch(route.hours)
        assert match is not None, "checked when the routes were read"
        start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        minute = local.hour * 60 + local.minute
        if start < end:
            if not start <= minute < end:
                return False
        elif end <= minute < start:
            return False
        elif minute < end:
            begins = local - timedelta(days=1)  # the night that began yesterday
    return route.days is None or DAYS[begins.weekday()] in route.days
