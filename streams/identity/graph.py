"""The identity graph, kept up to date link by link: after every batch it equals the result of one pass over all links.

The rules are those of docs/identity-and-journeys.md; `streams.verify.identity` applies them in one plain pass. What
makes this one incremental:

- Whether an identifier is shared depends on its own links with stronger ones, and once it is, it remains so.
- A customer has at most one identifier of the kind customer; where that is scoped by brand, one of each brand.
- A new link usually just joins two clusters; streams.identity.components handles those whose order decides.
- The links of shared identifiers are never walked, not even kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from mypy_extensions import i64

from streams.identity.adjacency import NONE, StrongerLinks
from streams.identity.clusters import Clusters
from streams.identity.components import Components
from streams.identity.interner import BOOKING_RANK
from streams.identity.nodes import LINKED, MENTIONED, SHARED, Nodes
from streams.model.identifiers import BUILT_IN, Kinds, names_booking

Link = tuple[str, str, int]
"""(subject, identifier, occurred_at in epoch milliseconds): see `streams.model.subjects` for what links there are."""

_NEW: Final = -1
"""Stands for the root of a node that had none before."""


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


class Graph:
    """Who is who among all identifiers seen: a function of the set of links applied, whatever the batches."""

    def __init__(self, kinds: Kinds = BUILT_IN) -> None:
        self._nodes = Nodes(kinds)
        self._links = StrongerLinks()
        self._clusters = Clusters()
        self._components = Components(self._nodes, self._links, self._clusters)
        self._newly_shared: set[int] = set()

    def __len__(self) -> int:
        """How many identifiers and bookings are known."""
        return len(self._nodes.names)

    @property
    def link_count(self) -> int:
        """How many links are kept."""
        return len(self._links)

    def resolve(self, identifier: str) -> Change:
        """The root of an identifier, and whether it is shared. One that no link names is its own root."""
        node = self._nodes.names.number(identifier)
        return Change(identifier, identifier, False) if node < 0 else self._change(node)

    def identities(self) -> Iterator[Change]:
        """Every identifier that is linked with another and every booking that is mentioned."""
        nodes = self._nodes
        for node in range(len(nodes)):
            if nodes.has(node, LINKED | MENTIONED):
                yield self._change(node)

    def apply(self, links: Iterable[Link]) -> Applied:
        """Take in links. One that makes no sense (a booking as the subject of another) changes nothing."""
        new_links = [link for link in links if self._note(link)]
        self._components.join()
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
        if self._nodes.has(weaker, SHARED) or (stronger == weaker and self._nodes.has(weaker, MENTIONED)):
            return 0
        links = self._links
        return next((int(links.time.get(at)) for at in links.of(weaker) if links.stronger.get(at) == stronger), None)

    def _sides(self, subject: str, identifier: str) -> tuple[int, int] | None:
        """(stronger, weaker) of a link whose identifiers are known; a booking is weaker than its lead."""
        one, other = self._nodes.names.number(subject), self._nodes.names.number(identifier)
        if one < 0 or other < 0 or (names_booking(subject) and one != other):
            return None
        return (other, one) if self._nodes.is_stronger(other, one) else (one, other)

    def _unlink(self, stronger: i64, weaker: i64) -> None:
        clusters, is_booking = self._clusters, self._nodes.rank(weaker) == BOOKING_RANK
        if stronger != weaker and not self._links.remove(weaker, stronger):
            return
        self._clusters.before.setdefault(weaker, clusters.root.get(weaker))
        if not is_booking:
            self._components.make_stale(clusters.root.get(weaker))
        elif self._nodes.has(weaker, MENTIONED):
            clusters.detach(weaker)
        if is_booking and stronger == weaker:
            self._nodes.unmark(weaker, MENTIONED)

    def _changes(self) -> list[Change]:
        """Bring stale components up to date. Returns the changes since the last call."""
        self._components.settle()
        root, before, shared = self._clusters.root, self._clusters.before, self._newly_shared
        changes = [self._change(node) for node, old in before.items() if old != root.get(node) or node in shared]
        self._clusters.before, self._newly_shared = {}, set()
        return changes

    def _change(self, node: i64) -> Change:
        names = self._nodes.names
        said = names.name(node), names.name(self._clusters.root.get(node)), self._nodes.has(node, SHARED)
        return _make(Change, said)

    # --- what a link says of its two sides ---------------------------------------------------------------------

    def _note(self, link: Link) -> bool:
        """Keep a link. Returns whether it was new."""
        subject, identifier, time = link
        if subject == identifier:
            return names_booking(subject) and self._mention(self._intern(subject))
        one, other = self._intern(subject), self._intern(identifier)
        one_rank, other_rank = self._nodes.rank(one), self._nodes.rank(other)
        if other_rank == BOOKING_RANK:
            return one_rank != BOOKING_RANK and self._lead(other, one, time)
        if one_rank == BOOKING_RANK:
            return False
        if other_rank < one_rank or (other_rank == one_rank and identifier < subject):
            return self._link(other, one, other_rank, time)
        return self._link(one, other, one_rank, time)

    def _intern(self, identifier: str) -> i64:
        known = len(self._nodes)
        node = self._nodes.intern(identifier)
        if node == known:
            self._links.add_node()
            self._clusters.add_node()
        return node

    def _link(self, stronger: i64, weaker: i64, rank: i64, time: i64) -> bool:
        links = self._links
        is_new = self._first_linked(stronger) | self._first_linked(weaker)
        if self._nodes.has(weaker, SHARED):
            return is_new
        same_kind: i64 = 0
        link = links.head.get(weaker)
        while link != NONE:
            known = links.stronger.get(link)
            if known == stronger:
                if time >= links.time.get(link):
                    return is_new
                links.time.put(link, time)
                self._components.may_join(time, stronger, weaker)
                return True
            if self._nodes.same_kind(known, stronger, rank):
                same_kind += 1
            link = links.following.get(link)
        if same_kind >= self._nodes.limits[rank]:
            self._share(weaker)
        else:
            links.add(weaker, stronger, time)
            self._components.may_join(time, stronger, weaker)
        return True

    def _first_linked(self, node: i64) -> bool:
        """Mark a node as linked. Returns whether it was not before."""
        if self._nodes.has(node, LINKED):
            return False
        self._nodes.mark(node, LINKED)
        self._clusters.before[node] = _NEW
        return True

    def _share(self, node: i64) -> None:
        self._nodes.mark(node, SHARED)
        self._newly_shared.add(node)
        root: int = self._clusters.root.get(node)
        self._clusters.before.setdefault(node, root)
        self._links.drop(node)
        self._components.make_stale(root)

    def _mention(self, booking: i64) -> bool:
        if self._nodes.has(booking, MENTIONED):
            return False
        self._nodes.mark(booking, MENTIONED)
        self._clusters.before[booking] = _NEW
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
            if time > known or (time == known and not self._nodes.is_stronger(subject, links.stronger.get(link))):
                return False
            links.stronger.put(link, subject)
            links.time.put(link, time)
        if self._nodes.has(booking, MENTIONED):
            self._clusters.before.setdefault(booking, self._clusters.root.get(booking))
            self._clusters.detach(booking)
            self._clusters.attach(booking, subject)
        return True
