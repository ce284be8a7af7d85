"""Joining a set of links from nothing: Kruskal's algorithm, with the rule that no two customers are put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

Order = tuple[int, tuple[int, str], tuple[int, str]]
"""Sort key of links: (time, strength of the stronger side, strength of the weaker side)."""

FIRST: Order = (-(1 << 63), (-1, ""), (-1, ""))
"""Before every link."""


class Joining(Protocol):
    """A link between two nodes."""

    @property
    def stronger(self) -> int: ...
    @property
    def weaker(self) -> int: ...


L = TypeVar("L", bound=Joining)


class Component(NamedTuple):
    """Nodes that the links connect."""

    clusters: list[list[int]]
    """The nodes that are joined; more than one cluster only where customers keep them apart."""
    last: Order
    """The order of the component's last link, `FIRST` if it has none."""


class _Sets:
    """Disjoint sets of nodes (union-find with path halving)."""

    def __init__(self, nodes: Iterable[int]) -> None:
        self._parent = {node: node for node in nodes}

    def find(self, node: int) -> int:
        parent = self._parent
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    def union(self, one: int, other: int) -> int:
        one, other = self.find(one), self.find(other)
        self._parent[other] = one
        return one

    def groups(self) -> dict[int, list[int]]:
        """The nodes of each set, by its representative."""
        found: dict[int, list[int]] = defaultdict(list)
        for node in self._parent:
            found[self.find(node)].append(node)
        return found


def rebuilt(
    nodes: Sequence[int], links: Iterable[L], order: Callable[[L], Order], is_customer: Callable[[int], bool]
) -> list[Component]:
    """The components of `nodes` under `links`, and their clusters when links are taken in order.

    Both sides of every link must be among the nodes.
    """
    connected, joined = _Sets(nodes), _Sets(nodes)
    has_customer = {node for node in nodes if is_customer(node)}
    ordered = sorted((order(link), link.stronger, link.weaker) for link in links)
    for _, stronger, weaker in ordered:
        connected.union(stronger, weaker)
        one, other = joined.find(stronger), joined.find(weaker)
        if one != other and not (one in has_customer and other in has_customer):
            kept = joined.union(one, other)
            if other in has_customer:
                has_customer.add(kept)
    last = {connected.find(stronger): key for key, stronger, _ in ordered}
    clusters: dict[int, list[list[int]]] = defaultdict(list)
    for representative, members in joined.groups().items():
        clusters[connected.find(representative)].append(members)
    return [Component(parts, last.get(representative, FIRST)) for representative, parts in clusters.items()]
