"""Verify's tables without what a worker could not process."""

from __future__ import annotations

import polars as pl

from schemas.records import polars_schema
from streams.verify.recompute import COLUMNS, recompute


def log() -> pl.DataFrame:
    types = polars_schema("interaction")
    schema = {name: types[name] for name in ("subject", *COLUMNS)}
    rows = [
        {
            "subject": "customer:1",
            "event_id": f"00000000-0000-4000-8000-{number:012}",
            "occurred_at": 1_770_000_000_000 + number,
            "ids": [{"kind": "customer", "value": "1"}, {"kind": "device", "value": str(number)}],
            "booking_ref": "B",
            "touchpoint": "booking.confirmed",
            "channel": "booking",
            "money": {"amount_minor": amount, "currency": "SAR"},
            "attributes": [],
        }
        for number, amount in enumerate([(1 << 63) - 1, (1 << 63) - 1, 5])
    ]
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def test_what_is_left_out_is_in_no_table_and_still_says_who_is_who() -> None:
    whole, left = recompute(log()), recompute(log(), log().select("subject", "event_id")[:2])
    assert whole.journeys["spend"].to_list() == [[{"currency": "SAR", "amount_minor": (1 << 63) - 1}]]
    assert left.journeys["spend"].to_list() == [[{"currency": "SAR", "amount_minor": 5}]]
    assert (whole.interactions.height, left.interactions.height) == (3, 1)
    assert left.customers["interactions"].to_list() == [1]
    assert set(left.identities["value"]) == set(whole.identities["value"]) == {"0", "1", "2"}


def test_a_link_that_is_left_out_joins_nobody() -> None:
    left = recompute(log(), None, {("customer:1", "device:2")})
    assert set(left.identities["value"]) == {"0", "1"}
    assert left.interactions.height == 3


def test_a_link_without_an_event_says_who_is_who_and_is_counted_nowhere() -> None:
    linking = pl.when(pl.col("event_id").str.ends_with("1")).then(pl.lit("identity.linked"))
    found = recompute(log().with_columns(touchpoint=linking.otherwise("touchpoint")))
    assert found.customers["interactions"].to_list() == [2]
    assert found.interactions.height == 2
    assert set(found.identities["value"]) == {"0", "1", "2"}
