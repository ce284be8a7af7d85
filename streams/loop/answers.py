"""A person's answer to an alert or a case, as an event. Pure.

An answer is an event like all else: its customer's, on the channel on which the cause was, with the touchpoint
`CHANNEL.case_taken` and its like. So whatever rests on events holds of answers: they come in any order, twice, late,
and are erased with their customer. Who answered is the event's `agent_id`; the rest stands in attributes:

- `alert`, `alert_cause`: which alert is answered: its id, and its rule with the event that caused it, by which it is
  found when its customer has got another id. Of a case the event's own `case_id` says it;
- `assigned_to`, `snoozed_until`, `note`.

The id of the event is a hash of what was answered, by whom and how, so that the same click, twice, is one event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, get_args
from uuid import UUID

from schemas.records import CHANNELS
from streams.errors import RihlaError
from streams.model.identifiers import BOOKING_PREFIX, CUSTOMER, KINDS
from streams.text.scrub import scrub_text

Verb = Literal["take", "answer", "resolve", "decline", "snooze", "assign"]
VERBS: Final[tuple[Verb, ...]] = get_args(Verb)
PAST: Final[Mapping[Verb, str]] = {
    "take": "taken",
    "answer": "answered",
    "resolve": "resolved",
    "decline": "declined",
    "snooze": "snoozed",
    "assign": "assigned",
}
"""`decline` is "not mine"."""
TOUCHPOINTS: Final[Mapping[str, Verb]] = {
    f"{channel}.case_{past}": verb for channel in CHANNELS for verb, past in PAST.items()
}
NOTE: Final = 1000
"""Characters of a note that are kept."""
NAME: Final = 100
"""Characters of a person's name."""
PUT_OFF_MS: Final = 366 * 86_400_000
"""Milliseconds for which a thing may be put off at most."""
ELSEWHERE: Final = "stay"
"""The channel of an alert whose cause was observed before alerts had a touchpoint."""

# Attributes are scrubbed like free text, and an id's digits may look like a card number: they are written as letters.
_DIGITS, _LETTERS = "0123456789-", "ghijklmnopq"
_TO_LETTERS, _TO_DIGITS = str.maketrans(_DIGITS, _LETTERS), str.maketrans(_LETTERS, _DIGITS)


class AnswerError(RihlaError):
    """An answer that nobody could give; the message says what is wrong with it."""


class Given(NamedTuple):
    """What an answer's event says. cause: rule and event id. until: epoch ms, 0 for none."""

    verb: Verb
    alert_id: str | None
    cause: tuple[str, bytes] | None
    who: str | None
    until: int


def answer_event(
    kind: Literal["alert", "case"],
    record: Mapping[str, Any],
    verb: Verb,
    person: str,
    at: int,
    note: str | None = None,
    *,
    to: str | None = None,
    until: int | None = None,
    click: str = "",
) -> dict[str, Any]:
    """The event by which a person answers an alert or a case, in the form of a JSON line (streams.sources.jsonl).

    Args:
        kind: of the record.
        record: the alert or the case as it was shown: the fields of alert.avsc or case.avsc, times in epoch ms.
        verb: what the person does.
        person: who; a name or a number, no address.
        at: when, epoch ms.
        note: for colleagues, never shown to the customer, and no part of the customer's sentiment.
        to: whom it is given to; for `assign`.
        until: until when it is put off, epoch ms; for `snooze`.
        click: tells two answers apart that are otherwise the same: what the form was given when it was shown.

    Raises AnswerError.
    """
    if verb not in VERBS:
        raise AnswerError(f"{verb!r} is no answer; there are {', '.join(VERBS)}")
    who, to = name_of(person, "who answers"), None if to is None else name_of(to, "whom it is given to")
    if (to is not None) != (verb == "assign"):
        raise AnswerError("to assign is to say to whom, and nothing else is")
    if (until is not None) != (verb == "snooze"):
        raise AnswerError("to snooze is to say until when, and nothing else is")
    if until is not None and not at < until <= at + PUT_OFF_MS:
        raise AnswerError("it can be put off only until a time to come, within a year")
    note = (note or "").strip()[:NOTE]
    began = record["occurred_at"] if kind == "alert" else record["opened_at"]
    attributes = {"alert": letters(record["alert_id"]), "alert_cause": _cause(record)} if kind == "alert" else {}
    extra = {"assigned_to": to, "snoozed_until": None if until is None else _time(until), "note": note}
    attributes |= {key: value for key, value in extra.items() if value}
    key = record["alert_id"] if kind == "alert" else record["case_id"]
    said = (
        kind,
        record["customer_id"],
        key,
        verb,
        who,
        to or "",
        str(until or ""),
        note,
        str(record["version"]),
        click,
    )
    return {
        "channel": _channel(record["touchpoint"]),
        "event_id": str(UUID(bytes=hashlib.blake2b("\0".join(said).encode(), digest_size=16).digest(), version=5)),
        "occurred_at": max(at, began or 0),  # a source whose clock is ahead would have it answered before it happened
        "ids": identifiers_of(record["customer_id"]),
        "booking_ref": booking_of(record["customer_id"], record["journey_id"]),
        "touchpoint": f"{_channel(record['touchpoint'])}.case_{PAST[verb]}",
        "medium": "web",
        "unit": record["unit"],
        "agent_id": who,
        "case_id": record["case_id"],
        "attributes": [{"key": key, "value": value} for key, value in attributes.items()],
    }


