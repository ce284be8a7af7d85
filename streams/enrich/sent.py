"""Which links have been sent lately, so that a link is sent once, and again when it turns out earlier."""

from __future__ import annotations

from collections.abc import Sequence

Link = tuple[str, str, int]
"""(subject, identifier, occurred_at in epoch milliseconds)."""


class SentLinks:
    """The links sent lately, with the earliest time sent. An older one is sent again, which is harmless."""

    def __init__(self, capacity: int) -> None:
        """capacity: at most so many links are remembered, and the last half as many in any case."""
        self._half = capacity // 2
        # One string a link: a dict of pairs takes half as much again, in time and in memory.
        self._sent: dict[str, int] = {}
        self._former: dict[str, int] = {}

    def new(self, subjects: Sequence[str], identifiers: Sequence[str], times: Sequence[int]) -> list[Link]:
        """Those links, given by column, that have to be sent."""
        fresh: list[Link] = []
        for row, subject in enumerate(subjects):
            identifier, at = identifiers[row], times[row]
            if "\0" in subject:  # the key would not say where it ends
                fresh.append((subject, identifier, at))
                continue
            key = f"{subject}\0{identifier}"
            known = self._sent.get(key)
            if known is None:
                known = self._former.get(key)
            if known is None or at < known:
                fresh.append((subject, identifier, at))
                self._sent[key] = at
                if len(self._sent) >= self._half:
                    self._sent, self._former = {}, self._sent
        return fresh
