"""Whole events of every channel, from the Avro schemas: mostly valid, and as unlike what anybody sends as can be.

Strategies follow the schemas' types, so a new field is fuzzed when it is there. Fields on which enrich has rules keep
them in most events, at their bounds; names of customers and bookings come from small pools, so that events meet.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from hashlib import sha256
from random import Random
from typing import Any
from uuid import UUID

from fastavro import schemaless_writer
from hypothesis import strategies as st

from schemas import records
from schemas.records import CHANNELS
from schemas.registry import LocalRegistry
from schemas.wire import SINGLE_OBJECT
from streams.enrich.validate import EARLIEST_MS, MONEY_LIMIT
from streams.model import catalogue

NOW = int(time.time() * 1000)
_BITS = [0, 1, 7, 8, 15, 16, 31, 32, 44, 53, 62, 63]
LONGS = st.sampled_from([s * ((1 << b) + d) for b in _BITS for s in (1, -1) for d in (-1, 0, 1)]).map(
    lambda n: max(min(n, (1 << 63) - 1), -(1 << 63))
)
DOUBLES = st.floats() | st.sampled_from([0.0, -0.0, 5e-324, 1.7976931348623157e308, float("nan"), float("inf")])
SURROGATE = "\ufffd"
"""Its three octets are replaced by those of a lone surrogate, which no text may have, in some of the events."""
PLANES = st.sampled_from(
    [chr(plane << 16 | low) for plane in range(17) for low in (0x21, 0x7F, 0xFFFD, 0xFFFE, 0xFFFF)]
) | st.sampled_from([*"\0\t\n\r\x1b\x7f\x85\u200b\u200f\u202e\u2028\ufeff\"'\\`%{}:/,;^|ßİıﬁ\u0301\u0670", "👨‍👩‍👧‍👦"])
SHORT = st.text(max_size=6) | st.lists(PLANES, max_size=5).map("".join)
HUGE = st.builds(lambda text, times: (text or "x") * times, SHORT, st.sampled_from([300, 300, 300, 5_000, 11_000]))
TEXTS = st.one_of(*[SHORT] * 16, st.just(""), st.just(SURROGATE), HUGE)
NAMES = st.sampled_from(
    [
        "1",
        "2",
        "3",
        "a:b",
        "ق",
        "\0",
        "x/y",
        "booking_ref:1",
        "null",
        " ",
        "'; DROP",
        "👨‍👩‍👧‍👦",
        "\U0010ffff",
        "z" * 2000,
    ]
)
KINDS = st.sampled_from(
    ["customer", "loyalty", "guest_profile", "social", "device", "device", "booking_ref", "passport", "a:b", "ض", "\0"]
)
SENTENCES = st.sampled_from(
    [
        "The room was dirty, the staff were kind. Never again!",
        "أكل حلال لذيذ والموظفون رائعون",
        "Kamar bersih tetapi makan pagi membosankan",
        "Oda çok kirliydi, İstanbul'a dönmek istedim",
        "کمرہ صاف تھا",
        "call +966 50 123 4567 or write a@b.example, card 4111 1111 1111 1111",
        "e\u0301" * 500,
    ]
)

PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {"long": LONGS, "double": DOUBLES, "string": TEXTS}

USUAL: dict[str, st.SearchStrategy[Any]] = {
    "event_id": st.sampled_from([str.lower, str.upper]),  # of what `events` makes
    "occurred_at": st.sampled_from([EARLIEST_MS, NOW, NOW + 86_000_000])
    | st.integers(EARLIEST_MS, NOW)
    | st.integers(NOW - 90 * 86_400_000, NOW),
    "ids": st.lists(st.fixed_dictionaries({"kind": KINDS, "value": NAMES}), max_size=4)
    | st.lists(st.fixed_dictionaries({"kind": st.just("customer"), "value": NAMES}), min_size=1, max_size=1)
    | st.fixed_dictionaries({"kind": st.just("device"), "value": NAMES}).map(lambda one: [one] * 300),
    "booking_ref": st.none() | NAMES,
    "touchpoint": st.sampled_from(sorted(catalogue.load())),
    "country": st.none() | st.sampled_from(["SA", "ID", "ZZ"]),
    "survey": st.none()
    | st.fixed_dictionaries(
        {"instrument": st.sampled_from(["nps", "csat", "ces", "stars"]), "score": st.floats(1.0, 5.0)}
    ),
    "text": st.none() | SENTENCES | TEXTS,
    "money": st.none()
    | st.fixed_dictionaries(
        {
            "amount_minor": st.sampled_from([MONEY_LIMIT, -MONEY_LIMIT, 0, 1]) | st.integers(-MONEY_LIMIT, MONEY_LIMIT),
            "currency": st.sampled_from(["SAR", "IDR"]),
        }
    ),
    "case_id": st.none() | NAMES,
    "aspect_ratings": st.lists(st.fixed_dictionaries({"aspect": TEXTS, "rating": st.floats(1.0, 5.0)}), max_size=3),
}
"""What keeps the rules of enrich; of the other fields everything does."""


def values(type_: Any) -> st.SearchStrategy[Any]:
    """Values of a type without references, as fastavro takes them."""
    if isinstance(type_, list):
        return st.one_of(*(st.none() if branch == "null" else values(branch) for branch in type_))
    kind = type_["type"] if isinstance(type_, dict) else type_
    if kind == "record":
        return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in type_["fields"]})
    if kind == "array":
        return st.lists(values(type_["items"]), max_size=3)
    if kind == "enum":
        return st.sampled_from(type_["symbols"])
    return PRIMITIVES[kind]


_REGISTRY = LocalRegistry()
_SCHEMAS = {channel: records.schema(channel) for channel in CHANNELS}
_HEADERS = {channel: _REGISTRY.header_for(channel, SINGLE_OBJECT) for channel in CHANNELS}
_ANY = {
    channel: {field["name"]: values(field["type"]) for field in records.inlined(channel)["fields"]}
    for channel in CHANNELS
}


@st.composite
def events(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A channel and an event of it, without an id but for one that is none."""
    channel = draw(st.sampled_from(CHANNELS))
    fields = {**_ANY[channel], **{name: usual for name, usual in USUAL.items() if name in _ANY[channel]}}
    if draw(st.integers(0, 3)) == 0:  # whatever its type allows, one field of those with rules
        odd = draw(st.sampled_from(sorted(USUAL.keys() & _ANY[channel].keys())))
        fields[odd] = _ANY[channel][odd]
    return channel, draw(st.fixed_dictionaries(fields))


