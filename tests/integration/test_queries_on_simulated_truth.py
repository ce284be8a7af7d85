"""Named queries of experience against a second reading, in plain Python, on simulated people.

The queries read the views of the real engine; the second reading is of the log of events itself, with customers and
journeys as `streams.verify` recomputes them. Neither shares a line with the other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from statistics import mean, median
from typing import Any

import pytest

from sinks.clickhouse.surveys import is_survey
from tests.support.simulated_world import DAY, HOUR, Row, World, grouped, margin, same, world

__all__ = ["world"]


@pytest.mark.parametrize("by", ["all", "channel", "unit", "country", "customer", "journey", "touchpoint", "language"])
def test_surveys(world: World, by: str) -> None:
    field = {"customer": "customer_id", "journey": "journey_id", "unit": "attributed_unit"}.get(by, by)

    def scores(instrument: str) -> dict[Any, list[float]]:
        rows = world.answers(instrument)
        groups = {"all": rows} if by == "all" else grouped(rows, field)
        return {key: [row["survey"]["score"] for row in group] for key, group in groups.items()}

    nps: dict[Any, Row] = {}
    for key, given in scores("nps").items():
        signs = [1.0 if score >= 9 else -1.0 if score <= 6 else 0.0 for score in given]
        spread = mean(sign * sign for sign in signs) - mean(signs) ** 2
        error = None if len(set(signs)) == 1 else 196 * (spread / len(signs)) ** 0.5
        nps[key] = {
            "n": len(signs),
            "promoters": signs.count(1),
            "detractors": signs.count(-1),
            "passives": signs.count(0),
            "nps": 100 * mean(signs),
            "margin": error,
        }
    same(world.ask("nps", by=by), nps, "segment")
    csat: dict[Any, Row] = {}
    for key, given in scores("csat").items():
        good = [float(score >= 4) for score in given]
        error = None if len(set(good)) == 1 else 196 * (mean(good) * (1 - mean(good)) / len(good)) ** 0.5
        csat[key] = {"n": len(good), "csat": 100 * mean(good), "margin": error}
    same(world.ask("csat", by=by), csat, "segment")
    ces = {key: {"n": len(given), "ces": mean(given), "margin": margin(given)} for key, given in scores("ces").items()}
    same(world.ask("ces", by=by), ces, "segment", digits=2)


def test_funnel(world: World) -> None:
    """Event by event: after an ending nothing counts until it is confirmed again."""
    rank = {
        "booking.confirmed": 1,
        "booking.cancelled": 2,
        "check_in.no_show": 3,
        "check_in.completed": 4,
        "stay.arrived": 5,
        "stay.checked_out": 6,
    }
    reached: dict[str, int] = {}
    for key, journey in world.journeys.items():
        if journey["kind"] != "booking":
            continue
        steps = sorted(
            (e["occurred_at"], rank[e["touchpoint"]]) for e in world.by_journey[key] if e["touchpoint"] in rank
        )
        going, far = True, 1 if steps else 0
        for _, step in steps:
            going = True if step == 1 else False if step in (2, 3) else going
            far = max(far, step - 2) if going and step > 3 else far
        heard = any(event["channel"] == "post_travel" for event in world.by_journey[key])
        reached[key] = 5 if far == 4 and heard else far
    expected = {
        step: {
            "journeys": sum(far >= step for far in reached.values()),
            "lost": sum(
                far == step and world.journeys[key]["status"] in ("cancelled", "no_show")
                for key, far in reached.items()
            ),
        }
        for step in range(1, 6)
    }
    same(world.ask("funnel"), expected, "step")
    counts = [row["journeys"] for row in expected.values()]
    assert [row["of_previous"] for row in world.ask("funnel")][1:] == [
        pytest.approx(100 * after / before, abs=0.051) for before, after in pairwise(counts)
    ]
    assert 0 < counts[-1] < counts[-2] < counts[0]


def test_paths(world: World) -> None:
    """All, and a month, whose edges cut no journey."""
    may = 1_714_521_600_000
    for since, until, window in (
        (0, may * 2, {}),
        (may - 30 * DAY, may, {"since": "2024-04-01", "until": "2024-05-01"}),
    ):
        followed: dict[str, list[tuple[str, float]]] = defaultdict(list)
        dropped: Counter[str] = Counter()
        for key, events in world.by_journey.items():
            for at, event in enumerate(events):
                if not since <= event["occurred_at"] < until:
                    continue
                after = events[at + 1] if at + 1 < len(events) else None
                waited = (after["occurred_at"] - event["occurred_at"]) / HOUR if after else 0.0
                followed[event["touchpoint"]].append((after["touchpoint"] if after else "(end)", waited))
                ended = after is None and not is_survey(event["touchpoint"])
                dropped[event["touchpoint"]] += ended and world.lost(world.journeys[key])
        expected: dict[Any, Row] = {}
        for touchpoint, steps in followed.items():
            for following in {name for name, _ in steps}:
                waits = [wait for name, wait in steps if name == following]
                expected[touchpoint, following] = {
                    "times": len(waits),
                    "share": len(waits) / len(steps),
                    "median_hours": None if following == "(end)" else median(waits),
                    "drop_off": dropped[touchpoint] / len(steps),
                }
        same(world.ask("paths", next="100000", limit="100000", **window), expected, "touchpoint", "next", digits=2)
    assert sum(dropped.values()) > 0


def test_pain_points(world: World) -> None:
    met: dict[str, dict[str, int]] = defaultdict(dict)  # touchpoint: journey: last time
    scores: dict[str, list[float]] = defaultdict(list)
    volume: Counter[str] = Counter()
    for event in world.events:
        if is_survey(event["touchpoint"]):
            continue
        met[event["touchpoint"]][event["journey_id"]] = event["occurred_at"]
        volume[event["touchpoint"]] += 1
        scores[event["touchpoint"]] += [] if event["score"] is None else [event["score"]]
    ends = {"cancelled": "cancelled_at", "no_show": "no_show_at", "exploring": "last_event_at"}
    expected: dict[Any, Row] = {}
    for touchpoint, journeys in met.items():
        gone = sum(
            world.lost(world.journeys[key]) and world.journeys[key][ends[world.journeys[key]["status"]]] >= last
            for key, last in journeys.items()
        )
        # One that was given up has dropped off at its last event alone.
        gone -= sum(
            world.lost(world.journeys[key])
            and world.journeys[key]["status"] == "exploring"
            and world.journeys[key]["last_event_at"] > last
            for key, last in journeys.items()
        )
        bad, felt = sum(score < 0 for score in scores[touchpoint]), len(scores[touchpoint])
        expected[touchpoint] = {
            "volume": volume[touchpoint],
            "journeys": len(journeys),
            "drop_off": gone / len(journeys),
            "negative_share": bad / felt if felt else 0.0,
            "sentiment": mean(scores[touchpoint]) if felt else None,
        }
    found = world.ask("pain_points", limit="100000")
    same(found, expected, "touchpoint", digits=3)
    for row in found:
        assert row["pain"] == pytest.approx(row["volume"] * row["negative_share"] * row["drop_off"], abs=0.0051)
    assert found[0]["pain"] > 0


def test_channel_gaps(world: World) -> None:
    names = ["booking", "check_in", "stay", "post_travel"]
    answered: dict[tuple[str, str], list[float]] = defaultdict(list)
    for case in world.truth.cases.to_dicts():
        if case["first_response_at"] is not None and case["first_response_at"] >= case["opened_at"]:
            minutes = (case["first_response_at"] - case["opened_at"]) / 60_000
            answered[case["journey_id"], case["touchpoint"].split(".")[0]].append(minutes)
    gaps: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    both: Counter[tuple[str, str]] = Counter()
    for key, events in world.by_journey.items():
        met: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for event in events:
            place = met[event["channel"]]
            survey = event["survey"] or {}
            effort = survey["score"] if survey.get("instrument") == "ces" else None
            for what, value in (("sentiment", event["score"]), ("effort", effort), ("wait", event["wait_seconds"])):
                place[what] += [] if value is None else [value]
            place["response"] = answered.get((key, event["channel"]), [])
        for first in met:
            for second in met:
                if names.index(first) < names.index(second):
                    both[first, second] += 1
                    for what in ("sentiment", "effort", "wait", "response"):
                        if met[first][what] and met[second][what]:
                            gaps[first, second][what].append(mean(met[second][what]) - mean(met[first][what]))
    expected = {
        pair: {"journeys": n}
        | {f"{what}_n": len(gaps[pair][what]) for what in ("sentiment", "effort", "wait", "response")}
        | {
            f"{what}_gap": mean(gaps[pair][what]) if gaps[pair][what] else None
            for what in ("sentiment", "effort", "wait", "response")
        }
        | {"sentiment_margin": margin(gaps[pair]["sentiment"])}
        for pair, n in both.items()
    }
    same(world.ask("channel_gaps"), expected, "channel", "other")
    assert sum(row["sentiment_n"] for row in expected.values()) > 100


def test_repeat(world: World) -> None:
    bookings: dict[str, list[list[Row]]] = defaultdict(list)
    kept = [
        row
        for row in world.journeys.values()
        if row["kind"] == "booking"
        and row["status"] != "cancelled"
        and (row["booked_at"] is not None or row["arrived_at"] is not None)
    ]
    for row in sorted(kept, key=lambda row: row["started_at"]):
        mine = bookings[row["customer_id"]]
        if mine and row["started_at"] - mine[-1][-1]["started_at"] < DAY:
            mine[-1].append(row)
        else:
            mine.append([row])
    now = world.events[-1]["occurred_at"]
    due = {who: max(row["last_event_at"] for row in mine[0]) + 180 * DAY for who, mine in bookings.items()}
    mature = [who for who in bookings if due[who] <= now]
    back = [who for who in mature if len(bookings[who]) > 1 and bookings[who][1][0]["started_at"] <= due[who]]
    gaps = [(mine[1][0]["started_at"] - mine[0][0]["started_at"]) / DAY for mine in bookings.values() if len(mine) > 1]
    rate = len(back) / len(mature)
    expected = {
        "all": {
            "customers": len(bookings),
            "bookings": sum(map(len, bookings.values())),
            "mature": len(mature),
            "repeated": len(back),
            "repeat_rate": 100 * rate,
            "median_days": median(gaps),
            "margin": 196 * (rate * (1 - rate) / len(mature)) ** 0.5,
        }
    }
    same(world.ask("repeat"), expected, "cohort")
    assert back


def test_aspects_and_defects(world: World) -> None:
    said: dict[str, list[tuple[str, float | None]]] = defaultdict(list)
    bad: dict[str, set[str]] = defaultdict(set)
    for event in world.events:
        for one in event["aspects"]:
            said[one["aspect"]].append((event["customer_id"], one["score"]))
            if one["score"] is not None and one["score"] < 0:
                bad[one["aspect"]].add(event["journey_id"])
    expected: dict[Any, Row] = {}
    for aspect, mentions in said.items():
        scores = [score for _, score in mentions if score is not None]
        expected[aspect] = {
            "volume": len(mentions),
            "customers": len({who for who, _ in mentions}),
            "scored": len(scores),
            "score": mean(scores) if scores else None,
            "margin": margin(scores),
        }
    same(world.ask("aspects"), expected, "aspect", digits=3)
    everybody = len(world.by_journey)
    rates: dict[Any, Row] = {
        aspect: {"journeys": everybody, "defects": len(keys), "per_thousand": 1000 * len(keys) / everybody}
        for aspect, keys in bad.items()
    }
    same(world.ask("defects"), rates, "aspect")
