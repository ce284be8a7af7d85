"""The summary of a set of events of one subject: booking journeys, loose events, cases, rolling sentiment."""

from __future__ import annotations

import msgspec

from streams.alerts.signals import Signals
from streams.stitch.case import Case
from streams.stitch.journey import MICRO, Event, Journey
from streams.stitch.rolling import Rolling


class Loose(msgspec.Struct, array_like=True, gc=False):
    """An event without a booking reference. Which journey it belongs to depends on bookings that may still arrive,
    so it is kept by itself."""

    at: int
    event_id: bytes
    part: Journey


class Preference(msgspec.Struct, array_like=True, gc=False):
    """What a customer asked for or chose, by key: the latest value and how often one was stated."""

    at: int
    event_id: bytes
    value: str
    evidence: int


class Summary(msgspec.Struct, array_like=True, gc=False):
    """Commutative and mergeable over disjoint sets of events."""

    interactions: int = 0
    first: int = 0
    last: int = 0
    bookings: dict[str, Journey] = {}
    loose: list[Loose] = []
    cases: dict[str, Case] = {}
    rolling: Rolling = msgspec.field(default_factory=Rolling)
    preferences: dict[str, Preference] = {}
    duplicates: int = 0
    """Records seen again: not part of any figure, but of the account of what was read."""
    signals: Signals | None = None
    """What the events say to the rules of alerts."""
    cause: tuple[int, bytes, str, str | None, str | None] | None = None
    """(occurred_at, event id, touchpoint, unit, booking_ref) of the event that this summary was last sent for: a part
    tells its root so. Not merged."""

    def add(self, event: Event) -> None:
        """Add one event that is not in the set yet."""
        at = event.at
        self.interactions += 1
        if not self.first or at < self.first:
            self.first = at
        if at > self.last:
            self.last = at
        if event.booking_ref is None:
            self.loose.append(Loose(at, event.event_id, Journey.of(event)))
        else:
            journey = self.bookings.get(event.booking_ref)
            if journey is None:
                self.bookings[event.booking_ref] = Journey.of(event)
            else:
                journey.add(event)
        # A complaint without a case id is a case of its own; a contact or an answer without one belongs to none.
        if event.case_role is not None and (event.case_id is not None or event.case_role == "open"):
            case_id = event.case_id or str_of(event.event_id)
            case = self.cases.get(case_id)
            if case is None:
                case = self.cases[case_id] = Case()
            case.add(event)
        if event.score is not None:
            self.rolling.add(at, event.weight, event.score / MICRO)
        preferences = self.preferences
        for key, value in event.preferences:
            known = preferences.get(key)
            if known is None:
                preferences[key] = Preference(at, event.event_id, value, 1)
            else:
                self._prefer(key, known, at, event.event_id, value, 1)
        if event.watched is not None:
            if self.signals is None:
                self.signals = Signals()
            self.signals.add(event.watched)

    def _prefer(self, key: str, known: Preference, at: int, event_id: bytes, value: str, evidence: int) -> None:
        """Join what is known of a key with another statement of it. Copies share what is known: it is not changed."""
        evidence += known.evidence
        if at < known.at or (at == known.at and (event_id, value) < (known.event_id, known.value)):
            at, event_id, value = known.at, known.event_id, known.value
        self.preferences[key] = Preference(at, event_id, value, evidence)

    def absorb(self, other: Summary) -> None:
        """Merge the summary of a disjoint set of events into this one; `other` stays as it is."""
        self.interactions += other.interactions
        self.duplicates += other.duplicates
        if other.first and (not self.first or other.first < self.first):
            self.first = other.first
        self.last = max(self.last, other.last)
        for ref, journey in other.bookings.items():
            mine = self.bookings.get(ref)
            if mine is None:
                self.bookings[ref] = journey.copy()
            else:
                mine.absorb(journey)
        self.loose.extend(other.loose)
        for case_id, case in other.cases.items():
            known = self.cases.get(case_id)
            if known is None:
                self.cases[case_id] = case.copy()
            else:
                known.absorb(case)
        self.rolling.absorb(other.rolling)
        for key, stated in other.preferences.items():
            mine_of_it = self.preferences.get(key)
            if mine_of_it is None:
                self.preferences[key] = stated
            else:
                self._prefer(key, mine_of_it, stated.at, stated.event_id, stated.value, stated.evidence)
        if other.signals is not None:
            if self.signals is None:
                self.signals = Signals()
            self.signals.absorb(other.signals)

    def copy(self) -> Summary:
        """An independent copy."""
        twin = Summary()
        twin.absorb(self)
        return twin


def str_of(event_id: bytes) -> str:
    """The text form of an event id's 16 bytes (RFC 9562)."""
    text = event_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
