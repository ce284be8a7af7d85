"""Messages to guests through the company's own messaging system: each invitation and message once, while allowed.

Staff are sent every version of an alert. A guest is written to once: the newest version of a message that may be sent,
and none after one was accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from streams.deliver.courier import Held
from streams.deliver.message import Message
from streams.deliver.model import Routes
from streams.deliver.route_checks import GUESTS, is_of_guests
from streams.deliver.state import DELIVERED, OPEN, WITHHELD, Entry
from streams.guest import events
from streams.guest.links import inviter
from streams.guest.quiet import open_at
from streams.loop.keys import SigningKeyError
from streams.model import company
from streams.settings import Settings, SettingsError

SENDABLE = {"invitation": "planned", "message": "approved"}
"""The status in which each kind is sent."""


def targets(routes: Routes, kind: str, thing: Mapping[str, Any], found: Mapping[str, bool]) -> dict[str, bool]:
    """The targets that get this version: those that write to guests only if it may be sent."""
    may_go = SENDABLE.get(kind) == thing.get("status")
    return {name: clear for name, clear in found.items() if may_go or not is_of_guests(routes, name)}


def only_once(routes: Routes, entry: Entry, thing: Mapping[str, Any], now: int) -> None:
    """Withhold older deliveries to guests after a further version: all of them if it may no longer be sent, else those
    that the guest has already or gets in a newer version."""
    if entry.kind not in GUESTS:
        return
    may_go = SENDABLE[entry.kind] == thing["status"]
    for name, told in entry.told.items():
        if not is_of_guests(routes, name):
            continue
        unsent = [one for one in entry.deliveries if one.target == name and one.status in OPEN]
        keep = unsent[-1] if unsent and may_go and not told.sent else None
        for one in unsent:
            if one is not keep:
                one.changed(WITHHELD, now, one.attempts)


class Writing:
    """How messages to guests differ from those to staff: permitted times, text and idempotency key."""

    def __init__(self, settings: Settings, routes: Routes) -> None:
        """Raises SettingsError for an invalid key."""
        self._routes, self._guests = routes, company.load(settings.model).guests
        try:
            self._inviter = inviter(settings.survey_url, settings.link_keys)
        except SigningKeyError as error:
            raise SettingsError(f"link_keys {error}", "openssl rand -base64 32 makes one") from None

    def check(self, target: str, thing: Mapping[str, Any], now: int) -> None:
        """Raises Held if it would reach a guest in quiet hours. now: epoch ms."""
        if is_of_guests(self._routes, target) and (until := open_at(self._guests, thing["unit"], now)) > now:
            raise Held(until)

    def letter(self, target: str, told: Message, entry: Entry, thing: Mapping[str, Any]) -> Message:
        """The message to a target. If it writes to guests, this is the guest's own text, with an idempotency key that
        is the same for all versions."""
        if not is_of_guests(self._routes, target):
            return told
        asks = self._inviter is not None and entry.kind == "invitation"
        link = self._inviter.address(thing) if asks and self._inviter is not None else None
        key, text = f"{entry.kind}.{entry.id}", str(thing["text"]).replace("{link}", link or "")
        return Message(key, {**told.fields, "key": key, "text": text, "link": link}, told.subject, text)


def sent(routes: Routes, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Events (in the form of JSON lines) of messages that guests were sent. After a crash they get the same ids
    again."""
    return [
        events.sent(entry.kind, entry.things[one.version], max(one.at, entry.things[one.version]["occurred_at"]))
        for entry in entries
        for one in entry.deliveries
        if entry.kind in GUESTS and one.status == DELIVERED and is_of_guests(routes, one.target)
    ]