def given(touchpoint: str, agent_id: str | None, attributes: Any) -> Given:
    """What the event of an answer says; what cannot be read of it counts as not said.

    touchpoint: one of TOUCHPOINTS. attributes: records of key and value, as of an interaction.
    """
    pairs: Iterable[Mapping[str, Any]] = attributes if isinstance(attributes, list) else ()
    said = {one["key"]: str(one["value"]) for one in pairs}
    verb = TOUCHPOINTS[touchpoint]
    rule, _, spelt = said.get("alert_cause", "").partition("/")
    alert_id = said.get("alert", "").translate(_TO_DIGITS) or None
    event_id = octets(spelt)
    cause = None if event_id is None else (rule, event_id)
    who = said.get("assigned_to") if verb == "assign" else agent_id
    return Given(verb, alert_id, cause, who, _epoch_ms(said.get("snoozed_until", "")) if verb == "snooze" else 0)


def _channel(touchpoint: str | None) -> str:
    channel = (touchpoint or "").partition(".")[0]
    return channel if channel in CHANNELS else ELSEWHERE


def identifiers_of(customer_id: str) -> list[dict[str, str]]:
    """The customer as an event names them; customer_id is the value of a customer, else kind:value."""
    if customer_id.startswith(BOOKING_PREFIX):
        return []  # nobody is named but by the booking
    kind, _, value = customer_id.partition(":")
    return [{"kind": kind, "value": value} if kind in KINDS and value else {"kind": CUSTOMER, "value": customer_id}]


def booking_of(customer_id: str, journey_id: str | None) -> str | None:
    """The booking of a journey of a booking, `customer_id/REF`, or of a customer who is known by it alone."""
    if customer_id.startswith(BOOKING_PREFIX):
        return str(customer_id.removeprefix(BOOKING_PREFIX))
    prefix = f"{customer_id}/"
    if journey_id is None or not journey_id.startswith(prefix) or journey_id.startswith(f"{prefix}visit/"):
        return None
    return str(journey_id.removeprefix(prefix))


def _cause(alert: Mapping[str, Any]) -> str:
    return f"{alert['rule']}/{letters(alert['event_id'] or '')}"


def letters(text: str) -> str:
    """An id as attributes have it, in which digits may look like a card number."""
    return text.translate(_TO_LETTERS)


def octets(text: str) -> bytes | None:
    """The 16 bytes of an event id that was written as `letters`; None for what is none."""
    try:
        return UUID(text.translate(_TO_DIGITS)).bytes
    except ValueError:
        return None


def name_of(text: str, what: str) -> str:
    """A person's name as an event has it. what: who that is, for people. Raises AnswerError."""
    name = " ".join(text.split())
    if not 0 < len(name) <= NAME or scrub_text(name) != name:
        raise AnswerError(f"{what} is to be a name or a staff number, of {NAME} characters at most, and no address")
    return name


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _epoch_ms(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0
