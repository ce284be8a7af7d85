"""What an action changed: a known effect is found, none is seldom claimed, what changed everywhere is none."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.trends.effects import FEWEST_COMPARABLE, Cell, Effect, TooFewError, effect
from streams.trends.student import quantile

ON = date(2026, 5, 3)
BACK = 28 * 7


def world(seed: int, change: float = 0.0, units: int = 10, own: float = 6.0, everywhere: float = 10.0) -> list[Cell]:
    """NPS of units by day, a few answers each; of each unit every four weeks differ by chance (sd `own`)."""
    generator = np.random.default_rng(seed)
    cells = []
    for unit in range(units):
        level = generator.normal(0, 8)
        drift = generator.normal(0, own, BACK // 28 + 2)
        for at in range(-BACK, 28):
            mean = level + drift[(at + BACK) // 28] + (everywhere if at >= 0 else 0.0)
            mean += change if at >= 0 and unit == 0 else 0.0
            up = (1 + mean / 100) / 2
            if n := int(generator.poisson(4)):
                total = 100.0 * (2 * generator.binomial(n, up) - n)
                cells.append(Cell(f"U{unit}", ON + timedelta(days=at), n, total, 10_000.0 * n))
    return cells


def test_effects_are_covered_and_none_is_seldom_claimed() -> None:
    """Of 120 intervals of 95 % 6 may miss; more than 13 would be one chance in 300. Here a unit's own drift counts."""
    missed = claimed = found = placebos = covered = 0
    for seed in range(120):
        quiet, changed = (effect(world(seed, change), {"U0"}, ON, 28) for change in (0.0, 50.0))
        missed += not changed.low <= 50 <= changed.high
        claimed += quiet.verdict in ("better", "worse")
        found += changed.verdict == "better"
        placebos, covered = placebos + quiet.placebos, covered + quiet.covered
    assert missed <= 13
    assert claimed <= 13
    assert found >= 80
    assert placebos == 120 * 6
    assert 0.92 <= covered / placebos <= 0.985


@given(st.integers(0, 1000), st.floats(-40, 40), st.floats(-40, 40))
@settings(max_examples=30, deadline=None)
def test_what_changes_everywhere_is_no_effect_and_what_changes_there_is(seed: int, all_: float, own: float) -> None:
    def moved(cell: Cell) -> Cell:
        by = (all_ + (own if cell.unit == "U0" else 0.0)) * (cell.day >= ON)
        return Cell(
            cell.unit, cell.day, cell.n, cell.total + cell.n * by, cell.squares + 2 * by * cell.total + cell.n * by * by
        )

    cells = world(seed, units=6)
    one, other = effect(cells, {"U0"}, ON, 28), effect([moved(cell) for cell in reversed(cells)], {"U0"}, ON, 28)
    assert other.effect == pytest.approx(one.effect + own, abs=1e-6)
    assert (other.high - other.low) == pytest.approx(one.high - one.low, abs=1e-6)
    assert (other.placebos, other.covered) == (one.placebos, one.covered)


def test_by_hand() -> None:
    """Changes of 40 there and of 0, 10, 20, 30 elsewhere (mean 15); the variance of each is 2 x 2500 / 10 / 9 x 10 =
    555.56, which explains more than they differ: se = sqrt(555.56 (1 + 1/4)) = 26.35, t(3) = 3.182."""

    def ten(unit: str, day: date, mean: float) -> Cell:
        return Cell(unit, day, 10, 10 * mean, 10 * mean * mean + 10 * 2500)

    cells = [ten(f"U{at}", ON - timedelta(days=1), 0) for at in range(5)]
    cells += [ten(f"U{at}", ON, mean) for at, mean in enumerate((40, 0, 10, 20, 30))]
    found = effect(cells, {"U0"}, ON, 28)
    assert (found.units, found.comparable, found.n_before, found.n_after, found.n_comparable) == (1, 4, 10, 10, 80)
    assert found.effect == pytest.approx(25.0)
    assert found.high - found.effect == pytest.approx(3.182 * 26.352, rel=0.01)
    assert found.p == pytest.approx(1 / 5)
    assert found.verdict == "untrusted"  # there is no earlier date to try it on
    with pytest.raises(TooFewError, match="3 units to compare with"):
        effect(cells[:4] + cells[5:9], {"U0"}, ON, 28)
    with pytest.raises(TooFewError, match="no unit acted upon"):
        effect(cells, {"U9"}, ON, 28)
    assert FEWEST_COMPARABLE == 4


def test_a_back_test_that_fails_is_told() -> None:
    fine = Effect(1, 5, 10, 10, 50, 30.0, 10.0, 50.0, 0.1, 6, 5)
    assert (fine.verdict, fine._replace(covered=4).verdict) == ("better", "untrusted")
    assert fine._replace(placebos=2, covered=2).verdict == "better"


@pytest.mark.parametrize(("probability", "degrees", "t"), [(0.975, 3, 3.182), (0.975, 10, 2.228), (0.99863, 30, 3.27)])
def test_quantiles_of_t(probability: float, degrees: int, t: float) -> None:
    assert quantile(probability, degrees) == pytest.approx(t, rel=0.01)
