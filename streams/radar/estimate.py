"""Guide, bus, tent and floor as crossed effects on what the members of groups say: a partially pooled estimate. Pure.

The model of a member's mean score in one place of group g is

    y = mu_g + guide + bus + tent + floor + e

with a mean for each group, and effects of its guides, buses, tents and floors that are draws from normal distributions
with variances of their own, one for each kind, shared by all groups. Effects and their prediction errors are the
solution of Henderson's mixed model equations (C. R. Henderson, "Best linear unbiased estimation and prediction under a
selection model", Biometrics 31, 1975, equations 3 and following); the variances are found by REML with the EM
algorithm (S. R. Searle, G. Casella, C. E. McCulloch, Variance Components, 1992, chapter 8.3). All of it needs nothing
but counts, sums and sums of squares of each cell (group, guide, bus, tent, floor), which add up in any order.

A bad bus is told from a bad guide by the members who had the one and not the other. Where hardly anybody had, the
prediction errors of both are large, and neither is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

KINDS: Final = ("guide", "bus", "tent", "floor")
LEAST_OF_GROUP: Final = 30
"""Members of a group who have said something; a group with fewer is left out."""
LEAST: Final = 10
"""Members of a guide, bus, tent or floor; one with fewer counts, and is not shown."""
ERROR: Final = 0.05
"""How often in a group, at most, an interval of any of its places may miss."""
_ROUNDS, _CLOSE = 300, 1e-6
_SMALLEST: Final = 1e-7
"""Of a variance: below, effects are nothing, and their equations would be singular."""

Floats = npt.NDArray[np.float64]


class Cell(NamedTuple):
    """What the members in one place of a group said: sums over their mean scores."""

    group: str
    places: tuple[str, ...]
    """Guide, bus, tent and floor, as in KINDS; an empty text where it is not known."""
    customers: int
    total: float
    squares: float


class Effect(NamedTuple):
    """How much better or worse a place is than the others of its kind in the group, in points of sentiment."""

    group: str
    kind: str
    name: str
    customers: int
    effect: float
    low: float
    high: float
    """The interval, which holds for all places of the group at once."""

    @property
    def interval(self) -> str:
        """The effect with its interval, for people."""
        return f"{self.effect:+.2f} ({self.low:+.2f} to {self.high:+.2f})"

    @property
    def is_bad(self) -> bool:
        """Whether it is worse beyond doubt."""
        return self.high < 0


@dataclass(slots=True)
class _Group:
    """The equations of one group."""

    name: str
    levels: list[tuple[int, str]]
    """(index into KINDS, name) of each place."""
    kinds: npt.NDArray[np.int64]
    design: Floats
    """A row a cell, a column a place, after one for the mean."""
    counts: Floats
    totals: Floats
    squares: float
    left: Floats
    right: Floats

    @staticmethod
    def of(name: str, cells: Sequence[Cell]) -> _Group:
        levels = sorted({(kind, place) for cell in cells for kind, place in enumerate(cell.places) if place})
        index = {level: at + 1 for at, level in enumerate(levels)}
        design = np.zeros((len(cells), len(levels) + 1))
        design[:, 0] = 1.0
        for row, cell in enumerate(cells):
            for kind, place in enumerate(cell.places):
                if place:
                    design[row, index[kind, place]] = 1.0
        counts = np.array([cell.customers for cell in cells], np.float64)
        totals = np.array([cell.total for cell in cells])
        kinds = np.array([kind for kind, _ in levels], np.int64)
        squares = float(sum(cell.squares for cell in cells))
        return _Group(name, levels, kinds, design, counts, totals, squares,
                      design.T @ (counts[:, None] * design), design.T @ totals)  # fmt: skip

    def solve(self, error: float, variances: Floats) -> tuple[Floats, Floats]:
        """Mean and effects, and the inverse of the equations: times `error` the variance of their prediction errors."""
        left = self.left.copy()
        places = np.arange(1, len(left))
        left[places, places] += error / variances[self.kinds]
        inverse: Floats = np.linalg.inv(left).astype(np.float64)
        return inverse @ self.right, inverse

    def contrasts(self, sizes: Floats) -> Floats:
        """A row for each effect: itself less the mean of the others of its kind, by their sizes; 0 where it has none.

        What the mean of the group is, and hence how large all effects of another kind are, is of no matter to these.
        """
        weights = np.zeros((len(sizes), len(sizes)))
        for kind in range(len(KINDS)):
            same = 1 + np.flatnonzero(self.kinds == kind)
            if len(same) > 1:
                others = np.tile(sizes[same], (len(same), 1))
                np.fill_diagonal(others, 0.0)
                weights[np.ix_(same, same)] = np.eye(len(same)) - others / others.sum(axis=1, keepdims=True)
        return weights


def effects(cells: Iterable[Cell]) -> list[Effect]:
    """The effects of all places of groups that have enough members, the worst first; those of few members left out."""
    by_group: dict[str, list[Cell]] = {}
    for cell in cells:
        by_group.setdefault(cell.group, []).append(cell)
    some = [
        _Group.of(name, of_it)
        for name, of_it in sorted(by_group.items())
        if sum(cell.customers for cell in of_it) >= LEAST_OF_GROUP
    ]
    some = [group for group in some if group.levels]
    if not some:
        return []
    error, variances = _variances(some)
    found: list[Effect] = []
    for group in some:
        solution, inverse = group.solve(error, variances)
        sizes = group.counts @ group.design
        contrasts = group.contrasts(sizes)
        shown = [at for at in range(1, len(solution)) if sizes[at] >= LEAST and contrasts[at].any()]
        if not shown:
            continue
        width = NormalDist().inv_cdf(1 - ERROR / 2 / len(shown))
        spread = np.sqrt(error * np.einsum("ij,jk,ik->i", contrasts, inverse, contrasts))
        for at in shown:
            kind, name = group.levels[at - 1]
            effect, margin = float(contrasts[at] @ solution), width * float(spread[at])
            found.append(
                Effect(group.name, KINDS[kind], name, round(sizes[at]), effect, effect - margin, effect + margin)
            )
    return sorted(found, key=lambda one: (one.high, one.group, one.kind, one.name))


def _variances(groups: Sequence[_Group]) -> tuple[float, Floats]:
    """The variances of a member's mean and of the effects of each kind, by REML."""
    members = sum(float(group.counts.sum()) for group in groups)
    means = [float(group.totals.sum() / group.counts.sum()) for group in groups]
    around = sum(
        group.squares - mean * mean * float(group.counts.sum()) for group, mean in zip(groups, means, strict=True)
    )
    error = max(around / max(members - len(groups), 1.0), _SMALLEST)
    variances = np.full(len(KINDS), error / 10)
    places = np.zeros(len(KINDS))
    for group in groups:
        places += np.bincount(group.kinds, minlength=len(KINDS))
    for _ in range(_ROUNDS):
        sums, rest = np.zeros(len(KINDS)), 0.0
        for group in groups:
            solution, inverse = group.solve(error, variances)
            own = solution[1:] ** 2 + error * np.diag(inverse)[1:]
            sums += np.bincount(group.kinds, own, len(KINDS))
            rest += group.squares - float(solution @ group.right)
        new_error = max(rest / max(members - len(groups), 1.0), _SMALLEST)
        new = np.maximum(sums / np.maximum(places, 1.0), _SMALLEST)
        moved = max(abs(new_error - error) / error, float(np.max(np.abs(new - variances) / (variances + 1e-4 * error))))
        error, variances = new_error, new
        if moved < _CLOSE:
            break
    return error, variances
