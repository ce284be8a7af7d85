"""The message that a target gets about a thing: its fields, and a text for people. Pure.

The customer, the journey and the event are named only where a route says so. Without that a thing's id is a hash: the
id of a case holds the customer's.
"""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from streams.deliver.match import state_of

_CLEAR = {"customer_id", "journey_id", "event_id"}
_TIMES = frozenset(
    {"occurred_at", "raised_at", "acknowledged_at", "closed_at", "opened_at", "first_response_at", "resolved_at"}
    | {
        "reopened_at",
        "snoozed_until",
        "last_at",
        "decided_at",
        "sent_at",
        "answered_at",
        "expires_at",
        "judged_at",
        "told_at",
        "begins_at",
        "ends_at",
        "published_at",
        "made_at",
        "observed_at",
    }
)
_HAPPENED = {"move": "observed", "breach": "observed", "report": "made"}
"""What type of news each version of a kind is, where that is not its state."""
_SPAN = (("from", "begins_at"), ("until", "ends_at"))
_LISTS = frozenset({"members", "actions"})
"""Fields that are lists of things."""
_SIZE = 16
_TELLING = frozenset({"case", "segment", "next_action", "report"})
"""Kinds whose ids hold the customer's, or what no header may hold."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message. type: its media type."""

    name: str
    type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One version of a thing, as it is sent to one target."""

    key: str
    """Idempotency key: the same for each attempt, another one for each version."""
    fields: Mapping[str, Any]
    subject: str
    """Subject, one line."""
    text: str
    """Text, some lines."""
    attachment: Attachment | None = None

    @property
    def body(self) -> dict[str, Any]:
        """Rihla's own JSON, in the shape that Standard Webhooks recommends."""
        data = dict(self.fields)
        if (file := self.attachment) is not None:
            data["document"] = {"name": file.name, "type": file.type, "base64": b64encode(file.content).decode()}
        return {"type": self.fields["type"], "timestamp": self.fields["at"], "data": data}


def opaque(kind: str, id_: str) -> str:
    """An id that reveals nothing about the customer; the id of an alert or a move is a hash already."""
    return hashlib.blake2b(id_.encode(), digest_size=_SIZE).hexdigest() if kind in _TELLING else id_


def message(
    kind: str, id_: str, version: int, thing: Mapping[str, Any], clear: bool, link: str | None = None, level: int = 0
) -> Message:
    """The message about a version of a thing (a record's fields).

    clear: whether it may name the customer, the journey and the event. link: the address at which people answer it.
    level: the step of an escalation; 0: none.
    """
    state, shown = state_of(kind, thing), opaque(kind, id_)
    key = f"{kind}.{shown}.{version}"
    left_out = {
        "version",
        "alert_id",
        "move_id",
        "incident_id",
        "invitation_id",
        "message_id",
        "breach_id",
        "report_id",
        "withdrawn",
        "document",
        "file",
        *(() if clear else _CLEAR),
    }
    kept = {name: _shown(name, value) for name, value in thing.items() if name not in left_out}
    for many in _LISTS & kept.keys():
        kept[many] = [{name: _shown(name, value) for name, value in one.items()} for one in kept[many]]
    at = _shown("occurred_at", _when(kind, thing))
    type_ = f"{kind}.{_HAPPENED.get(kind, state)}"
    fields = {
        "key": key,
        "type": type_,
        "kind": kind,
        "id": shown,
        "version": version,
        "state": state,
        "at": at,
        "escalation": level,
        **kept,
    }
    subject = ("Nobody has taken it yet: " if level else "") + _subject(kind, state, thing)
    text = "\n".join([subject, *_lines(kind, thing, clear), *([link] if link else [])])
    file = None
    if thing.get("document") is not None:
        name, media = thing["file"]
        file = Attachment(name, media, zlib.decompress(thing["document"]))
    return Message(key, {**fields, "subject": subject, "text": text, "link": link}, subject, text, file)


def _when(kind: str, thing: Mapping[str, Any]) -> int | None:
    """The time of the news: epoch ms."""
    of_alert = ("closed_at", "acknowledged_at", "raised_at")
    names = {
        "alert": of_alert,
        "incident": of_alert,
        "move": ("occurred_at",),
        "segment": ("occurred_at",),
        "next_action": ("published_at",),
        "breach": ("observed_at",),
        "report": ("made_at",),
        "invitation": ("answered_at", "sent_at", "decided_at"),
        "message": ("told_at", "judged_at", "occurred_at"),
    }.get(kind, ("resolved_at", "reopened_at", "first_response_at", "opened_at"))
    return next((thing[name] for name in names if thing[name] is not None), None)


def _subject(kind: str, state: str, thing: Mapping[str, Any]) -> str:
    where = f" at {thing['unit']}" if thing.get("unit") else ""
    if kind == "segment":
        return f"Segment {thing['segment']}: {state}"
    if kind == "report":
        return f"{thing['title']} ({thing['since']} – {thing['last']})"
    if kind == "breach":
        return f"Target missed{where}: {thing['metric']} is {thing['actual']:g}, wanted was {thing['wanted']:g}"
    if kind == "next_action":
        return f"Next for {thing['customer_id']}: {thing.get('action') or 'nothing'}"
    if kind == "alert":
        news = "" if state == "raised" else f" ({state})"
        return f"[{thing['severity']}] {thing['rule']}{where}{news}"
    if kind == "incident":
        news = "" if state == "raised" else f" ({state})"
        return f"[{thing['severity']}] {thing['rule']}{where}: {thing['customers']} customers{news}"
    if kind == "case":
        return f"Case {thing['case_id']}{where}: {thing['touchpoint']} ({state})"
    if kind == "invitation":
        return f"Invitation {thing['survey']}{where} ({thing['status']})"
    if kind == "message":
        return f"Message to a guest{where} ({thing['status']}): {thing['aspect'] or thing['kind']}"
    return f"From {thing['from_profile']} to {thing['to_profile']}{where}: {thing['touchpoint']}"


def _lines(kind: str, thing: Mapping[str, Any], clear: bool) -> list[str]:
    reasoned = dict.fromkeys(("alert", "incident", "breach"), "reason")
    first = {"message": "text", "report": "summary", **reasoned}.get(kind)
    lines = [] if first is None else [str(thing[first])]
    if kind == "alert" and thing.get("causes", 1) > 1:
        lines.append(f"it came {thing['causes']} times")
    if kind == "next_action":
        lines += [f"{place}. {_action(one)}" for place, one in enumerate(thing["actions"], 1)]
    if kind == "incident":
        lines.append(f"{thing['alerts']} alerts of {thing['customers']} customers, {thing['open']} open")
    times = ("occurred_at", "opened_at", "acknowledged_at", "first_response_at", "closed_at", "resolved_at")
    given = [name for name in times if thing.get(name) is not None]
    lines += [f"{name.removesuffix('_at').replace('_', ' ')}: {_shown(name, thing[name])}" for name in given]
    if clear:
        lines += [
            f"{name.removesuffix('_id')}: {thing[name]}" for name in ("customer_id", "journey_id") if thing.get(name)
        ]
    return lines


def _action(one: Mapping[str, Any]) -> str:
    times = [f"{word} {_shown(name, one[name])}" for word, name in _SPAN if one[name] is not None]
    return f"{one['action']}: {one['reason']}" + (f" ({', '.join(times)})" if times else "")


def _shown(name: str, value: Any) -> Any:
    if name in _TIMES and value is not None:
        return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value
