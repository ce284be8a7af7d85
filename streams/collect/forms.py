"""Converts the formats of other systems to Rihla's own (streams.sources.jsonl). Pure.

CloudEvents 1.0 (structured, binary, batch) and the calls of Segment's libraries. Ambiguous input is refused.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import unquote

import orjson

from schemas.records import INTERACTION_FIELDS
from streams.model import currencies
from streams.model.linked import LINKED
from streams.sources.jsonl import NotAnEvent
from streams.sources.spelling import channel_of, touchpoint, word

IDENTIFIED: Final = LINKED
"""Touchpoint of calls that only identify a person, without an interaction: identify, group and alias."""
PAGE: Final = "booking.page_viewed"
CALLS: Final = ("track", "page", "screen", "identify", "group", "alias")
_CE = "ce-"
_MOST = Decimal(10**18)
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_CONTEXT: Final = ("specversion", "id", "source", "type", "time", "datacontenttype", "data", "data_base64")
_WEB: Final = ("analytics.js", "web", "browser")
_APP: Final = ("ios", "android", "kotlin", "swift", "react", "flutter", "mobile", "app")


@dataclass(frozen=True)
class Words:
    """A sender's vocabulary. touchpoints: by the name of its event; channel: of events whose touchpoint has none."""

    touchpoints: Mapping[str, str] = field(default_factory=dict)
    channel: str | None = None


def cloudevent_of_headers(headers: Mapping[str, str], data: Any) -> dict[str, Any]:
    """A CloudEvent in binary mode: its attributes are headers, percent-encoded (HTTP binding, 3.1.3.2)."""
    found = {name[len(_CE) :]: unquote(value) for name, value in headers.items() if name.startswith(_CE)}
    return {**found, "data": data}


def of_cloudevent(event: Any, words: Words) -> tuple[str, dict[str, Any]]:
    """(its source, the event in our form) of a CloudEvent; its `data` has the fields of our form. Raises NotAnEvent."""
    if not isinstance(event, dict):
        raise NotAnEvent("undecodable", "not a JSON object")
    if event.get("specversion") != "1.0":
        raise NotAnEvent("undecodable", "not a CloudEvent: specversion is not 1.0")
    for name in ("id", "source", "type"):
        if not isinstance(event.get(name), str) or not event[name]:
            raise NotAnEvent("undecodable", f"not a CloudEvent: {name} is missing")
    data = event.get("data")
    if data is None and isinstance(event.get("data_base64"), str):  # JSON without the content type that says so
        data = _of_base64(event["data_base64"])
    if not isinstance(data, dict):
        raise NotAnEvent("undecodable", "data is no JSON object with the fields of an event")
    made = {name: value for name, value in event.items() if name not in _CONTEXT} | data
    made["event_id"] = event["id"]
    if "occurred_at" not in made and "time" in event:
        made["occurred_at"] = event["time"]
    made["touchpoint"] = _touchpoint(made.get("touchpoint", event["type"]), words, reverse_domain=True)
    _complete(made, words, "system")
    return event["source"], made


def _of_base64(text: str) -> Any:
    """The JSON that is encoded in base64; None if there is none."""
    try:
        return orjson.loads(base64.b64decode(text, validate=True))
    except ValueError:
        return None


