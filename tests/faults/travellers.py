"""Simulated events without end: the same stream again and again, each time of other travellers.

What names a person, a booking, a case or an event is renamed for each pass, as columns: half a microsecond an event.
The names of one pass keep their order, so that each pass leaves the same customers and journeys, under other names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from streams.sources.events import EventBatch
from streams.sources.simulate import Options, batches


@dataclass
class Travellers:
    """`next()` for the next events; `begun` passes have begun, and `left` pieces of the last one are to come."""

    pieces: list[EventBatch]
    summary: dict[str, Any]
    """What one pass leaves: interactions, customers, journeys, cases ... (see streams.sources.simulate.truth)."""
    begun: int = 0
    left: list[EventBatch] = field(default_factory=list)

    @classmethod
    def of(cls, options: Options) -> Travellers:
        """Simulate one pass."""
        truth: list[dict[str, Any]] = []
        pieces = [*batches(options, truth.append)]
        return cls(pieces, truth[-1])

    def next(self, most: int) -> EventBatch:
        """The next events of the stream, of one channel and `most` at most."""
        if not self.left:
            self.begun += 1
            self.left = [*reversed(self.pieces)]
        piece = self.left.pop()
        if piece.frame.height > most:
            self.left.append(replace(piece, frame=piece.frame[most:]))
        return replace(piece, frame=renamed(piece.frame[:most], self.begun))

    def rest(self, most: int) -> Iterator[EventBatch]:
        """What is left of the pass that has begun, as `next` gives it."""
        while self.left:
            yield self.next(most)


def renamed(events: pl.DataFrame, number: int) -> pl.DataFrame:
    """The events of travellers who are others for each number."""
    mark = f"{number:08x}"
    kind, name = pl.element().struct.field("kind"), pl.element().struct.field("value")
    hashed = pl.lit(mark) + name.str.slice(len(mark))  # stays hexadecimal, and as long
    other = pl.when(kind.str.ends_with("_sha256")).then(hashed).otherwise(pl.lit(f"{mark}-") + name)
    return events.with_columns(
        event_id=pl.lit(mark) + pl.col("event_id").str.slice(len(mark)),
        ids=pl.col("ids").list.eval(pl.struct(kind, value=other)),
        booking_ref=pl.lit(f"{mark}-") + pl.col("booking_ref"),
        case_id=pl.lit(f"{mark}-") + pl.col("case_id"),
    )
