"""The links of an identifier with stronger ones, and of a booking with its lead: linked lists in flat arrays.

Every link is kept once, with its weaker side. That is all that is ever walked: an identifier that has too many of them
is shared and loses them, so none has more than a few dozen, and the links of a kiosk are not kept at all.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

NONE = -1
"""No link."""


class StrongerLinks:
    """Per weaker node a list of (stronger node, time in epoch milliseconds), 16 bytes a link."""

    def __init__(self) -> None:
        self.head = array("i")
        """Per weaker node its first link, or NONE."""
        self.stronger = array("i")
        """Per link the node on its stronger side."""
        self.time = array("q")
        """Per link its earliest time."""
        self.following = array("i")
        """Per link the next one of the same weaker node, or NONE."""
        self._free = NONE
        self._freed = 0

    def __len__(self) -> int:
        """How many links are kept."""
        return len(self.stronger) - self._freed

    def add_node(self) -> None:
        """A place for one more node, without links."""
        self.head.append(NONE)

    def add(self, weaker: int, stronger: int, time: int) -> None:
        """One more link."""
        link = self._free
        if link == NONE:
            link = len(self.stronger)
            self.stronger.append(stronger)
            self.time.append(time)
            self.following.append(self.head[weaker])
        else:
            self._free = self.following[link]
            self._freed -= 1
            self.stronger[link] = stronger
            self.time[link] = time
            self.following[link] = self.head[weaker]
        self.head[weaker] = link

    def of(self, weaker: int) -> Iterator[int]:
        """The links of a node, to look up in `stronger` and `time`."""
        link = self.head[weaker]
        while link != NONE:
            yield link
            link = self.following[link]

    def remove(self, weaker: int, stronger: int) -> bool:
        """Forget one link; False if there is none."""
        before = NONE
        for link in self.of(weaker):
            if self.stronger[link] == stronger:
                if before == NONE:
                    self.head[weaker] = self.following[link]
                else:
                    self.following[before] = self.following[link]
                self._release(link)
                return True
            before = link
        return False

    def drop(self, weaker: int) -> None:
        """Forget the links of a node; their places are used again."""
        for link in list(self.of(weaker)):
            self._release(link)
        self.head[weaker] = NONE

    def _release(self, link: int) -> None:
        self.following[link] = self._free
        self._free = link
        self._freed += 1
