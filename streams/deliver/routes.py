"""Reads a file of routes, with its secrets: an error names the file, the line and what would be valid.

Pure but for `load`, which reads the file and the secrets that it names.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from schemas.masking import learn
from streams.deliver import sign
from streams.deliver.egress import Network, network, refusal
from streams.deliver.lane import Schedule
from streams.deliver.mistakes import Mistake, of_msgspec
from streams.deliver.model import (
    Apprise,
    Email,
    Escalation,
    Log,
    Route,
    Routes,
    Slack,
    Storm,
    Teams,
    Webhook,
)
from streams.deliver.route_checks import bad_url, check
from streams.errors import RihlaError
from streams.model.durations import milliseconds
from streams.model.places import line_of
from streams.secret_files import SecretError, content_of

HINT = "docs/deliver.md lists the keys; RIHLA_ROUTES names the file"


class RoutesError(RihlaError):
    """A file of routes that cannot be used; the message names the file, the line and what is wrong."""


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
        except Mistake as wrong:
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
        raise _told(of_msgspec(str(error), tree), text, source) from None
    try:
        check(routes)
    except Mistake as wrong:
        raise _told(wrong, text, source) from None
    return routes


def _told(wrong: Mistake, text: str, source: str) -> RoutesError:
    where = ".".join(str(part) for part in wrong.path)
    return RoutesError(f"{source}:{line_of(text, wrong.path)}: {where or 'the file'}: {wrong.problem}", HINT)


def _check_secrets(book: Book, name: str) -> None:
    target = book.routes.targets[name]
    if ("url_file" in target.SECRETS) and (name, "url_file") in book.secrets and not isinstance(target, Apprise):
        assert isinstance(target, Webhook | Slack | Teams)
        if problem := bad_url(book.secrets[name, "url_file"], target.insecure):
            raise Mistake(("targets", name, "url_file"), f"what the file holds {problem}")
    try:
        book.keys(name)
    except sign.SigningKeyError as error:
        raise Mistake(("targets", name, "keys_file"), f"{error}; openssl rand -base64 32 makes one") from None
    host = book_host(book, name)
    if host is not None:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return  # a name: checked when it is resolved
        if why := refusal(host, book.private):
            raise Mistake(("targets", name), f"{why}: name it in [egress] private if that is meant")


def book_host(book: Book, name: str) -> str | None:
    """The host of a target; None if it has none of its own."""
    target = book.routes.targets[name]
    if isinstance(target, Email):
        return target.host.strip("[]")
    return urlsplit(book.url(name)).hostname if isinstance(target, Webhook | Slack | Teams) else None


def unknown_rules(book: Book, rules: Iterable[str]) -> list[str]:
    """Rules that routes and escalations name but that do not exist."""
    known = set(rules)
    some: list[Route | Escalation | Storm] = [*book.routes.routes, *book.routes.escalations, *book.routes.storms]
    return sorted({name for one in some for name in one.rules or () if name not in known})


def _ms(text: str) -> int:
    found = milliseconds(text)
    assert found is not None, "checked by `parse`"
    return found
