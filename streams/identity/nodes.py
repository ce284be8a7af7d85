"""Identifiers as nodes of the graph: numbers from 0, each with a byte for its rank and what is known of it."""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64, u8

from streams.identity.interner import BOOKING_RANK, Interner
from streams.model.identifiers import UNKNOWN_RANK, Kinds, Strength, kind_of

SHARED: Final = 1
"""Flag of a node with more stronger identifiers of a kind than that kind's limit."""
LINKED: Final = 2
"""Flag of a node that some link names together with another node."""
MENTIONED: Final = 4
"""Flag of a booking that an event mentions which names nobody."""
_RANK_SHIFT: Final = 3
"""Of a node's byte, bits from here on are the rank, those below are flags."""
CUSTOMER_RANK: Final = 0


class Nodes:
    """The nodes of a graph. None is ever removed."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self.limits = [kinds.default_limit] * (BOOKING_RANK + 1)
        """By rank, how many stronger identifiers of that kind a node may be linked with before it is shared."""
        self.scoped = [False] * (BOOKING_RANK + 1)
        """By rank, whether identifiers of that kind count within a brand."""
        for kind, rank in kinds.ranks.items():
            self.limits[rank] = kinds.limit(kind)
            self.scoped[rank] = kind in kinds.scoped
        self.names = Interner(kinds)
        self._flags = BytesWriter()

    def __len__(self) -> int:
        """How many nodes there are."""
        return len(self._flags)

    def intern(self, identifier: str) -> i64:
        """The node of an identifier, a new one if it has none."""
        node = self.names.intern(identifier)
        if node == len(self._flags):
            self._flags.append(u8(self.names.rank(node) << _RANK_SHIFT))
        return node

    def rank(self, node: i64) -> i64:
        """As `Interner.rank`."""
        return int(self._flags[node]) >> _RANK_SHIFT

    def has(self, node: i64, flags: i64) -> bool:
        """Whether a node has one of these flags."""
        return int(self._flags[node]) & flags != 0

    def mark(self, node: i64, flag: i64) -> None:
        """Give a node a flag."""
        self._flags[node] = u8(int(self._flags[node]) | flag)

    def unmark(self, node: i64, flag: i64) -> None:
        """Take a flag from a node."""
        self._flags[node] = u8(i64(self._flags[node]) & ~flag)

    def group(self, node: int) -> str:
        """What identifiers have in common that are counted together (`Kinds.group`)."""
        return self._kinds.group(self.names.name(node))

    def same_kind(self, one: i64, other: i64, rank: i64) -> bool:
        """Whether a node counts towards the same limit as another one, of this rank."""
        if self.rank(one) != rank:
            return False
        if rank == UNKNOWN_RANK:
            return kind_of(self.names.name(one)) == kind_of(self.names.name(other))
        return not self.scoped[rank] or self.group(one) == self.group(other)

    def strength(self, node: int) -> Strength:
        """Sort key of nodes, the strongest first."""
        return self.rank(node), self.names.name(node)

    def is_stronger(self, one: i64, other: i64) -> bool:
        """Whether one node is stronger than another."""
        difference = self.rank(one) - self.rank(other)
        return difference < 0 or (difference == 0 and self.names.name(one) < self.names.name(other))

    def strongest(self, nodes: list[int]) -> int:
        """The strongest of some nodes."""
        best = min([self.rank(node) for node in nodes])
        candidates = [node for node in nodes if self.rank(node) == best]
        return candidates[0] if len(candidates) == 1 else min(candidates, key=self.names.name)
