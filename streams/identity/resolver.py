"""What of the graph is published, and what has to be published again after a crash: the identity worker without Kafka.

A batch of links goes through these steps, each durable before the next begins:

1. **announce**: the changelog notes the offset up to which identities are about to be published.
2. **publish**: every identifier that the batch changed, with the batch's next offset as version.
3. **record**: the changelog takes the links that told something new. (Then the batch is acked.)

So whatever the changelog holds of a batch, its identities are published; and a batch that broke off is read again and
changes the graph again, for the graph is rebuilt from recorded links. One thing could hide a change: links read again
in other batches, so that a later one takes back within the batch what an earlier one did, which was published already.
That is why links before the announced offset are taken one by one: then every state that was published is passed
through, and every identifier that differed in it is published anew: perhaps twice, never too seldom. Of an identifier's
records the one with the highest version holds, and of equal ones the last.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence, Set

from streams.identity.graph import Change, Graph, Link
from streams.model.identifiers import customer_id


def records(changes: Sequence[Change], version: int) -> list[tuple[str, str, str, str, bool, int]]:
    """Changes of the graph as rows of identity.avsc, in order, all of one version."""
    rows = []
    for identifier, root, shared in changes:
        kind, _, value = identifier.partition(":")
        rows.append((kind, value, root, customer_id(root), shared, version))
    return rows


class Resolver:
    """A graph with what is still to be published and recorded of it."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.announced = 0
        """Identities may have been published that come from links before this offset."""
        self._changes: dict[str, Change] = {}
        self._news: list[Link] = []

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
        news, changes = self.graph.apply(links)
        self._news += news
        self._changes.update((change.identifier, change) for change in changes)

    def without(self, remaining: Resolver, erased: Set[str]) -> list[Change]:
        """What a graph of fewer links says otherwise than this one, of each identifier but the erased ones."""
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
    def news(self) -> list[Link]:
        """The links that have to be recorded."""
        return self._news

    def settled(self) -> None:
        """All of it is published and recorded. Without this it remains to be done with the next batch."""
        self._changes = {}
        self._news = []
