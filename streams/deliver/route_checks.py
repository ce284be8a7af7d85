"""What the keys of a file of routes may be: everything that the types of streams.deliver.model cannot say. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from urllib.parse import urlsplit

from streams.deliver import template
from streams.deliver.egress import network
from streams.deliver.mistakes import Mistake
from streams.deliver.model import AnyTarget, Email, Escalation, KafkaTopic, Report, Route, Routes, Storm, Unit, Webhook
from streams.errors import RihlaError
from streams.model.actions import ACTIONS
from streams.model.durations import EXAMPLES, milliseconds
from streams.model.prayer import LONGEST_PAUSE
from streams.model.zones import is_zone

GUESTS = frozenset({"invitation", "message"})
"""Kinds of things that are sent to guests."""
HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24):([0-5]\d)")
MATCHED = ("rules", "severities", "units", "regions", "brands", "tiers", "languages")
"""Conditions on alerts that routes, escalations and storms may have."""
_OF_UNITS = ("units", "regions", "languages")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_RESERVED = frozenset({"host", "content-length", "content-type", "authorization", "transfer-encoding", "connection"})
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")


def check(routes: Routes) -> None:
    """Raises Mistake at the first key that cannot be right."""
    if not routes.targets:
        raise Mistake(("targets",), "names nobody to tell")
    if not routes.routes and not routes.reports:
        raise Mistake(("routes",), "sends nothing anywhere")
    for at, one in enumerate(routes.egress.private):
        try:
            network(one)
        except ValueError as error:
            raise Mistake(("egress", "private", at), f"{error}: 10.1.2.3 or 10.1.0.0/16") from None
    for name, target in routes.targets.items():
        for key, problem in _of_target(name, target):
            raise Mistake(("targets", name, *([key] if key else [])), problem)
    for name, unit in routes.units.items():
        if unit.zone is not None and not is_zone(unit.zone):
            raise Mistake(("units", name, "zone"), f"{unit.zone!r} is no IANA time zone, as Asia/Riyadh is")
        for key, problem in _of_unit(unit):
            raise Mistake(("units", name, key), problem)
    for at, one_ in enumerate(routes.escalations):
        for key, problem in _of_escalation(one_, routes):
            raise Mistake(("escalations", at, key), problem)
    for at, storm in enumerate(routes.storms):
        for key, problem in _of_storm(storm):
            raise Mistake(("storms", at, key), problem)
    for at, report in enumerate(routes.reports):
        for key, problem in _of_report(report, routes):
            raise Mistake(("reports", at, key), problem)
    if not milliseconds(routes.breaches.every):
        raise Mistake(("breaches", "every"), f"{routes.breaches.every!r} is no duration such as {EXAMPLES}")
    for at, route in enumerate(routes.routes):
        for key, problem in _of_route(route, routes):
            raise Mistake(("routes", at, key), problem)


def _of_target(name: str, target: AnyTarget) -> Iterator[tuple[str, str]]:
    if not _NAME.fullmatch(name):
        yield "", "a target's name is small letters, digits and -"
    if not 1 <= target.together <= 100:
        yield "together", f"{target.together} is not between 1 and 100"
    if target.per_second is not None and not 0.01 <= target.per_second <= 1000:
        yield "per_second", f"{target.per_second:g} is not between 0.01 and 1000"
    if not milliseconds(target.timeout):
        yield "timeout", f"{target.timeout!r} is no duration such as {EXAMPLES}"
    for key in ("first", "longest", "give_up_after"):
        if not milliseconds(getattr(target.retry, key)):
            yield "retry", f"{key}: {getattr(target.retry, key)!r} is no duration such as {EXAMPLES}"
    if isinstance(target, Webhook):
        yield from _of_webhook(target)
    elif isinstance(target, Email):
        if not 0 < target.port < 65536:
            yield "port", f"{target.port} is no port"
        if (target.username is None) != (target.password_file is None):
            yield "username", "and password_file go together"
        if target.username is not None and target.security == "none":
            yield "security", "with a password it is starttls or tls"
        for key, addresses in (("sender", [target.sender]), ("to", target.to)):
            if not addresses or not all(_ADDRESS.fullmatch(one) for one in addresses):
                yield key, "is no e-mail address, or none"
    elif isinstance(target, KafkaTopic) and not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", target.topic):
        yield "topic", f"{target.topic!r} is no name of a topic"


def _of_webhook(target: Webhook) -> Iterator[tuple[str, str]]:
    if (target.url is None) == (target.url_file is None):
        yield "url", "or url_file must be given, and not both"
    elif target.url is not None and (problem := bad_url(target.url, target.insecure)):
        yield "url", problem
    if target.body is None and target.keys_file is None:
        yield "keys_file", "is needed: without a signature nobody can tell who sends (docs/deliver.md)"
    try:
        template.check(target.url)
    except RihlaError as error:
        yield "url", str(error)
    for name in target.headers:
        if not _HEADER.fullmatch(name) or name.lower() in _RESERVED or name.lower().startswith("webhook-"):
            yield "headers", f"{name!r} cannot be set here"
        elif not target.headers[name].isprintable():
            yield "headers", f"the value of {name!r} is not printable"
    if target.body is not None:
        try:
            template.check(target.body)
        except RihlaError as error:
            yield "body", str(error)


def bad_url(url: str, insecure: bool) -> str | None:
    """Why a URL cannot be the address of a target; None: it can. insecure: whether it may begin with http://."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"is no address: {error}"
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return "is no address such as https://hooks.example.com/rihla"
    if "{{" in url.partition("{{")[0] + parts.netloc:
        return "has an expression in its host: only the path may have one"
    if parts.scheme == "http" and not insecure:
        return "begins with http://: use https://, or say insecure = true"
    if parts.username is not None or parts.password is not None:
        return "holds a password: put Authorization into authorization_file"
    return "has the port 0" if port == 0 else None


