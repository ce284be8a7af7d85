"""Clusters: the identifiers that are one customer, each labelled with its root, in a ring that can be walked.

A mentioned booking stands in the ring of its lead, so whatever relabels the lead relabels the booking.
"""

from __future__ import annotations

from collections.abc import Sequence

from mypy_extensions import i64

from streams.identity.columns import Ints


class Clusters:
    """Nodes in rings, 12 bytes a node. A new node is a ring of its own, and its own root."""

    def __init__(self) -> None:
        self.root = Ints()
        """Per node the root of its cluster."""
        self.before: dict[int, int] = {}
        """The former root of each node that was relabelled since the graph last reported its changes."""
        self._next = Ints()
        self._previous = Ints()

    def add_node(self) -> None:
        """Add a node."""
        node: i64 = len(self.root)
        self.root.add(node)
        self._next.add(node)
        self._previous.add(node)

    def ring(self, node: i64) -> list[int]:
        """Every node of the ring, `node` first."""
        nodes: list[int] = [node]
        at = self._next.get(node)
        while at != node:
            nodes.append(at)
            at = self._next.get(at)
        return nodes

    def absorb(self, winner: i64, loser: i64) -> None:
        """Merge the cluster of root `loser` into that of `winner`, and note the former roots in `before`."""
        root, following, before = self.root, self._next, self.before
        at = loser
        while True:
            node: int = at
            if node not in before:
                before[node] = root.get(at)
            root.put(at, winner)
            at = following.get(at)
            if at == loser:
                break
        self._splice(winner, loser)

    def form(self, members: Sequence[int], root: i64) -> int:
        """Make `members` one ring under `root`, and return `root`. The rings that they were in must be formed anew."""
        previous: i64 = members[-1]
        for member in members:
            node: i64 = member
            self.root.put(node, root)
            self._previous.put(node, previous)
            self._next.put(previous, node)
            previous = node
        return root

    def detach(self, node: i64) -> None:
        """Take a node out of its ring; it is then its own root."""
        before, after = self._previous.get(node), self._next.get(node)
        self._next.put(before, after)
        self._previous.put(after, before)
        self._next.put(node, node)
        self._previous.put(node, node)
        self.root.put(node, node)

    def attach(self, node: i64, to: i64) -> None:
        """Put a node that is in no other ring into the ring of `to`, under the same root."""
        self._splice(to, node)
        self.root.put(node, self.root.get(to))

    def _splice(self, one: i64, other: i64) -> None:
        """Make two rings one."""
        following, previous = self._next, self._previous
        after_one, after_other = following.get(one), following.get(other)
        following.put(one, after_other)
        following.put(other, after_one)
        previous.put(after_other, one)
        previous.put(after_one, other)
