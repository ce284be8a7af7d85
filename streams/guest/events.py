"""Events about contact with a guest, in the form of JSON lines (streams.sources.jsonl). Pure.

Sending, approving, resolving and answering are events of the customer. The id is a hash of the content, so a repeated
event is a duplicate. Attributes name its cause, the event that led to it, by which it is still found after the
customer_id has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from streams.loop.answers import booking_of, identifiers_of, letters, name_of, octets
from streams.text.scrub import scrub_text

KIND: Final = "invitation"
"""The kind of identifier that an answer by link has: the event of the invitation links it with the customer."""
INVITED: Final = "post_travel.invited"
TOLD: Final = "post_travel.improvement_told"
MADE: Final = "post_travel.improvement_made"
APPROVED: Final = "post_travel.message_approved"
REJECTED: Final = "post_travel.message_rejected"
ANSWERS: Final[Mapping[str, str]] = {
    "nps": "post_travel.nps_answered",
    "csat": "post_travel.survey_answered",
    "ces": "post_travel.survey_answered",
    "open": "post_travel.survey_answered",
}
CAUSE: Final = "cause"
"""The attribute with the id of its cause, spelt in letters, because the digits could look like a card number."""
TEXT: Final = 4000
"""Characters of an answer's text that are kept."""


def id_of(*parts: str) -> str:
    """A hash of the parts, as 32 letters without digits."""
    return letters(hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest())


def cause_of(attributes: Mapping[str, str]) -> bytes | None:
    """The id of the event that led to this one."""
    return octets(attributes.get(CAUSE, ""))


def sent(kind: str, record: Mapping[str, Any], at: int) -> dict[str, Any]:
    """The event of an invitation, or a message, that the guest's messaging system has taken.

    kind: invitation or message. record: of invitation.avsc or message.avsc. at: epoch ms.
    """
    asked = kind == "invitation"
    ids = identifiers_of(record["customer_id"])
    if asked:
        ids.append({"kind": KIND, "value": record["invitation_id"]})
    more = (
        {"survey": record["survey"], KIND: record["invitation_id"]}
        if asked
        else {"occasion": record["kind"], "aspect": record["aspect"]}
    )
    return {
        **_event(INVITED if asked else TOLD, record, at, {CAUSE: letters(record["event_id"]), **more}),
        "event_id": _uuid("sent", record["customer_id"], record["event_id"], kind),
        "ids": ids,
    }


def judged(record: Mapping[str, Any], is_good: bool, person: str, at: int) -> dict[str, Any]:
    """The event by which a person approves or rejects a draft. record: of message.avsc. Raises AnswerError."""
    who = name_of(person, "who approves")
    event = _event(APPROVED if is_good else REJECTED, record, at, {CAUSE: letters(record["event_id"])})
    event_id = _uuid("judged", record["customer_id"], record["event_id"], str(is_good), who, str(record["version"]))
    return {**event, "event_id": event_id, "agent_id": who}


def made(customer_id: str, aspect: str, unit: str | None, since: str, done: str, at: int) -> dict[str, Any]:
    """The event that the subject of a customer's complaint was improved. since: the first day of the problem."""
    record = {"customer_id": customer_id, "unit": unit, "journey_id": None, "case_id": None}
    said = {"aspect": aspect, "since": since, "done": done}
    return {**_event(MADE, record, at, said), "event_id": _uuid("made", customer_id, aspect, unit or "", since, done)}


def answered(invitation: str, question: str, score: int | None, text: str | None, unit: str | None, at: int,
             language: str) -> dict[str, Any]:  # fmt: skip
    """The event of an answer by link. invitation: its id. question: nps, csat, ces or open, which has no score."""
    return {
        "channel": "post_travel",
        "event_id": _uuid("answered", invitation, question),
        "occurred_at": at,
        "ids": [{"kind": KIND, "value": invitation}],
        "touchpoint": ANSWERS[question],
        "medium": "web",
        "unit": unit,
        "locale": language,
        "survey": None if score is None else {"instrument": question, "score": float(score)},
        "text": None if not text else scrub_text(text[:TEXT]),
        "attributes": [{"key": KIND, "value": invitation}],
    }


def _event(touchpoint: str, record: Mapping[str, Any], at: int, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "channel": "post_travel",
        "occurred_at": at,
        "ids": identifiers_of(record["customer_id"]),
        "booking_ref": booking_of(record["customer_id"], record["journey_id"]),
        "touchpoint": touchpoint,
        "medium": "system",
        "unit": record["unit"],
        "case_id": record.get("case_id"),
        "attributes": [{"key": key, "value": str(value)} for key, value in attributes.items() if value],
    }


def _uuid(*said: str) -> str:
    return str(UUID(bytes=hashlib.blake2b("\0".join(said).encode(), digest_size=16).digest(), version=5))
