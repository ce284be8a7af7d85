"""Checks that a webhook's sender knows the secret: the signature schemes of the systems that sign. Pure.

Every comparison takes constant time. A scheme that signs a time refuses requests whose time differs from now by more
than the tolerance, so that an intercepted request cannot be replayed later.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import unquote

from streams.model.digits import number_of

TOLERANCE: Final = 300.0
"""Most seconds between the signed time and now."""

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")


class BadSignature(Exception):
    """The request is refused; the message says why and does not contain the secret."""


class WrongSignature(BadSignature):
    """There is a signature with a valid time, and it does not match this body."""


@dataclass(frozen=True)
class Request:
    """The parts of a request that are checked. headers: names in lower case. query: first value of each name. target:
    path and query."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    method: str = "POST"
    target: str = "/"


@dataclass(frozen=True)
class _Digest:
    """HMAC-SHA256 of the body alone. header: has the signature, after `prefix`. hexadecimal: False means base64."""

    header: str
    prefix: str = ""
    hexadecimal: bool = True

    def check(self, request: Request, secret: bytes, now: float, tolerance: float) -> None:
        given = _header(request, self.header)
        if not given.startswith(self.prefix):
            raise BadSignature(f"{self.header} does not begin with {self.prefix}")
        _equal([given.removeprefix(self.prefix)], _mac(secret, request.body), self.hexadecimal)


def _stripe(request: Request, secret: bytes, now: float, tolerance: float) -> None:
    """Stripe-Signature: t=seconds,v1=hex[,v1=hex]; of "seconds.body"."""
    parts = [part.strip().partition("=") for part in _header(request, "stripe-signature").split(",")]
    times = [value for name, _, value in parts if name == "t"]
    moment = number_of(times[0]) if len(times) == 1 else None
    if moment is None:
        raise BadSignature("stripe-signature has no time")
    _timely(moment, now, tolerance)
    _equal([v for name, _, v in parts if name == "v1"], _mac(secret, times[0].encode() + b"." + request.body), True)


def _zendesk(request: Request, secret: bytes, now: float, tolerance: float) -> None:
    """X-Zendesk-Webhook-Signature: base64; of the time in X-Zendesk-Webhook-Signature-Timestamp and the body."""
    time = _header(request, "x-zendesk-webhook-signature-timestamp")
    try:
        moment = datetime.fromisoformat(time).timestamp()
    except (ValueError, OverflowError):
        raise BadSignature("x-zendesk-webhook-signature-timestamp is no time") from None
    _timely(moment, now, tolerance)
    given = _header(request, "x-zendesk-webhook-signature")
    _equal([given], _mac(secret, time.encode() + request.body), False)


def _hubspot(request: Request, secret: bytes, now: float, tolerance: float) -> None:
    """X-HubSpot-Signature-v3: base64; of method, URL, body, and the milliseconds in X-HubSpot-Request-Timestamp.

    The URL is the one that HubSpot called, with % escapes of RFC 3986 undone. What stands before us may have taken TLS
    off, so that both schemes are tried: the secret is in either.
    """
    time = _header(request, "x-hubspot-request-timestamp")
    moment = number_of(time)
    if moment is None:
        raise BadSignature("x-hubspot-request-timestamp is no time")
    _timely(moment / 1000, now, tolerance)
    given = _header(request, "x-hubspot-signature-v3")
    place = _header(request, "host") + request.target
    signed = [
        b"".join((request.method.encode(), f"{scheme}://{url}".encode(), request.body, time.encode()))
        for scheme in ("https", "http")
        for url in dict.fromkeys((unquote(place), place))
    ]
    for one in signed:
        with suppress(WrongSignature):
            return _equal([given], _mac(secret, one), False)
    raise WrongSignature("the signature is wrong")


def _standard(request: Request, secret: bytes, now: float, tolerance: float) -> None:
    """Standard Webhooks (Svix and others): webhook-id, webhook-timestamp, webhook-signature: v1,base64 v1,base64.

    The specification's secret is base64, with or without whsec_ in front; some senders sign with its text as it is.
    """
    name, time = _header(request, "webhook-id"), _header(request, "webhook-timestamp")
    moment = number_of(time)
    if moment is None:
        raise BadSignature("webhook-timestamp is no time")
    _timely(moment, now, tolerance)
    signed = b".".join((name.encode(), time.encode(), request.body))
    given = [one.removeprefix("v1,") for one in _header(request, "webhook-signature").split() if one.startswith("v1,")]
    for key in _keys(secret):
        with suppress(WrongSignature):
            return _equal(given, _mac(key, signed), False)
    raise WrongSignature("the signature is wrong")


def _keys(secret: bytes) -> list[bytes]:
    """The keys that a secret of Standard Webhooks may stand for."""
    packed = secret.removeprefix(b"whsec_")
    try:
        return [base64.b64decode(packed, validate=True), *([secret] if packed == secret else [])]
    except binascii.Error:
        if packed != secret:
            raise BadSignature("the secret is not base64 after whsec_") from None
        return [secret]


def _url_token(request: Request, secret: bytes, now: float, tolerance: float) -> None:
    """Mews: no signature, but a secret in the URL: ?token=..."""
    if not hmac.compare_digest(request.query.get("token", "").encode(), secret):
        raise BadSignature("the token in the URL is wrong or missing")


def challenge(query: Mapping[str, str], token: bytes) -> str:
    """The answer to Meta's verification of a webhook (GET with hub.mode, hub.verify_token, hub.challenge).

    Raises BadSignature.
    """
    given = query.get("hub.challenge", "")
    if query.get("hub.mode") != "subscribe" or not _CHALLENGE.fullmatch(given):
        raise BadSignature("hub.mode is not subscribe, or hub.challenge is none")
    if not hmac.compare_digest(query.get("hub.verify_token", "").encode(), token):
        raise BadSignature("hub.verify_token is wrong")
    return given


Scheme = Callable[[Request, bytes, float, float], None]
SCHEMES: Final[Mapping[str, Scheme]] = {
    "stripe": _stripe,
    "zendesk": _zendesk,
    "hubspot": _hubspot,
    "mews": _url_token,
    "standard-webhooks": _standard,
    "github": _Digest("x-hub-signature-256", "sha256=").check,  # and Meta's: WhatsApp Business
    "typeform": _Digest("typeform-signature", "sha256=", hexadecimal=False).check,
    "shopify": _Digest("x-shopify-hmac-sha256", hexadecimal=False).check,
    "hmac-sha256": _Digest("x-signature").check,
}
"""Name in the configuration: raises BadSignature, given the request, the secret, the clock (seconds since 1970) and the
tolerance (seconds)."""


def _header(request: Request, name: str) -> str:
    found = request.headers.get(name)
    if not found:
        raise BadSignature(f"{name} is missing")
    return found


def _mac(secret: bytes, signed: bytes) -> bytes:
    return hmac.digest(secret, signed, "sha256")


def _timely(moment: float, now: float, tolerance: float) -> None:
    if not abs(now - moment) <= tolerance:
        raise BadSignature(f"it was signed more than {tolerance:g} s ago, or the clocks differ by that")


def _equal(given: Iterable[str], expected: bytes, hexadecimal: bool) -> None:
    """Raises BadSignature unless one of some signatures is the expected one."""
    fits = False
    for one in given:
        try:
            octets = bytes.fromhex(one) if hexadecimal else base64.b64decode(one, validate=True)
        except (ValueError, binascii.Error):
            continue
        fits |= hmac.compare_digest(octets, expected)
    if not fits:
        raise WrongSignature("the signature is wrong")
