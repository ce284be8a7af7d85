"""The links in messages with which people answer them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from streams.deliver.match import state_of
from streams.deliver.message import opaque
from streams.deliver.model import Routes
from streams.deliver.state import Delivery, Entry
from streams.loop.answers import octets
from streams.loop.keys import SigningKeyError
from streams.loop.links import LIFETIME_MS, Link, signer
from streams.model.whose import owner_of
from streams.settings import Settings, SettingsError

_ANSWERED = ("alert", "case", "incident", "message")
"""Kinds that people answer by link."""


class Links:
    """Makes links, where the settings `public_url` and `link_keys` are given."""

    def __init__(self, settings: Settings, routes: Routes) -> None:
        """Raises SettingsError for an invalid key."""
        self._routes = routes
        try:
            self._signer = signer(settings.public_url, settings.link_keys)
        except SigningKeyError as error:
            raise SettingsError(f"link_keys {error}", "openssl rand -base64 32 makes one") from None

    def of(self, entry: Entry, one: Delivery, thing: Mapping[str, Any], target: str) -> str | None:
        """The address at which people answer it; None for a move, for a settled thing, and where links are not set
        up."""
        if self._signer is None or entry.kind not in _ANSWERED or state_of(entry.kind, thing) == "closed":
            return None
        until = (one.since + LIFETIME_MS) // 1000  # each attempt has the same link
        unit = self._routes.units.get(owner_of(thing) or "")
        shown = opaque(entry.kind, entry.id)
        if entry.kind == "incident":  # it is answered for its first member that is open
            open_ = (member["id"] for member in thing["members"] if member["closed_at"] is None)
            shown = next(open_, thing["members"][0]["id"])
        id_ = octets(shown) if entry.kind == "message" else bytes.fromhex(shown)
        if id_ is None:
            return None
        person, language = self._routes.targets[target].person, None if unit is None else unit.language
        kinds: dict[str, Literal["case", "message"]] = {"case": "case", "message": "message"}
        kind: Literal["alert", "case", "message"] = kinds.get(entry.kind, "alert")
        return self._signer.address(Link(kind, id_, until, target, person, language))
