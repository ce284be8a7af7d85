"""An event of a group as its state keeps it. A module of its own, as it is not compiled: msgspec reads the types of the
fields, and mypyc does not keep those of a named tuple."""

from __future__ import annotations

from typing import NamedTuple

from streams.model.membership import Labels


class GroupEvent(NamedTuple):
    """An event of a group."""

    at: int
    event_id: bytes
    channel: int
    milestone: int
    score: int | None
    """In millionths."""
    touchpoint: str
    weight: float
    unit: str | None
    labels: Labels
    restored: bool
    """Whether it was sent again from ClickHouse: it is then no cause of moves."""
