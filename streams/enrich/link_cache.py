"""Which links have been sent lately, so that a link is sent once, and again when it turns out earlier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Pair = tuple[bytes, bytes]
"""(subject, identifier), in UTF-8."""


class SentLinks:
    """The links sent lately, with the earliest time sent. An older one is sent again, which is harmless."""

    def __init__(self, capacity: int) -> None:
        """capacity: most links that are remembered; at least the last half as many are."""
        self._half = capacity // 2
        # One key of bytes a link: a dict of pairs takes half as much again, in time and in memory.
        self._sent: dict[bytes, int] = {}
        self._former: dict[bytes, int] = {}

    def new(self, links: Mapping[Pair, int]) -> list[tuple[Pair, int]]:
        """Those links, each with its time in epoch milliseconds, that have to be sent."""
        fresh: list[tuple[Pair, int]] = []
        for pair, at in links.items():
            subject, identifier = pair
            if b"\0" in subject:  # the key would not say where it ends
                fresh.append((pair, at))
                continue
            key = subject + b"\0" + identifier
            known = self._sent.get(key)
            if known is None:
                known = self._former.get(key)
            if known is None or at < known:
                fresh.append((pair, at))
                self._sent[key] = at
                if len(self._sent) >= self._half:
                    self._sent, self._former = {}, self._sent
        return fresh

    def forget(self, links: Sequence[tuple[Pair, int]]) -> None:
        """Know nothing of links that `new` gave and that have not been sent after all."""
        for (subject, identifier), _ in links:
            key = subject + b"\0" + identifier
            self._sent.pop(key, None)
            self._former.pop(key, None)
