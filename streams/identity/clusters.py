"""Clusters: the identifiers that are one customer, each labelled with its root, in a ring that can be walked.

A mentioned booking stands in the ring of its lead, so whatever relabels the lead relabels the booking.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence


class Clusters:
    """Nodes in rings, 12 bytes a node. A new node is alone and its own root."""

    def __init__(self) -> None:
        self.root = array("i")
        """Per node the root of its cluster."""
        self._next = array("i")
        self._previous = array("i")

    def add_node(self) -> None:
        """A place for one more node."""
        node = len(self.root)
        self.root.append(node)
        self._next.append(node)
        self._previous.append(node)

    def ring(self, node: int) -> Iterator[int]:
        """Every node of the ring, `node` first."""
        following = self._next
        yield node
        at = following[node]
        while at != node:
            yield at
            at = following[at]

    def absorb(self, winner: int, loser: int, before: dict[int, int]) -> None:
        """Put the cluster of root `loser` under root `winner`; of each node relabelled note the root it had before."""
        root, following = self.root, self._next
        at = loser
        while True:
            before.setdefault(at, root[at])
            root[at] = winner
            at = following[at]
            if at == loser:
                break
        self._splice(winner, loser)

    def form(self, members: Sequence[int], root: int) -> int:
        """Make `members` one ring under `root`, and return that; whatever rings they stood in must be formed anew."""
        previous = members[-1]
        for node in members:
            self.root[node] = root
            self._previous[node] = previous
            self._next[previous] = node
            previous = node
        return root

    def detach(self, node: int) -> None:
        """Take a node out of its ring: alone, and its own root."""
        before, after = self._previous[node], self._next[node]
        self._next[before] = after
        self._previous[after] = before
        self._next[node] = self._previous[node] = node
        self.root[node] = node

    def attach(self, node: int, to: int) -> None:
        """Put a node that is alone into the ring of `to`, under the same root."""
        self._splice(to, node)
        self.root[node] = self.root[to]

    def _splice(self, one: int, other: int) -> None:
        """Make two rings one."""
        following, previous = self._next, self._previous
        after_one, after_other = following[one], following[other]
        following[one], following[other] = after_other, after_one
        previous[after_other], previous[after_one] = one, other
