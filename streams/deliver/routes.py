"""Reads a file of routes and checks every key: an error names the file, the line and what would be valid.

Pure but for `load`, which reads the file and the secrets that it names.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from schemas.masking import learn
from streams.deliver import sign, template
from streams.deliver.egress import Network, network, refusal
from streams.deliver.lane import Schedule
from streams.deliver.model import (
    AnyTarget,
    Apprise,
    Email,
    Escalation,
    KafkaTopic,
    Log,
    Route,
    Routes,
    Slack,
    Storm,
    Teams,
    Unit,
    Webhook,
)
from streams.errors import RihlaError
from streams.model.durations import EXAMPLES, milliseconds
from streams.model.prayer import LONGEST_PAUSE
from streams.secret_files import SecretError, content_of

GUESTS = frozenset({"invitation", "message"})
"""Kinds of things that are sent to guests."""
HINT = "docs/deliver.md lists the keys; RIHLA_ROUTES names the file"
HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24):([0-5]\d)")
MATCHED = ("rules", "severities", "units", "regions", "brands", "tiers", "languages")
"""Conditions on alerts that routes, escalations and storms may have."""
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_RESERVED = frozenset({"host", "content-length", "content-type", "authorization", "transfer-encoding", "connection"})
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")


class RoutesError(RihlaError):
    """A file of routes that cannot be used; the message names the file, the line and what is wrong."""


class _Wrong(Exception):
    """An error, and the path of keys to it."""

    def __init__(self, path: tuple[str | int, ...], problem: str) -> None:
        super().__init__(problem)
        self.path, self.problem = path, problem


@dataclass(frozen=True)
class Book:
    """Checked routes. secrets: (target, key) -> content of the file that the key names."""

    routes: Routes
    source: str
    secrets: Mapping[tuple[str, str], str]

    @cached_property
    def private(self) -> tuple[Network, ...]:
        """Networks that may be connected to although they are not public."""
        return tuple(network(text) for text in self.routes.egress.private)

    def url(self, name: str) -> str:
        """The address of a target that has one."""
        target = self.routes.targets[name]
        said = target.url if isinstance(target, Webhook) else None
        return said if said is not None else self.secrets[name, "url_file"]

    def keys(self, name: str) -> list[bytes]:
        """The keys of a target's signature."""
        text = self.secrets.get((name, "keys_file"))
        return [] if text is None else sign.keys_of(text)

    def schedule(self, name: str) -> Schedule:
        """When a target's failures are tried again."""
        retry = self.routes.targets[name].retry
        return Schedule(_ms(retry.first), _ms(retry.longest), _ms(retry.give_up_after))

    def timeout(self, name: str) -> float:
        """Seconds that a target may take to answer."""
        return _ms(self.routes.targets[name].timeout) / 1000


NOBODY = Book(Routes(targets={"log": Log()}, routes=[Route(to=["log"])]), "none", {})
"""Without a file nothing is sent: alerts are lines in the worker's log."""


def load(path: str | None) -> Book:
    """The routes of a file; None: NOBODY. Raises RoutesError."""
    if path is None:
        return NOBODY
    file = Path(path)
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise RoutesError(f"routes {path}: {error.strerror}", HINT) from error
    except UnicodeDecodeError:
        raise RoutesError(f"routes {path}: a file of routes is TOML in UTF-8", HINT) from None
    routes = parse(text, path)
    secrets: dict[tuple[str, str], str] = {}
    for name, target in routes.targets.items():
        for key in target.SECRETS:
            if (said := getattr(target, key)) is not None:
                where = f"{path}:{line_of(text, ('targets', name, key))}: targets.{name}.{key}"
                try:
                    secrets[name, key] = content_of(file.parent / said, where)
                except SecretError as error:
                    raise RoutesError(
                        str(error), "name a file that holds the secret and that this user may read"
                    ) from None
                for line in secrets[name, key].splitlines():
                    learn(*_parts(line.strip()))
    book = Book(routes, path, secrets)
    for name in routes.targets:
        try:
            _check_secrets(book, name)
        except _Wrong as wrong:
            raise _told(wrong, text, path) from None
    return book


def _parts(secret: str) -> Iterator[str]:
    """Parts of the secrets that a target's answer may repeat: the whole, the word after `Bearer`, a URL's path and
    query."""
    yield secret
    yield secret.rpartition(" ")[2]
    yield secret.partition("://")[2].partition("/")[2]


