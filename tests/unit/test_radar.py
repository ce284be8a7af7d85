"""The pilgrim radar: what it tells apart, what it leaves alone, and how often it is right where the truth is known."""

from __future__ import annotations

from random import Random

import pytest

from streams.radar.estimate import LEAST, Cell, effects
from streams.sources.simulate.options import Options
from tests.support.caravans import judge


def cells(random: Random, spread: float, effect: dict[tuple[int, str], float], *, aligned: float = 0.5) -> list[Cell]:
    """Members of three groups with six guides and six buses each; so many have the guide of their bus."""
    found: dict[tuple[str, tuple[str, ...]], list[float]] = {}
    for group in ("group:a", "group:b", "group:c"):
        for member in range(240):
            bus = member % 6
            guide = bus if random.random() < aligned else random.randrange(6)
            places = (f"g{guide}", f"{bus}", "", "")
            own = effect if group == "group:a" else {}
            said = random.gauss(0.2, spread) + sum(own.get((kind, name), 0.0) for kind, name in enumerate(places))
            found.setdefault((group, places), []).append(said)
    return [Cell(*key, len(some), sum(some), sum(one * one for one in some)) for key, some in found.items()]


@pytest.mark.parametrize(("culprit", "kind"), [((0, "g3"), "guide"), ((1, "3"), "bus")])
def test_a_bad_bus_is_told_from_a_bad_guide(culprit: tuple[int, str], kind: str) -> None:
    found = [one for one in effects(cells(Random(3), 0.4, {culprit: -0.5})) if one.is_bad]
    assert [(one.group, one.kind, one.name) for one in found] == [("group:a", kind, culprit[1])]
    assert -0.7 < found[0].low < found[0].effect < found[0].high < 0
    assert found[0].effect == pytest.approx(-0.5, abs=0.2)


def test_where_each_bus_has_its_own_guide_neither_is_named() -> None:
    found = effects(cells(Random(3), 0.4, {(1, "3"): -0.3}, aligned=1.0))
    assert found
    assert not any(one.is_bad for one in found)


def test_nothing_is_named_where_nothing_is_bad() -> None:
    assert not any(one.is_bad for seed in range(5) for one in effects(cells(Random(seed), 0.4, {})))


def test_the_order_and_the_size_of_cells_are_of_no_matter() -> None:
    some = cells(Random(1), 0.4, {(1, "2"): -0.4})
    halves = [
        half
        for cell in some
        for half in (cell._replace(customers=cell.customers - 1, total=cell.total - 0.1, squares=cell.squares - 0.01),
                     cell._replace(customers=1, total=0.1, squares=0.01))
    ]  # fmt: skip
    Random(2).shuffle(halves)
    for one, other in zip(effects(some), effects(halves), strict=True):
        assert one[:4] == other[:4]
        assert one[4:] == pytest.approx(other[4:], abs=1e-6)


def test_few_say_nothing() -> None:
    assert effects([]) == []
    assert effects([Cell("group:a", ("g", "1", "", ""), 29, 5.0, 2.0)]) == []
    big = [Cell("group:a", ("", str(bus), "", ""), 20, -4.0 * bus, 9.0 * bus) for bus in range(4)]
    small = Cell("group:a", ("", "9", "", ""), LEAST - 1, -9.0, 9.0)
    assert "9" not in {one.name for one in effects([*big, small])}
    assert effects([Cell("group:a", ("", "", "", ""), 50, 5.0, 2.0)]) == []  # nobody said where they were


def test_all_the_same_is_no_division_by_zero() -> None:
    assert not any(one.is_bad for one in effects([Cell("group:a", ("", bus, "", ""), 40, 0.0, 0.0) for bus in "12"]))


def test_simulated_caravans() -> None:
    """A small one of tests/benchmarks/radar.py, which has the figures."""
    found = judge(Options(caravans=16, seed=5))
    assert found.guilty >= 8
    assert found.right >= 0.75 * found.guilty
    assert found.false <= 1
