"""What dead letters show of records and lines."""

from __future__ import annotations

import io
import json
from typing import Any

import orjson
import pytest
from fastavro import parse_schema, schemaless_writer

from schemas.registry import LocalRegistry
from schemas.single import decode_one, encode_one
from streams.model.dead_letter import DeadLetter, is_cut, is_masked, showing, shows
from streams.text.shown import LOOKED_AT, shown_key, shown_line, shown_record, shown_text

CARD, PHONE, MAIL = "4111 1111 1111 1111", "+966 50 123 4567", "amina@example.com"
EVENT: dict[str, Any] = {
    "event_id": "7b0c2ad4-6a0e-4c1d-9a49-000000000001",
    "occurred_at": 1_770_000_000_000,
    "ids": [{"kind": "customer", "value": "4111111111111111"}, {"kind": "device", "value": "d-1"}],
    "booking_ref": "UMR-77",
    "touchpoint": "stay.arrived",
    "medium": "web",
    "text": f"my card {CARD} was charged twice, write to {MAIL}",
    "attributes": [{"key": "mobile", "value": "91234567"}, {"key": "floor", "value": "12"}],
}
FILES = LocalRegistry()


def unknown(event: dict[str, Any]) -> bytes:
    """The event as a producer writes it whose schema nobody knows."""
    return b"\0\0\1\2\3" + encode_one("stay", event)[10:]


def test_an_event_shows_everything_but_what_its_texts_hold_and_still_decodes() -> None:
    payload = encode_one("stay", EVENT)
    shown = shown_record(payload, FILES)
    assert shown is not None
    assert len(shown) == len(payload)
    event = decode_one(shown, "stay")
    assert event["text"] == f"my card {'*' * len(CARD)} was charged twice, write to {'*' * len(MAIL)}"
    assert event["attributes"] == [{"key": "mobile", "value": "********"}, {"key": "floor", "value": "12"}]
    assert {name: event[name] for name in ("event_id", "ids", "booking_ref", "touchpoint")} == {
        name: EVENT[name] for name in ("event_id", "ids", "booking_ref", "touchpoint")
    }, "what events are known by stays: a letter is counted by it"
    odd = shown_record(encode_one("stay", {**EVENT, "event_id": MAIL}), FILES)
    assert odd is not None
    assert decode_one(odd, "stay")["event_id"] == "*" * len(MAIL)
    clean = encode_one("stay", {**EVENT, "text": "lovely", "attributes": []})
    assert shown_record(clean, FILES) == clean


def test_identifiers_in_clear_are_masked_whatever_the_reason() -> None:
    payload = encode_one("stay", {**EVENT, "ids": [{"kind": "email_sha256", "value": MAIL}]})
    shown = shown_record(payload, FILES)
    assert shown is not None
    assert decode_one(shown, "stay")["ids"] == [{"kind": "email_sha256", "value": "*" * len(MAIL)}]


@pytest.mark.parametrize("cut", [0, 1, 30])
def test_without_its_schema_an_event_is_masked_too_and_decodes_when_the_schema_is_known(cut: int) -> None:
    payload = unknown({**EVENT, "ids": [{"kind": "phone", "value": "91234567"}, {"kind": "email", "value": MAIL}]})
    payload = payload[: len(payload) - cut]
    shown = shown_record(payload, FILES)
    assert shown is not None
    assert len(shown) == len(payload)
    for secret in (CARD, MAIL, "91234567"):
        assert secret.encode() not in shown
    if not cut:
        event = decode_one(encode_one("stay", EVENT)[:10] + shown[5:], "stay")
        assert event["touchpoint"] == "stay.arrived"
        assert event["text"].startswith("my card ****")


def test_strings_of_every_length_are_found_without_a_schema() -> None:
    for size in range(200):
        text = "x" * size + f" card {CARD} phone {PHONE} {MAIL} "
        shown = shown_record(unknown({**EVENT, "text": text}), FILES)
        assert shown is not None
        assert not any(secret.encode() in shown for secret in (CARD, PHONE, MAIL)), size