def of_call(call: Any, kind: str | None, words: Words) -> dict[str, Any]:
    """A call of Segment's libraries in our format. Traits describe a person and not an event, so only e-mail and phone
    are used, as hashes. kind: the call that the route stands for; None if the body says it. Raises NotAnEvent."""
    if not isinstance(call, dict):
        raise NotAnEvent("undecodable", "not a JSON object")
    kind = kind or call.get("type")
    if kind not in CALLS:
        raise NotAnEvent("undecodable", f"type is none of {', '.join(CALLS)}")
    context = _members(call, "context")
    properties = {**_members(call, "properties")}
    about = {**_members(context, "traits"), **_members(call, "traits")}
    made: dict[str, Any] = {}
    ids = [*_people(call, about, properties)]
    if kind in ("identify", "group", "alias"):
        said: Any = IDENTIFIED
        properties |= {name: call[name] for name in ("groupId",) if call.get(name) is not None}
    elif kind == "track":
        said = call.get("event")
    else:
        said = properties.pop("touchpoint", None) or PAGE
        properties |= {name: call[name] for name in ("name", "category") if call.get(name) is not None}
    made |= _money(properties)
    made |= {f"properties.{name}" if name in _OURS else name: value for name, value in properties.items()}
    made["ids"] = ids
    made["event_id"] = call.get("messageId")
    made["occurred_at"] = call.get("timestamp") or call.get("originalTimestamp") or call.get("sentAt")
    if made["event_id"] is None:
        raise NotAnEvent("bad_event_id", "messageId is missing: it is what tells an event sent twice from two")
    if made["occurred_at"] is None:
        raise NotAnEvent("bad_time", "timestamp is missing")
    made["touchpoint"] = _touchpoint(said, words)
    if isinstance(context.get("locale"), str):
        made.setdefault("locale", context["locale"])
    _complete(made, words, _medium(call, context))
    return made


_OURS: Final = frozenset(INTERACTION_FIELDS[:3]) | {"touchpoint", "attributes"}
"""Fields that a property of the same name must not fill."""


def _complete(made: dict[str, Any], words: Words, medium: str) -> None:
    """Channel and medium if the event has none."""
    if made.get("channel") is None:
        channel = channel_of(str(made["touchpoint"])) or words.channel
        if channel is None:
            raise NotAnEvent(
                "undecodable",
                "no channel: name a touchpoint of the catalogue, or channel; or have the collector's configuration "
                "say what this event is called",
            )
        made["channel"] = channel
    if made.get("medium") is None:
        made["medium"] = medium


def _touchpoint(said: Any, words: Words, *, reverse_domain: bool = False) -> str:
    if not isinstance(said, str) or not said:
        raise NotAnEvent("undecodable", "nothing says what happened: event, type or touchpoint is missing")
    if said in words.touchpoints:
        return words.touchpoints[said]
    last = ".".join(said.split(".")[-2:])
    if reverse_domain and word("touchpoint", last) is not None:  # com.example.booking.confirmed
        return touchpoint(last)
    return touchpoint(said)


def _members(of: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object with this name; an empty one if there is none."""
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _people(call: dict[str, Any], traits: dict[str, Any], properties: dict[str, Any]) -> Iterator[dict[str, str]]:
    """The identifiers of the person whom a call is about. Removes e-mail and phone from traits and properties."""
    for name, kind in (("userId", "customer"), ("anonymousId", "device"), ("previousId", "device")):
        if call.get(name) is not None and call[name] != "":
            yield {"kind": kind, "value": str(call[name])}
    for of in (traits, properties):
        for name in ("email", "phone"):
            value = of.pop(name, None)
            if isinstance(value, str) and value.strip():
                yield {"kind": name, "value": value}


def _money(properties: dict[str, Any]) -> dict[str, Any]:
    """Segment's revenue (or total, or value) and currency as money; removes them from the properties."""
    name = next((name for name in ("revenue", "total", "value") if name in properties), None)
    currency = properties.get("currency")
    if name is None or not isinstance(currency, str) or not _CURRENCY.fullmatch(currency) or "money" in properties:
        return {}
    amount = properties[name]
    try:
        number = Decimal(str(amount)) if isinstance(amount, int | float | str) else None
        if number is None or isinstance(amount, bool) or not number.is_finite() or abs(number) > _MOST:
            return {}
        places = currencies.places(currency.upper())
        minor = int(number.scaleb(places).quantize(Decimal(1), ROUND_HALF_UP))
    except InvalidOperation:
        return {}
    del properties[name], properties["currency"]
    return {"money": {"amount_minor": minor, "currency": currency.upper()}}


def _medium(call: dict[str, Any], context: dict[str, Any]) -> str:
    """The medium, from the library that sent the call and the context in it."""
    library = str(_members(context, "library").get("name", "")).lower()
    channel = str(call.get("channel") or context.get("channel") or "").lower()
    if library in _WEB or channel in _WEB:
        return "web"
    return "app" if any(part in library for part in _APP) or channel in _APP else "system"
