"""The recipes: what vendors send, by the mapping beside it, is these events, and nothing of it is a dead letter."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from streams.enrich.judge import Judge
from streams.model.normal import Nobody
from streams.sources.adapters import open_source
from streams.sources.mapping.mail import own_words, row_of

FOLDER = Path(__file__).parents[2] / "examples/recipes"
NOW = 1_750_000_000_000
EXPECTED = {
    "opera-ohip.jsonl": [
        ("booking.confirmed", "2025-02-01T09:30:00", "880001", ["guest_profile", "email_sha256"]),
        ("stay.arrived", "2025-03-05T15:10:00", "880001", []),
    ],
    "mews.json": [
        ("booking.confirmed", "2025-01-10T08:00:00", "52", ["guest_profile"]),
        ("booking.confirmed", "2025-01-11T08:00:00", "53", ["guest_profile"]),
        ("booking.cancelled", "2025-01-12T08:00:00", "53", ["guest_profile"]),
        ("stay.arrived", "2025-02-01T15:12:00", "52", ["guest_profile"]),
        ("stay.checked_out", "2025-02-03T09:40:00", "52", ["guest_profile"]),
    ],
    "cloudbeds.jsonl": [
        ("booking.confirmed", "2025-02-01T09:30:00.431000", "7215637383", []),
        ("stay.arrived", "2025-03-05T15:10:00.200000", "7215637383", []),
    ],
    "amadeus-orders.jsonl": [
        ("booking.confirmed", "2025-01-22T14:28:00", "RZ6JWB", ["email_sha256", "phone_sha256"]),
        ("booking.confirmed", "2025-01-22T14:28:00", "RZ6JWB", ["email_sha256", "phone_sha256"]),
    ],
    "duffel-orders.jsonl": [
        ("booking.confirmed", "2025-01-11T15:48:11.642000", "RZPNX8", ["email_sha256", "phone_sha256"]),
        ("booking.schedule_changed", "2025-02-11T12:18:12.642000", "RZPNX8", []),
    ],
    "zendesk.jsonl": [
        ("post_travel.complaint_made", "2025-03-04T05:33:18", None, ["guest_profile"]),
        ("post_travel.complaint_resolved", "2025-03-05T08:00:00", None, ["guest_profile"]),
    ],
    "hubspot-merges.json": [
        ("identity.linked", "2025-02-19T21:20:00", None, ["guest_profile", "guest_profile", "guest_profile"]),
        ("identity.linked", "2025-02-19T21:20:00", None, ["guest_profile", "guest_profile", "guest_profile"]),
        ("identity.linked", "2025-02-19T21:21:00", None, ["guest_profile", "guest_profile", "guest_profile"]),
    ],
    "google-reviews.json": [
        ("post_travel.review_posted", "2025-03-10T11:00:00.123000", None, ["social"]),
        ("post_travel.review_posted", "2025-03-11T11:01:00", None, ["social"]),
    ],
    "typeform.jsonl": [
        ("post_travel.nps_answered", "2025-03-11T18:17:02", "52", []),
        ("post_travel.nps_answered", "2025-03-12T18:17:02", "53", []),
    ],
    "letters.mbox": [
        ("post_travel.letter_received", "2025-03-15T10:00:00", None, ["email_sha256"]),
        ("post_travel.letter_received", "2025-03-16T10:00:00", None, ["email_sha256"]),
    ],
    "stripe-invoices.jsonl": [
        ("booking.payment_made", "2025-02-01T09:30:00", "52", ["guest_profile", "email_sha256"]),
        ("booking.payment_failed", "2025-02-02T09:30:00", "53", ["guest_profile", "phone_sha256"]),
    ],
    "whatsapp.jsonl": [
        ("stay.service_requested", "2025-03-05T15:10:00", None, ["phone_sha256", "social"]),
        ("stay.service_requested", "2025-03-05T15:11:40", None, ["social"]),
    ],
    "permits.csv": [
        ("booking.permit_issued", "2025-03-04T21:00:00", "U-77", ["passport_sha256", "phone_sha256"]),
    ],
}


def rows(name: str) -> list[dict[str, Any]]:
    found = []
    for batch in open_source(str(FOLDER / name), mapping=str((FOLDER / name).with_suffix(".toml"))):
        assert batch.bad == []
        assert not batch.unread
        assert not Judge(Nobody())(batch.frame, NOW)
        found += batch.frame.to_dicts()
    return sorted(found, key=lambda row: (row["occurred_at"], row["event_id"]))


@pytest.mark.parametrize("name", EXPECTED)
def test_what_a_vendor_sends_is_these_events(name: str) -> None:
    made = [
        (
            row["touchpoint"],
            datetime.fromtimestamp(row["occurred_at"] / 1000, UTC).replace(tzinfo=None).isoformat(),
            row["booking_ref"],
            [one["kind"] for one in row["ids"]],
        )
        for row in rows(name)
    ]
    assert sorted(made, key=str) == sorted(EXPECTED[name], key=str)


def test_every_recipe_is_tried() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == {name.partition(".")[0] for name in EXPECTED}


def test_what_stands_in_them() -> None:
    letters = rows("letters.mbox")
    assert [row["text"] for row in letters] == [
        "The lift was out of order for two days.\nFrom then on we walked.",
        "The invoice is wrong.",
    ]
    assert letters[0]["ids"] == [{"kind": "email_sha256", "value": sha256(b"amina@example.com").hexdigest()}]
    assert [row["text"] for row in rows("whatsapp.jsonl")] == ["Does it come in another color?", "And towels, please."]
    assert {one["value"] for row in rows("amadeus-orders.jsonl") for one in row["ids"]} >= {
        sha256(number.encode()).hexdigest() for number in ("+34480080076", "+34480080077")
    }
    assert [row["money"] for row in rows("amadeus-orders.jsonl") if row["money"]] == [
        {"amount_minor": 54670, "currency": "EUR"}
    ]
    assert [row["money"] for row in rows("stripe-invoices.jsonl")] == [
        {"amount_minor": 245000, "currency": "SAR"},
        {"amount_minor": 1250, "currency": "KWD"},
    ]
    answered, skipped = rows("typeform.jsonl")
    assert answered["survey"] == {"instrument": "nps", "score": 9.0}
    assert (answered["text"], answered["attributes"]) == ("The breakfast.", [{"key": "room", "value": "Haram view"}])
    assert (skipped["survey"], skipped["text"]) == (None, "Too many questions.")
    assert {one["value"] for row in rows("hubspot-merges.json") for one in row["ids"]} == {
        *("hubspot:121", "hubspot:122", "hubspot:123", "hubspot:124", "hubspot:131", "hubspot:132")
    }


@pytest.mark.parametrize(
    "text",
    [
        "Mine.\n\nOn Mon, Jan 6, 2025 at 9:00 AM Hotel <h@x.example> wrote:\n> Theirs",
        "Mine.\n\nAm 06.01.2025 um 09:00 schrieb Hotel:\n> Theirs",
        "Mine.\n\nLe lun. 6 janv. 2025 à 09:00, Hotel a écrit :\n> Theirs",
        "Mine.\n\n-----Original Message-----\nFrom: Hotel\nTheirs",
        "Mine.\n\nFrom: Hotel <h@x.example>\nSent: Monday\nTo: Guest\n\nTheirs",
        "Mine.\n-- \nA. Guest",
        "> Theirs\nMine.",
        "Mine.\n\nSent from my iPhone",
        "Mine.\n\nفي الاثنين، 6 يناير 2025 كتب الفندق:\n> Theirs",
    ],
)
def test_what_is_quoted_and_signed_is_taken_out(text: str) -> None:
    assert own_words(text) == "Mine."


def test_a_letter_that_only_an_enemy_writes_is_a_row() -> None:
    for data in (
        b"From: =?x?b?\xff?=\nDate: never\n\n\xff\xfe",
        b"Content-Type: text/plain; charset=none\nDate: x\n\n\xd9",
        b"\n",
        b"From: a\0b\nContent-Type: multipart/mixed\n\nx",
        b"From: x@y.example\n" + b"Content-Type: message/rfc822\n\n" * 500,
    ):
        assert set(row_of(data)) >= {"from", "text"}
