"""The named queries of the closed loop on a small set of data, with answers worked out by hand."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from sinks.clickhouse.named import load
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, interaction, journey

HOUR = 3_600_000


def ask(clickhouse: ClickHouse, name: str, **given: str) -> list[dict[str, Any]]:
    """The answer of a named query; its columns are those of its documentation."""
    query = load()[name]
    values = query.bind(given)
    result = clickhouse.client.query(query.text(values), parameters=values)
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


EVENTS = [str(uuid.UUID(int=number)) for number in range(3)]
MOVES = [
    move(1, "a", "non_committal", "advocate", unit="H1"),
    move(2, "b", "non_committal", "advocate", unit="H1"),
    move(3, "c", "non_committal", "negative", unit="H2", score=-0.4),
    move(4, "a", "advocate", "negative", 8, unit="H1", touchpoint="stay.halal_breach", score=-0.3, event_id=EVENTS[0]),
    move(
        5, "b", "advocate", "non_committal", 9, unit="H1", touchpoint="stay.room_dirty", score=0.1, event_id=EVENTS[1]
    ),
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
    """1 January 2024 is a Monday: three moves in its week, three in the next. The three customers began in 1970,
    without a time of their own here. a and c are negative and b is an advocate, as their moves say. d is no customer
    any more: what it moved (to advocate) is taken back. e has two identifiers, one of which made it an advocate:
    merged. f is negative, and nobody saw when."""
    window = {"since": "2024-01-01", "until": "2024-02-01"}
    found = [tuple(row.values())[1:] for row in ask(filled, "net_flow", **window)]
    assert found == [("observed", 3, 1, -3, 2), ("observed", 3, 1, 0, -1)]
    assert str(ask(filled, "net_flow", **window)[0]["week"]) == "2024-01-01"
    filled.write("moves", frame("move", move(8, "d", "non_committal", "advocate", 15)))
    more = [{"customer_id": "e", "profile": "advocate"}, {"customer_id": "f", "profile": "negative"}]
    filled.write("customers", frame("customer", *({**person, "first_event_at": NOON} for person in more)))
    names = [{"kind": kind, "value": "e", "root": "customer:e", "customer_id": "e"} for kind in ("customer", "device")]
    filled.write("identities", frame("identity", *names))
    rows = ask(filled, "net_flow")
    assert [(str(row.pop("week")), *row.values()) for row in rows] == [
        ("1970-01-01", "began", 3, 0, 3, 0),
        ("2024-01-01", "began", 2, 0, 2, 0),
        ("2024-01-01", "observed", 3, 1, -3, 2),
        ("2024-01-08", "observed", 3, 1, 0, -1),
        ("2024-01-15", "observed", 1, 0, -1, 1),
        ("None", "merged", 2, 0, 0, 0),
        ("None", "unobserved", 1, 1, -1, 0),
    ]
    by_profile = {row["profile"]: row["customers"] for row in ask(filled, "profiles")}
    assert by_profile == {"negative": 3, "advocate": 2}
    assert {name: sum(row[name] for row in rows) for name in by_profile} == by_profile
    assert sum(row["non_committal"] for row in rows) == 0
    each = filled.rows("SELECT customer_id, sum(customers) FROM profile_flow GROUP BY customer_id ORDER BY customer_id")
    assert each == [("a", 1), ("b", 1), ("c", 1), ("d", 0), ("e", 1), ("f", 1)]


def test_opinions_fade_until_now(filled: ClickHouse) -> None:
    """a said -1 and c said -1, with weight 1, so both had (-1) / (1 + 1) = -0.5 at that moment. a said so just now, c
    60 days ago, two half-lives: W = 1/4, -(1/4) / (5/4) = -0.2, which is non-committal. Of b nothing is stored."""
    now = int(time.time() * 1000)
    said = [
        interaction(f"customer:{name}", now - days * DAY, score=-1.0, score_weight=1.0)
        for name, days in (("a", 0), ("c", 60))
    ]
    filled.write("interactions", frame("interaction", *said))
    felt = "SELECT customer_id, profile, profile_now, round(sentiment_now, 3) FROM customers_now ORDER BY customer_id"
    assert filled.rows(felt) == [
        ("a", "negative", "negative", -0.5),
        ("b", "advocate", "non_committal", None),
        ("c", "negative", "non_committal", -0.2),
    ]
    assert [(r["profile"], r["customers"]) for r in ask(filled, "profiles")] == [("negative", 2), ("advocate", 1)]
    faded = [(r["profile"], r["customers"], r["sentiment_30d"]) for r in ask(filled, "profiles", as_of="now")]
    assert faded == [("negative", 1, -0.5), ("non_committal", 2, -0.2)]
    rows = ask(filled, "net_flow", as_of="now")
    assert [sum(row[name] for row in rows) for name in ("negative", "non_committal", "advocate")] == [1, 2, 0]
    assert tuple(rows[-1].values()) == (None, "faded", 2, -1, 2, -1)
    # Only a, who has spent 300 of 400 SAR, is negative now; so it is at the last events, as c has spent nothing.
    assert [tuple(r.values())[:3] for r in ask(filled, "value_at_risk", as_of="now")] == [
        ("SAR", 1, 300),
        ("USD", 1, 5),
    ]
    filled.without_interactions()
    assert ask(filled, "value_at_risk", as_of="now") == []
    for name in ("profiles", "value_at_risk", "net_flow"):
        with pytest.raises(Exception, match="as_of is one of"):
            ask(filled, name, as_of="yesterday")


def test_value_at_risk(filled: ClickHouse) -> None:
    found = [tuple(row.values()) for row in ask(filled, "value_at_risk")]
    assert found == [("SAR", 1, 300, 75.0, 1), ("USD", 1, 5, 100.0, 1)]


def test_units_losing_advocates(filled: ClickHouse) -> None:
    """a and b were put off at H1; c arrived at H2 a long time after what had pleased them elsewhere."""
    faded = move(7, "c", "advocate", "non_committal", 9, unit="H2", touchpoint="stay.arrived", event_id=EVENTS[2])
    filled.write("moves", frame("move", faded))
    said = [
        interaction("customer:a", NOON, event_id=EVENTS[0], score=-0.9, aspects=[_about("halal_food", -0.9)]),
        interaction(
            "customer:b", NOON, event_id=EVENTS[1], score=-0.3, aspects=[_about("room", None), _about("wifi", -0.3)]
        ),
        interaction("customer:c", NOON, event_id=EVENTS[2]),
    ]
    filled.write("interactions", frame("interaction", *said))
    row, other = ask(filled, "units_losing_advocates")
    assert (row["unit"], row["lost"], row["customers"], row["still_lost"], row["faded"]) == ("H1", 2, 2, 1, 0)
    assert row["causes"] == [("stay.halal_breach", 1), ("stay.room_dirty", 1)]
    assert row["aspects"] == [("halal_food", 1), ("wifi", 1)]
    assert row["cost"] == {"SAR": 300, "USD": 5}
    assert other == {**other, "unit": "H2", "lost": 0, "customers": 0, "faded": 1, "causes": [], "cost": {}}


def _about(aspect: str, score: float | None) -> dict[str, Any]:
    return {"aspect": aspect, "score": score}


def test_cases(clickhouse: ClickHouse) -> None:
    """Resolved at once; resolved, reopened and resolved; answered only; left alone. An improvement was told after 4
    hours, which names no case: it is of case 1, resolved after 2; case 2 was not resolved before 10."""
    clickhouse.migrated()
    cases = [
        {"case_id": "1", "contacts": 1, "first_response_at": NOON + HOUR, "resolved_at": NOON + 2 * HOUR},
        {
            "case_id": "2",
            "contacts": 3,
            "first_response_at": NOON + 3 * HOUR,
            "reopened_at": NOON + 5 * HOUR,
            "resolved_at": NOON + 10 * HOUR,
        },
        {"case_id": "3", "contacts": 1, "status": "open", "first_response_at": NOON + 8 * HOUR},
        {"case_id": "4", "contacts": 1, "status": "open", "unit": "H2"},
    ]
    what = {
        "customer_id": "a",
        "touchpoint": "stay.complaint_made",
        "status": "resolved",
        "opened_at": NOON,
        "unit": "H1",
    }
    clickhouse.write("cases", frame("case", *({**what, **case} for case in cases)))
    clickhouse.write("customers", frame("customer", {"customer_id": "a", "value": "a"}))
    told = interaction("customer:a", NOON + 4 * HOUR, touchpoint="post_travel.improvement_told")
    clickhouse.write("interactions", frame("interaction", told))
    (row,) = ask(clickhouse, "cases")
    assert row == {
        "segment": "stay.complaint_made",
        "cases": 4,
        "open": 2,
        "answered": 75.0,
        "response_hours": 3.0,
        "resolve_hours": 6.0,
        "first_contact": 50.0,
        "margin": 69.3,
        "reopened": 25.0,
        "contacts": 1.5,
        "told": 50.0,
    }
    # Of a unit whose only case nobody has answered, hours are unknown; they were nan.
    alone = ask(clickhouse, "cases", by="unit")[1]
    assert (alone["response_hours"], alone["resolve_hours"], alone["told"]) == (None, None, None)
    # One that names case 2 is of no other, whenever it comes; one that names none, of the case resolved last before it.
    named = {"touchpoint": "post_travel.improvement_told", "case_id": "2"}
    clickhouse.without_interactions()
    clickhouse.write("interactions", frame("interaction", interaction("customer:a", NOON + 11 * HOUR, **named)))
    told = "SELECT customer_id, case_id FROM improvements_told"
    assert (ask(clickhouse, "cases")[0]["told"], clickhouse.rows(told)) == (50.0, [("a", "2")])
    unnamed = interaction("customer:a", NOON + 12 * HOUR, touchpoint="post_travel.improvement_told")
    early = interaction("customer:a", NOON + HOUR, touchpoint="post_travel.improvement_told")
    clickhouse.without_interactions()
    clickhouse.write("interactions", frame("interaction", unnamed, early))
    assert clickhouse.rows(told) == [("a", "2")]
    assert [(r["segment"], r["cases"]) for r in ask(clickhouse, "cases", by="unit")] == [("H1", 3), ("H2", 1)]
    assert ask(clickhouse, "cases", by="month", since="2024-01-02") == []
    with pytest.raises(Exception, match="by is one of"):
        ask(clickhouse, "cases", by="staff")


def test_alert_response(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    given = {"rule": "detractor", "occurred_at": NOON, "raised_at": NOON}
    rows = [
        {"alert_id": "1", "acknowledged_at": NOON + HOUR, "closed_at": NOON + 4 * HOUR},
        {"alert_id": "2", "acknowledged_at": NOON + 3 * HOUR, "occurred_at": NOON + HOUR},
        {"alert_id": "3", "occurred_at": NOON + 2 * HOUR},
        {"alert_id": "4", "rule": "halal_breach", "unit": "H1", "closed_at": NOON + HOUR},
    ]
    clickhouse.write("alerts", frame("alert", *({**given, **row} for row in rows)))
    first, second = (tuple(row.values())[:-1] for row in ask(clickhouse, "alert_response"))
    assert first == ("detractor", 3, 2, 1, 66.7, 1.5, 4.0)
    assert second == ("halal_breach", 1, 0, 0, 100.0, None, 1.0)  # closed without a reaction: its hours are unknown
    assert [row["segment"] for row in ask(clickhouse, "alert_response", by="unit")] == ["", "H1"]


@pytest.mark.parametrize("by", ["a", "customer:a", "device:d", "d", "R1"])
def test_a_customer_is_found_by_any_identifier(clickhouse: ClickHouse, by: str) -> None:
    clickhouse.migrated()
    known = {"key": "diet", "value": "halal", "evidence": 3, "last_at": NOON}
    person = {"customer_id": "a", "value": "a", "profile": "negative", "open_cases": 1, "preferences": [known]}
    clickhouse.write("customers", frame("customer", person, {"customer_id": "b", "value": "b"}))
    identities = [
        {"kind": kind, "value": value, "root": "customer:a", "customer_id": "a"}
        for kind, value in (("customer", "a"), ("device", "d"))
    ]
    clickhouse.write("identities", frame("identity", *identities))
    spend = [{"currency": "SAR", "amount_minor": 700}]
    trips = [journey("a", "R1", NOON, NOON, spend=spend), journey("a", "R2", NOON, NOON, status="completed")]
    clickhouse.write("journeys", frame("journey", *trips, journey("b", "R3", NOON, NOON)))
    case = {
        "case_id": "K1",
        "customer_id": "a",
        "status": "open",
        "touchpoint": "stay.complaint_made",
        "opened_at": NOON,
    }
    clickhouse.write("cases", frame("case", case))
    to_do = {
        "action": "call_about_case",
        "reason": "Case K1 is open",
        "evidence": "case K1",
        "begins_at": NOON,
        "ends_at": None,
    }
    clickhouse.write("next-actions", frame("next_action", {"customer_id": "a", "actions": [to_do]}))
    alert = {"alert_id": "1", "rule": "halal_breach", "customer_id": "a", "occurred_at": NOON, "raised_at": NOON}
    # The third was raised, and the second move seen, while the device named nobody else.
    early = {
        **alert,
        "alert_id": "3",
        "rule": "repeated_failure",
        "customer_id": "device:d",
        "occurred_at": NOON - HOUR,
    }
    clickhouse.write("alerts", frame("alert", alert, {**alert, "alert_id": "2", "closed_at": NOON}, early))
    moves = [move(1, "a", "non_committal", "negative"), move(2, "device:d", "non_committal", "negative", 1, unit="H1")]
    clickhouse.write("moves", frame("move", *moves))
    said = [
        interaction("customer:a", NOON, touchpoint="stay.complaint_made", unit="H1", score=-0.5, score_weight=1.0),
        interaction("device:d", NOON + HOUR, touchpoint="booking.page_viewed"),
        interaction("customer:b", NOON),
    ]
    clickhouse.write("interactions", frame("interaction", *said))
    (row,) = ask(clickhouse, "customer", id=by)
    assert (row["customer_id"], row["profile"], row["spend"]) == ("a", "negative", {"SAR": 7})
    assert row["identifiers"] == ["customer:a", "device:d"]
    assert [open_journey[:2] for open_journey in row["open_journeys"]] == [("a/R1", "booked")]
    assert [open_case[0] for open_case in row["open_cases"]] == ["K1"]
    assert [open_alert[1] for open_alert in row["open_alerts"]] == ["halal_breach", "repeated_failure"]
    assert (row["profile_now"], round(row["sentiment_now"], 3)) == ("non_committal", 0.0)  # -0.5, years ago
    assert [contact[1] for contact in row["last_contacts"]] == ["booking.page_viewed", "stay.complaint_made"]
    assert row["last_move"][0][1:] == ("non_committal", "negative", "booking.confirmed", "H1")
    assert row["preferences"][0][:3] == ("diet", "halal", 3)
    assert row["preferences"][0][3] > 300
    assert row["next_action"] == "call_about_case"
    assert "K1" in row["reason"]
    assert row["churn"] == []


def test_nobody_is_no_row_and_no_identifier_is_refused(filled: ClickHouse) -> None:
    assert ask(filled, "customer", id="nobody") == []
    with pytest.raises(Exception, match="give an identifier"):
        ask(filled, "customer")


def test_service_recovery(clickhouse: ClickHouse) -> None:
    """Three cases resolved: one after 10 hours with one contact, from -0.5 to 0.7; one has no score after; one had been
    reopened, so one contact was not enough, and its customer was told of an improvement before it was resolved."""
    clickhouse.migrated()
    cases = [
        {"case_id": "1", "customer_id": "a", "contacts": 1, "resolved_at": NOON + 10 * HOUR},
        {
            "case_id": "5",
            "customer_id": "c",
            "contacts": 1,
            "reopened_at": NOON + HOUR,
            "resolved_at": NOON + 15 * HOUR,
        },
        {"case_id": "2", "customer_id": "b", "contacts": 2, "resolved_at": NOON + 20 * HOUR},
        {"case_id": "3", "customer_id": "b", "contacts": 2, "status": "open"},
        {"case_id": "4", "customer_id": "b", "contacts": 0, "opened_at": None, "resolved_at": NOON},
    ]
    what = {"touchpoint": "stay.complaint_made", "status": "resolved", "opened_at": NOON}
    clickhouse.write("cases", frame("case", *({**what, **case} for case in cases)))
    clickhouse.write("customers", frame("customer", *({"customer_id": name, "value": name} for name in "abc")))
    said = [
        interaction("customer:c", NOON + 2 * HOUR, touchpoint="post_travel.improvement_told"),
        interaction("customer:a", NOON - HOUR, score=-0.5),
        interaction("customer:a", NOON - 40 * DAY, score=0.9),
        interaction("customer:a", NOON + 11 * HOUR, score=0.7, touchpoint="post_travel.improvement_told"),
        interaction("customer:b", NOON - HOUR, score=0.1),
    ]
    clickhouse.write("interactions", frame("interaction", *said))
    assert ask(clickhouse, "service_recovery") == [
        {
            "touchpoint": "stay.complaint_made",
            "cases": 3,
            "first_contact": 33.3,
            "hours": 15.0,
            "compared": 1,
            "before": -0.5,
            "after": 0.7,
            "change": 1.2,
            "recovered": 100.0,
            "told": 33.3,
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
