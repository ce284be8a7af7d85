"""The rules of the view next_best_actions, one customer each, on days around today (the view goes by the clock)."""

from __future__ import annotations

import datetime as dt
import random
import time
from typing import Any

import pytest

from streams.model.actions import ACTIONS
from streams.model.company import built_in
from streams.serve.customer import to_do
from streams.serve.store import Memory
from streams.serve.view import APPLY
from tests.integration.test_clickhouse_queries import ask
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, frame, interaction, journey

NOW = int(time.time() * 1000)


def day(offset: int) -> str:
    """The date so many days from now, UTC."""
    return dt.datetime.fromtimestamp(NOW / 1000 + offset * 86_400, dt.UTC).date().isoformat()


RECORDS = {"identities": "identity"}
"""Records of topics that are not called as their topic is, less an s."""
STORED: dict[str, list[dict[str, Any]]] = {}
"""What a test has written, by topic."""


@pytest.fixture(autouse=True)
def nothing_stored() -> None:
    STORED.clear()


def customer(name: str, **given: Any) -> dict[str, Any]:
    return {"customer_id": name, "value": name, "first_event_at": NOW - 50 * DAY, "last_event_at": NOW - DAY, **given}


def case(name: str, case_id: str, opened: int, **given: Any) -> dict[str, Any]:
    opened_at = NOW - opened * DAY
    return {"case_id": case_id, "customer_id": name, "status": "open", "opened_at": opened_at, **given}


def felt_now(name: str, score: float) -> dict[str, Any]:
    """An interaction of weight 1, a moment ago."""
    return interaction(f"customer:{name}", NOW, score=score, score_weight=1.0)


READ = ("identities", "customers", "journeys", "cases", "alerts", "interactions")


def write(clickhouse: ClickHouse, **tables: list[dict[str, Any]]) -> None:
    for topic, rows in tables.items():
        written = frame(RECORDS.get(topic, topic.removesuffix("s")), *rows)
        clickhouse.write(topic, written)
        STORED.setdefault(topic, []).extend(written.to_dicts())


def actions(clickhouse: ClickHouse, name: str = "") -> list[tuple[object, ...]]:
    """What the view says, which is what serve says of the same rows."""
    found = ask(clickhouse, "next_best_actions", customer=name, best="0", limit="100000")
    assert served(name) == found
    return found


def served(name: str) -> list[tuple[object, ...]]:
    """What serve would say, in the order of the query."""
    view = Memory()
    for topic in READ:
        record = RECORDS.get(topic, topic.removesuffix("s"))
        for row in STORED.get(topic, ()):
            APPLY[record](view, row)
    people = [row["customer_id"] for row in STORED.get("customers", ()) if name in ("", row["customer_id"])]
    todo = [(one, action) for one in people for action in to_do(view, one, built_in(), int(time.time() * 1000))]
    rows = [(one, action["priority"], action["action"], action["reason"], action["evidence"]) for one, action in todo]
    return sorted(rows, key=lambda row: (row[1], row[0], row[4]))


