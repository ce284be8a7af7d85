"""What is sent to guests by the company's own messaging system: each invitation and message once, while it may be.

For people an alert has versions, and each of them is news. A guest is written to once: of the versions of a message the
newest that may be sent is, and none after one was taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from streams.deliver.courier import Held
from streams.deliver.message import Message
from streams.deliver.model import Routes
from streams.deliver.routes import GUESTS, is_of_guests
from streams.deliver.state import DELIVERED, OPEN, WITHHELD, Entry
from streams.guest import events
from streams.guest.links import inviter
from streams.guest.quiet import open_at
from streams.loop.keys import SigningKeyError
from streams.model import company
from streams.settings import Settings, SettingsError

SENDABLE = {"invitation": "planned", "message": "approved"}
"""Kind: the status in which it is sent."""


def targets(routes: Routes, kind: str, thing: Mapping[str, Any], found: Mapping[str, bool]) -> dict[str, bool]:
    """Those of the targets that are told of this version: a target that writes to guests only of what may be sent."""
    may_go = SENDABLE.get(kind) == thing.get("status")
    return {name: clear for name, clear in found.items() if may_go or not is_of_guests(routes, name)}


def only_once(routes: Routes, entry: Entry, thing: Mapping[str, Any], now: int) -> None:
    """Withhold, after a further version was taken in, what is not to be sent to guests: all of what may not be sent any
    more, and what they have, or get in a newer version."""
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
    """How messages to guests differ from those to people: when they may go, their text, their key."""

    def __init__(self, settings: Settings, routes: Routes) -> None:
        """Raises SettingsError for a key that is none."""
        self._routes, self._guests = routes, company.load(settings.model).guests
        try:
            self._inviter = inviter(settings.survey_url, settings.link_keys)
        except SigningKeyError as error:
            raise SettingsError(f"link_keys {error}", "openssl rand -base64 32 makes one") from None

    def check(self, target: str, thing: Mapping[str, Any], now: int) -> None:
        """Raises Held for what would reach a guest in quiet hours. now: epoch ms."""
        if is_of_guests(self._routes, target) and (until := open_at(self._guests, thing["unit"], now)) > now:
            raise Held(until)

    def letter(self, target: str, told: Message, entry: Entry, thing: Mapping[str, Any]) -> Message:
        """The message to a target. Of one that writes to guests it is the guest's own text, under a key that is the
        same for all versions."""
        if not is_of_guests(self._routes, target):
            return told
        asks = self._inviter is not None and entry.kind == "invitation"
        link = self._inviter.address(thing) if asks and self._inviter is not None else None
        key, text = f"{entry.kind}.{entry.id}", str(thing["text"]).replace("{link}", link or "")
        return Message(key, {**told.fields, "key": key, "text": text, "link": link}, told.subject, text)


def sent(routes: Routes, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """The events of what guests were sent, as JSON lines have them. Made anew after a crash, they have the same ids."""
    return [
        events.sent(entry.kind, entry.things[one.version], max(one.at, entry.things[one.version]["occurred_at"]))
        for entry in entries
        for one in entry.deliveries
        if entry.kind in GUESTS and one.status == DELIVERED and is_of_guests(routes, one.target)
    ]
