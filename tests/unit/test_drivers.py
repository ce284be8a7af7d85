"""Shares of drivers: they sum to what is explained in any order; known effects are found, and noise is not blamed."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.drivers.estimate import LEAST, Sample, TooFewError, found


def sample(n: int, seed: int, effects: dict[str, float], noise: float = 1.0, units: int = 0) -> Sample:
    """Drivers that go together (each shares a common part), noise that goes with nothing, units without an effect, two
    answers a customer, a control with an effect."""
    generator = np.random.default_rng(seed)
    common = generator.normal(size=n)
    drivers = {name: (0.6 * common + generator.normal(size=n))[:, None] for name in effects}
    control = generator.integers(0, 2, n).astype(float)
    answers = 2.0 * control + sum(effect * drivers[name][:, 0] for name, effect in effects.items())
    answers = answers + generator.normal(size=n // 2 + 1).repeat(2)[:n] * noise + generator.normal(size=n) * noise
    drivers["noise"] = generator.normal(size=n)[:, None]
    if units:
        drivers["unit"] = np.eye(units)[generator.integers(0, units, n)][:, 1:]
    return Sample(answers, drivers, control[:, None], np.arange(n) // 2)


@given(seed=st.integers(0, 10_000), count=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_shares_sum_to_what_is_explained_in_any_order_and_are_the_mean_over_all_orders(seed: int, count: int) -> None:
    effects = {f"d{at}": 0.4 * at for at in range(count)}
    one = sample(LEAST, seed, effects)
    shown = found(one, rounds=2)
    assert sum(driver.share for driver in shown.drivers) == pytest.approx(shown.r2 - shown.r2_controls, abs=1e-9)
    turned = replace(one, drivers=dict(reversed(one.drivers.items())))
    assert found(turned, rounds=2).drivers == shown.drivers
    scaled = replace(one, drivers={name: 7 * column - 3 for name, column in one.drivers.items()})
    assert [driver.share for driver in found(scaled, rounds=2).drivers] == pytest.approx(
        [driver.share for driver in shown.drivers], abs=1e-6
    )

    def adjusted(names: tuple[str, ...]) -> float:
        rows = np.hstack([np.ones((LEAST, 1)), one.controls, *(one.drivers[name] for name in names)])
        slopes = np.linalg.lstsq(rows, one.answers, rcond=None)[0]
        rest, total = ((part**2).sum() for part in (one.answers - rows @ slopes, one.answers - one.answers.mean()))
        return float(1 - rest / (LEAST - rows.shape[1]) / (total / (LEAST - 1)))

    names = sorted(one.drivers)
    plain = dict.fromkeys(names, 0.0)
    orders = [*permutations(names)]
    for order in orders:
        for at, name in enumerate(order):
            plain[name] += (adjusted(order[: at + 1]) - adjusted(order[:at])) / len(orders)
    assert {driver.name: driver.share for driver in shown.drivers} == pytest.approx(plain, abs=1e-6)


def test_known_effects_are_found_and_noise_is_not() -> None:
    shown = found(sample(3000, 5, {"large": 1.0, "small": 0.4, "none": 0.0}, units=12))
    by = {driver.name: driver for driver in shown.drivers}
    assert [driver.name for driver in shown.drivers][:2] == ["large", "small"]
    assert by["large"].low > 0
    assert by["small"].low > 0
    for name, effect in (("large", 1.0), ("small", 0.4), ("none", 0.0)):
        slope = by[name]
        assert slope.effect_low is not None
        assert slope.effect_high is not None
        assert slope.effect_low <= effect <= slope.effect_high
    for name in ("noise", "unit"):
        assert by[name].low <= 0 <= by[name].high
    assert 0 < by["none"].share < by["small"].share / 3  # it goes with the others: orders without them credit it
    assert by["unit"].effect is None
    assert shown.useful
    assert shown.tested == 750
    assert abs(shown.tested_r2 - shown.r2) < 0.08


def test_a_driver_that_is_noise_is_seldom_blamed() -> None:
    """Of 40 samples of noise an interval of 95 % may miss 0 in 2; more than 6 would be one chance in 500."""
    missed = dict.fromkeys(("noise", "unit"), 0)
    useful = 0
    for seed in range(40):
        shown = found(sample(400, 100 + seed, {}, units=10), rounds=100)
        useful += shown.tested_r2 > shown.tested_r2_controls + 0.01
        for driver in shown.drivers:
            missed[driver.name] += not driver.low <= 0 <= driver.high
    assert max(missed.values()) <= 6, missed
    assert useful <= 6


def test_too_few_answers_say_nothing() -> None:
    with pytest.raises(TooFewError, match="at least 200"):
        found(sample(LEAST - 1, 1, {"a": 1.0}))
    with pytest.raises(TooFewError, match="at least 420"):
        found(sample(LEAST, 1, {"a": 1.0}, units=39))
