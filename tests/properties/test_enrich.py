"""What enrich makes of events, one by one from their bytes, is what queries over columns make of them."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import records
from schemas.decode import BatchDecoder, Decoded
from schemas.encode import BatchEncoder
from schemas.numbers import varint
from schemas.records import CHANNELS, polars_schema
from schemas.registry import LocalRegistry
from schemas.wire import CONFLUENT, prefix
from streams.enrich import transform
from streams.enrich.clean import clean
from streams.enrich.enriched import Enriched
from streams.enrich.judge import Judge
from streams.enrich.transform import Enricher
from streams.enrich.validate import DAY_MS, EARLIEST_MS, MONEY_LIMIT
from streams.erasure.erased import Erased, Erasure
from streams.erasure.guard import guard
from streams.erasure.key import fingerprint, key_id
from streams.model.normal import Nobody
from streams.sources import jsonl
from streams.sources.simulate import Options, write
from tests.properties.test_codec_corruption import CORRUPTIONS
from tests.properties.test_codec_roundtrip import values
from tests.support import by_columns

REGISTRY = LocalRegistry()
NOW = 1_800_000_000_000
KEY = b"a key of thirty-two bytes or more"
ERASED = Erased(KEY)
ENRICHER, FORGETFUL = Enricher(REGISTRY), Enricher(REGISTRY, erased=ERASED)
ORACLE = by_columns.Enricher()
ENCODERS = {name: BatchEncoder(name, REGISTRY) for name in (*CHANNELS, "interaction")}
DECODERS = {name: BatchDecoder(name, REGISTRY) for name in CHANNELS}
ERASED.add(
    Erasure(fingerprint(name, KEY), key_id(KEY), until)
    for name, until in (("customer:2", None), ("loyalty:1", NOW - 5), ("booking_ref:B", NOW), ("booking_ref:z:1", None))
)

HASH = "0f" * 32
VALUES = [
    "1",
    "2",
    "B",
    "ق",
    "a\0",
    "C-77",
    " C-77",
    "Ｃ-７７",
    "C-\u200b77",
    "ٹ٧٧",
    "e\u0301",
    "é",
    "null",
    "N/A",
    "0000",
    "-",
]
VALUES += [
    "🙂",
    HASH,
    HASH.upper(),
    "null 7",
    "amina@example.com",
    "+966 50 123 4567",
    "@amina@social.example",
    "%40",
    "*****",
]
VALUES += ["123E4567-E89B-12D3-A456-426614174000", "a.b", "[object Object]"]
KINDS = [
    "customer",
    "loyalty",
    "device",
    "group",
    "pass:port",
    "booking_ref",
    "booking_ref:z",
    "ض",
    "Customer",
    "customer ",
    "social",
]
KINDS += [
    "social",
    "email_sha256",
    "Email_SHA256",
    "email_sha256:x",
    "email",
    "phone",
    "a@b.example",
    "none",
    "cus\u200dtomer",
]
IDS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(KINDS[:7]) | st.sampled_from(KINDS) | st.text(min_size=1, max_size=4),
            "value": st.sampled_from(VALUES[:5]) | st.sampled_from(VALUES) | st.text(min_size=1, max_size=6),
        }
    ),
    max_size=4,
)
SHORT = st.sampled_from(
    [None, "MAKKAH-01", "12A", "amina@example.com", "call 9123 4567", "2025-03-01", "1204", "４１１１"]
)
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "event_id": st.uuids().map(str) | st.uuids().map(lambda one: str(one).upper()),
    "occurred_at": st.integers(NOW - 9, NOW) | st.sampled_from([EARLIEST_MS, NOW + DAY_MS]),
    "ids": IDS,
    "booking_ref": st.sampled_from([None, "A", "B"])
    | st.sampled_from([None, *VALUES])
    | st.text(min_size=1, max_size=5),
    "unit": SHORT | st.text(max_size=5) | st.just("u" * 1024),
    "agent_id": SHORT,
    "case_id": SHORT,
    "attributes": st.lists(
        st.fixed_dictionaries(
            {
                "key": st.sampled_from(["note", "phone", "cvv", "a@b.co", "PassportNo", "+966501234567", "bookingRef"]),
                "value": st.sampled_from(
                    ["ok", "91234567", "123", "A1234567", "0123456789", "4111111111111111", "x (at) y.com"]
                )
                | st.text(max_size=4),
            }
        ),
        max_size=2,
    ),
    "touchpoint": st.sampled_from(["stay.checked_in", "stay.complaint", "booking.confirmed", "none.such"]),
    "locale": st.sampled_from([None, "en", "ar-SA", "tr", "x" * 2000]),
    "country": st.sampled_from([None, "SA"]),
    "survey": st.none()
    | st.fixed_dictionaries({"instrument": st.sampled_from(["nps", "csat", "ces", "stars"]), "score": st.floats(1, 5)}),
    "text": st.sampled_from(
        [None, None, "", "The room was dirty, the staff were kind.", "أكل حلال لذيذ", "+966 501234567"]
    ),
    "money": st.none()
    | st.fixed_dictionaries({"amount_minor": st.integers(-MONEY_LIMIT, MONEY_LIMIT), "currency": st.just("SAR")}),
}
BAD: dict[str, st.SearchStrategy[Any]] = {
    "event_id": st.sampled_from(
        ["", "no", "0b8f8f0e-7c11-4a51-9d9b-1f2e3d4c5b6g", "0b8f8f0e7c11-4a51-9d9b-1f2e3d4c5b6a-"]
    ),
    "occurred_at": st.sampled_from([EARLIEST_MS - 1, NOW + DAY_MS + 1, -(1 << 63), (1 << 63) - 1]),
    "ids": st.just([{"kind": "", "value": "x"}])
    | st.just([{"kind": "device", "value": " "}] * 2)
    | st.just([{"kind": "device", "value": "x" * 1025}]),
    "booking_ref": st.sampled_from(["", "b" * 1025]),
    "unit": st.sampled_from(["u" * 1025, "ش" * 513]),
    "agent_id": st.just("a" * 1025),
    "case_id": st.just("c" * 1025),
    "touchpoint": st.just("t" * 1025),
    "country": st.sampled_from(["", "sa", "SAU", "Ä"]),
    "survey": st.fixed_dictionaries({"instrument": st.just("ces"), "score": st.sampled_from([0.5, 7.5, float("nan")])}),
    "text": st.sampled_from(["x" * 65537]),
    "money": st.just({"amount_minor": 1, "currency": "sar"})
    | st.fixed_dictionaries(
        {
            "amount_minor": st.integers(MONEY_LIMIT + 1, (1 << 63) - 1) | st.integers(-(1 << 63), -MONEY_LIMIT - 1),
            "currency": st.just("SAR"),
        }
    ),
}
RATED: dict[str, st.SearchStrategy[Any]] = {
    "good": st.floats(1, 5),
    "bad": st.sampled_from([0.0, -0.0, 0.999, 5.001, 10.0, -1.0, float("nan"), float("inf"), float("-inf")]),
}
"""Ratings of an aspect."""


@st.composite
def events(draw: st.DrawFn, channel: str) -> dict[str, Any]:
    """An event that is good but for a field, perhaps."""
    event = {field["name"]: draw(values(field["type"])) for field in records.inlined(channel)["fields"]}
    event |= {name: draw(good) for name, good in GOOD.items()}
    wrong = draw(st.none() | st.sampled_from([*BAD, *RATED]))
    if "aspect_ratings" in event:
        ratings = [draw(RATED["good"]) for _ in range(draw(st.integers(0, 3)))]
        ratings += [draw(RATED[wrong])] if wrong in RATED else []
        event["aspect_ratings"] = [{"aspect": "staff", "rating": rating} for rating in ratings]
    return event | {wrong: draw(BAD[wrong])} if wrong in BAD else event


def encoded(channel: str, some: list[dict[str, Any]]) -> list[bytes | None]:
    return [*ENCODERS[channel].encode(pl.DataFrame(some, schema=polars_schema(channel)))]


def check(groups: dict[str, list[bytes | None]], forgetful: bool = False) -> Enriched:
    """All that is said of a group, by both ways."""
    found = (FORGETFUL if forgetful else ENRICHER).enrich(groups, NOW)
    base, frames, positions, refused, erased = 0, {}, list[int](), list[Any](), 0
    for channel, payloads in groups.items():
        decoded = DECODERS[channel].decode(payloads)
        if forgetful:
            errors = decoded.errors
            decoded, gone = guard(channel, decoded, [], [], ERASED)
            normal = Decoded(clean(decoded.frame, Nobody()).frame, decoded.rows, errors)
            decoded, more = guard(channel, normal, [], [], ERASED)
            erased += gone + more
        frames[channel] = decoded.frame
        positions += (base + decoded.rows).tolist()
        refused += [(base + at, "undecodable", detail) for at, detail in decoded.errors]
        base += len(payloads)
    expected = ORACLE.enrich(frames, NOW)
    interactions = expected.interactions
    assert found.values == ENCODERS["interaction"].encode(interactions)
    assert found.subjects == [subject.encode() for subject in interactions["subject"]]
    assert found.rows == [positions[row] for row in expected.rows]
    expected_refused = sorted([*refused, *((positions[at], reason, detail) for at, reason, detail in expected.refused)])
    assert sorted(found.refused) == expected_refused
    links = {(subject.encode(), identifier.encode()): at for subject, identifier, at in expected.links.iter_rows()}
    assert found.links == links
    assert found.erased == erased
    assert found.unknown == expected.unknown_touchpoints
    assert found.channels == dict(interactions["channel"].value_counts().iter_rows())
    texts = interactions.filter(pl.col("text").is_not_null()).select("language", pl.col("score_source") == "text")
    assert sorted(found.texts, key=str) == sorted(
        ((language, bool(scored)) for language, scored in texts.iter_rows()), key=str
    )
    return found


@given(st.data())
@settings(deadline=None, max_examples=75)
def test_events_of_every_kind(data: st.DataObject) -> None:
    groups = {
        channel: encoded(channel, data.draw(st.lists(events(channel), max_size=5)))
        for channel in data.draw(st.lists(st.sampled_from(CHANNELS), min_size=1, unique=True))
    }
    check(groups)
    check(groups, forgetful=True)


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_what_is_told_beforehand_is_what_enrich_refuses(data: st.DataObject) -> None:
    channel = data.draw(st.sampled_from(CHANNELS))
    some = data.draw(st.lists(events(channel), min_size=1, max_size=5))
    refused = ENRICHER.enrich({channel: encoded(channel, some)}, NOW).refused
    told = Judge(Nobody())(pl.DataFrame(some, schema=polars_schema(channel)), NOW)
    assert [(one.row, one.reason, one.detail) for one in told] == sorted(refused)


@given(st.data(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=150)
def test_bytes_that_are_no_events(data: st.DataObject, random: Random) -> None:
    channel = data.draw(st.sampled_from(CHANNELS))
    payloads = encoded(channel, data.draw(st.lists(events(channel), min_size=1, max_size=5)))
    at = random.randrange(len(payloads))
    header = prefix(payloads[at] or b"")
    body = random.choice(CORRUPTIONS)((payloads[at] or b"")[len(header) :], random)
    payloads[at] = random.choice([header + body, body, None, b""])
    check({channel: payloads})


@pytest.mark.parametrize("channel", CHANNELS)
def test_events_that_others_write_otherwise(channel: str) -> None:
    """An array in two blocks and with its size, a number in more bytes than it needs, another header."""
    text = "0b8f8f0e-7c11-4a51-9d9b-1f2e3d4c5b6a"
    event: dict[str, Any] = {field["name"]: None for field in records.inlined(channel)["fields"]}
    event |= {"event_id": text, "occurred_at": NOW, "touchpoint": "stay.complaint", "medium": "web", "attributes": []}
    event |= {"ids": [{"kind": kind, "value": "1"} for kind in ("device", "customer")], "aspect_ratings": []}
    schema = polars_schema(channel)
    (usual,) = encoded(channel, [{name: event[name] for name in schema}])
    assert usual is not None
    header, datum = usual[:10], usual[10:]
    one, two = b"\x0cdevice\x021", b"\x10customer\x021"
    assert datum.count(b"\x04" + one + two + b"\0") == 1
    blocks = datum.replace(b"\x04" + one + two, b"\x02" + one + b"\x01" + varint(len(two)) + two)
    padded = b"\xc8\x00" + datum[1:]
    confluent = REGISTRY.header_for(channel, CONFLUENT)
    found = check({channel: [usual, header + blocks, header + padded, confluent + datum, usual]})
    assert found.rows == [0, 1, 2, 3, 4]
    assert len({*found.values}) == 1
    assert check({channel: [confluent + datum, confluent + datum]}).values == found.values[:2]


def test_simulated_events_and_bad_ones(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("simulated") / "events.jsonl"
    write(Options(customers=300, seed=7, bad=0.05), file)
    for batch in jsonl.read(str(file), batch_size=1000):
        payloads: list[bytes | None] = [*ENCODERS[batch.channel].encode(batch.frame)]
        check({batch.channel: payloads})


def test_a_call_without_events() -> None:
    assert ENRICHER.enrich({}, NOW).values == []
    assert check({"stay": []}).values == []


def test_an_event_that_only_one_way_refuses_is_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    event: dict[str, Any] = {"event_id": "0b8f8f0e-7c11-4a51-9d9b-1f2e3d4c5b6a", "occurred_at": NOW, "medium": "web"}
    event |= {"touchpoint": "stay.complaint", "ids": [{"kind": "customer", "value": "1"}], "booking_ref": None}
    schema = polars_schema("stay")
    event |= {name: event.get(name, [] if isinstance(dtype, pl.List) else None) for name, dtype in schema.items()}
    payloads = encoded("stay", [event, event | {"event_id": "no UUID"}, event])
    monkeypatch.setattr(transform, "refusals", lambda *_: [])
    found = ENRICHER.enrich({"stay": payloads}, NOW)
    assert found.refused == [(1, "undecodable", transform.DIFFERENT)]
    assert found.rows == [0, 2]
    assert len(found.values) == len(found.subjects) == 2