def test_an_extra_field_is_read_with_its_name() -> None:
    fields = [{"name": "event_id", "type": "string"}, {"name": "mobile", "type": "string"}]
    schema = parse_schema({"type": "record", "name": "stay", "fields": fields})

    class Registry(LocalRegistry):
        def writer_schema(self, header: Any) -> Any:
            return schema

    out = io.BytesIO()
    schemaless_writer(out, schema, {"event_id": "e", "mobile": "91234567"})
    assert shown_record(b"\0\0\0\0\7" + out.getvalue(), Registry()) == b"\0\0\0\0\7\x02e\x10********"


def test_json_is_masked_string_by_string_and_stays_json() -> None:
    event = {
        **EVENT,
        "guest": {"passport": "passport A1234567"},
        "card": 4111111111111111,
        "note": f"tel\u00e9 {PHONE}",
    }
    for line in (orjson.dumps(event), json.dumps(event).encode()):
        shown = orjson.loads(shown_line(line))
        assert shown["ids"] == EVENT["ids"]
        assert shown["attributes"][0]["value"] == "********"
        assert shown["card"] == "*" * 14
        text = json.dumps(shown)
        assert not any(secret in text for secret in (CARD, PHONE, MAIL, "A1234567"))
        assert shown["occurred_at"] == EVENT["occurred_at"]
        assert shown_record(b"\0\0\0\0\7" + line, FILES) == b"\0\0\0\0\7" + shown_line(line)
    assert shown_line(b'{"note": "plain"}') == b'{"note": "plain"}'
    assert CARD.encode() not in shown_line(b'{"card": "' + CARD.encode())
    assert MAIL.encode() not in shown_line("né à ".encode("latin-1") + MAIL.encode())


def test_what_cannot_be_looked_through_is_not_shown() -> None:
    assert shown_record(b"\x1f\x8b\x08\xff\xfe", FILES) is None
    assert shown_record("card".encode("utf-16"), FILES) is None
    assert shown_key(b"\x80" * 17, FILES) is None
    assert shown_key(b"\x80" * 16, FILES) == b"\x80" * 16
    assert shown_key(MAIL.encode(), FILES) == b"*" * len(MAIL)
    long = encode_one("stay", {**EVENT, "text": "x" * (LOOKED_AT + 1)})
    shown = shown_record(long, FILES)
    assert shown is not None
    assert decode_one(shown, "stay")["text"] == "*" * (LOOKED_AT + 1)


def test_a_letter_says_what_it_shows_and_is_known_by_its_record() -> None:
    letter = DeadLetter("cx.stay", 0, 7, b"key", f"card {CARD}".encode(), "undecodable", "no JSON")
    assert showing(letter, b"key", letter.payload) is letter
    masked = showing(letter, b"key", b"card " + b"*" * len(CARD))
    assert is_masked(masked.detail)
    assert not is_cut(masked.detail)
    assert shows(masked.detail, (masked.key, masked.payload), (letter.key, letter.payload))
    assert not shows(masked.detail, (masked.key, masked.payload), (letter.key, b"bill " + letter.payload[5:]))
    hidden = showing(letter, None, None)
    assert (hidden.key, hidden.payload) == (None, b"")
    assert is_cut(hidden.detail)
    assert shows(hidden.detail, (None, b""), (letter.key, letter.payload))
    assert not shows(hidden.detail, (None, b""), (letter.key, letter.payload + b"."))


@pytest.mark.parametrize(
    "line",
    [
        b'{"text": "write to amina@example.com", "text": "x"}',
        b'{"text": "x", "text": "write to amina@example.com"}',
        b'{"text": "x", "text": ["write to amina@example.com"], "text": null}',
        b'{"a": {"mail": "amina@example.com", "mail": 1}}',
        b'{"ids": [{"kind": "email", "value": "amina@example.com"}], "ids": []}',
        b'{"event_id": "amina@example.com", "event_id": "7b0c2ad4-6a0e-4c1d-9a49-000000000001"}',
        b'{"booking_ref": "amina@example.com", "booking_ref": "R-1"}',
        b"[" * 1000 + b'"amina@example.com"' + b"]" * 1000,
    ],
)
def test_a_name_that_an_object_has_twice_hides_nothing(line: bytes) -> None:
    """Readers of JSON keep the last value; the letter holds all of them."""
    shown = shown_text(line)
    assert shown is not None
    assert b"amina" not in shown
    assert len(shown) == len(line)
