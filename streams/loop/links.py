"""Links by which people answer alerts and cases, and approve messages: signed, expiring, good for one thing. Pure.

A link names no customer: it says what kind of thing it is about, the thing's id (of a case a hash), who was sent it, in
which language, and until when it holds. Its holder may see and answer that one thing, as with any magic link, and
nothing else; so it goes only where the alert itself may go.

The token is `CONTENT.SIGNATURE` in base64url: HMAC-SHA256 over the purpose and the content. The first key signs, each
of the keys is accepted, so that a key is changed by putting the new one in front (streams.loop.keys).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from streams.loop.keys import keys_of

PURPOSE: Final = b"rihla answer 1\0"
"""What such a token is good for: the signature of a token for anything else is another one."""
LIFETIME_MS: Final = 7 * 86_400_000
LONGEST: Final = 1024
"""Characters of a token."""
PATH: Final = "/a/"


class BadLink(Exception):
    """A token that opens nothing. expired: it was good once."""

    def __init__(self, expired: bool = False) -> None:
        super().__init__("expired" if expired else "not genuine")
        self.expired = expired


class Link(msgspec.Struct, array_like=True, frozen=True):
    """What a token says. until: epoch seconds."""

    kind: Literal["alert", "case", "message"]
    id: bytes
    """The id of an alert or a message, or the hash that stands for a case."""
    until: int
    sent_to: str
    """Whom it was sent to: the target's name."""
    person: str | None = None
    """Who answers, where it is one person's; None: the page asks."""
    language: str | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Link).decode


@dataclass(frozen=True)
class Signer:
    """Makes addresses. base: the public address of `rihla worker serve`, without a stroke at the end."""

    base: str
    keys: Sequence[bytes]

    def address(self, link: Link) -> str:
        """The address that a person opens."""
        return f"{self.base}{PATH}{token(link, self.keys[0])}"


def signer(public_url: str | None, link_keys: str | None) -> Signer | None:
    """What signs links, by the settings of these names; None where there are no links. Raises SigningKeyError."""
    if public_url is None or link_keys is None:
        return None
    return Signer(public_url.rstrip("/"), keys_of(link_keys))


def token(link: Link, key: bytes) -> str:
    """The token of a link."""
    return sealed(_encode(link), key, PURPOSE)


def opened(text: str, keys: Sequence[bytes], now: int) -> Link:
    """What a token says. now: epoch ms. Raises BadLink."""
    try:
        link = _decode(unsealed(text, keys, PURPOSE))
    except msgspec.MsgspecError:
        raise BadLink from None
    if link.until * 1000 <= now:
        raise BadLink(expired=True)
    return link


def sealed(content: bytes, key: bytes, purpose: bytes) -> str:
    """A token that says something (in the clear), for one purpose."""
    return f"{_text(content)}.{_text(_signature(content, key, purpose))}"


def unsealed(text: str, keys: Sequence[bytes], purpose: bytes) -> bytes:
    """What a genuine token of a purpose says. Raises BadLink."""
    content, _, signature = text.partition(".")
    if len(text) > LONGEST:
        raise BadLink
    try:
        said, given = _octets(content), _octets(signature)
    except (binascii.Error, ValueError):
        raise BadLink from None
    if not any(hmac.compare_digest(_signature(said, key, purpose), given) for key in keys):
        raise BadLink
    return said


def _signature(content: bytes, key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, purpose + content, hashlib.sha256)


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _octets(text: str) -> bytes:
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
