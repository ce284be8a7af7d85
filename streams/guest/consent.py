"""Consent, by purpose and channel. Pure.

`CHANNEL.consent_given` and `CHANNEL.consent_withdrawn` are events like any other; their attributes say for which
`purpose` (survey, follow_up, marketing ...), by which `channel` (email, sms, chat ...) and by which `source` (a form, a
desk, a call). The current consent is a function of the set of events: for a purpose and a channel it is the
latest by (occurred_at, event_id).

A withdrawal that names no purpose, or no channel, applies to all of them. Consent without a purpose is not valid:
consent is specific (Regulation (EU) 2016/679, article 4(11)).

What holds of each purpose and channel is in the customer's record (customer.avsc), however long ago it was said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final, NamedTuple

from schemas.records import CHANNELS

ANY: Final = "any"
"""All purposes, or all channels."""
SURVEY, FOLLOW_UP = "survey", "follow_up"
"""The purposes for which Rihla itself contacts guests: survey invitations, and replies to complaints."""
TOUCHPOINTS: Final[Mapping[str, bool]] = {
    f"{channel}.consent_{what}": what == "given" for channel in CHANNELS for what in ("given", "withdrawn")
}
"""Whether each touchpoint gives (True) or withdraws consent."""
LONGEST: Final = 40
"""Characters of a purpose, a channel or a source that are significant."""
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)  # ASCII only, as ClickHouse's `lower` does
_ALL = frozenset({"", "*", "all", ANY})


class Said(NamedTuple):
    """One statement about consent, from an event. at: epoch ms.

    States have it so, and 0.2.0 refuses a longer one: what is to be added goes beside it, as Source does.
    """

    purpose: str
    channel: str
    given: bool
    at: int
    event_id: bytes


class Source(NamedTuple):
    """Where a statement was made, by the id of its event: a form, a desk, a call. text: empty where it does not say."""

    event_id: bytes
    text: str


class Held(NamedTuple):
    """What holds of a purpose and a channel: the record Consent of customer.avsc. since: epoch ms.

    source: of the statement that decides; empty: it does not say, None: that is not known.
    """

    purpose: str
    channel: str
    given: bool
    source: str | None
    since: int


def said(touchpoint: str, at: int, event_id: bytes, attributes: Iterable[Mapping[str, Any]]) -> Said:
    """The statement in an event of one of TOUCHPOINTS. attributes: records of key and value, as in an interaction."""
    named = {one["key"]: str(one["value"]) for one in attributes}
    return Said(word(named.get("purpose", "")), word(named.get("channel", "")), TOUCHPOINTS[touchpoint], at, event_id)


def source(event_id: bytes, attributes: Iterable[Mapping[str, Any]]) -> Source:
    """The source of the statement in an event. attributes: as for `said`."""
    named = {one["key"]: str(one["value"]) for one in attributes}
    return Source(event_id, named.get("source", "").strip(" ")[:LONGEST])


def word(text: str) -> str:
    """A purpose or a channel as it is compared."""
    short = text.strip(" ").translate(_LOWER)[:LONGEST]
    return ANY if short in _ALL else short


def is_allowed(every: Iterable[Said], purpose: str, channel: str, unsaid: bool) -> bool:
    """Whether a customer may be written to.

    every: all statements, in any order. unsaid: the result for a customer without a statement about it.
    """
    decides = _deciding(every, purpose, channel)
    return unsaid if decides is None else decides.given


def held(every: Sequence[Said], sources: Mapping[bytes, str]) -> list[Held]:
    """What holds of each purpose and channel of which something was said, in their order.

    every: the valid statements, of each purpose and channel at least the latest. sources: by event id, as far as known.
    """
    found: list[Held] = []
    for purpose, channel in sorted({(one.purpose, one.channel) for one in every}):
        decides = _deciding(every, purpose, channel)
        assert decides is not None  # the statement itself
        found.append(Held(purpose, channel, decides.given, sources.get(decides.event_id), decides.at))
    return found


def is_valid(one: Said) -> bool:
    """Whether a statement counts: a withdrawal does, consent only with a purpose."""
    return not one.given or one.purpose != ANY


def _deciding(every: Iterable[Said], purpose: str, channel: str) -> Said | None:
    """The latest of the statements about a purpose and a channel; None: there is none."""
    about = (one for one in every if _covers(one, purpose, channel))
    return max(about, key=lambda one: (one.at, one.event_id), default=None)


def _covers(one: Said, purpose: str, channel: str) -> bool:
    return is_valid(one) and one.purpose in (purpose, ANY) and one.channel in (channel, ANY)
