"""Funnels of chosen steps, retention, attribution, segments as conditions and the people behind a row, against plain
Python on simulated people."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from sinks.clickhouse.asking import Question
from sinks.clickhouse.surveys import is_survey
from tests.integration.test_questions_asked import ask
from tests.support.simulated_world import DAY, Row, World, world
from tests.support.sink_rows import frame

__all__ = ["world"]

STEPS = "booking.page_viewed|booking.searched,booking.confirmed,stay.arrived"
Chain = dict[int, tuple[int, int]]
"""Of each level: index of the event that reached it first, and how long that took."""


def matches(written: str, touchpoint: str) -> bool:
    patterns = (re.escape(one).replace(r"\*", ".*") for one in written.split("|"))
    return any(re.fullmatch(one, touchpoint) for one in patterns)


def people(world: World, key: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for event in world.events:
        if event[key]:
            found[event[key]].append(event)
    return found


def hits(event: Row, steps: list[str]) -> list[bool]:
    return [matches(step, event["touchpoint"]) for step in steps]


def in_order(events: list[Row], steps: list[str], span: int, exclude: str) -> Chain:
    """Every beginning is followed for itself, each step by the earliest event that will do."""
    best: Chain = {}
    for begin, first in enumerate(events):
        if not matches(steps[0], first["touchpoint"]):
            continue
        at, level = begin, 1
        found = {1: (begin, 0)}
        for j in range(begin + 1, len(events)):
            event = events[j]
            took = event["occurred_at"] - first["occurred_at"]
            if took > span or (exclude and matches(exclude, event["touchpoint"])) or level == len(steps):
                break
            if matches(steps[level], event["touchpoint"]):
                level, at = level + 1, j
                found[level] = (at, took)
        for level, (at, took) in found.items():
            known = best.get(level)
            if known is None or at < known[0] or (at == known[0] and took < known[1]):
                best[level] = (at, took)
    return best


def in_any_order(events: list[Row], steps: list[str], span: int, exclude: str) -> Chain:
    best: Chain = {}
    for j, event in enumerate(events):
        latest: dict[int, int] = {}
        for before in reversed(events[: j + 1]):
            if event["occurred_at"] - before["occurred_at"] > span:
                break
            if exclude and matches(exclude, before["touchpoint"]):
                break
            for at, hit in enumerate(hits(before, steps)):
                if hit:
                    latest.setdefault(at, before["occurred_at"])
        for level in range(1, len(latest) + 1):
            best.setdefault(level, (j, event["occurred_at"] - min(latest.values())))
    return best


@pytest.mark.parametrize(
    ("order", "days", "exclude", "per"),
    [
        ("ordered", 400, "", "customer"),
        ("ordered", 30, "", "customer"),
        ("ordered", 60, "booking.payment_*|booking.cancelled", "customer"),
        ("any", 60, "", "customer"),
        ("any", 30, "booking.cancelled", "journey"),
        ("ordered", 90, "", "journey"),
    ],
)
def test_funnel(world: World, order: str, days: int, exclude: str, per: str) -> None:
    steps = STEPS.split(",")
    key = "customer_id" if per == "customer" else "journey_id"
    chains = []
    for events in people(world, key).values():
        kept = [one for one in events if any(hits(one, steps)) or (exclude and matches(exclude, one["touchpoint"]))]
        # What ends an attempt is first of what happened at one moment, then in the order of the steps.
        kept.sort(
            key=lambda one: (
                one["occurred_at"],
                0 if exclude and matches(exclude, one["touchpoint"]) else hits(one, steps).index(True) + 1,
                one["event_id"],
            )
        )
        chains.append((in_order if order == "ordered" else in_any_order)(kept, steps, days * DAY, exclude))
    given = {"steps": STEPS, "order": order, "within_days": str(days), "exclude": exclude, "per": per}
    found = ask(world, Question("funnel", given))
    reached = [sum(level in chain for chain in chains) for level in (1, 2, 3)]
    assert [row["reached"] for row in found] == reached
    assert reached[0] > reached[1] > 0
    assert {row["began"] for row in found} == {reached[0]}
    for row in found:
        took = [chain[row["step"]][1] / (DAY / 24) for chain in chains if row["step"] in chain]
        if took:
            assert row["median_hours"] == pytest.approx(median(took), abs=0.0051)


def test_funnel_broken_down_and_held_to_what_begins(world: World) -> None:
    given = {"steps": STEPS, "by": "medium"}
    found = ask(world, Question("funnel", given, ("country=SA",)))
    begun: dict[str, str] = {}
    for event in world.events:
        if event["country"] == "SA" and matches(STEPS.split(",")[0], event["touchpoint"]):
            begun.setdefault(event["customer_id"], event["medium"])
    counts: dict[str, int] = defaultdict(int)
    for medium in begun.values():
        counts[medium] += 1
    assert {row["segment"]: row["reached"] for row in found if row["step"] == 1} == counts


@pytest.mark.parametrize("kind", ["n_day", "bracket", "unbounded"])
@pytest.mark.parametrize("back", ["booking.confirmed", "*"])
def test_retention(world: World, kind: str, back: str) -> None:
    days = [1, 7, 30, 90, 180]
    kinds: dict[str, list[tuple[int, int | None]]] = {
        "n_day": [(day, day + 1) for day in days],
        "bracket": [*pairwise(days)],
        "unbounded": [(day, None) for day in days],
    }
    ranges = kinds[kind]
    now = world.events[-1]["occurred_at"]
    expected = []
    for low, high in ranges:
        mature = returned = 0
        for events in people(world, "customer_id").values():
            first = next((one["occurred_at"] for one in events if one["touchpoint"] == "booking.confirmed"), None)
            if first is None or (now - first) / DAY < (high or low):
                continue
            mature += 1
            later = [(one["occurred_at"] - first) / DAY for one in events
                     if one["occurred_at"] > first and matches(back, one["touchpoint"])]  # fmt: skip
            returned += any(low <= day < (high or 1e9) for day in later)
        expected.append((low, high, mature, returned))
    found = ask(world, Question("retention", {"kind": kind, "days": "1,7,30,90,180", "back": back}))
    assert [(row["from_day"], row["to_day"], row["mature"], row["returned"]) for row in found] == expected
    assert sum(row["returned"] for row in found) > 0 or (kind, back) == ("n_day", "booking.confirmed")


@pytest.mark.parametrize("by", ["channel", "touchpoint"])
def test_attribution(world: World, by: str) -> None:
    credit: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    goals = 0
    for events in people(world, "customer_id").values():
        for at, goal in enumerate(events):
            if goal["touchpoint"] != "booking.confirmed":
                continue
            goals += 1
            touches = [one for one in events[:at] if one["touchpoint"] != "booking.confirmed"
                       and not is_survey(one["touchpoint"])
                       and goal["occurred_at"] - one["occurred_at"] <= 30 * DAY]  # fmt: skip
            names = [one[by] for one in touches] or ["(none)"]
            ages = [0.5 ** ((goal["occurred_at"] - one["occurred_at"]) / DAY / 7) for one in touches] or [1.0]
            n = len(names)
            ends = [1.0] if n == 1 else [0.5, 0.5] if n == 2 else [0.4, *[0.2 / (n - 2)] * (n - 2), 0.4]
            for k, name in enumerate(names):
                credit[name]["linear"] += 1 / n
                credit[name]["position"] += ends[k]
                credit[name]["time_decay"] += ages[k] / sum(ages)
            credit[names[0]]["first"] += 1
            credit[names[-1]]["last"] += 1
    found = ask(world, Question("attribution", {"by": by}))
    assert {row["segment"] for row in found} == set(credit)
    for row in found:
        for model in ("first", "last", "linear", "time_decay", "position"):
            assert row[model] == pytest.approx(credit[row["segment"]][model], abs=0.001), (row["segment"], model)
    for model in ("first", "last", "linear", "time_decay", "position"):
        assert sum(row[model] for row in found) == pytest.approx(goals, abs=0.05)


def test_attribution_by_hand_counts_only_goals_that_fit(world: World) -> None:
    found = ask(world, Question("attribution", {"since": "2024-06-01"}, ("country=SA",)))
    goals = [one for one in world.events if one["touchpoint"] == "booking.confirmed" and one["country"] == "SA"
             and one["occurred_at"] >= 1_717_200_000_000]  # fmt: skip
    assert sum(row["linear"] for row in found) == pytest.approx(len(goals), abs=0.01)


def test_people_behind_a_row(world: World) -> None:
    asked = Question("nps", {"by": "country,medium", "since": "2024-01-01"}, people={"country": "ID", "high": "6"})
    found = ask(world, asked)
    expected = {one["customer_id"] for one in world.answers("nps") if one["country"] == "ID"
                and one["survey"]["score"] <= 6 and one["occurred_at"] >= 1_704_067_200_000}  # fmt: skip
    assert {row["customer_id"] for row in found} == expected
    assert expected


def test_segments_are_conditions_in_every_question(world: World) -> None:
    who = sorted({one["customer_id"] for one in world.answers("nps")})[:40]
    rows: list[dict[str, Any]] = [
        {"customer_id": one, "segment": "some", "member": at % 4 != 0, "occurred_at": 1, "version": 1}
        for at, one in enumerate(who)
    ]
    rows += [{**rows[1], "segment": "few"}]
    world.clickhouse.write("segments", frame("segment", *rows))
    members = {row["customer_id"] for row in rows if row["member"]}
    expected = sum(one["customer_id"] in members for one in world.answers("nps"))
    (row,) = ask(world, Question("nps", where=("segment=some",)))
    assert row["n"] == expected
    (row,) = ask(world, Question("nps", where=("segment!=some,few",)))
    assert row["n"] == len(world.answers("nps")) - expected
    found = {row["segment"]: row["n"] for row in ask(world, Question("nps", {"by": "segment"}))}
    few = sum(one["customer_id"] == rows[1]["customer_id"] for one in world.answers("nps"))
    assert found == {"": len(world.answers("nps")) - expected, "some": expected, "few": few}
    for name in ("funnel", "aspects", "journey_map", "people", "profile_change", "retention", "attribution", "places"):
        ask(world, Question(name, where=("segment=some",)))
