"""Questions with conditions, several dimensions, weights and least samples: plain Python on simulated people."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import pytest

from sinks.clickhouse.asking import Question
from sinks.clickhouse.surveys import is_survey
from tests.support.simulated_world import DAY, HOUR, Row, World, world

__all__ = ["world"]


def ask(world: World, question: Question) -> list[Row]:
    asked = question.statement()
    result = world.clickhouse.client.query(asked.sql, parameters=dict(asked.parameters))
    return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


def net(answers: list[float]) -> float:
    return 100 * (sum(one >= 9 for one in answers) - sum(one <= 6 for one in answers)) / len(answers)


def counted(world: World, fits: Callable[[Row], bool]) -> int:
    return sum(fits(event) for event in world.answers("nps"))


CONDITIONS: dict[str, Callable[[Row], bool]] = {
    "country!=SA": lambda one: one["country"] != "SA",
    "country=SA,ID": lambda one: one["country"] in ("SA", "ID"),
    "answer>=9": lambda one: one["survey"]["score"] >= 9,
    "score<0": lambda one: one["score"] is not None and one["score"] < 0,
    "month>=2024-06": lambda one: one["occurred_at"] >= 1_717_200_000_000,
    "unit=": lambda one: not one["attributed_unit"],
    "hour>=12": lambda one: one["occurred_at"] // HOUR % 24 >= 12,
}


@pytest.mark.parametrize("written", CONDITIONS)
def test_conditions(world: World, written: str) -> None:
    expected = counted(world, CONDITIONS[written])
    assert 0 < expected < len(world.answers("nps"))
    (row,) = ask(world, Question("nps", where=(written,)))
    assert row["n"] == expected


def test_all_conditions_hold(world: World) -> None:
    written = ("country!=SA", "answer>=9", "hour>=12", "month>=2024-06")
    expected = counted(world, lambda one: all(CONDITIONS[name](one) for name in written))
    (row,) = ask(world, Question("nps", where=written))
    assert row["n"] == expected > 0


def test_several_dimensions(world: World) -> None:
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in world.answers("nps"):
        groups[event["country"] or "", event["medium"]].append(event["survey"]["score"])
    found = ask(world, Question("nps", {"by": "country,medium"}))
    assert list(found[0])[:3] == ["country", "medium", "n"]
    assert {(row["country"], row["medium"]): row["n"] for row in found} == {key: len(of) for key, of in groups.items()}
    for row in found:
        assert row["nps"] == pytest.approx(net(groups[row["country"], row["medium"]]), abs=0.051)


def test_several_dimensions_with_joins_and_a_column_of_the_same_name(world: World) -> None:
    found = ask(world, Question("journey_map", {"by": "stage,medium"}))
    assert found
    assert all(row["by_medium"] == row["medium"] for row in found)
    plain = ask(world, Question("journey_map", {"by": "stage"}))
    volumes = sorted((row["segment"], row["medium"], row["volume"]) for row in plain)
    assert sorted((row["stage"], row["medium"], row["volume"]) for row in found) == volumes


def test_too_small_a_sample_is_held_back(world: World) -> None:
    plain = ask(world, Question("nps", {"by": "country"}))
    found = ask(world, Question("nps", {"by": "country"}, min_sample=20))
    assert {row["n"] < 20 for row in plain} == {True, False}
    for row, shown in zip(plain, found, strict=True):
        if row["n"] < 20:
            assert {**dict.fromkeys(row), "segment": row["segment"], "n": row["n"]} == shown
        else:
            assert row == shown


def latest(events: list[Row], *keys: str) -> list[Row]:
    kept: dict[Any, Row] = {}
    for event in sorted(events, key=lambda one: (one["occurred_at"], one["event_id"])):
        kept[tuple(event[key] for key in keys)] = event
    return list(kept.values())


@pytest.mark.parametrize("by", ["all", "country"])
def test_the_latest_answer_of_each_customer(world: World, by: str) -> None:
    keys = ("customer_id",) if by == "all" else ("customer_id", "country")
    groups: dict[str, list[float]] = defaultdict(list)
    for event in latest(world.answers("nps"), *keys):
        groups["all" if by == "all" else event["country"] or ""].append(event["survey"]["score"])
    found = ask(world, Question("nps", {"by": by, "answers": "latest"}))
    assert {row["segment"]: row["n"] for row in found} == {name: len(of) for name, of in groups.items()}
    assert sum(row["n"] for row in found) < len(world.answers("nps"))
    for row in found:
        assert row["nps"] == pytest.approx(net(groups[row["segment"]]), abs=0.051)


def test_each_customer_weighs_as_one(world: World) -> None:
    of: dict[str, list[float]] = defaultdict(list)
    for event in world.answers("nps"):
        of[event["customer_id"]].append(event["survey"]["score"])
    (row,) = ask(world, Question("nps", {"weight": "customer"}))
    assert row["nps"] == pytest.approx(sum(net(one) for one in of.values()) / len(of), abs=0.051)
    # Kish: the squared sum of weights by the sum of squared weights; each answer of k has the weight 1/k.
    squares = sum(1 / len(one) for one in of.values())
    assert row["effective"] == pytest.approx(len(of) ** 2 / squares, abs=0.051)
    assert row["effective"] < row["n"]


@pytest.mark.parametrize("which", ["all", "latest"])
def test_answers_weigh_as_the_customers_they_stand_for(world: World, which: str) -> None:
    """By country: each counts by its customers, not by how many of them answer."""
    scores: dict[str, list[float]] = defaultdict(list)
    people: dict[str, set[str]] = defaultdict(set)
    answers = world.answers("csat")
    if which == "latest":
        answers = latest(answers, "customer_id")
    answered = {event["customer_id"]: event["country"] for event in answers}
    # The latest event of those who never answered, by the rule that one row of each customer counts.
    others = latest([event for event in world.events if event["customer_id"] not in answered], "customer_id")
    for event in [*answers, *others] if which == "latest" else world.events:
        people[event["country"] or ""].add(event["customer_id"])
    for event in answers:
        scores[event["country"] or ""].append(event["survey"]["score"])
    whole = sum(len(people[name]) for name in scores)
    expected = sum(len(people[name]) * sum(one >= 4 for one in of) / len(of) for name, of in scores.items()) / whole
    (row,) = ask(world, Question("csat", {"weight": "country", "answers": which}))
    assert row["csat"] == pytest.approx(100 * expected, abs=0.051)
    assert row["n"] == len(answers)
    (plain,) = ask(world, Question("csat", {"answers": which}))
    assert plain["csat"] != row["csat"]


@pytest.mark.parametrize("given", [{"weight": "moon"}, {"answers": "some"}])
def test_what_there_is_not_is_refused(world: World, given: dict[str, str]) -> None:
    with pytest.raises(Exception, match="is one of: "):
        ask(world, Question("nps", given))


def benjamini_hochberg(given: dict[str, float]) -> dict[str, float]:
    """Adjusted p-values, the plain way: from the largest down, never growing."""
    adjusted, least = {}, 1.0
    for rank, (name, p) in reversed(list(enumerate(sorted(given.items(), key=lambda one: one[1]), 1))):
        least = min(least, p * len(given) / rank)
        adjusted[name] = least
    return adjusted


def shares(answers: list[float]) -> tuple[int, int, int]:
    return sum(one >= 9 for one in answers), sum(one <= 6 for one in answers), len(answers)


def moments(up: float, down: float, n: float) -> tuple[float, float]:
    """Centre and variance of NPS with three answers more."""
    p, d, more = (up + 0.75) / (n + 3), (down + 0.75) / (n + 3), n + 3
    return 100 * (p - d), 10_000 * (p + d - (p - d) ** 2) / more


def test_comparison_with_the_period_before(world: World) -> None:
    june, length = 1_717_200_000_000, 60 * DAY
    span = {"since": "2024-06-01", "until": "2024-07-31"}
    sides: tuple[dict[str, list[float]], dict[str, list[float]]] = (defaultdict(list), defaultdict(list))
    for event in world.answers("nps"):
        if (at := event["occurred_at"] - june) // length in (0, -1):
            sides[at < 0][event["country"] or ""].append(event["survey"]["score"])
    found = {row["segment"]: row for row in ask(world, Question("nps", {"by": "country", **span}, compare="previous"))}
    assert set(found) == set(sides[0]) | set(sides[1])
    p = {}
    for name, row in found.items():
        assert (row["n"] or 0, row["other_n"] or 0) == (len(sides[0].get(name, [])), len(sides[1].get(name, [])))
        if not (row["n"] and row["other_n"]):
            assert (row["difference"], row["p"], row["significant"]) == (None, None, None)
            continue
        (centre, variance), (other, others) = (moments(*shares(side[name])) for side in sides)
        error = math.sqrt(variance + others)
        assert row["difference"] == pytest.approx(net(sides[0][name]) - net(sides[1][name]), abs=0.001)
        assert row["difference_low"] == pytest.approx(centre - other - 1.959964 * error, abs=0.002)
        assert row["difference_high"] == pytest.approx(centre - other + 1.959964 * error, abs=0.002)
        p[name] = 2 * (1 - NormalDist().cdf(abs(centre - other) / error))
        assert row["p"] == pytest.approx(p[name], abs=1e-5)
    assert len(p) > 3
    for name, adjusted in benjamini_hochberg(p).items():
        assert found[name]["p_adjusted"] == pytest.approx(adjusted, abs=1e-5)
        assert found[name]["significant"] == (adjusted < 0.05)


def test_comparison_with_others(world: World) -> None:
    found = ask(world, Question("csat", {"by": "month"}, ("country=SA",), compare="where:country!=SA"))
    plain = {row["segment"]: row for row in ask(world, Question("csat", {"by": "month"}, ("country=SA",)))}
    others = {row["segment"]: row for row in ask(world, Question("csat", {"by": "month"}, ("country!=SA",)))}
    assert {row["segment"] for row in found} == set(plain) | set(others)
    for row in found:
        one, other = plain.get(row["segment"]), others.get(row["segment"])
        assert (row["csat"], row["n"]) == ((one["csat"], one["n"]) if one else (None, None))
        assert row["other_csat"] == (other["csat"] if other else None)
        if one and other:
            up, down = ((side["satisfied"] + 1) / (side["n"] + 2) for side in (one, other))
            error = math.sqrt(up * (1 - up) / (one["n"] + 2) + down * (1 - down) / (other["n"] + 2))
            assert row["difference_high"] == pytest.approx(100 * (up - down + 1.959964 * error), abs=0.002)


@pytest.mark.parametrize("name", ["ces", "aspects", "journey_map"])
def test_comparison_of_means_and_of_several_dimensions(world: World, name: str) -> None:
    given = {"by": "channel,language", "since": "2024-06-01", "until": "2024-10-01"}
    found = ask(world, Question(name, given, min_sample=3, compare="previous"))
    assert {"language", "channel", "difference", "p_adjusted"} <= set(found[0])
    tested = [row for row in found if row["p"] is not None]
    assert tested
    assert all(min(row["n"], row["other_n"]) >= 3 for row in tested)
    assert all(row["p_adjusted"] >= row["p"] for row in tested)
    assert all(row["difference_low"] <= row["difference"] <= row["difference_high"] for row in tested)


def test_nothing_is_called_significant_that_is_the_same(world: World) -> None:
    same = ask(world, Question("csat", {"by": "country"}, ("answer>=1",), compare="where:answer>=1"))
    assert {(row["difference"], row["significant"], row["p_adjusted"]) for row in same} == {(0, 0, 1)}


def test_channels_and_pain_points_take_conditions(world: World) -> None:
    """With a condition on each dimension that needs another join, too."""
    kept = [event for event in world.events if event["country"] == "SA" and event["medium"] != "web"]
    found = ask(world, Question("channels", where=("country=SA", "medium!=web")))
    counts: dict[str, int] = defaultdict(int)
    for event in kept:
        counts[event["channel"]] += 1
    assert {row["channel"]: row["interactions"] for row in found} == counts
    given = ("country=SA", "medium!=web")
    volumes = {row["touchpoint"]: row["volume"] for row in ask(world, Question("pain_points", {"limit": "500"}, given))}
    touched: dict[str, int] = defaultdict(int)
    for event in kept:
        if not is_survey(event["touchpoint"]):
            touched[event["touchpoint"]] += 1
    assert volumes == touched
    joined = ("stage!=x", "brand!=x", "season!=x", "profile!=x", "segment!=x", "group!=x", "agent!=x", "weekend!=x")
    for name in ("channels", "pain_points"):
        assert ask(world, Question(name, where=(*given, *joined))) == ask(world, Question(name, where=given))
