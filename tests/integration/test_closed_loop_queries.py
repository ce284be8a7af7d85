"""The named queries of the closed loop on a small set of data, with answers worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from sinks.named import load
from tests.clickhouse import ClickHouse
from tests.sink_rows import DAY, NOON, frame, interaction, journey

HOUR = 3_600_000


def ask(clickhouse: ClickHouse, name: str, **given: str) -> list[dict[str, Any]]:
    """The answer of a named query; its columns are those of its documentation."""
    query = load()[name]
    result = clickhouse.client.query(query.sql, parameters=query.bind(given))
    assert not result.result_rows or result.column_names == tuple(column for column, _ in query.columns)
    return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


def move(number: int, customer: str, before: str, after: str, day: int = 0, **given: Any) -> dict[str, Any]:
    ends = {"from_profile": before, "to_profile": after}
    return {
        "move_id": f"m{number}",
        "customer_id": customer,
        "occurred_at": NOON + day * DAY,
        "score": 0.5,
        **ends,
        **given,
    }


MOVES = [
    move(1, "a", "non_committal", "advocate", unit="H1"),
    move(2, "b", "non_committal", "advocate", unit="H1"),
    move(3, "c", "non_committal", "negative", unit="H2", score=-0.4),
    move(4, "a", "advocate", "negative", 8, unit="H1", touchpoint="stay.halal_breach", score=-0.3),
    move(5, "b", "advocate", "non_committal", 9, unit="H1", touchpoint="stay.room_dirty", score=0.1),
    move(6, "b", "non_committal", "advocate", 10, unit="H1"),
]


@pytest.fixture
def filled(clickhouse: ClickHouse) -> ClickHouse:
    """Six moves; a is negative and has spent 300 SAR and 5 USD, b an advocate again with 100 SAR, c without spend."""
    clickhouse.migrated()
    clickhouse.write("moves", frame("move", *MOVES, MOVES[0]))
    people = [("a", "negative"), ("b", "advocate"), ("c", "negative")]
    rows = [{"customer_id": name, "profile": profile, "open_cases": 1} for name, profile in people]
    clickhouse.write("customers", frame("customer", *rows))
    sar, usd = ({"currency": currency, "amount_minor": minor} for currency, minor in (("SAR", 30000), ("USD", 500)))
    trips = [
        journey("a", "R1", NOON, NOON, spend=[sar, usd]),
        journey("b", "R2", NOON, NOON, spend=[{"currency": "SAR", "amount_minor": 10000}]),
    ]
    clickhouse.write("journeys", frame("journey", *trips))
    return clickhouse


def test_transitions(filled: ClickHouse) -> None:
    found = [(r["from_profile"], r["to_profile"], r["moves"], r["share"]) for r in ask(filled, "transitions")]
    assert found == [
        ("non_committal", "negative", 1, 25.0),
        ("non_committal", "advocate", 3, 75.0),
        ("advocate", "negative", 1, 50.0),
        ("advocate", "non_committal", 1, 50.0),
    ]
    assert ask(filled, "transitions", until="2024-01-02")[1]["customers"] == 2


def test_net_flow(filled: ClickHouse) -> None:
    """1 January 2024 is a Monday: three moves in its week, three in the next."""
    found = [tuple(row.values())[1:] for row in ask(filled, "net_flow")]
    assert found == [(3, 1, -3, 2), (3, 1, 0, -1)]
    assert str(ask(filled, "net_flow")[0]["week"]) == "2024-01-01"


def test_value_at_risk(filled: ClickHouse) -> None:
    found = [tuple(row.values()) for row in ask(filled, "value_at_risk")]
    assert found == [("SAR", 1, 30000, 75.0, 1), ("USD", 1, 500, 100.0, 1)]


def test_units_losing_advocates(filled: ClickHouse) -> None:
    (row,) = ask(filled, "units_losing_advocates")
    assert (row["unit"], row["lost"], row["customers"], row["still_lost"]) == ("H1", 2, 2, 1)
    assert row["causes"] == [("stay.halal_breach", 1), ("stay.room_dirty", 1)]
    assert row["cost_minor"] == {"SAR": 30000, "USD": 500}


def test_service_recovery(clickhouse: ClickHouse) -> None:
    """Two cases resolved: one after 10 hours with one contact, from -0.5 to 0.7; the other has no score after."""
    clickhouse.migrated()
    cases = [
        {"case_id": "1", "customer_id": "a", "contacts": 1, "resolved_at": NOON + 10 * HOUR},
        {"case_id": "2", "customer_id": "b", "contacts": 2, "resolved_at": NOON + 20 * HOUR},
        {"case_id": "3", "customer_id": "b", "contacts": 2, "status": "open"},
        {"case_id": "4", "customer_id": "b", "contacts": 0, "opened_at": None, "resolved_at": NOON},
    ]
    what = {"touchpoint": "stay.complaint_made", "status": "resolved", "opened_at": NOON}
    clickhouse.write("cases", frame("case", *({**what, **case} for case in cases)))
    clickhouse.write("customers", frame("customer", *({"customer_id": name, "value": name} for name in "ab")))
    said = [
        interaction("customer:a", NOON - HOUR, score=-0.5),
        interaction("customer:a", NOON - 40 * DAY, score=0.9),
        interaction("customer:a", NOON + 11 * HOUR, score=0.7, touchpoint="post_travel.improvement_told"),
        interaction("customer:b", NOON - HOUR, score=0.1),
    ]
    clickhouse.write("interactions", frame("interaction", *said))
    assert ask(clickhouse, "service_recovery") == [
        {
            "touchpoint": "stay.complaint_made",
            "cases": 2,
            "first_contact": 50.0,
            "hours": 15.0,
            "compared": 1,
            "before": -0.5,
            "after": 0.7,
            "change": 1.2,
            "recovered": 100.0,
            "told": 50.0,
        }
    ]


def test_alerts(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    at = {"occurred_at": NOON, "raised_at": NOON}
    rows = [
        {"alert_id": "1", "severity": "medium", "unit": "H1", **at},
        {"alert_id": "2", "severity": "critical", "unit": "H2", **at, "occurred_at": NOON + 5},
        {"alert_id": "3", "severity": "critical", "closed_at": NOON + 1, **at},
    ]
    clickhouse.write("alerts", frame("alert", *rows))
    assert [row["alert_id"] for row in ask(clickhouse, "alerts")] == ["2", "1"]
    assert [row["alert_id"] for row in ask(clickhouse, "alerts", unit="H1")] == ["1"]
    assert [row["alert_id"] for row in ask(clickhouse, "alerts", state="closed")] == ["3"]
    assert [row["alert_id"] for row in ask(clickhouse, "alerts", state="all")] == ["3", "2", "1"]
    with pytest.raises(Exception, match="state is one of"):
        ask(clickhouse, "alerts", state="new")
