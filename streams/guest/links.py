"""Links by which guests answer: signed, expiring, good for one invitation. Pure.

A token does not identify anybody: it contains the invitation's id, and what its page needs. The event of the invitation
links that id with the customer, who thereby gets the answer (streams.guest.events).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from streams.loop.keys import keys_of
from streams.loop.links import BadLink, sealed, unsealed

PURPOSE: Final = b"rihla survey 1\0"
PATH: Final = "/s/"


class Ask(msgspec.Struct, array_like=True, frozen=True):
    """The content of a token. until: epoch seconds."""

    invitation: str
    until: int
    asks: tuple[str, ...]
    language: str
    unit: str | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Ask).decode


@dataclass(frozen=True)
class Inviter:
    """Makes addresses. base: the public address of `rihla worker collect`, without a slash at the end."""

    base: str
    keys: Sequence[bytes]

    def address(self, invitation: Mapping[str, Any]) -> str:
        """The address that a guest opens. invitation: the fields of invitation.avsc."""
        asks, until = tuple(invitation["asks"]), invitation["expires_at"] // 1000
        ask = Ask(invitation["invitation_id"], until, asks, invitation["language"], invitation["unit"])
        return f"{self.base}{PATH}{sealed(_encode(ask), self.keys[0], PURPOSE)}"


def inviter(survey_url: str | None, link_keys: str | None) -> Inviter | None:
    """A maker of addresses, from the settings with these names; None without them. Raises SigningKeyError."""
    if survey_url is None or link_keys is None:
        return None
    return Inviter(survey_url.rstrip("/"), keys_of(link_keys))


def opened(text: str, keys: Sequence[bytes], now: int) -> Ask:
    """The content of a token. now: epoch ms. Raises BadLink."""
    try:
        ask = _decode(unsealed(text, keys, PURPOSE))
    except msgspec.MsgspecError:
        raise BadLink from None
    if ask.until * 1000 <= now:
        raise BadLink(expired=True)
    return ask