def parse(text: str, source: str) -> Routes:
    """Routes of the text of a file; source: its name, for messages. Raises RoutesError at the first mistake."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise RoutesError(f"{source}:{line[1] if line else 1}: no TOML: {error}", HINT) from None
    try:
        routes = msgspec.convert(tree, Routes)
    except msgspec.ValidationError as error:
        raise _told(_of_msgspec(str(error), tree), text, source) from None
    try:
        _check(routes)
    except _Wrong as wrong:
        raise _told(wrong, text, source) from None
    return routes


def _told(wrong: _Wrong, text: str, source: str) -> RoutesError:
    where = ".".join(str(part) for part in wrong.path)
    return RoutesError(f"{source}:{line_of(text, wrong.path)}: {where or 'the file'}: {wrong.problem}", HINT)


def _of_msgspec(message: str, tree: dict[str, Any]) -> _Wrong:
    """msgspec's message in our words, and the path at its end, which does not say which entry of a table by name it
    is."""
    for group, kind in (("targets", AnyTarget), ("units", Unit)):
        tables = tree.get(group, {})
        for name, table in tables.items() if f"$.{group}[...]" in message and isinstance(tables, dict) else ():
            try:
                msgspec.convert(table, kind)
            except msgspec.ValidationError as error:
                inner = _of_msgspec(str(error), {})
                return _Wrong((group, name, *inner.path), inner.problem)
    said, _, at = message.partition(" - at `")
    path: list[str | int] = []
    for name, number in re.findall(r"\.([\w-]+)|\[(\d+|\.\.\.)\]", at.rstrip("`")):
        path.append(name if name else int(number) if number.isdigit() else "...")
    unknown = re.search(r"unknown field `(.+)`", said)
    if unknown:
        return _Wrong((*path, unknown[1]), "there is no such key here")
    return _Wrong(tuple(path), said[:1].lower() + said[1:])


def line_of(text: str, path: tuple[str | int, ...]) -> int:
    """The line (from 1) of a file to which a path of keys leads, or that of the nearest table around it."""
    best, depth = 1, 0
    here: list[str | int] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.fullmatch(r"\s*\[(\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?", line):
            parts = [part.strip().strip("\"'") for part in header[2].split(".")]
            here = list(parts)
            if header[1]:
                counts[header[2]] = counts.get(header[2], -1) + 1
                here.append(counts[header[2]])
            found: list[str | int] = here
        elif key := re.match(r"\s*([\w\"'.-]+)\s*=", line):
            found = [*here, *(part.strip("\"'") for part in key[1].split("."))]
        else:
            continue
        same = 0
        for mine, theirs in zip(found, path, strict=False):
            if mine != theirs and theirs != "...":
                break
            same += 1
        if same > depth and same == min(len(found), len(path)):
            best, depth = number, same
    return best


def _check(routes: Routes) -> None:
    if not routes.targets:
        raise _Wrong(("targets",), "names nobody to tell")
    if not routes.routes:
        raise _Wrong(("routes",), "sends nothing anywhere")
    for at, one in enumerate(routes.egress.private):
        try:
            network(one)
        except ValueError as error:
            raise _Wrong(("egress", "private", at), f"{error}: 10.1.2.3 or 10.1.0.0/16") from None
    for name, target in routes.targets.items():
        for key, problem in _of_target(name, target):
            raise _Wrong(("targets", name, *([key] if key else [])), problem)
    for name, unit in routes.units.items():
        if unit.zone is not None and not _is_zone(unit.zone):
            raise _Wrong(("units", name, "zone"), f"{unit.zone!r} is no IANA time zone, as Asia/Riyadh is")
        for key, problem in _of_unit(unit):
            raise _Wrong(("units", name, key), problem)
    for at, one_ in enumerate(routes.escalations):
        for key, problem in _of_escalation(one_, routes):
            raise _Wrong(("escalations", at, key), problem)
    for at, storm in enumerate(routes.storms):
        for key, problem in _of_storm(storm):
            raise _Wrong(("storms", at, key), problem)
    for at, route in enumerate(routes.routes):
        for key, problem in _of_route(route, routes):
            raise _Wrong(("routes", at, key), problem)


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
    elif target.url is not None and (problem := _bad_url(target.url, target.insecure)):
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


def _bad_url(url: str, insecure: bool) -> str | None:
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


def _check_secrets(book: Book, name: str) -> None:
    target = book.routes.targets[name]
    if ("url_file" in target.SECRETS) and (name, "url_file") in book.secrets and not isinstance(target, Apprise):
        assert isinstance(target, Webhook | Slack | Teams)
        if problem := _bad_url(book.secrets[name, "url_file"], target.insecure):
            raise _Wrong(("targets", name, "url_file"), f"what the file holds {problem}")
    try:
        book.keys(name)
    except sign.SigningKeyError as error:
        raise _Wrong(("targets", name, "keys_file"), f"{error}; openssl rand -base64 32 makes one") from None
    host = book_host(book, name)
    if host is not None:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return  # a name: checked when it is resolved
        if why := refusal(host, book.private):
            raise _Wrong(("targets", name), f"{why}: name it in [egress] private if that is meant")


def book_host(book: Book, name: str) -> str | None:
    """The host of a target; None if it has none of its own."""
    target = book.routes.targets[name]
    if isinstance(target, Email):
        return target.host.strip("[]")
    return urlsplit(book.url(name)).hostname if isinstance(target, Webhook | Slack | Teams) else None


def _of_route(route: Route, routes: Routes) -> Iterator[tuple[str, str]]:
    if not route.to:
        yield "to", "names no target"
    for name in route.to:
        if name not in routes.targets:
            yield "to", f"{name!r} is no target; there are {', '.join(routes.targets)}"
    if route.hours is not None and not HOURS.fullmatch(route.hours):
        yield "hours", f"{route.hours!r} is not like 08:00-20:00"
    if route.zone is not None and not _is_zone(route.zone):
        yield "zone", f"{route.zone!r} is no IANA time zone, as Asia/Riyadh is"
    yield from _empty(route, (*MATCHED, "kinds", "segments", "states", "days"))
    if route.segments is not None and route.kinds != ("segment",):
        yield "segments", 'is of segments, so kinds is ["segment"]'
    if "segment" in route.kinds and not route.identifiers:
        yield "kinds", "has segment, which tells nothing without the customer: say identifiers = true"
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


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def unknown_rules(book: Book, rules: Iterable[str]) -> list[str]:
    """Rules that routes and escalations name but that do not exist."""
    known = set(rules)
    some: list[Route | Escalation | Storm] = [*book.routes.routes, *book.routes.escalations, *book.routes.storms]
    return sorted({name for one in some for name in one.rules or () if name not in known})


def _ms(text: str) -> int:
    found = milliseconds(text)
    assert found is not None, "checked by `parse`"
    return found
