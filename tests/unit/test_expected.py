"""Anomalies: the stated rate of false alarms on quiet years with weekdays and Ramadan, and what they find."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from streams.trends import expected
from streams.trends.effects import Cell
from streams.trends.expected import RATE, Series, fit, judged

FIRST, YEAR = date(2024, 1, 1), date(2025, 1, 1)
DAYS = 731
SEASONS = {
    **{date(2024, 3, 11) + timedelta(days=at): "ramadan" for at in range(30)},
    **{date(2025, 3, 1) + timedelta(days=at): "ramadan" for at in range(29)},
}
"""Of the Umm al-Qura calendar."""


def quiet(seed: int, kind: str, shock: tuple[int, float] | None = None) -> Series:
    """Two years of a unit: weekdays and Ramadan differ, and single days by chance. shock: day and what it adds."""
    generator = np.random.default_rng(seed)
    week, fast = generator.normal(0, 8, 7), generator.normal(15, 5)
    cells = []
    for at in range(DAYS):
        day = FIRST + timedelta(days=at)
        mean = 20 + week[day.weekday()] + fast * (day in SEASONS) + generator.normal(0, 5)
        mean += shock[1] if shock and shock[0] == at and kind != "contacts" else 0.0
        n = int(generator.poisson(12))
        if kind == "contacts":
            mean = 30 * np.exp((mean - 20) / 60) + (shock[1] if shock and shock[0] == at else 0.0)
            n = int(generator.poisson(mean))
            total = squares = float(n)
        elif kind == "nps":
            total = 100.0 * (2 * generator.binomial(n, np.clip((1 + mean / 100) / 2, 0, 1)) - n)
            squares = 10_000.0 * n
        else:
            answers = np.clip(generator.normal(mean / 100, 0.5, n), -1, 1)
            total, squares = float(answers.sum()), float((answers**2).sum())
        if n:
            cells.append(Cell("U", day, n, total, squares))
    return Series.of(cells, SEASONS, counts=kind == "contacts")


@pytest.mark.parametrize("kind", ["nps", "sentiment", "contacts"])
def test_a_quiet_year_has_the_stated_rate_of_false_alarms(kind: str) -> None:
    """Of 20 units in a year some 20 are expected; of a Poisson number of that mean one above 35 is one in 1,000."""
    figures = [expected.tested(judged(quiet(seed, kind), YEAR)) for seed in range(20)]
    days = sum(one.days for one in figures)
    assert days > 7000
    assert sum(one.alarms for one in figures) <= 35
    assert days * RATE == pytest.approx(20, abs=1)
    assert 0.92 <= sum(one.within for one in figures) / days <= 0.985


@pytest.mark.parametrize(("kind", "added"), [("nps", -140.0), ("sentiment", -90.0), ("contacts", 60.0)])
def test_what_is_out_of_the_ordinary_is_found_on_its_day(kind: str, added: float) -> None:
    found = 0
    for seed in range(10):
        series = quiet(seed, kind, (500, added))
        shown = {one.day: one for one in judged(series, YEAR)}
        one = shown.get(FIRST + timedelta(days=500))
        found += one is not None and one.alarm and (one.actual < one.expected) == (added < 0)
    assert found >= 9


def test_a_day_is_judged_by_the_days_before_it_alone() -> None:
    one, other = quiet(1, "sentiment"), quiet(1, "sentiment", (DAYS - 1, -90.0))
    for day in (400, DAYS - 2):
        mine, theirs = fit(one, day), fit(other, day)
        assert mine is not None
        assert theirs is not None
        assert mine.slopes == pytest.approx(theirs.slopes, abs=0.01)  # the variance of an answer is of all days
    assert judged(one, YEAR)[-1].actual > judged(other, YEAR)[-1].actual


def test_the_second_ramadan_is_expected_and_an_unseen_season_is_not_known() -> None:
    """The interval is wider on the first day of a season that was never seen."""
    series = quiet(3, "sentiment")
    first, second = (series.days.index(day) for day in (date(2024, 3, 11), date(2025, 3, 1)))

    def width(at: int) -> float:
        fitted = fit(series, at)
        assert fitted is not None
        return fitted.at(series.design[at], series.within / 12)[1]

    assert width(first) > 1.3 * width(first - 1)
    assert width(second) < 1.1 * width(second - 1)


def test_too_few_days_say_nothing() -> None:
    cells = [Cell("U", FIRST + timedelta(days=at), 9, 4.5, 5.0) for at in range(50)]
    assert judged(Series.of(cells, {}), FIRST) == []
    few = [Cell("U", FIRST + timedelta(days=at), 4, 2.0, 2.5) for at in range(90)]
    assert judged(Series.of(few, {}), FIRST) == []


def test_no_count_is_below_nothing() -> None:
    """Of a unit that hardly anybody contacts less than nobody would be expected: the inverse of the root is below 0."""
    cells = [Cell("U", FIRST + timedelta(days=at), 1, 1.0, 1.0) for at in (0, 40, 199)]
    found = judged(Series.of(cells, {}, counts=True), FIRST)
    assert len(found) == 200 - expected.LEAST_DAYS
    for one in found:
        assert 0 <= one.low <= one.expected <= one.high
        assert (one.actual < one.expected) == (one.score < 0)
    assert {one.n for one in found} == {0, 1}
