"""Events of a file that have one id: of several with the same one a single one is stored. Memory has a bound."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import polars as pl

KNOWN: Final = 200_000
"""Ids that are remembered, some 50 MB. Of files with more, every second, fourth ... of them, by their hash: all events
of an id are then seen, or none."""


@dataclass(slots=True)
class _Id:
    event: int
    """Hash of the first event."""
    line: int
    again: int = 0
    other: int = 0


@dataclass
class SameIds:
    """Counts them. What is counted is exact up to KNOWN ids, and an estimate beyond."""

    example: tuple[int, int, str] | None = None
    """(line, line of a different event with the same id, touchpoint) of the first that was found."""
    _known: dict[int, _Id] = field(default_factory=dict)
    """By the id's hash."""
    _every: int = 1

    @property
    def again(self) -> int:
        """Events that are the same, in every field, as the first with their id."""
        return self._every * sum(one.again for one in self._known.values())

    @property
    def other(self) -> int:
        """Events that are different from the first with their id."""
        return self._every * sum(one.other for one in self._known.values())

    @property
    def estimated(self) -> bool:
        """Whether there were too many ids to look at all of them."""
        return self._every > 1

    def add(self, events: pl.DataFrame, lines: list[int]) -> None:
        """Events of a channel, in the frame form of its schema, each with its line."""
        hashes = events.select(
            pl.col("event_id").hash().alias("id"), pl.struct(pl.exclude("event_id")).hash().alias("event")
        )
        names = events["touchpoint"]
        for at, (id_, event) in enumerate(hashes.iter_rows()):
            if id_ % self._every:
                continue
            first = self._known.get(id_)
            if first is None:
                self._known[id_] = _Id(event, lines[at])
            elif first.event == event:
                first.again += 1
            else:
                first.other += 1
                self.example = self.example or (first.line, lines[at], names[at])
        while len(self._known) > KNOWN:
            self._every *= 2
            self._known = {id_: one for id_, one in self._known.items() if not id_ % self._every}
