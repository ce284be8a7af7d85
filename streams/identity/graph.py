"""The identity graph, kept up to date link by link: after every batch it says what one pass over all links would say.

The rules are those of DESIGN (identity); `streams.verify.identity` is the same in one plain pass. What makes it
incremental:

- Whether an identifier is shared depends on its own links with stronger ones, and once it is, it remains so.
- A **component** is what the counting links connect. With at most one customer in it, it is one cluster, in whatever
  order its links are taken, so a new link just joins two clusters. Only when a component has several customers does the
  order decide: a link that comes last in order is taken last; any other, and any that ceases to count because its side
  became shared, makes the component stale, and it is rebuilt, once a batch.
- The links of shared identifiers are never walked, not even kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from streams.identity.clusters import Clusters
from streams.identity.identifiers import DEFAULT_LIMIT, KINDS, UNKNOWN_RANK, Strength, kind_of, limit, names_booking
from streams.identity.interner import BOOKING_RANK, Interner
from streams.identity.order import Edge, LinkOrder
from streams.identity.rebuild import rebuilt
from streams.identity.stronger import NONE, StrongerLinks

Link = tuple[str, str, int]
"""(subject, identifier, occurred_at in epoch milliseconds): see `streams.identity.frames` for what links there are."""

_SHARED, _LINKED, _MENTIONED = 1, 2, 4
_NEW = -1
_CUSTOMER_RANK = 0
_LIMITS = [limit(kind) for kind in KINDS] + [DEFAULT_LIMIT]


class Change(NamedTuple):
    """What an identifier now belongs to."""

    identifier: str
    root: str
    shared: bool


class Applied(NamedTuple):
    """What a batch of links did."""

    news: list[Link]
    """The links that told something new, in order: with them alone the graph can be built again."""
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
    """Who is who among all identifiers seen. A function of the set of links applied, however they were batched."""

    def __init__(self) -> None:
        self._names = Interner()
        self._flags = bytearray()
        self._links = StrongerLinks()
        self._clusters = Clusters()
        self._order = LinkOrder(self._strength)
        self._components: dict[int, _Component] = {}
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
        """What an identifier belongs to; one that no link names belongs to itself."""
        node = self._names.number(identifier)
        return Change(identifier, identifier, False) if node < 0 else self._change(node)

    def identities(self) -> Iterator[Change]:
        """Every identifier that is linked with another and every booking that is mentioned."""
        flags = self._flags
        for node in range(len(flags)):
            if flags[node] & (_LINKED | _MENTIONED):
                yield self._change(node)

    def apply(self, links: Iterable[Link]) -> Applied:
        """Take in links; a link that makes no sense (a booking as the subject of another) is no news."""
        fresh: list[Edge] = []
        news = [link for link in links if self._note(link, fresh)]
        self._join(fresh)
        return Applied(news, self._changes())

    def remove(self, pairs: Iterable[tuple[str, str]]) -> list[Change]:
        """Forget links, given by (subject, identifier), as if they had never been, as far as the graph can tell.

        What it does not keep it cannot tell: an identifier that is shared remains so, and a booking that loses its
        lead has none until another one is heard of. To be exact, build the graph again from the links that remain.
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
        if self._flags[weaker] & _SHARED or (stronger == weaker and self._flags[weaker] & _MENTIONED):
            return 0
        return next(
            (self._links.time[at] for at in self._links.of(weaker) if self._links.stronger[at] == stronger), None
        )

    def _sides(self, subject: str, identifier: str) -> tuple[int, int] | None:
        """(stronger, weaker) of a link whose identifiers are known; a booking is weaker than its lead."""
        one, other = self._names.number(subject), self._names.number(identifier)
        if one < 0 or other < 0 or (names_booking(subject) and one != other):
            return None
        return (other, one) if self._is_stronger(other, one) else (one, other)

    def _unlink(self, stronger: int, weaker: int) -> None:
        is_booking = self._names.rank(weaker) == BOOKING_RANK
        if stronger != weaker and not self._links.remove(weaker, stronger):
            return
        self._before.setdefault(weaker, self._clusters.root[weaker])
        if not is_booking:
            self._component(self._clusters.root[weaker]).stale = True
        elif self._flags[weaker] & _MENTIONED:
            self._clusters.detach(weaker)
        if is_booking and stronger == weaker:
            self._flags[weaker] &= ~_MENTIONED

    def _changes(self) -> list[Change]:
        """Bring stale components up to date; what differs from the last time that this was asked."""
        for component in self._touched:
            if component.stale:
                self._rebuild(component)
            elif len(component.roots) == 1:
                self._components.pop(next(iter(component.roots)), None)
        root, shared = self._clusters.root, self._newly_shared
        changes = [self._change(node) for node, old in self._before.items() if old != root[node] or node in shared]
        self._before, self._newly_shared, self._touched = {}, set(), []
        return changes

    def _change(self, node: int) -> Change:
        name = self._names.name
        return Change(name(node), name(self._clusters.root[node]), bool(self._flags[node] & _SHARED))

    # --- what a link says of its two sides ---------------------------------------------------------------------

    def _note(self, link: Link, fresh: list[Edge]) -> bool:
        """Keep a link; whether it is news. What may join is added to `fresh`."""
        subject, identifier, time = link
        if subject == identifier:
            return names_booking(subject) and self._mention(self._intern(subject))
        one, other = self._intern(subject), self._intern(identifier)
        one_rank, other_rank = self._names.rank(one), self._names.rank(other)
        if other_rank == BOOKING_RANK:
            return one_rank != BOOKING_RANK and self._lead(other, one, time)
        if one_rank == BOOKING_RANK:
            return False
        if other_rank < one_rank or (other_rank == one_rank and identifier < subject):
            one, other, one_rank = other, one, other_rank
        return self._link(one, other, one_rank, time, fresh)

    def _intern(self, identifier: str) -> int:
        node = self._names.intern(identifier)
        if node == len(self._flags):
            self._flags.append(0)
            self._links.add_node()
            self._clusters.add_node()
        return node

    def _link(self, stronger: int, weaker: int, rank: int, time: int, fresh: list[Edge]) -> bool:
        flags, links = self._flags, self._links
        news = False
        if not (flags[stronger] & flags[weaker] & _LINKED):
            for node in (stronger, weaker):
                if not flags[node] & _LINKED:
                    flags[node] |= _LINKED
                    self._before[node] = _NEW
                    news = True
        if flags[weaker] & _SHARED:
            return news
        same_kind = 0
        link = links.head[weaker]
        while link != NONE:
            known = links.stronger[link]
            if known == stronger:
                if time >= links.time[link]:
                    return news
                links.time[link] = time
                fresh.append((time, stronger, weaker))
                return True
            same_kind += self._same_kind(known, stronger, rank)
            link = links.following[link]
        if same_kind >= _LIMITS[rank]:
            self._share(weaker)
        else:
            links.add(weaker, stronger, time)
            fresh.append((time, stronger, weaker))
        return True

    def _same_kind(self, one: int, other: int, rank: int) -> bool:
        names = self._names
        return names.rank(one) == rank and (
            rank != UNKNOWN_RANK or kind_of(names.name(one)) == kind_of(names.name(other))
        )

    def _share(self, node: int) -> None:
        self._flags[node] |= _SHARED
        self._newly_shared.add(node)
        self._before.setdefault(node, self._clusters.root[node])
        self._links.drop(node)
        self._component(self._clusters.root[node]).stale = True

    def _mention(self, booking: int) -> bool:
        if self._flags[booking] & _MENTIONED:
            return False
        self._flags[booking] |= _MENTIONED
        self._before[booking] = _NEW
        link = self._links.head[booking]
        if link != NONE:
            self._clusters.attach(booking, self._links.stronger[link])
        return True

    def _lead(self, booking: int, subject: int, time: int) -> bool:
        links = self._links
        link = links.head[booking]
        if link == NONE:
            links.add(booking, subject, time)
        elif time < links.time[link] or (time == links.time[link] and self._is_stronger(subject, links.stronger[link])):
            links.stronger[link], links.time[link] = subject, time
        else:
            return False
        if self._flags[booking] & _MENTIONED:
            self._before.setdefault(booking, self._clusters.root[booking])
            self._clusters.detach(booking)
            self._clusters.attach(booking, subject)
        return True

    # --- joining ------------------------------------------------------------------------------------------------

    def _join(self, fresh: list[Edge]) -> None:
        """Join what the fresh links connect: at once where order does not matter, the rest in order."""
        root, flags, components, rank = self._clusters.root, self._flags, self._components, self._names.rank
        contested = []
        for edge in fresh:
            _, stronger, weaker = edge
            if (flags[stronger] | flags[weaker]) & _SHARED:
                continue
            one, other = root[stronger], root[weaker]
            if (
                one in components
                or other in components
                or (one != other and rank(one) == _CUSTOMER_RANK == rank(other))
            ):
                contested.append(edge)
            elif one != other:
                self._absorb(one, other)
        for edge in self._order.sorted(contested):
            self._contest(edge)

    def _contest(self, edge: Edge) -> None:
        """Take one link of a component with several customers, or leave the component stale."""
        _, stronger, weaker = edge
        one, other = self._clusters.root[stronger], self._clusters.root[weaker]
        component = self._component(one)
        if other not in component.roots:
            component = self._merge(component, self._component(other))
        if component.stale or self._order.precedes(edge, self._last(component)):
            component.stale = True
            return
        component.last = edge
        if one != other and not (self._is_customer(one) and self._is_customer(other)):
            loser = self._absorb(one, other)
            component.roots.discard(loser)
            del self._components[loser]

    def _absorb(self, one: int, other: int) -> int:
        """Join two clusters, given by their roots; the root that is one no more."""
        winner, loser = (one, other) if self._is_stronger(one, other) else (other, one)
        self._clusters.absorb(winner, loser, self._before)
        return loser

    def _component(self, root: int) -> _Component:
        component = self._components.get(root)
        if component is None:
            component = self._components[root] = _Component({root}, None)
        self._touched.append(component)
        return component

    def _merge(self, one: _Component, other: _Component) -> _Component:
        """Two components, now one: the larger with the smaller's roots."""
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
        root, rank = self._clusters.root, self._names.rank
        for old in component.roots:
            del self._components[old]
        component.roots, component.stale = set(), False
        for node in members:
            self._before.setdefault(node, root[node])
        people = [node for node in members if rank(node) != BOOKING_RANK]
        customers = {node for node in people if rank(node) == _CUSTOMER_RANK}
        for clusters, last in rebuilt(people, customers, self._order.sorted(self._counting(people))):
            roots = {self._clusters.form(cluster, self._strongest(cluster)) for cluster in clusters}
            if len(roots) > 1:
                self._components.update(dict.fromkeys(roots, _Component(roots, last)))
        for node in members:
            if rank(node) == BOOKING_RANK:
                self._clusters.form([node], node)
                self._clusters.attach(node, self._links.stronger[self._links.head[node]])

    def _strongest(self, nodes: list[int]) -> int:
        rank = self._names.rank
        best = min(map(rank, nodes))
        candidates = [node for node in nodes if rank(node) == best]
        return candidates[0] if len(candidates) == 1 else min(candidates, key=self._names.name)

    def _members(self, component: _Component) -> list[int]:
        return [node for root in component.roots for node in self._clusters.ring(root)]

    def _counting(self, nodes: list[int]) -> list[Edge]:
        """The links that count, of which one of `nodes` is the weaker side."""
        flags, links, rank = self._flags, self._links, self._names.rank
        return [
            (links.time[link], links.stronger[link], node)
            for node in nodes
            if rank(node) != BOOKING_RANK
            for link in links.of(node)
            if not flags[links.stronger[link]] & _SHARED
        ]

    def _strength(self, node: int) -> Strength:
        return self._names.rank(node), self._names.name(node)

    def _is_stronger(self, one: int, other: int) -> bool:
        rank, name = self._names.rank, self._names.name
        difference = rank(one) - rank(other)
        return difference < 0 or (not difference and name(one) < name(other))

    def _is_customer(self, node: int) -> bool:
        return self._names.rank(node) == _CUSTOMER_RANK
