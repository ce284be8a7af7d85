"""Consent, by purpose and channel. Pure.

`CHANNEL.consent_given` and `CHANNEL.consent_withdrawn` are events like all else; their attributes say for which
`purpose` (survey, follow_up, marketing ...), by which `channel` (email, sms, chat ...) and by which `source` (a form, a
desk, a call). What holds is a function of the set of events: of those that are about a purpose and a channel, the
latest by (occurred_at, event_id).

A withdrawal that names no purpose, or no channel, is of all of them. Consent that names no purpose is none: consent is
specific (Regulation (EU) 2016/679, article 4(11)).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final, NamedTuple

from schemas.records import CHANNELS

ANY: Final = "any"
"""All purposes, or all channels."""
SURVEY, FOLLOW_UP = "survey", "follow_up"
"""The purposes of what Rihla itself has sent: invitations to answer, and answers to complaints."""
TOUCHPOINTS: Final[Mapping[str, bool]] = {
    f"{channel}.consent_{what}": what == "given" for channel in CHANNELS for what in ("given", "withdrawn")
}
"""Touchpoint: whether it gives consent."""
LONGEST: Final = 40
"""Characters of a purpose or a channel that tell it from others."""
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)  # and no others: ClickHouse's `lower` does the same
_ALL = frozenset({"", "*", "all", ANY})


class Said(NamedTuple):
    """What an event says of consent. at: epoch ms."""

    purpose: str
    channel: str
    given: bool
    at: int
    event_id: bytes


def said(touchpoint: str, at: int, event_id: bytes, attributes: Iterable[Mapping[str, Any]]) -> Said:
    """What the event of one of TOUCHPOINTS says. attributes: records of key and value, as of an interaction."""
    named = {one["key"]: str(one["value"]) for one in attributes}
    return Said(word(named.get("purpose", "")), word(named.get("channel", "")), TOUCHPOINTS[touchpoint], at, event_id)


def word(text: str) -> str:
    """A purpose or a channel as it is compared."""
    short = text.strip(" ").translate(_LOWER)[:LONGEST]
    return ANY if short in _ALL else short


def is_allowed(every: Iterable[Said], purpose: str, channel: str, unsaid: bool) -> bool:
    """Whether a customer may be written to.

    every: what was said, in any order. unsaid: whether one may be who has said nothing about it.
    """
    about = [one for one in every if _covers(one, purpose, channel)]
    return max(about, key=lambda one: (one.at, one.event_id)).given if about else unsaid


def _covers(one: Said, purpose: str, channel: str) -> bool:
    if one.given and one.purpose == ANY:
        return False
    return one.purpose in (purpose, ANY) and one.channel in (channel, ANY)
