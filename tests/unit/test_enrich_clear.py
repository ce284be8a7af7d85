"""What is in clear reaches neither an interaction nor a dead letter, and what is nobody joins no strangers."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.records import polars_schema
from schemas.registry import LocalRegistry
from streams.embedded.accounting import event_keys
from streams.enrich.agent import _refused
from streams.enrich.enriched import Enriched
from streams.enrich.transform import Enricher
from streams.kafka.progress import RecordBatch, Records
from streams.kafka.record_batch import RecordColumns
from streams.model.normal import Nobody

NOW = 1_750_000_000_000
ADDRESS, NUMBER = "Amina@Example.com", "+966 50 123 4567"
REGISTRY = LocalRegistry()
DECODER, STORED = BatchDecoder("stay", REGISTRY), BatchDecoder("interaction", REGISTRY)


def payload(**changes: Any) -> bytes:
    event: dict[str, Any] = {"event_id": "0b8f8f0e-7c11-4a51-9d9b-1f2e3d4c5b6a", "occurred_at": NOW, "medium": "web"}
    event |= {"touchpoint": "stay.arrived", "ids": [], "attributes": []} | changes
    schema = polars_schema("stay")
    (value,) = BatchEncoder("stay", REGISTRY).encode(pl.DataFrame([{n: event.get(n) for n in schema}], schema=schema))
    return value


def ids(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"kind": kind, "value": value} for kind, value in pairs]


def enriched(*payloads: bytes, more: tuple[str, ...] = ()) -> Enriched:
    return Enricher(REGISTRY, nobody=Nobody(more)).enrich({"stay": payloads}, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"ids": ids(("email_sha256", ADDRESS))},
        {"ids": ids(("customer", "C1"), ("device", ADDRESS)), "text": f"write to {ADDRESS.lower()}"},
        {"ids": ids(("customer", "C1")), "booking_ref": ADDRESS},
        {"ids": ids((ADDRESS, "1"), ("customer", "C1"))},
        {"ids": ids(("email_sha256", f" {ADDRESS} ")), "occurred_at": 0},
    ],
)
def test_a_letter_shows_nothing_in_clear_and_is_still_an_event(changes: dict[str, Any]) -> None:
    value = payload(**changes)
    found = enriched(value)
    assert [reason for _, reason, _ in found.refused] == ["clear_identifier"]
    columns = RecordColumns()
    columns.append(7, NOW, f"email_sha256:{ADDRESS}".encode(), value, ())
    records = Records([RecordBatch(columns, "cx.stay", 0, 1)])
    ((_, at, _, detail),) = _refused(found, {"stay": records})
    key, shown = records.shown[at]
    assert key is not None
    for data in (key, shown, detail.encode()):
        assert b"amina" not in data.lower()
    assert len(shown) == len(value)
    decoded = DECODER.decode([shown])
    assert not decoded.errors
    again = enriched(shown)  # as a replay sends it
    assert [reason for _, reason, _ in again.refused] in ([], ["no_identifier"], ["bad_time"])
    keys = [event_keys(DECODER.decode([one]).frame).rows() for one in (value, shown)]
    assert keys[0] == keys[1]


def test_a_short_value_that_is_no_hash_is_masked_where_it_stands() -> None:
    found = enriched(payload(ids=ids(("phone_sha256", "42"), ("customer", "C42")), unit="42nd"))
    ((shown, secrets),) = found.clear.values()
    (event,) = DECODER.decode([shown]).frame.to_dicts()
    assert secrets == ["42"]
    assert event["ids"] == ids(("phone_sha256", "**"), ("customer", "C42"))
    assert event["unit"] == "42nd"


def test_nobody_is_taken_out_where_somebody_is_left() -> None:
    found = enriched(
        payload(ids=ids(("customer", "null"), ("loyalty", "L1")), booking_ref="N/A"),
        payload(ids=ids(("customer", "0000")), booking_ref="R1"),
        payload(ids=ids(("customer", "undefined")), booking_ref="0"),
        payload(ids=ids(("customer", "Walk-In Guest"))),
        more=("walk-in guest",),
    )
    assert found.subjects == [b"loyalty:L1", b"booking_ref:R1"]
    assert [(at, reason) for at, reason, _ in found.refused] == [(2, "no_identifier"), (3, "no_identifier")]
    assert found.nobody == 6
    assert STORED.decode(found.values).frame["booking_ref"].to_list() == [None, "R1"]


def test_a_customer_number_that_spells_another_identifier_is_that_identifier() -> None:
    found = enriched(
        payload(ids=ids(("customer", "loyalty:L1")), booking_ref=None),
        payload(ids=ids(("customer", "booking_ref:R2")), booking_ref="R1"),
        payload(ids=ids(("customer", "booking_ref:R2")), booking_ref=None),
    )
    assert found.subjects == [b"loyalty:L1", b"booking_ref:R1"]
    assert [(at, reason) for at, reason, _ in found.refused] == [(2, "no_identifier")]


def test_attributes_are_read_with_their_keys_and_agents_stay_apart() -> None:
    attributes = [("mobilePhone", "91234567"), ("cvv", "123"), ("note", f"card 4111 1111 1111 1111, {ADDRESS}")]
    attributes += [("bookingRef", "0123456789"), ("nights", "7"), (ADDRESS, "yes")]
    kept = [{"key": key, "value": value} for key, value in attributes]
    found = enriched(
        *(
            payload(ids=ids(("customer", "C1")), attributes=kept, agent_id=agent)
            for agent in ("a@x.example", "b@x.example")
        )
    )
    rows = STORED.decode(found.values).frame
    assert [(one["key"], one["value"]) for one in rows["attributes"].to_list()[0]] == [
        ("mobilePhone", "[phone]"),
        ("cvv", "[cvv]"),
        ("note", "card [card], [email]"),
        ("bookingRef", "0123456789"),
        ("nights", "7"),
        ("[email]", "yes"),
    ]
    agents = rows["agent_id"].to_list()
    assert len({*agents}) == 2
    assert all(agent.startswith("[email]-") for agent in agents)


def test_what_a_detail_quotes_is_scrubbed() -> None:
    found = enriched(payload(ids=ids(("customer", "C1")), event_id=ADDRESS))
    assert found.refused == [(0, "bad_event_id", "event_id is not a UUID: [email]")]
