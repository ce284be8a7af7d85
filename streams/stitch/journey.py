"""A journey's summary: what its events add up to, whatever the order in which they are added.

Times are epoch milliseconds; 0 stands for "none" (enrich refuses events before 2000). Scores are whole millionths, so
that sums do not depend on order. "Latest" is by (occurred_at, event_id), the event id as its 16 bytes.
"""

from __future__ import annotations

import msgspec

from streams.alerts.signals import Watched

CHANNELS = ("booking", "check_in", "stay", "post_travel")
MILESTONES = ("booked", "cancelled", "no_show", "checked_in", "in_stay", "completed")
"""Statuses in order of rank: at the same instant the later one of this list wins."""
INSTRUMENTS = ("nps", "csat", "ces", "stars")
MICRO = 1_000_000

Mark = tuple[int, bytes]
"""An event's place in "latest" order: (occurred_at, event id)."""


class Event(msgspec.Struct, gc=False):
    """What the fold needs of one interaction."""

    at: int
    event_id: bytes
    booking_ref: str | None
    touchpoint: str
    channel: int
    """Index into CHANNELS."""
    milestone: int = -1
    """Index into MILESTONES, or -1."""
    case_role: str | None = None
    case_id: str | None = None
    unit: str | None = None
    score: int | None = None
    """Millionths."""
    weight: float = 0.0
    instrument: int = -1
    """Index into INSTRUMENTS, or -1."""
    survey_score: float = 0.0
    amount_minor: int = 0
    currency: str | None = None
    preferences: tuple[tuple[str, str], ...] = ()
    watched: Watched | None = None
    """What it says to the rules of alerts."""
    restored: bool = False
    """Whether it comes from what was stored, to rebuild state: what follows is not observed anew."""
    ends_recall: int = -1
    """Of the last of its subject's events that come back after an eviction: all have that were applied before this
    offset."""


class Journey(msgspec.Struct, array_like=True, gc=False):
    """A commutative, mergeable summary of events."""

    first: int = 0
    last: int = 0
    channels: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0, 0])
    milestones: dict[int, int] = {}
    """Milestone -> time of the latest one."""
    score_sum: int = 0
    score_count: int = 0
    lowest: tuple[int, int, bytes, str] | None = None
    """(score, occurred_at, event id, touchpoint): the least of these."""
    surveys: dict[int, tuple[int, bytes, float]] = {}
    """Instrument -> (occurred_at, event id, score) of the latest answer."""
    spend: dict[str, int] = {}

    @classmethod
    def of(cls, event: Event) -> Journey:
        """The summary of one event: what `add` makes of an empty one, at once."""
        at, milestone, score, currency, instrument = (
            event.at,
            event.milestone,
            event.score,
            event.currency,
            event.instrument,
        )
        channels = [0, 0, 0, 0]
        channels[event.channel] = 1
        return cls(
            at,
            at,
            channels,
            {milestone: at} if milestone >= 0 else {},
            0 if score is None else score,
            0 if score is None else 1,
            None if score is None else (score, at, event.event_id, event.touchpoint),
            {instrument: (at, event.event_id, event.survey_score)} if instrument >= 0 else {},
            {} if currency is None else {currency: event.amount_minor},
        )

    def add(self, event: Event) -> None:
        """Add one event."""
        at = event.at
        if not self.first or at < self.first:
            self.first = at
        if at > self.last:
            self.last = at
        self.channels[event.channel] += 1
        if event.milestone >= 0 and at > self.milestones.get(event.milestone, 0):
            self.milestones[event.milestone] = at
        if event.score is not None:
            self.score_sum += event.score
            self.score_count += 1
            low = (event.score, at, event.event_id, event.touchpoint)
            if self.lowest is None or low < self.lowest:
                self.lowest = low
        if event.instrument >= 0:
            answer = (at, event.event_id, event.survey_score)
            known = self.surveys.get(event.instrument)
            if known is None or answer > known:
                self.surveys[event.instrument] = answer
        if event.currency is not None:
            self.spend[event.currency] = self.spend.get(event.currency, 0) + event.amount_minor

    def absorb(self, other: Journey) -> None:
        """Merge another summary of disjoint events into this one."""
        if other.first and (not self.first or other.first < self.first):
            self.first = other.first
        self.last = max(self.last, other.last)
        for channel, count in enumerate(other.channels):
            self.channels[channel] += count
        for milestone, at in other.milestones.items():
            if at > self.milestones.get(milestone, 0):
                self.milestones[milestone] = at
        self.score_sum += other.score_sum
        self.score_count += other.score_count
        if other.lowest is not None and (self.lowest is None or other.lowest < self.lowest):
            self.lowest = other.lowest
        for instrument, answer in other.surveys.items():
            known = self.surveys.get(instrument)
            if known is None or answer > known:
                self.surveys[instrument] = answer
        for currency, amount in other.spend.items():
            self.spend[currency] = self.spend.get(currency, 0) + amount

    def copy(self) -> Journey:
        """An independent copy."""
        return Journey(
            self.first,
            self.last,
            self.channels.copy(),
            self.milestones.copy(),
            self.score_sum,
            self.score_count,
            self.lowest,
            self.surveys.copy(),
            self.spend.copy(),
        )

    @property
    def interactions(self) -> int:
        """How many events."""
        booking, check_in, stay, post_travel = self.channels
        return booking + check_in + stay + post_travel

    @property
    def status(self) -> str:
        """The latest milestone's status by (occurred_at, rank), or `exploring`."""
        if not self.milestones:
            return "exploring"
        if len(self.milestones) == 1:
            (only,) = self.milestones
            return MILESTONES[only]
        latest, highest = 0, 0
        for milestone, at in self.milestones.items():
            if at > latest or (at == latest and milestone > highest):
                latest, highest = at, milestone
        return MILESTONES[highest]
