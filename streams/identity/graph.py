"""The identity graph, kept up to date link by link: after every batch it equals the result of one pass over all links.

The rules are those of docs/identity-and-journeys.md; `streams.verify.identity` applies them in one plain pass. What
makes this one incremental:

- Whether an identifier is shared depends on its own links with stronger ones, and once it is, it remains so.
- A customer has at most one identifier of the kind customer; where that is scoped by brand, one of each brand.
- A **component** is what the counting links connect. With at most one customer in it, it is one cluster, in whatever
  order its links are taken, so a new link just joins two clusters. Only when a component has several customers does the
  order decide: a link that comes last in order is taken last; any other, and any that ceases to count because its side
  became shared, makes the component stale, and it is rebuilt, once a batch.
- The links of shared identifiers are never walked, not even kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from librt.strings import BytesWriter
from librt.vecs import append, vec
from mypy_extensions import i64, u8

from streams.identity.adjacency import NONE, StrongerLinks
from streams.identity.clusters import Clusters
from streams.identity.interner import BOOKING_RANK, Interner
from streams.identity.order import Edge, LinkOrder
from streams.identity.rebuild import rebuilt
from streams.model.identifiers import BUILT_IN, UNKNOWN_RANK, Kinds, Strength, kind_of, names_booking

Link = tuple[str, str, int]
"""(subject, identifier, occurred_at in epoch milliseconds): see `streams.model.subjects` for what links there are."""

_SHARED: Final = 1
_LINKED: Final = 2
_MENTIONED: Final = 4
_RANK_SHIFT: Final = 3
"""Of a node's byte, bits from here on are the rank, those below are flags."""
_NEW: Final = -1
_CUSTOMER_RANK: Final = 0


class Change(NamedTuple):
    """An identifier, the root that it belongs to now, and whether it is shared."""

    identifier: str
    root: str
    shared: bool


_make = tuple.__new__
"""Makes a NamedTuple of its values in a third of the time of its own constructor, which is written in Python."""


class Applied(NamedTuple):
    """What a batch of links did."""

    new_links: list[Link]
    """The links that were new, in order; from these the graph can be built again."""
    changes: list[Change]
    """Every identifier whose root or sharedness differs from before the batch, or that is new, once each."""


@dataclass(slots=True, eq=False)
class _Component:
    """A component that is more than one cluster, or has to be rebuilt."""

    roots: set[int]
    last: Edge | None
    """Nothing in the component comes after this in order; None if not known."""
    stale: bool = False


