"""What a person says that a text really says, as an event. Pure.

The score of a text stays as it was computed: a table is a function of the events and of one scorer. What people say
of it is an event of the same customer with the touchpoint `CHANNEL.sentiment_corrected`; attributes say of which text
(`about`, the id of its event, as letters) and what it should have been (`right`, -1 to 1). `rihla score --learn`
proposes lexicon lines from these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple, get_args
from uuid import UUID

from schemas.records import CHANNELS
from streams.loop.answers import booking_of, identifiers_of, letters, name_of, octets

Verdict = Literal["positive", "neutral", "negative"]
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
RIGHT: Final[Mapping[Verdict, float]] = {"positive": 0.6, "neutral": 0.0, "negative": -0.6}
"""The score that a text should have. People say which way it points, not how far; 0.6 is that of a clear text."""
TOUCHPOINTS: Final = frozenset(f"{channel}.sentiment_corrected" for channel in CHANNELS)


class Corrected(NamedTuple):
    """What the event of a correction says. about: the id of the event with the text."""

    about: str
    verdict: Verdict


def correction_event(
    customer_id: str, contact: Mapping[str, Any], verdict: Verdict, person: str, at: int, click: str = ""
) -> dict[str, Any]:
    """The event by which a person says what a text really says, in the form of a JSON line (streams.sources.jsonl).

    Args:
        customer_id: whose contact it is.
        contact: the interaction with the text: event_id, channel, booking_ref and unit.
        verdict: what the text says.
        person: who says so; a name or a number, no address.
        at: when, epoch ms.
        click: tells two corrections apart that are otherwise the same.

    Raises AnswerError.
    """
    who, about = name_of(person, "who corrects"), contact["event_id"]
    channel = contact["channel"]
    said = ("correction", customer_id, about, verdict, who, click)
    return {
        "channel": channel,
        "event_id": str(UUID(bytes=hashlib.blake2b("\0".join(said).encode(), digest_size=16).digest(), version=5)),
        "occurred_at": max(at, contact["occurred_at"]),
        "ids": identifiers_of(customer_id),
        "booking_ref": contact.get("booking_ref") or booking_of(customer_id, None),
        "touchpoint": f"{channel}.sentiment_corrected",
        "medium": "web",
        "unit": contact.get("unit"),
        "agent_id": who,
        "attributes": [
            {"key": "about", "value": letters(about)},
            {"key": "right", "value": f"{RIGHT[verdict]:g}"},
        ],
    }


def corrected(attributes: Any) -> Corrected | None:
    """The correction in an event's attributes, which any source may have written; None where it is incomplete.

    attributes: records of key and value, as of an interaction.
    """
    pairs: Iterable[Mapping[str, Any]] = attributes if isinstance(attributes, list) else ()
    said = {one["key"]: str(one["value"]) for one in pairs}
    about = octets(said.get("about", ""))
    try:
        right = float(said.get("right", ""))
    except ValueError:
        return None
    if about is None or not -1 <= right <= 1:
        return None
    return Corrected(str(UUID(bytes=about)), "neutral" if right == 0 else "positive" if right > 0 else "negative")