def test_overdue_cases(clickhouse: ClickHouse) -> None:
    """Unanswered after three days; answered and unresolved after six; in time after one, and answered after three."""
    clickhouse.migrated()
    answered = {"first_response_at": NOW - DAY // 2}
    cases = [
        case("a", "K1", 3, unit="desk"),
        case("a", "K2", 6, **answered),
        case("b", "K3", 1),
        case("b", "K4", 3, **answered),
        case("b", "K5", 9, reopened_at=NOW - DAY, **answered),
    ]
    write(clickhouse, customers=[customer("a"), customer("b")], cases=cases)
    assert actions(clickhouse) == [
        (
            "a",
            2,
            "call_about_case",
            "Case K1 of desk has been open for 3 days, without any answer",
            "case K1",
        ),
        ("a", 2, "call_about_case", "Case K2 has been open for 6 days, answered but not resolved", "case K2"),
    ]
    assert len(ask(clickhouse, "next_best_actions")) == 1


def test_a_manager_calls_negative_customers_of_value(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    negative = {"profile": "negative", "sentiment_30d": -0.5, "evidence": 2.0}
    felt = [felt_now(name, -1.0) for name in "ab"]
    spend = [{"currency": "SAR", "amount_minor": 90_000}, {"currency": "EUR", "amount_minor": -100}]
    trips = [
        journey("a", "B1", NOW, NOW, spend=spend),
        journey("c", "B1", NOW, NOW, spend=spend),
    ]
    write(clickhouse, customers=[customer("a", **negative), customer("b", **negative), customer("c")],
          journeys=trips, interactions=felt)  # fmt: skip
    reason = "Feels badly about us (30-day sentiment -0.5 now) and has spent 90000 SAR (minor units)"
    assert actions(clickhouse) == [("a", 3, "manager_call", reason, "profile negative, evidence 1")]


def test_an_opinion_of_long_ago_calls_for_no_manager(clickhouse: ClickHouse) -> None:
    """-0.5 at the last event; three half-lives later W = 1 / 8 and S = -1 / 8: -(1/8) / (9/8) = -0.11,
    non-committal."""
    clickhouse.migrated()
    spend = [{"currency": "SAR", "amount_minor": 90_000}]
    person = customer("a", profile="negative", sentiment_30d=-0.5, evidence=1.0)
    angry = interaction("customer:a", NOW - 90 * DAY, score=-1.0, score_weight=1.0)
    write(clickhouse, customers=[person], journeys=[journey("a", "B1", NOW, NOW, spend=spend)], interactions=[angry])
    assert actions(clickhouse) == []


def test_open_critical_alerts_come_first(clickhouse: ClickHouse) -> None:
    """a's first alert was raised when a was known by a device only; closed ones, and others of less gravity, do not
    count."""
    clickhouse.migrated()
    at = {"occurred_at": NOW - DAY, "raised_at": NOW - DAY, "severity": "critical", "rule": "halal_breach"}
    alerts = [
        {**at, "alert_id": "1", "customer_id": "device:d", "unit": "hotel", "reason": "pork was served"},
        {**at, "alert_id": "2", "customer_id": "a", "closed_at": NOW},
        {**at, "alert_id": "3", "customer_id": "a", "severity": "high"},
        {**at, "alert_id": "4", "customer_id": "b", "severity": "medium"},
    ]
    names = [{"kind": kind, "value": value, "root": "customer:a", "customer_id": "a"}
             for kind, value in (("customer", "a"), ("device", "d"))]  # fmt: skip
    write(
        clickhouse,
        identities=names,
        customers=[customer("a"), customer("b")],
        alerts=alerts,
        cases=[case("a", "K1", 3)],
    )
    reason = f"A critical alert (halal_breach, hotel) is open since {day(-1)}: pork was served"
    assert actions(clickhouse, "a")[0] == ("a", 1, "answer_alert", reason, "alert 1")
    assert [row[1:3] for row in actions(clickhouse)] == [(1, "answer_alert"), (2, "call_about_case")]


def test_days_are_of_24_hours(clickhouse: ClickHouse) -> None:
    """Two days and 23 hours: two days, however many midnights lie between."""
    clickhouse.migrated()
    late = {**case("a", "K1", 0), "opened_at": NOW - 3 * DAY + DAY // 24}
    write(clickhouse, customers=[customer("a")], cases=[late])
    assert actions(clickhouse)[0][3] == "Case K1 has been open for 2 days, without any answer"


@pytest.mark.parametrize(
    ("instrument", "score", "age", "after", "follow"),
    [
        ("nps", 3.0, 5, [], True),
        ("nps", 7.0, 5, [], False),
        ("csat", 2.0, 5, [], True),
        ("nps", 3.0, 31, [], False),
        ("nps", 3.0, 5, ["post_travel.complaint_answered"], False),
        ("nps", 3.0, 5, ["booking.page_viewed"], True),
        ("nps", 3.0, 5, ["better"], False),
    ],
)
def test_detractors(
    clickhouse: ClickHouse, instrument: str, score: float, age: int, after: list[str], follow: bool
) -> None:
    clickhouse.migrated()
    at = NOW - age * DAY
    rows = [
        interaction("customer:a", at, event_id="e1", survey={"instrument": instrument, "score": score}, unit="hotel")
    ]
    for touchpoint in after:
        better = {"survey": {"instrument": "nps", "score": 9.0}} if touchpoint == "better" else {}
        rows.append(interaction("customer:a", at + DAY, touchpoint=touchpoint, **better))
    write(clickhouse, customers=[customer("a")], interactions=rows)
    reason = f"Answered {instrument} with {score:g} on {day(-age)} about hotel, and nobody has answered since"
    assert actions(clickhouse) == ([("a", 4, "follow_up_detractor", reason, "event e1")] if follow else [])


def test_improvements_to_tell(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    resolved = {"status": "resolved", "resolved_at": NOW - 10 * DAY}
    told = [
        interaction("customer:b", NOW - DAY, touchpoint="post_travel.improvement_told"),
        interaction("customer:d", NOW - DAY, touchpoint="post_travel.improvement_told", case_id="K4"),
    ]
    cases = [case("a", "K1", 20, **resolved), case("b", "K2", 20, **resolved)]
    # d was told of K4, which was resolved last, and not of K5.
    cases += [case("d", "K4", 20, **resolved), case("d", "K5", 20, **{**resolved, "resolved_at": NOW - 11 * DAY})]
    cases.append(case("c", "K3", 200, status="resolved", resolved_at=NOW - 100 * DAY))
    write(clickhouse, customers=[customer(name) for name in "abcd"], cases=cases, interactions=told)
    reason = f"Case K1 was resolved on {day(-10)}, and the customer was not told what was improved"
    assert actions(clickhouse) == [
        ("a", 5, "tell_improvement", reason, "case K1"),
        ("d", 5, "tell_improvement", reason.replace("K1", "K5").replace(day(-10), day(-11)), "case K5"),
    ]
    settings = {"join_use_nulls": 1}  # as some readers have it
    assert len(clickhouse.client.query("SELECT * FROM next_best_actions", settings=settings).result_rows) == 2


def test_preferences_of_who_arrives_soon(clickhouse: ClickHouse) -> None:
    """a's mat is known from before the booking, the diet was said with it; b arrives too late, c has no preferences."""
    clickhouse.migrated()
    booked = NOW - 5 * DAY
    mat = {"key": "prayer_mat", "value": "yes", "evidence": 2, "last_at": booked - 30 * DAY}
    diet = {"key": "diet", "value": "halal", "evidence": 1, "last_at": booked + 1}
    language = {"key": "language", "value": "ar", "evidence": 9, "last_at": booked - 30 * DAY}
    people = [customer(name, preferences=[diet, language, mat]) for name in "ab"]
    people.append(customer("c", preferences=[language]))
    arrivals = {"a": day(9), "b": day(99), "c": day(9)}
    rows = [
        interaction(f"customer:{name}", booked, booking_ref=f"R{name}", arrival_date=arrives)
        for name, arrives in arrivals.items()
    ]
    trips = [journey(name, f"R{name}", booked, booked, booked_at=booked) for name in arrivals]
    write(clickhouse, customers=people, journeys=trips, interactions=rows)
    reason = f"Arrives on {day(9)} and has asked for or used before: prayer_mat (2x, last {day(-35)})"
    assert actions(clickhouse) == [("a", 6, "prepare_stay", reason, "journey a/Ra")]


def test_advocates_to_ask(clickhouse: ClickHouse) -> None:
    """b recommended us already, c wants no messages, d has an open case, e completed nothing, f an open alert.

    Of two scores of 1 just now, of weight 1: 2 / (2 + 1) = 0.67, evidence 2."""
    clickhouse.migrated()
    advocate = {"profile": "advocate", "sentiment_30d": 0.456, "evidence": 3.14}
    silent = [{"key": "messages", "value": "no", "evidence": 1, "last_at": NOW}]
    people = [
        *(customer(name, **advocate) for name in "abe"),
        customer("c", preferences=silent, **advocate),
        customer("d", open_cases=1, **advocate),
        customer("f", **advocate),
    ]
    trips = [journey(name, "B1", NOW - 9 * DAY, NOW - DAY, status="completed") for name in "abcdf"]
    told = [interaction("customer:b", NOW - DAY, touchpoint="post_travel.referral_made")]
    told += [felt_now(name, 1.0) for name in "abcdef" for _ in range(2)]
    alert = {"alert_id": "1", "customer_id": "f", "occurred_at": NOW, "raised_at": NOW, "severity": "high"}
    write(clickhouse, customers=people, journeys=trips, interactions=told, alerts=[alert])
    reason = (
        "An advocate (30-day sentiment 0.67 now) with 1 completed journey who has not recommended or reviewed us yet"
    )
    assert actions(clickhouse) == [("a", 7, "ask_for_review", reason, "profile advocate, evidence 2")]
    settings = {"join_use_nulls": 1}
    assert len(clickhouse.client.query("SELECT * FROM next_best_actions", settings=settings).result_rows) == 1


def test_serve_says_the_same_of_anybody(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    chance = random.Random(1)
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in READ if name != "identities"}
    for name in (f"c{number}" for number in range(150)):
        for topic, rows in anybody(chance, name).items():
            tables[topic] += rows
    write(clickhouse, **tables)
    found = actions(clickhouse)
    print(len(found), {action: sum(row[2] == action for row in found) for action in ACTIONS})
    assert {row[2] for row in found} == {*ACTIONS}


def anybody(chance: random.Random, name: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of a customer; times are half an hour off whole days, so that none ends meanwhile."""

    def ago(most: int) -> int:
        return NOW - chance.randrange(most) * DAY - DAY // 48

    interactions, trips, cases = [], [], []
    for number in range(chance.randrange(4)):
        booked, ref = ago(120), f"{name}-{number}"
        status = chance.choice(("exploring", "booked", "checked_in", "in_stay", "completed", "cancelled", "no_show"))
        times = {key: booked + chance.randrange(20) * DAY for key in ("checked_in_at", "arrived_at", "checked_out_at")}
        times = {key: at for key, at in times.items() if chance.random() < 0.4}
        spend = [{"currency": one, "amount_minor": chance.randrange(-100, 900)} for one in ("EUR", "SAR")]
        trip = journey(name, ref, booked, booked + 9 * DAY, status=status, booked_at=booked, **times)
        trips.append({**trip, "spend": chance.choice(([], spend))})
        if chance.random() < 0.7:
            said = {"arrival_date": day(chance.randrange(-60, 80)), "nights": chance.choice((None, 0, 3))}
            interactions.append(interaction(f"customer:{name}", booked, booking_ref=ref, **said))
    for number in range(chance.randrange(3)):
        status = chance.choice(("open", "resolved"))
        said = {"first_response_at": ago(9)} if chance.random() < 0.5 else {}
        said |= {"reopened_at": ago(9)} if chance.random() < 0.3 else {}
        said |= {"resolved_at": ago(100)} if status == "resolved" else {}
        cases.append({**case(name, f"{name}-K{number}", 0, status=status, **said), "opened_at": ago(9)})
    alerts = [
        {"alert_id": f"{name}-{number}", "customer_id": name, "occurred_at": ago(9), "raised_at": NOW,
         "severity": chance.choice(("high", "critical")), "rule": "medical", "reason": "ill",
         "unit": chance.choice((None, "hotel")), "closed_at": chance.choice((None, NOW))}
        for number in range(chance.choice((0, 0, 1, 2)))
    ]  # fmt: skip
    for _ in range(chance.randrange(8)):
        said = {}
        if chance.random() < 0.3:
            instrument = chance.choice(("nps", "csat", "stars", "ces"))
            said["survey"] = {"instrument": instrument, "score": float(chance.randrange(1, 6))}
        if chance.random() < 0.6:
            said |= {"score": chance.choice((-1.0, -0.6, 0.7, 1.0)), "score_weight": chance.choice((0.3, 1.0))}
        point = chance.choice(
            ("stay.wifi_used", "post_travel.complaint_answered", "post_travel.improvement_told", "stay.gift_given",
             *(("post_travel.review_posted",) if chance.random() < 0.2 else ()))
        )  # fmt: skip
        about = chance.choice((None, None, f"{name}-K0"))
        unit = chance.choice((None, "hotel"))
        interactions.append(
            interaction(f"customer:{name}", ago(50), touchpoint=point, case_id=about, unit=unit, **said)
        )
    keys = (("prayer_mat", "yes"), ("diet", "halal"), ("language", "ar"), ("messages", "no"), ("cot", "no"))
    habits = [{"key": key, "value": value, "evidence": 1, "last_at": ago(150)} for key, value in keys]
    said = {"open_cases": sum(one["status"] == "open" for one in cases), "interactions": len(interactions)}
    said["preferences"] = [one for one in habits if chance.random() < 0.3]
    customers = [customer(name, last_event_at=ago(120), **said)]
    return {"customers": customers, "journeys": trips, "cases": cases, "alerts": alerts, "interactions": interactions}
