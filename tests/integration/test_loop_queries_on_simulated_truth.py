"""Named queries of the loop, profiles and sentiment against a second reading, in plain Python, on simulated people.

The queries read the views of the real engine; the second reading is of the log of events itself, with customers and
journeys as `streams.verify` recomputes them. Neither shares a line with the other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from random import Random
from statistics import mean, median
from typing import Any

import polars as pl
import pytest

from sinks.clickhouse.named import load
from tests.support.simulated_world import DAY, HOUR, Row, World, grouped, margin, same, world

__all__ = ["world"]


def test_cases_and_service_recovery(world: World) -> None:
    """The simulator tells of improvements without naming a case; each counts for the case resolved last before it."""
    cases = world.truth.cases.filter(pl.col("opened_at").is_not_null()).to_dicts()
    told: set[tuple[str, str]] = set()
    for event in world.events:
        if event["touchpoint"] == "post_travel.improvement_told":
            mine = [
                case
                for case in cases
                if case["customer_id"] == event["customer_id"]
                and case["status"] == "resolved"
                and case["resolved_at"] <= event["occurred_at"]
            ]
            told |= {(c["customer_id"], c["case_id"]) for c in sorted(mine, key=lambda c: c["resolved_at"])[-1:]}
    expected: dict[Any, Row] = {}
    recovery: dict[Any, Row] = {}
    for touchpoint, some in grouped(cases, "touchpoint").items():
        done = [case for case in some if case["status"] == "resolved"]
        hours = [(case["first_response_at"] - case["opened_at"]) / HOUR for case in some if case["first_response_at"]]
        at_once = [case["contacts"] <= 1 and case["reopened_at"] is None for case in done]
        share_told = 100 * mean((c["customer_id"], c["case_id"]) in told for c in done) if done else None
        expected[touchpoint] = {
            "cases": len(some),
            "open": len(some) - len(done),
            "response_hours": median(hours) if hours else None,
            "first_contact": 100 * mean(at_once) if done else None,
            "told": share_told,
            "contacts": mean(case["contacts"] for case in some),
        }
        if not done:
            continue
        pairs: list[tuple[float, float]] = []
        for case in done:
            mine = [e for e in world.events if e["customer_id"] == case["customer_id"] and e["score"] is not None]
            before = [e["score"] for e in mine if 0 < case["opened_at"] - e["occurred_at"] <= 30 * DAY]
            after = [e["score"] for e in mine if 0 < e["occurred_at"] - case["resolved_at"] <= 30 * DAY]
            pairs += [(mean(before), mean(after))] if before and after else []
        recovery[touchpoint] = {
            "cases": len(done),
            "compared": len(pairs),
            "first_contact": 100 * mean(at_once),
            "told": share_told,
            "before": mean(b for b, _ in pairs) if pairs else None,
            "after": mean(a for _, a in pairs) if pairs else None,
            "recovered": 100 * mean(a >= b for b, a in pairs) if pairs else None,
        }
    same(world.ask("cases"), expected, "segment")
    same(world.ask("service_recovery"), recovery, "touchpoint")


def test_profiles_and_value(world: World) -> None:
    people = world.truth.customers.to_dicts()
    spend: dict[str, Counter[str]] = defaultdict(Counter)  # in cents: all of the simulated currencies have them
    for row in world.truth.journey_spend.to_dicts():
        customer = world.journeys[row["journey_id"]]["customer_id"]
        spend[customer][row["currency"]] += int(row["spend_kept"]) // 100
    expected: dict[Any, Row] = {}
    for profile, some in grouped(people, "profile").items():
        felt = [person["sentiment_30d"] for person in some if person["sentiment_30d"] is not None]
        total: Counter[str] = Counter()
        for person in some:
            total.update(spend[person["customer_id"]])
        expected[profile] = {
            "customers": len(some),
            "share": 100 * len(some) / len(people),
            "sentiment_30d": mean(felt),
        }
        found = next(row for row in world.ask("profiles") if row["profile"] == profile)
        kept = {currency: int(amount * 100) for currency, amount in found["spend"].items() if amount}
        assert kept == {currency: amount for currency, amount in total.items() if amount}
    same(world.ask("profiles"), expected, "profile")
    bad = {person["customer_id"] for person in people if person["profile"] == "negative"}
    at_risk: dict[Any, Row] = {}
    for currency in {currency for money in spend.values() for currency in money}:
        losers = [who for who in bad if spend[who][currency]]
        if losers:
            at_risk[currency] = {"customers": len(losers), "spend": sum(spend[who][currency] for who in losers) / 100}
    asked = [{**row, "spend": float(row["spend"])} for row in world.ask("value_at_risk")]
    same(asked, at_risk, "currency")
    rows = world.ask("net_flow")  # nothing is told of moves here: all that is not as it began was seen by nobody
    for profile, row in expected.items():
        assert sum(found[profile] for found in rows) == row["customers"]


def test_sentiment_at_a_moment_is_that_of_customers(world: World) -> None:
    """The query, of each customer, at the moment of the last event that says anything; the table has it at the last
    event."""
    moment = max(event["occurred_at"] for event in world.events if event["score"] is not None)
    felt: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for event in world.events:
        if event["score"] is not None:
            weight = event["score_weight"] * 0.5 ** ((moment - event["occurred_at"]) / DAY / 30)
            felt[event["customer_id"]].append((weight, event["score"]))
    expected = {
        who: {"scores": len(some), "sentiment": sum(w * x for w, x in some) / (sum(w for w, _ in some) + 1)}
        for who, some in felt.items()
    }
    same(world.ask("sentiment", by="customer"), expected, "segment", digits=3)


def test_sentiment_now_is_that_of_the_last_event_faded(world: World) -> None:
    """At the last event it is the table's; the view's own clock is taken from its answer for one customer."""
    rows = world.clickhouse.rows(
        "SELECT customer_id, sentiment_now, toUnixTimestamp64Milli(now64(3)) FROM customers_now"
    )
    felt: dict[str, list[Row]] = defaultdict(list)
    for event in world.events:
        if event["score"] is not None:
            felt[event["customer_id"]].append(event)
    assert len(rows) == world.truth.customers.height
    for who, found, now in rows:
        weights = [e["score_weight"] * 0.5 ** ((now - e["occurred_at"]) / DAY / 30) for e in felt[str(who)]]
        scores = [event["score"] for event in felt[str(who)]]
        total = sum(weight * score for weight, score in zip(weights, scores, strict=True))
        assert found == (pytest.approx(total / (sum(weights) + 1), rel=1e-6, abs=1e-12) if weights else None), who


def test_one_customer_now_is_as_in_the_view(world: World) -> None:
    who = max(world.truth.customers.to_dicts(), key=lambda person: person["interactions"])["customer_id"]
    (row,) = world.ask("customer", id=who)
    ((sentiment, profile),) = world.clickhouse.rows(
        f"SELECT sentiment_now, profile_now FROM customers_now WHERE customer_id = '{who}'"
    )
    assert row["sentiment_now"] == pytest.approx(sentiment, rel=1e-4)
    assert (row["profile_now"], row["interactions"]) == (
        profile,
        len([e for e in world.events if e["customer_id"] == who]),
    )


def test_channels_and_staff(world: World) -> None:
    overall = mean(event["score"] for event in world.events if event["score"] is not None)
    expected: dict[Any, Row] = {}
    for channel, some in grouped(world.events, "channel").items():
        scores = [event["score"] for event in some if event["score"] is not None]
        waits = [event["wait_seconds"] for event in some if event["wait_seconds"] is not None]
        expected[channel] = {
            "interactions": len(some),
            "customers": len({event["customer_id"] for event in some}),
            "sentiment": mean(scores),
            "gap": mean(scores) - overall,
            "wait_seconds": float(median(waits)) if waits else None,
        }
    same(world.ask("channels"), expected, "channel", digits=3)
    met: dict[str, list[Row]] = defaultdict(list)
    for event in world.events:
        for who in event["attributed_agents"]:
            met[who].append(event)
    pool = [event["score"] for some in met.values() for event in some if event["score"] is not None]
    staff: dict[Any, Row] = {}
    for who, some in met.items():
        scores = [event["score"] for event in some if event["score"] is not None]
        staff[who] = {
            "interactions": len(some),
            "scores": len(scores),
            "margin": margin(scores),
            "adjusted": (sum(scores) + 10 * mean(pool)) / (len(scores) + 10),
        }
    same(world.ask("staff"), staff, "who", digits=3)


def test_time_between_stages_and_referral(world: World) -> None:
    stages = {
        "booked": "booked_at",
        "cancelled": "cancelled_at",
        "no_show": "no_show_at",
        "checked_in": "checked_in_at",
        "in_stay": "arrived_at",
        "completed": "checked_out_at",
    }
    for row in (rows := world.ask("time_between_stages")):
        first, second = stages[row["from_stage"]], stages[row["to_stage"]]
        days = [
            (j[second] - j[first]) / DAY
            for j in world.journeys.values()
            if j["kind"] == "booking" and j[first] is not None and j[second] is not None
        ]
        forwards = [value for value in days if value >= 0]
        assert (row["journeys"], row["backwards"]) == (len(forwards), len(days) - len(forwards))
        assert row["median_days"] == pytest.approx(median(forwards), abs=0.0051)
    assert len(rows) == 7
    told = Counter(e["customer_id"] for e in world.events if e["touchpoint"] == "post_travel.referral_made")
    done = {journey["customer_id"] for journey in world.journeys.values() if journey["status"] == "completed"}
    expected = {
        profile: {
            "customers": len(some),
            "referrers": sum(p["customer_id"] in told for p in some),
            "referrals": sum(told[p["customer_id"]] for p in some),
            "not_yet": sum(p["customer_id"] in done and p["customer_id"] not in told for p in some),
        }
        for profile, some in grouped(world.truth.customers.to_dicts(), "profile").items()
    }
    same(world.ask("referral"), expected, "profile")


@pytest.mark.parametrize("name", sorted(load()))
def test_no_figure_is_nan(world: World, name: str) -> None:
    who = Random(1).choice([*world.journeys.values()])["customer_id"]
    for row in world.ask(name, **({"id": who} if name == "customer" else {})):
        assert [key for key, value in row.items() if value != value] == []
