"""The links of an identifier with stronger ones, and of a booking with its lead: linked lists in columns.

Every link is kept once, with its weaker side, and only from that side are links walked. An identifier with too many of
them is shared and loses them. So none has more than a few dozen, and the links of a kiosk are not kept at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mypy_extensions import i64

from streams.identity.columns import Ints, Longs

NONE: Final = -1
"""No link."""


class StrongerLinks:
    """Per weaker node a list of (stronger node, time in epoch milliseconds), 16 bytes a link."""

    def __init__(self) -> None:
        self.head = Ints()
        """Per weaker node its first link, or NONE."""
        self.stronger = Ints()
        """Per link the node on its stronger side."""
        self.time = Longs()
        """Per link its earliest time."""
        self.following = Ints()
        """Per link the next one of the same weaker node, or NONE."""
        self._free: i64 = NONE
        self._freed: i64 = 0

    def __len__(self) -> int:
        """How many links are kept."""
        return len(self.stronger) - self._freed

    def add_node(self) -> None:
        """Add a node without links."""
        self.head.add(NONE)

    def add(self, weaker: i64, stronger: i64, time: i64) -> None:
        """Add a link."""
        link = self._free
        if link == NONE:
            link = len(self.stronger)
            self.stronger.add(stronger)
            self.time.add(time)
            self.following.add(self.head.get(weaker))
        else:
            self._free = self.following.get(link)
            self._freed -= 1
            self.stronger.put(link, stronger)
            self.time.put(link, time)
            self.following.put(link, self.head.get(weaker))
        self.head.put(weaker, link)

    def of(self, weaker: i64) -> Iterator[i64]:
        """The links of a node, to look up in `stronger` and `time`."""
        link = self.head.get(weaker)
        while link != NONE:
            yield link
            link = self.following.get(link)

    def remove(self, weaker: i64, stronger: i64) -> bool:
        """Forget one link; False if there is none."""
        before: i64 = NONE
        link = self.head.get(weaker)
        while link != NONE:
            after = self.following.get(link)
            if self.stronger.get(link) == stronger:
                if before == NONE:
                    self.head.put(weaker, after)
                else:
                    self.following.put(before, after)
                self._release(link)
                return True
            before, link = link, after
        return False

    def drop(self, weaker: i64) -> None:
        """Forget the links of a node; their slots are reused."""
        link = self.head.get(weaker)
        while link != NONE:
            after = self.following.get(link)
            self._release(link)
            link = after
        self.head.put(weaker, NONE)

    def _release(self, link: i64) -> None:
        self.following.put(link, self._free)
        self._free = link
        self._freed += 1