def _of_route(route: Route, routes: Routes) -> Iterator[tuple[str, str]]:
    if not route.to:
        yield "to", "names no target"
    for name in route.to:
        if name not in routes.targets:
            yield "to", f"{name!r} is no target; there are {', '.join(routes.targets)}"
    if route.hours is not None and not HOURS.fullmatch(route.hours):
        yield "hours", f"{route.hours!r} is not like 08:00-20:00"
    if route.zone is not None and not is_zone(route.zone):
        yield "zone", f"{route.zone!r} is no IANA time zone, as Asia/Riyadh is"
    yield from _empty(route, (*MATCHED, "kinds", "segments", "actions", "states", "days"))
    if route.segments is not None and route.kinds != ("segment",):
        yield "segments", 'is of segments, so kinds is ["segment"]'
    if "segment" in route.kinds and not route.identifiers:
        yield "kinds", "has segment, which tells nothing without the customer: say identifiers = true"
    if route.actions is not None and route.kinds != ("next_action",):
        yield "actions", 'is of next actions, so kinds is ["next_action"]'
    for name in route.actions or ():
        if name not in ACTIONS:
            yield "actions", f"{name!r} is no next action; there are {', '.join(ACTIONS)}"
    if "next_action" in route.kinds and not route.identifiers:
        yield "kinds", "has next_action, which tells nothing without the customer: say identifiers = true"
    if "next_action" in route.kinds and any(getattr(route, key) is not None for key in _OF_UNITS):
        yield "kinds", f"has next_action, which is of a customer and no unit: {', '.join(_OF_UNITS)} do not go with it"
    guests = [name for name in route.to if is_of_guests(routes, name)]
    if guests and not {*route.kinds} <= GUESTS:
        yield "to", f"{guests[0]!r} writes to guests, so kinds is some of {', '.join(sorted(GUESTS))}"
    only_alerts = [key for key in ("rules", "severities", "brands", "tiers") if getattr(route, key) is not None]
    if only_alerts and route.kinds != ("alert",):
        yield only_alerts[0], 'is of alerts, so kinds is ["alert"]'


def is_of_guests(routes: Routes, name: str) -> bool:
    """Whether a target writes to guests."""
    target = routes.targets.get(name)
    return isinstance(target, Webhook) and target.guests


def _of_unit(unit: Unit) -> Iterator[tuple[str, str]]:
    if unit.hours is not None and not HOURS.fullmatch(unit.hours):
        yield "hours", f"{unit.hours!r} is not like 07:00-23:00"
    if unit.days == []:
        yield "days", "is empty, so that it would never work; leave it out"
    for one in unit.holidays:
        try:
            date.fromisoformat(one)
        except ValueError:
            yield "holidays", f"{one!r} is no day like 2027-03-10"
    if unit.prayer is not None:
        if not 0 < (milliseconds(unit.prayer) or 0) <= LONGEST_PAUSE:
            yield "prayer", f"{unit.prayer!r} is no duration of an hour at most, such as 20m"
        if unit.latitude is None or unit.longitude is None:
            yield "prayer", "needs latitude and longitude, by which times of prayer are reckoned"


def _of_escalation(one: Escalation, routes: Routes) -> Iterator[tuple[str, str]]:
    if not milliseconds(one.after):
        yield "after", f"{one.after!r} is no duration such as {EXAMPLES}"
    if not one.to:
        yield "to", "names no target"
    for name in one.to:
        if name not in routes.targets:
            yield "to", f"{name!r} is no target; there are {', '.join(routes.targets)}"
        elif is_of_guests(routes, name):
            yield "to", f"{name!r} writes to guests, who are told of no alert"
    yield from _empty(one, MATCHED)


def _of_report(one: Report, routes: Routes) -> Iterator[tuple[str, str]]:
    if not _NAME.fullmatch(one.name):
        yield "name", "is small letters, digits and -"
    if sum(other.name == one.name for other in routes.reports) > 1:
        yield "name", f"{one.name!r} is there twice"
    if not one.to:
        yield "to", "names no target"
    for name in one.to:
        if name not in routes.targets:
            yield "to", f"{name!r} is no target; there are {', '.join(routes.targets)}"
        elif is_of_guests(routes, name):
            yield "to", f"{name!r} writes to guests, who get no report"
    if not _TIME.fullmatch(one.at):
        yield "at", f"{one.at!r} is no time like 07:00"
    for unit in one.units:
        if not unit or "*" in unit:
            yield "units", f"{unit!r} is no unit: name each"
    if len({*one.units}) < len(one.units):
        yield "units", "names one twice"


def _of_storm(one: Storm) -> Iterator[tuple[str, str]]:
    yield from _empty(one, MATCHED)
    if one.customers < 2:
        yield "customers", f"{one.customers} is no number of many: 2 at least"
    for key in ("within", "hold", "every"):
        if milliseconds(getattr(one, key)) is None:
            yield key, f"{getattr(one, key)!r} is no duration such as {EXAMPLES}"


def _empty(one: Route | Escalation | Storm, keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    for key in keys:
        if getattr(one, key) == []:
            yield key, "is empty, so that nothing would match; leave it out"
