"""The order in which links are taken: by time, then by the stronger, then by the weaker side.

Names are compared only where times are equal: unpacking an identifier costs more than everything else here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from operator import itemgetter

from streams.model.identifiers import Strength

Edge = tuple[int, int, int]
"""A link between two nodes: (epoch milliseconds, stronger node, weaker node)."""

FIRST: Edge = (-(1 << 64), -1, -1)
"""Comes before every link: its time is below every 64-bit number."""

_time = itemgetter(0)


class LinkOrder:
    """Compares links of nodes whose strength it can ask for."""

    def __init__(self, strength: Callable[[int], Strength]) -> None:
        self._strength = strength

    def sorted(self, edges: Iterable[Edge]) -> list[Edge]:
        """The edges in order."""
        ordered: list[Edge] = []
        for _, group in groupby(sorted(edges, key=_time), key=_time):
            simultaneous = list(group)
            ordered += sorted(simultaneous, key=self._sides) if len(simultaneous) > 1 else simultaneous
        return ordered

    def last(self, edges: Iterable[Edge]) -> Edge:
        """The last of the edges, `FIRST` if there is none."""
        latest: list[Edge] = [FIRST]
        for edge in edges:
            if edge[0] > latest[0][0]:
                latest = [edge]
            elif edge[0] == latest[0][0]:
                latest.append(edge)
        return max(latest, key=self._sides) if len(latest) > 1 else latest[0]

    def precedes(self, one: Edge, other: Edge) -> bool:
        """Whether `one` comes before `other`."""
        return one[0] < other[0] or (one[0] == other[0] and self._sides(one) < self._sides(other))

    def _sides(self, edge: Edge) -> tuple[Strength, Strength]:
        return self._strength(edge[1]), self._strength(edge[2])
