"""Components: which clusters the counting links connect, and in what order links have to be taken.

A **component** is what the counting links connect. With at most one customer in it, it is one cluster, in whatever
order its links are taken, so a new link just joins two clusters. Only when a component has several customers does the
order decide: a link that comes last in order is taken last; any other, and any that ceases to count because its side
became shared, makes the component stale, and it is rebuilt, once a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from librt.vecs import append, vec
from mypy_extensions import i64

from streams.identity.adjacency import StrongerLinks
from streams.identity.clusters import Clusters
from streams.identity.interner import BOOKING_RANK
from streams.identity.nodes import CUSTOMER_RANK, SHARED, Nodes
from streams.identity.order import Edge, LinkOrder
from streams.identity.rebuild import rebuilt


@dataclass(slots=True, eq=False)
class _Component:
    """A component that is more than one cluster, or has to be rebuilt."""

    roots: set[int]
    last: Edge | None
    """Nothing in the component comes after this in order; None if not known."""
    stale: bool = False


class Components:
    """Joins clusters as links say, and rebuilds components whose links have to be taken in another order."""

    def __init__(self, nodes: Nodes, links: StrongerLinks, clusters: Clusters) -> None:
        self._nodes, self._links, self._clusters = nodes, links, clusters
        self._order = LinkOrder(nodes.strength)
        self._by_root: dict[int, _Component] = {}
        """Only components that are more than one cluster, or stale."""
        self._fresh: vec[i64] = vec[i64]()
        """Time, stronger and weaker node of each link that may join, one behind the other."""
        self._touched: list[_Component] = []

    def may_join(self, time: i64, stronger: i64, weaker: i64) -> None:
        """Note a link, to be taken by `join`."""
        self._fresh = append(append(append(self._fresh, time), stronger), weaker)

    def make_stale(self, root: int) -> None:
        """Note that a link of the cluster with this root counts no more."""
        self._component(root).stale = True

    def join(self) -> None:
        """Join what the fresh links connect: at once where order does not matter, the rest in order."""
        fresh, self._fresh = self._fresh, vec[i64]()
        nodes, root, components = self._nodes, self._clusters.root, self._by_root
        contested: list[Edge] = []
        for at in range(0, len(fresh), 3):
            stronger, weaker = fresh[at + 1], fresh[at + 2]
            if nodes.has(stronger, SHARED) or nodes.has(weaker, SHARED):
                continue
            one, other = root.get(stronger), root.get(weaker)
            if components and (one in components or other in components):
                contested.append((fresh[at], stronger, weaker))
            elif one == other:
                continue
            elif nodes.rank(one) == CUSTOMER_RANK and nodes.rank(other) == CUSTOMER_RANK:
                contested.append((fresh[at], stronger, weaker))
            else:
                self._absorb(one, other)
        for edge in self._order.sorted(contested):
            self._contest(edge)

    def settle(self) -> None:
        """Rebuild what is stale of the components that were touched since the last call."""
        for component in self._touched:
            if component.stale:
                self._rebuild(component)
            elif len(component.roots) == 1:
                self._by_root.pop(next(iter(component.roots)), None)
        self._touched = []

    def _contest(self, edge: Edge) -> None:
        """Take one link of a component with several customers, or leave the component stale."""
        _, stronger, weaker = edge
        one, other = self._clusters.root.get(stronger), self._clusters.root.get(weaker)
        component = self._component(one)
        if other not in component.roots:
            component = self._merge(component, self._component(other))
        if component.stale or self._order.precedes(edge, self._last(component)):
            component.stale = True
            return
        component.last = edge
        if one != other and not self._clash(one, other):
            loser: int = self._absorb(one, other)
            component.roots.discard(loser)
            del self._by_root[loser]

    def _clash(self, one: i64, other: i64) -> bool:
        """Whether two clusters, given by their roots, have customers that are not one."""
        nodes = self._nodes
        if nodes.rank(one) != CUSTOMER_RANK or nodes.rank(other) != CUSTOMER_RANK:
            return False
        if not nodes.scoped[CUSTOMER_RANK]:
            return True
        return not self._groups(one).isdisjoint(self._groups(other))

    def _groups(self, root: i64) -> set[str]:
        """The groups of a cluster's customers (`Kinds.group`)."""
        nodes = self._nodes
        return {nodes.group(node) for node in self._clusters.ring(root) if nodes.rank(node) == CUSTOMER_RANK}

    def _absorb(self, one: i64, other: i64) -> i64:
        """Join two clusters, given by their roots. Returns the one that is no longer a root."""
        if not self._nodes.is_stronger(one, other):
            one, other = other, one
        self._clusters.absorb(one, other)
        return other

    def _component(self, root: int) -> _Component:
        component = self._by_root.get(root)
        if component is None:
            component = self._by_root[root] = _Component({root}, None)
        self._touched.append(component)
        return component

    def _merge(self, one: _Component, other: _Component) -> _Component:
        """Merge two components: the larger one takes the smaller one's roots. Returns the larger one."""
        if one.stale or other.stale:
            one.stale = other.stale = True
        else:
            one.last = other.last = self._order.last((self._last(one), self._last(other)))
        smaller, larger = sorted((one, other), key=lambda component: len(component.roots))
        for root in smaller.roots:
            self._by_root[root] = larger
        larger.roots |= smaller.roots
        smaller.roots = set()
        return larger

    def _last(self, component: _Component) -> Edge:
        """The component's last link in order."""
        if component.last is None:
            component.last = self._order.last(self._counting(self._members(component)))
        return component.last

    def _rebuild(self, component: _Component) -> None:
        members = self._members(component)
        nodes, clusters, links = self._nodes, self._clusters, self._links
        for old in component.roots:
            del self._by_root[old]
        component.roots, component.stale = set(), False
        for node in members:
            clusters.before.setdefault(node, clusters.root.get(node))
        people = [node for node in members if nodes.rank(node) != BOOKING_RANK]
        scoped = nodes.scoped[CUSTOMER_RANK]
        customers = {node: nodes.group(node) if scoped else "" for node in people if nodes.rank(node) == CUSTOMER_RANK}
        for formed, last in rebuilt(people, customers, self._order.sorted(self._counting(people))):
            roots = {clusters.form(cluster, nodes.strongest(cluster)) for cluster in formed}
            if len(roots) > 1:
                self._by_root.update(dict.fromkeys(roots, _Component(roots, last)))
        for node in members:
            if nodes.rank(node) == BOOKING_RANK:
                clusters.form([node], node)
                clusters.attach(node, links.stronger.get(links.head.get(node)))

    def _members(self, component: _Component) -> list[int]:
        return [node for root in component.roots for node in self._clusters.ring(root)]

    def _counting(self, of: list[int]) -> list[Edge]:
        """The links that count and whose weaker side is one of these nodes."""
        nodes, links = self._nodes, self._links
        return [
            (links.time.get(link), links.stronger.get(link), node)
            for node in of
            if nodes.rank(node) != BOOKING_RANK
            for link in links.of(node)
            if not nodes.has(links.stronger.get(link), SHARED)
        ]