def mixed(some: Sequence[tuple[str, dict[str, Any]]], count: int, rng: Random) -> list[tuple[str, dict[str, Any]]]:
    """These events, and for each so many that have some of its fields from another one, or a name of its own."""
    made = [*some]
    of_channel: dict[str, list[dict[str, Any]]] = {}
    for channel, event in some:
        of_channel.setdefault(channel, []).append(event)
    for channel, event in some:
        for _ in range(count):
            other = rng.choice(of_channel[channel])
            child = {name: (other if rng.random() < 0.3 else event)[name] for name in event}
            if rng.random() < 0.7:
                child["ids"] = [*child["ids"][:2], {"kind": "customer", "value": str(rng.randrange(2_000))}]
            made.append((channel, child))
    return made


def encoded(channel: str, event: dict[str, Any], rng: Random) -> bytes:
    """The event as fastavro writes it, with its header; perhaps with a text that is no UTF-8."""
    if not isinstance(event["event_id"], str):
        # Of its content: who sends another event under a known id gets either, which is no difference to look for.
        of_content = UUID(bytes=sha256(repr((channel, {**event, "event_id": None})).encode()).digest()[:16])
        event = {**event, "event_id": event["event_id"](str(of_content))}
    out = io.BytesIO()
    schemaless_writer(out, _SCHEMAS[channel], event)
    datum = out.getvalue()
    if SURROGATE.encode() in datum and rng.random() < 0.1:
        datum = datum.replace(SURROGATE.encode(), b"\xed\xa0\x80")
    return _HEADERS[channel] + datum
