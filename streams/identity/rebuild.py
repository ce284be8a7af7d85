"""Joining links from scratch: Kruskal's algorithm, with the rule that no two customers are joined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from streams.identity.order import FIRST, Edge


class Rebuilt(NamedTuple):
    """A component: nodes that links connect."""

    clusters: list[list[int]]
    """The nodes that are joined; more than one cluster only where customers keep them apart."""
    last: Edge
    """The component's last link in order, `FIRST` if it has none."""


class _Sets:
    """Disjoint sets of nodes (union-find with path halving)."""

    def __init__(self, nodes: Iterable[int]) -> None:
        self._parent = {node: node for node in nodes}

    def find(self, node: int) -> int:
        parent = self._parent
        while (above := parent[node]) != node:
            parent[node] = node = parent[above]
        return node

    def union(self, one: int, other: int) -> None:
        """Make the set of representative `other` part of that of representative `one`."""
        self._parent[other] = one

    def groups(self) -> dict[int, list[int]]:
        """The nodes of each set, by its representative."""
        found: dict[int, list[int]] = defaultdict(list)
        for node in self._parent:
            found[self.find(node)].append(node)
        return found


def rebuilt(nodes: Sequence[int], customers: Mapping[int, str], edges: Sequence[Edge]) -> list[Rebuilt]:
    """The components of `nodes` under `edges`, and their clusters when the edges are taken as they are ordered.

    customers: those among the nodes that are customers, each with what no two customers of one cluster may share (their
    brand, where brands have customers of their own). Both sides of every edge must be among the nodes.
    """
    joined, refused = _Sets(nodes), []
    taken = {customer: {group} for customer, group in customers.items()}
    for edge in edges:
        one, other = joined.find(edge[1]), joined.find(edge[2])
        if one == other:
            continue
        if one not in taken:
            one, other = other, one
        elif other in taken:
            if not taken[one].isdisjoint(taken[other]):
                refused.append(edge)
                continue
            taken[one] |= taken[other]
        joined.union(one, other)
    clusters = joined.groups()
    connected = _Sets(clusters)
    for _, stronger, weaker in refused:
        one, other = connected.find(joined.find(stronger)), connected.find(joined.find(weaker))
        if one != other:
            connected.union(one, other)
    last = {joined.find(edge[1]): place for place, edge in enumerate(edges)}
    return [
        Rebuilt(
            [clusters[cluster] for cluster in component],
            edges[place] if (place := max(last.get(cluster, -1) for cluster in component)) >= 0 else FIRST,
        )
        for component in connected.groups().values()
    ]
