"""Each rule of validation, on both sides of its bound."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from schemas.records import polars_schema
from streams.enrich.validate import DAY_MS, EARLIEST_MS, refusals

NOW = 1_750_000_000_000
GOOD: dict[str, Any] = {
    "event_id": "0b8f8f0e-7c11-4a51-9d9b-1f2e3d4c5b6a",
    "occurred_at": NOW,
    "ids": [{"kind": "customer", "value": "c1"}],
    "booking_ref": None,
    "touchpoint": "booking.confirmed",
    "medium": "web",
    "country": "SA",
    "survey": {"instrument": "nps", "score": 9.0},
    "text": "good",
    "money": {"amount_minor": 5, "currency": "SAR"},
    "attributes": [],
}


def verdicts(*changes: dict[str, Any]) -> list[tuple[int, str, str]]:
    rows = [{**GOOD, **change} for change in changes]
    return refusals(pl.DataFrame(rows, schema=polars_schema("booking")), NOW)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"event_id": "no-uuid"}, "bad_event_id"),
        ({"event_id": GOOD["event_id"].upper()}, None),
        ({"event_id": "{" + GOOD["event_id"] + "}"}, "bad_event_id"),
        ({"ids": []}, "no_identifier"),
        ({"ids": [], "booking_ref": "R"}, None),
        ({"ids": [{"kind": "booking_ref", "value": "R"}]}, "no_identifier"),
        ({"ids": [{"kind": "booking_ref:R", "value": "1"}]}, "no_identifier"),
        ({"ids": [{"kind": "booking_ref:R", "value": "1"}], "booking_ref": "R"}, None),
        ({"ids": [{"kind": "customer", "value": ""}]}, "no_identifier"),
        ({"ids": [{"kind": "", "value": "x"}], "booking_ref": "R"}, "no_identifier"),
        ({"booking_ref": ""}, "no_identifier"),
        ({"occurred_at": EARLIEST_MS}, None),
        ({"occurred_at": EARLIEST_MS - 1}, "bad_time"),
        ({"occurred_at": NOW + DAY_MS}, None),
        ({"occurred_at": NOW + DAY_MS + 1}, "bad_time"),
        ({"survey": {"instrument": "nps", "score": 0.0}}, None),
        ({"survey": {"instrument": "nps", "score": 10.1}}, "bad_survey"),
        ({"survey": {"instrument": "nps", "score": float("nan")}}, "bad_survey"),
        ({"survey": {"instrument": "csat", "score": 0.9}}, "bad_survey"),
        ({"survey": {"instrument": "stars", "score": 5.0}}, None),
        ({"survey": {"instrument": "ces", "score": 7.0}}, None),
        ({"survey": {"instrument": "ces", "score": 7.5}}, "bad_survey"),
        ({"money": {"amount_minor": 1, "currency": "sar"}}, "bad_money"),
        ({"money": {"amount_minor": 1, "currency": "SARS"}}, "bad_money"),
        ({"country": "sa"}, "bad_country"),
        ({"country": "SAU"}, "bad_country"),
        ({"country": None, "survey": None, "money": None, "text": None}, None),
        ({"text": "x" * 65536}, None),
        ({"text": "x" * 65537}, "too_long"),
        ({"unit": "u" * 1025}, "too_long"),
        ({"agent_id": "ع" * 513}, "too_long"),
        ({"booking_ref": "b" * 1025}, "too_long"),
        ({"case_id": "c" * 1025}, "too_long"),
        ({"touchpoint": "t" * 1025}, "too_long"),
        ({"ids": [{"kind": "customer", "value": "1" * 1025}]}, "too_long"),
        ({"ids": [{"kind": "k" * 1025, "value": "1"}]}, "too_long"),
        ({"text": "ع" * 32769}, "too_long"),
    ],
)
def test_each_rule(change: dict[str, Any], reason: str | None) -> None:
    refused = verdicts({}, change)
    assert [(row, word) for row, word, _ in refused] == ([] if reason is None else [(1, reason)])
    assert all(detail for _, _, detail in refused)


def test_of_several_rules_the_first_gives_the_reason_and_refusals_are_by_row() -> None:
    refused = verdicts({"country": "sa"}, {}, {"country": "sa", "event_id": "no"}, {"ids": []}, {"country": "sa"})
    assert refused == [
        (0, "bad_country", "country is not two capital letters: sa"),
        (2, "bad_event_id", "event_id is not a UUID: no"),
        (3, "no_identifier", "neither an identifier nor a booking reference"),
        (4, "bad_country", "country is not two capital letters: sa"),
    ]


def test_nothing_of_an_empty_batch_is_refused() -> None:
    assert refusals(pl.DataFrame(schema=polars_schema("booking")), NOW) == []
