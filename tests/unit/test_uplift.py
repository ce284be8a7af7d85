"""Does recovery work: who is called, and intervals against effects that are known."""

from __future__ import annotations

import random
import tomllib
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from streams.alerts.next_actions import Action, proposed
from streams.model.actions import ACTIONS
from streams.model.company import built_in
from streams.model.readers import read_actions
from streams.uplift.calls import Candidate, allocate
from streams.uplift.sequence import sequence
from streams.uplift.study import uplifts, weights

DAY = date(2027, 3, 1)


def candidates(number: int, priority: int = 2, unit: str = "MAK-1") -> list[Candidate]:
    return [
        Candidate(f"C{priority}{n}", unit, "manager_call", priority, f"alert {priority} {n}") for n in range(number)
    ]


def test_the_urgent_first_and_chance_among_the_tied() -> None:
    calls = allocate([*candidates(3, 1), *candidates(10, 2), *candidates(4, 3)], {"MAK-*": 7, "*": 1}, DAY)
    by_priority = {p: [one for one in calls if one.candidate.priority == p] for p in (1, 2, 3)}
    assert [(one.chosen, one.propensity, one.drawn) for one in by_priority[1]] == [(True, 1.0, False)] * 3
    assert sum(one.chosen for one in by_priority[2]) == 4
    assert {(one.propensity, one.drawn) for one in by_priority[2]} == {(0.4, True)}
    assert {(one.chosen, one.propensity, one.drawn) for one in by_priority[3]} == {(False, 0.0, False)}


def test_the_same_day_gives_the_same_list_and_another_day_another() -> None:
    some = candidates(40)
    chosen = [
        {one.candidate.about for one in allocate(random.Random(seed).sample(some, 40), {"*": 10}, day) if one.chosen}
        for seed, day in ((1, DAY), (2, DAY), (1, DAY + timedelta(days=1)))
    ]
    assert chosen[0] == chosen[1] != chosen[2]


def test_everybody_is_chosen_as_often_as_the_logged_chance_says() -> None:
    some, days = candidates(12), 2000
    times = dict.fromkeys((one.about for one in some), 0)
    for number in range(days):
        for call in allocate(some, {"*": 3}, DAY + timedelta(days=number)):
            times[call.candidate.about] += call.chosen
    for count in times.values():
        assert abs(count / days - 0.25) < 4 * (0.25 * 0.75 / days) ** 0.5


def test_a_customer_is_called_once_and_no_unit_beyond_its_capacity() -> None:
    twice = [Candidate("C", "MAK-1", "manager_call", 3, "x"), Candidate("C", "MAK-1", "answer_alert", 1, "y")]
    (call,) = allocate(twice, {"*": 5}, DAY)
    assert call.candidate.action == "answer_alert"
    assert not any(one.chosen for one in allocate(candidates(4, unit="JED-1"), {"MAK-*": 5}, DAY))


@pytest.mark.parametrize("mean", [0.5, 0.1, 0.93])
def test_intervals_cover_at_all_times_at_once(mean: float) -> None:
    """Of 400 sequences looked at after each of 300 values, at most 5 % miss at any look (as alpha says)."""
    rng = np.random.default_rng(7)
    missed = 0
    for _ in range(400):
        values = (rng.random(300) < mean).astype(float)
        one = sequence(values, 0.0, 1.0)  # the narrowest of all looks: if it covers, each did
        missed += not one.low <= mean <= one.high
    assert missed <= 0.05 * 400
    assert one.high - one.low < 0.35


