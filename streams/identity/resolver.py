"""Decides what of the graph to publish, also after a crash. The identity worker without Kafka.

A batch of links goes through these steps, each durable before the next begins:

1. **announce**: the changelog notes the offset up to which identities are about to be published.
2. **publish**: every identifier that the batch changed, with the batch's next offset as version.
3. **record**: the changelog takes the links that were new. (Then the batch is acked.)

So the identities of every link in the changelog are published. A batch that was interrupted is read again and changes
the graph again, since the graph is rebuilt from recorded links. One thing could hide a change: when links are read
again in larger batches, a later link may undo, within the batch, what an earlier one did and what was published then.
That is why links before the announced offset are taken one by one: the graph then passes through every state that was
published, and every identifier that differed in one is published again, perhaps more often than needed. Of an
identifier's records the one with the highest version holds, and of equal versions the last.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence, Set

from streams.identity.graph import Change, Graph, Link
from streams.model.identifiers import BUILT_IN, Kinds, customer_id


def records(changes: Sequence[Change], version: int) -> list[tuple[str, str, str, str, bool, int]]:
    """Changes of the graph as rows of identity.avsc, in order, all of one version."""
    rows = []
    for identifier, root, shared in changes:
        kind, _, value = identifier.partition(":")
        rows.append((kind, value, root, customer_id(root), shared, version))
    return rows


class Resolver:
    """A graph, and the changes of it that are still to be published and recorded."""

    def __init__(self, kinds: Kinds = BUILT_IN) -> None:
        self.graph = Graph(kinds)
        self.announced = 0
        """Identities may have been published that come from links before this offset."""
        self._changes: dict[str, Change] = {}
        self._new_links: list[Link] = []

    def restore(self, links: Sequence[Link]) -> None:
        """Take in links from the changelog, in any order: what they changed is published."""
        self.graph.apply(links)

    def take(self, links: Sequence[Link], offsets: Sequence[int]) -> None:
        """Take in links that were read at these offsets (ascending, one a link)."""
        again = bisect_left(offsets, self.announced)
        for link in links[:again]:
            self._apply([link])
        self._apply(links[again:])

    def _apply(self, links: Sequence[Link]) -> None:
        new_links, changes = self.graph.apply(links)
        self._new_links += new_links
        self._changes.update((change.identifier, change) for change in changes)

    def without(self, remaining: Resolver, erased: Set[str]) -> list[Change]:
        """The identities that differ in a graph of fewer links, those of erased identifiers left out."""
        resolve = remaining.graph.resolve
        return [
            now
            for was in self.graph.identities()
            if was.identifier not in erased and (now := resolve(was.identifier)) != was
        ]

    @property
    def changes(self) -> list[Change]:
        """What has to be published: each identifier that changed since `settled`, as it is now."""
        return list(self._changes.values())

    @property
    def new_links(self) -> list[Link]:
        """The links that have to be recorded."""
        return self._new_links

    def settled(self) -> None:
        """Note that all changes are published and recorded. Otherwise they are published again with the next batch."""
        self._changes = {}
        self._new_links = []
