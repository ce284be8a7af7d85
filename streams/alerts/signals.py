"""What a customer's events say about the rules: signals, which may raise an alert, and answers, which may close one;
and notes for invitations and messages to guests (streams.guest).

A mergeable set like the rest of a summary: the signals and answers of all identifiers of a customer meet at the root,
in any order. No table but alerts and moves depends on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from streams.guest.notes import Noted, Notes
from streams.model.vocabulary import DAY_MS

KEPT_MS = 90 * DAY_MS
"""Signals and answers that are this much older than the newest of their kind are forgotten."""
KEPT = 64
"""The number of signals, and of answers, that are kept, the newest: bounds the size of a customer's state."""


class Signal(msgspec.Struct, array_like=True, frozen=True):
    """An event that a rule watches for. Times are epoch ms."""

    at: int
    event_id: bytes
    rule: str
    reason: str
    unit: str | None = None
    booking_ref: str | None = None
    case_id: str | None = None
    ended: int = 0
    """When the condition itself ended (a sentiment that recovered); 0: it has not."""
    raised: int = 0
    """When it raised an alert, if that was open when the state was rebuilt from ClickHouse; else 0."""
    has_case: bool = False
    """Whether this id is a case: the event names one or opens one."""
    touchpoint: str | None = None
    brand: str | None = None
    """Brand of the event, by the model, as far as the event tells it."""
    channel: str | None = None
    """Channel of the event; None: that of its touchpoint."""


class Answer(msgspec.Struct, array_like=True, frozen=True):
    """An event that closes or acknowledges by some rule, or with which a person answers an alert."""

    at: int
    event_id: bytes
    touchpoint: str
    booking_ref: str | None = None
    case_id: str | None = None
    alert_id: str | None = None
    """The alert that a person answers (streams.loop.answers); None: no person, or the case as a whole."""
    cause: tuple[str, bytes] | None = None
    """Its rule and the event id of its cause, which still find it after its customer_id has changed."""
    who: str | None = None
    """The person who answered, or the one it was assigned to."""
    until: int = 0
    """When its snooze ends, epoch ms; 0: it is not snoozed."""


T = TypeVar("T", Signal, Answer)

Watched = tuple[tuple[Signal, ...], Answer | None, Noted]
"""What one event means for the rules, and for invitations and messages to its customer."""


class Signals(msgspec.Struct, array_like=True):
    """The signals and answers of a set of events; of each kind the newest, in order of time."""

    signals: list[Signal] = []
    answers: list[Answer] = []
    guest: Notes | None = None

    def add(self, watched: Watched) -> None:
        """Add what one event says."""
        signals, answer, noted = watched
        self._take(signals, () if answer is None else (answer,))
        if noted:
            if self.guest is None:
                self.guest = Notes()
            self.guest.add(noted)

    def absorb(self, other: Signals) -> None:
        """Merge those of a disjoint set of events."""
        self._take(other.signals, other.answers)
        if other.guest is not None:
            if self.guest is None:
                self.guest = Notes()
            self.guest.absorb(other.guest)

    def _take(self, signals: Sequence[Signal], answers: Sequence[Answer]) -> None:
        if signals:
            self.signals = _newest(sorted([*self.signals, *signals], key=lambda s: (s.at, s.event_id, s.rule)))
        if answers:
            self.answers = _newest(sorted([*self.answers, *answers], key=lambda a: (a.at, a.event_id)))


def _newest(kept: list[T]) -> list[T]:
    """The items, in order of time, that are kept."""
    oldest = kept[-1].at - KEPT_MS
    return kept[-KEPT:] if kept[0].at >= oldest else [item for item in kept if item.at >= oldest][-KEPT:]
