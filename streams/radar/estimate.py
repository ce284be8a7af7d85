"""Guide, bus, tent and floor as crossed effects on what the members of groups say: a partially pooled estimate. Pure.

The model of a member's mean score in one place of group g is

    y = mu_g + guide + bus + tent + floor + e

with a mean for each group, and effects of its guides, buses, tents and floors that are draws from normal distributions
with variances of their own, one for each kind, shared by all groups. Effects and their prediction errors are the
solution of Henderson's mixed model equations (C. R. Henderson, "Best linear unbiased estimation and prediction under a
selection model", Biometrics 31, 1975, equations 3 and following); the variances are found by REML with the EM
algorithm (S. R. Searle, G. Casella, C. E. McCulloch, Variance Components, 1992, chapter 8.3). All of it needs nothing
but counts, sums and sums of squares of each cell (group, guide, bus, tent, floor), which add up in any order.

That makes a place **odd** which is no draw from the distribution of its kind: its predicted effect, divided by the
standard deviation that such predictions have (the variance of the kind less that of the prediction error), is beyond
what the most extreme of all places of a group would be (Bonferroni). An odd place has an effect of its own, which is
not drawn towards the others, and is left out when the variance of its kind is estimated: else it would hide itself, and
others would be blamed for what is left of it.

A bad bus is told from a bad guide by the members who had the one and not the other. Where hardly anybody had, the data
is about as likely with the one odd as with the other, and neither is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

KINDS: Final = ("guide", "bus", "tent", "floor")
LEAST_OF_GROUP: Final = 30
"""Members of a group who have said something; a group with fewer is left out."""
LEAST: Final = 10
"""Members of a guide, bus, tent or floor; one with fewer counts, and is not shown."""
WIDTH: Final = NormalDist().inv_cdf(0.975)
"""Standard errors to either side of an effect in its interval of 95 %."""
ERROR: Final = 0.05
"""How often, at most, any place of a group without an odd one may be taken for one."""
_SUSPECT: Final = 2.5
"""Standard deviations from which on a place is left out when the variance of its kind is estimated."""
_TOLD_APART: Final = 2 * log(4)
"""Difference of squared oddness from which on the data is four times as likely with one place odd as with the other."""
_MOST_ODD: Final = 3
"""Odd places of a group."""
_FREE: Final = 1.0
"""Variance of the effect of an odd place: it may be anything that a score can be."""
_ROUNDS, _CLOSE = 60, 1e-4
_SMALLEST: Final = 1e-5
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
    """The interval of 95 %."""
    odd: bool
    """Whether it is no place as others are, and no other place can be taken for it."""

    @property
    def interval(self) -> str:
        """The effect with its interval, for people."""
        return f"{self.effect:+.2f} ({self.low:+.2f} to {self.high:+.2f})"

    @property
    def is_bad(self) -> bool:
        """Whether it is odd, and worse beyond doubt."""
        return self.odd and self.high < 0

    @property
    def is_good(self) -> bool:
        """Whether it is odd, and better beyond doubt."""
        return self.odd and self.low > 0


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
    odd: list[int]
    """Of its effects (from 1 on), those of odd places."""
    sure: set[int]
    """Of these, those for which no other place can be taken."""

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
                      design.T @ (counts[:, None] * design), design.T @ totals, [], set())  # fmt: skip

    def solve(self, error: float, variances: Floats) -> tuple[Floats, Floats]:
        """Mean and effects, and the variances and covariances of their prediction errors."""
        left = self.left.copy()
        own = variances[self.kinds]
        own[[at - 1 for at in self.odd]] = _FREE
        places = np.arange(1, len(left))
        left[places, places] += error / own
        inverse: Floats = np.linalg.inv(left).astype(np.float64)
        return inverse @ self.right, error * inverse

    def oddness(self, error: float, variances: Floats) -> Floats:
        """Of each place that is not odd yet, by how many standard deviations its effect is from 0; 0 of the others."""
        solution, errors = self.solve(error, variances)
        spread = variances[self.kinds] - np.diag(errors)[1:]
        found: Floats = np.abs(solution[1:]) / np.sqrt(np.maximum(spread, 1e-12))
        found[[at - 1 for at in self.odd]] = 0.0
        return found

    def suspect(self, error: float, variances: Floats) -> bool:
        """Take the oddest place for odd, if it may be. Returns whether there was one."""
        found = self.oddness(error, variances)
        if len(self.odd) >= _MOST_ODD or not found.max() > _SUSPECT:
            return False
        self.odd.append(int(found.argmax()) + 1)
        return True

    def acquit(self, error: float, variances: Floats) -> None:
        """Leave as odd only what is so beyond what the most extreme of all places would be."""
        limit = NormalDist().inv_cdf(1 - ERROR / 2 / len(self.levels))
        while self.odd:
            every, found = self.odd, dict[int, float]()
            self.sure = set()
            for at in every:
                self.odd = [one for one in every if one != at]
                oddness = self.oddness(error, variances)
                found[at], oddness[at - 1] = float(oddness[at - 1]), 0.0
                if found[at] ** 2 - float(oddness.max()) ** 2 > _TOLD_APART:
                    self.sure.add(at)
            least = min(every, key=found.__getitem__)
            self.odd = every if found[least] > limit else [one for one in every if one != least]
            if self.odd is every:
                return

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
    for _ in range(_MOST_ODD):
        suspected = [group.suspect(error, variances) for group in some]
        if True not in suspected:
            break
        error, variances = _variances(some, (error, variances))
    for group in some:
        group.acquit(error, variances)
    found: list[Effect] = []
    for group in some:
        solution, errors = group.solve(error, variances)
        sizes = group.counts @ group.design
        contrasts = group.contrasts(sizes)
        spread = np.sqrt(np.einsum("ij,jk,ik->i", contrasts, errors, contrasts))
        for at, (kind, name) in enumerate(group.levels, start=1):
            if sizes[at] >= LEAST and contrasts[at].any():
                effect, margin = float(contrasts[at] @ solution), WIDTH * float(spread[at])
                interval = effect - margin, effect + margin
                odd = at in group.sure
                found.append(Effect(group.name, KINDS[kind], name, round(sizes[at]), effect, *interval, odd))
    return sorted(found, key=lambda one: (not one.odd, one.high, one.group, one.kind, one.name))


def _variances(groups: Sequence[_Group], begin: tuple[float, Floats] | None = None) -> tuple[float, Floats]:
    """The variances of a member's mean and of the effects of each kind, odd places left out, by REML.

    begin: where to begin; None: nowhere near.
    """
    members = sum(float(group.counts.sum()) for group in groups)
    free = max(members - len(groups) - sum(len(group.odd) for group in groups), 1.0)
    places = np.zeros(len(KINDS))
    for group in groups:
        places += np.bincount(group.kinds, minlength=len(KINDS))
        for at in group.odd:
            places[group.kinds[at - 1]] -= 1
    if begin is None:
        around = sum(group.squares - float(group.totals.sum()) ** 2 / float(group.counts.sum()) for group in groups)
        error = max(around / free, _SMALLEST)
        variances = np.full(len(KINDS), max(error / 20, _SMALLEST))
    else:
        error, variances = begin
    for _ in range(_ROUNDS):
        sums, rest = np.zeros(len(KINDS)), 0.0
        for group in groups:
            solution, errors = group.solve(error, variances)
            own = solution[1:] ** 2 + np.diag(errors)[1:]
            own[[at - 1 for at in group.odd]] = 0.0
            sums += np.bincount(group.kinds, own, len(KINDS))
            rest += group.squares - float(solution @ group.right)
        new_error = max(rest / free, _SMALLEST)
        new = np.maximum(sums / np.maximum(places, 1.0), _SMALLEST)
        moved = max(abs(new_error - error), float(np.max(np.abs(new - variances)))) / error
        error, variances = new_error, new
        if moved < _CLOSE:
            break
    return error, variances
