"""What a batch does to the world, as `fold` finds it."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.alerts.tally import News
from streams.stitch.rows import Row


@dataclass(slots=True)
class Changes:
    """What a batch does: states to store, records to publish, and the counts of its account."""

    states: dict[bytes, bytes] = field(default_factory=dict)
    journeys: list[Row] = field(default_factory=list)
    customers: list[Row] = field(default_factory=list)
    cases: list[Row] = field(default_factory=list)
    parts: list[Row] = field(default_factory=list)
    alerts: list[Row] = field(default_factory=list)
    moves: list[Row] = field(default_factory=list)
    recalls: list[Row] = field(default_factory=list)
    """Subjects whose events ClickHouse is to send again, as records of recall.avsc."""
    due: dict[bytes, int] = field(default_factory=dict)
    """State key -> when its next timer is due, epoch ms; 0: there is none (any more)."""
    opened: dict[bytes, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """State key -> (rule, severity) of each of its alerts that are open."""
    news: list[News] = field(default_factory=list)
    """What became of alerts; nothing of it is told again on a replay."""
    folded: int = 0
    duplicates: int = 0
    replayed: int = 0
    """Messages read again that had been applied already."""