def test_an_interval_narrows_and_keeps_to_its_bounds() -> None:
    rng = np.random.default_rng(1)
    values = np.clip(rng.normal(0.2, 0.3, 4000), -1, 1)
    widths = [(one := sequence(values[:n], -1, 1)).high - one.low for n in (50, 400, 4000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.1
    empty = sequence([], -1, 1)
    assert (empty.low, empty.high, empty.known) == (-1, 1, False)
    with pytest.raises(ValueError, match="not between"):
        sequence([1.5], -1, 1)


def world(effects: dict[str, float], seed: int, days: int = 150) -> pl.DataFrame:
    """Calls of three hotels by chance, with what follows: a call changes sentiment by a known effect."""
    rng, rows = np.random.default_rng(seed), []
    for number in range(days):
        day = DAY + timedelta(days=number)
        for unit in ("MAK-1", "MAK-2", "MED-1"):
            for place, action in enumerate(effects, 2):
                some = [Candidate(f"{day}{unit}{action}{n}", unit, action, place, f"{day}{unit}{action}{n}")
                        for n in range(10)]  # fmt: skip
                for call in allocate(some, {"*": 5}, day):
                    felt = np.clip(rng.normal(-0.3, 0.35) + effects[action] * call.chosen, -1, 1)
                    back = rng.random() < 0.2 + effects[action] / 2 * call.chosen
                    language = "ar" if len(rows) % 3 else "en"
                    rows.append((day, unit, action, place, call.chosen, language, "", float(felt), float(back)))
    names = ["day", "unit", "action", "priority", "chosen", "language", "case_touchpoint", "sentiment", "returned"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_known_effects_are_covered_and_what_does_not_help_is_dropped() -> None:
    effects = {"manager_call": 0.25, "follow_up_detractor": 0.0, "tell_improvement": -0.1}
    found = uplifts(world(effects, seed=3))
    of = {(one.action, one.outcome): one for one in found}
    for action, effect in effects.items():
        assert of[action, "sentiment"].low <= effect * 1.0 <= of[action, "sentiment"].high
        assert of[action, "returned"].low <= effect / 2 <= of[action, "returned"].high
    assert of["manager_call", "sentiment"].verdict == "helps"
    assert of["tell_improvement", "sentiment"].verdict == "no help"
    assert of["follow_up_detractor", "sentiment"].verdict in ("no help", "unknown")
    file = tomllib.loads(weights(found))
    assert file["manager_call"]["propose"] is True
    assert file["manager_call"]["uplift"] == pytest.approx(0.25, abs=0.08)
    assert file["tell_improvement"]["propose"] is False


def test_what_helps_goes_up_what_does_not_is_proposed_no_more_and_grave_alerts_stay_first(tmp_path: Path) -> None:
    """The whole loop on known effects: calls by chance, uplifts, the model's file, what is then proposed for a customer
    for whom all of it may be done."""
    effects = {"manager_call": 0.1, "follow_up_detractor": 0.3, "tell_improvement": -0.1, "ask_for_review": 0.0}
    file = tmp_path / "actions.toml"
    before = [one.action for one in proposed([Action(name, "", "") for name in ACTIONS], built_in().actions, 0)]
    assert before == [*ACTIONS]
    file.write_text(weights(uplifts(world(effects, seed=3, days=600))), "utf-8")
    after = [one.action for one in proposed([Action(name, "", "") for name in ACTIONS], read_actions(file), 0)]
    assert after == ["answer_alert", "follow_up_detractor", "manager_call", "call_about_case", "prepare_stay"]


def test_coverage_of_the_interval_over_many_worlds() -> None:
    """40 worlds of one action: the interval of at most 5 % (here: two) of them misses the effect."""
    missed = 0
    for seed in range(40):
        (one, _) = sorted(
            uplifts(world({"manager_call": 0.2}, seed, days=60)), key=lambda one: one.outcome != "sentiment"
        )
        missed += not one.low <= 0.2 <= one.high
    assert missed <= 2


def test_by_language_and_what_is_not_known_yet() -> None:
    frame = world({"manager_call": 0.2}, seed=1, days=40)
    both = {one.value: one for one in uplifts(frame, "language") if one.outcome == "sentiment"}
    assert {*both} == {"ar", "en"}
    assert both["ar"].called > both["en"].called
    later = frame.with_columns(sentiment=pl.when(pl.col("day") < DAY + timedelta(days=20)).then("sentiment"))
    (whole,) = (one for one in uplifts(later) if one.outcome == "sentiment")
    assert whole.draws == 60