class Graph:
    """Who is who among all identifiers seen: a function of the set of links applied, whatever the batches."""

    def __init__(self, kinds: Kinds = BUILT_IN) -> None:
        self._kinds = kinds
        self._limits = [kinds.default_limit] * (BOOKING_RANK + 1)
        self._scoped = [False] * (BOOKING_RANK + 1)
        for kind, rank in kinds.ranks.items():
            self._limits[rank] = kinds.limit(kind)
            self._scoped[rank] = kind in kinds.scoped
        self._names = Interner(kinds)
        self._flags = BytesWriter()
        self._links = StrongerLinks()
        self._clusters = Clusters()
        self._order = LinkOrder(self._strength)
        self._components: dict[int, _Component] = {}
        self._fresh: vec[i64] = vec[i64]()
        """Time, stronger and weaker node of each link that may join, one behind the other."""
        self._before: dict[int, int] = {}
        self._newly_shared: set[int] = set()
        self._touched: list[_Component] = []

    def __len__(self) -> int:
        """How many identifiers and bookings are known."""
        return len(self._names)

    @property
    def link_count(self) -> int:
        """How many links are kept."""
        return len(self._links)

    def resolve(self, identifier: str) -> Change:
        """The root of an identifier, and whether it is shared. One that no link names is its own root."""
        node = self._names.number(identifier)
        return Change(identifier, identifier, False) if node < 0 else self._change(node)

    def identities(self) -> Iterator[Change]:
        """Every identifier that is linked with another and every booking that is mentioned."""
        flags = self._flags
        for node in range(len(flags)):
            if int(flags[node]) & (_LINKED | _MENTIONED):
                yield self._change(node)

    def apply(self, links: Iterable[Link]) -> Applied:
        """Take in links. One that makes no sense (a booking as the subject of another) changes nothing."""
        new_links = [link for link in links if self._note(link)]
        self._join()
        return Applied(new_links, self._changes())

    def remove(self, pairs: Iterable[tuple[str, str]]) -> list[Change]:
        """Forget links, given by (subject, identifier), as far as the graph knows them.

        An identifier that is shared remains shared, and a booking that loses its lead has none until another candidate
        arrives, because the graph does not keep the links that would decide it. To be exact, build the graph again from
        the links that remain.
        """
        for subject, identifier in pairs:
            sides = self._sides(subject, identifier)
            if sides is not None:
                self._unlink(*sides)
        return self._changes()

    def time(self, subject: str, identifier: str) -> int | None:
        """The time under which a link is kept, None if it is not, and 0 for those whose time no longer matters.

        Those are mentions, and links of which the weaker side is shared.
        """
        sides = self._sides(subject, identifier)
        if sides is None:
            return None
        stronger, weaker = sides
        if self._is_marked(weaker, _SHARED) or (stronger == weaker and self._is_marked(weaker, _MENTIONED)):
            return 0
        links = self._links
        return next((int(links.time.get(at)) for at in links.of(weaker) if links.stronger.get(at) == stronger), None)

    def _sides(self, subject: str, identifier: str) -> tuple[int, int] | None:
        """(stronger, weaker) of a link whose identifiers are known; a booking is weaker than its lead."""
        one, other = self._names.number(subject), self._names.number(identifier)
        if one < 0 or other < 0 or (names_booking(subject) and one != other):
            return None
        return (other, one) if self._is_stronger(other, one) else (one, other)

    def _unlink(self, stronger: i64, weaker: i64) -> None:
        clusters, is_booking = self._clusters, self._rank(weaker) == BOOKING_RANK
        if stronger != weaker and not self._links.remove(weaker, stronger):
            return
        self._before.setdefault(weaker, clusters.root.get(weaker))
        if not is_booking:
            self._component(clusters.root.get(weaker)).stale = True
        elif self._is_marked(weaker, _MENTIONED):
            clusters.detach(weaker)
        if is_booking and stronger == weaker:
            self._flags[weaker] = u8(i64(self._flags[weaker]) & ~_MENTIONED)

    def _changes(self) -> list[Change]:
        """Bring stale components up to date. Returns the changes since the last call."""
        for component in self._touched:
            if component.stale:
                self._rebuild(component)
            elif len(component.roots) == 1:
                self._components.pop(next(iter(component.roots)), None)
        root, shared = self._clusters.root, self._newly_shared
        changes = [self._change(node) for node, old in self._before.items() if old != root.get(node) or node in shared]
        self._before, self._newly_shared, self._touched = {}, set(), []
        return changes

    def _change(self, node: i64) -> Change:
        names = self._names
        said = names.name(node), names.name(self._clusters.root.get(node)), self._is_marked(node, _SHARED)
        return _make(Change, said)

    def _rank(self, node: i64) -> i64:
        """As `Interner.rank`."""
        return int(self._flags[node]) >> _RANK_SHIFT

    def _is_marked(self, node: i64, flag: i64) -> bool:
        return int(self._flags[node]) & flag != 0

    def _mark(self, node: i64, flag: i64) -> None:
        self._flags[node] = u8(int(self._flags[node]) | flag)

    # --- what a link says of its two sides ---------------------------------------------------------------------

    def _note(self, link: Link) -> bool:
        """Keep a link. Returns whether it was new."""
        subject, identifier, time = link
        if subject == identifier:
            return names_booking(subject) and self._mention(self._intern(subject))
        one, other = self._intern(subject), self._intern(identifier)
        one_rank, other_rank = self._rank(one), self._rank(other)
        if other_rank == BOOKING_RANK:
            return one_rank != BOOKING_RANK and self._lead(other, one, time)
        if one_rank == BOOKING_RANK:
            return False
        if other_rank < one_rank or (other_rank == one_rank and identifier < subject):
            return self._link(other, one, other_rank, time)
        return self._link(one, other, one_rank, time)

    def _intern(self, identifier: str) -> i64:
        node = self._names.intern(identifier)
        if node == len(self._flags):
            self._flags.append(u8(self._names.rank(node) << _RANK_SHIFT))
            self._links.add_node()
            self._clusters.add_node()
        return node

    def _link(self, stronger: i64, weaker: i64, rank: i64, time: i64) -> bool:
        links = self._links
        is_new = self._first_linked(stronger) | self._first_linked(weaker)
        if self._is_marked(weaker, _SHARED):
            return is_new
        same_kind: i64 = 0
        link = links.head.get(weaker)
        while link != NONE:
            known = links.stronger.get(link)
            if known == stronger:
                if time >= links.time.get(link):
                    return is_new
                links.time.put(link, time)
                self._may_join(time, stronger, weaker)
                return True
            if self._same_kind(known, stronger, rank):
                same_kind += 1
            link = links.following.get(link)
        if same_kind >= self._limits[rank]:
            self._share(weaker)
        else:
            links.add(weaker, stronger, time)
            self._may_join(time, stronger, weaker)
        return True

    def _first_linked(self, node: i64) -> bool:
        """Mark a node as linked. Returns whether it was not before."""
        if self._is_marked(node, _LINKED):
            return False
        self._mark(node, _LINKED)
        self._before[node] = _NEW
        return True

    def _may_join(self, time: i64, stronger: i64, weaker: i64) -> None:
        self._fresh = append(append(append(self._fresh, time), stronger), weaker)

    def _same_kind(self, one: i64, other: i64, rank: i64) -> bool:
        if self._rank(one) != rank:
            return False
        if rank == UNKNOWN_RANK:
            return kind_of(self._names.name(one)) == kind_of(self._names.name(other))
        return not self._scoped[rank] or self._group(one) == self._group(other)

    def _group(self, node: int) -> str:
        return self._kinds.group(self._names.name(node))

    def _share(self, node: i64) -> None:
        self._mark(node, _SHARED)
        self._newly_shared.add(node)
        root: int = self._clusters.root.get(node)
        self._before.setdefault(node, root)
        self._links.drop(node)
        self._component(root).stale = True

    def _mention(self, booking: i64) -> bool:
        if self._is_marked(booking, _MENTIONED):
            return False
        self._mark(booking, _MENTIONED)
        self._before[booking] = _NEW
        link = self._links.head.get(booking)
        if link != NONE:
            self._clusters.attach(booking, self._links.stronger.get(link))
        return True

    def _lead(self, booking: i64, subject: i64, time: i64) -> bool:
        links = self._links
        link = links.head.get(booking)
        if link == NONE:
            links.add(booking, subject, time)
        else:
            known = links.time.get(link)
            if time > known or (time == known and not self._is_stronger(subject, links.stronger.get(link))):
                return False
            links.stronger.put(link, subject)
            links.time.put(link, time)
        if self._is_marked(booking, _MENTIONED):
            self._before.setdefault(booking, self._clusters.root.get(booking))
            self._clusters.detach(booking)
            self._clusters.attach(booking, subject)
        return True

    # --- joining ------------------------------------------------------------------------------------------------

    def _join(self) -> None:
        """Join what the fresh links connect: at once where order does not matter, the rest in order."""
        fresh, self._fresh = self._fresh, vec[i64]()
        root, components = self._clusters.root, self._components
        contested: list[Edge] = []
        for at in range(0, len(fresh), 3):
            stronger, weaker = fresh[at + 1], fresh[at + 2]
            if self._is_marked(stronger, _SHARED) or self._is_marked(weaker, _SHARED):
                continue
            one, other = root.get(stronger), root.get(weaker)
            if components and (one in components or other in components):
                contested.append((fresh[at], stronger, weaker))
            elif one == other:
                continue
            elif self._rank(one) == _CUSTOMER_RANK and self._rank(other) == _CUSTOMER_RANK:
                contested.append((fresh[at], stronger, weaker))
            else:
                self._absorb(one, other)
        for edge in self._order.sorted(contested):
            self._contest(edge)

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
            del self._components[loser]

    def _clash(self, one: i64, other: i64) -> bool:
        """Whether two clusters, given by their roots, have customers that are not one."""
        if self._rank(one) != _CUSTOMER_RANK or self._rank(other) != _CUSTOMER_RANK:
            return False
        if not self._scoped[_CUSTOMER_RANK]:
            return True
        return not self._groups(one).isdisjoint(self._groups(other))

    def _groups(self, root: i64) -> set[str]:
        """The groups of a cluster's customers (`Kinds.group`)."""
        return {self._group(node) for node in self._clusters.ring(root) if self._rank(node) == _CUSTOMER_RANK}

    def _absorb(self, one: i64, other: i64) -> i64:
        """Join two clusters, given by their roots. Returns the one that is no longer a root."""
        if not self._is_stronger(one, other):
            one, other = other, one
        self._clusters.absorb(one, other, self._before)
        return other

    def _component(self, root: int) -> _Component:
        component = self._components.get(root)
        if component is None:
            component = self._components[root] = _Component({root}, None)
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
            self._components[root] = larger
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
        clusters, links = self._clusters, self._links
        for old in component.roots:
            del self._components[old]
        component.roots, component.stale = set(), False
        for node in members:
            self._before.setdefault(node, clusters.root.get(node))
        people = [node for node in members if self._rank(node) != BOOKING_RANK]
        scoped = self._scoped[_CUSTOMER_RANK]
        customers = {node: self._group(node) if scoped else "" for node in people if self._rank(node) == _CUSTOMER_RANK}
        for formed, last in rebuilt(people, customers, self._order.sorted(self._counting(people))):
            roots = {clusters.form(cluster, self._strongest(cluster)) for cluster in formed}
            if len(roots) > 1:
                self._components.update(dict.fromkeys(roots, _Component(roots, last)))
        for node in members:
            if self._rank(node) == BOOKING_RANK:
                clusters.form([node], node)
                clusters.attach(node, links.stronger.get(links.head.get(node)))

    def _strongest(self, nodes: list[int]) -> int:
        best = min([self._rank(node) for node in nodes])
        candidates = [node for node in nodes if self._rank(node) == best]
        return candidates[0] if len(candidates) == 1 else min(candidates, key=self._names.name)

    def _members(self, component: _Component) -> list[int]:
        return [node for root in component.roots for node in self._clusters.ring(root)]

    def _counting(self, nodes: list[int]) -> list[Edge]:
        """The links that count, of which one of `nodes` is the weaker side."""
        links = self._links
        return [
            (links.time.get(link), links.stronger.get(link), node)
            for node in nodes
            if self._rank(node) != BOOKING_RANK
            for link in links.of(node)
            if not self._is_marked(links.stronger.get(link), _SHARED)
        ]

    def _strength(self, node: int) -> Strength:
        return self._rank(node), self._names.name(node)

    def _is_stronger(self, one: i64, other: i64) -> bool:
        difference = self._rank(one) - self._rank(other)
        return difference < 0 or (difference == 0 and self._names.name(one) < self._names.name(other))
