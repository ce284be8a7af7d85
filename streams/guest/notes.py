"""Notes on contact with a customer, from their events. Pure.

A mergeable set, as the signals of alerts are: notes of all identifiers of a customer meet at the root, in any order.
Of consent the latest statement for each purpose and channel is kept for ever; of the rest only the newest.
"""

from __future__ import annotations

import msgspec

from streams.guest.consent import Held, Said, Source, held, is_valid
from streams.model.vocabulary import DAY_MS

KEPT_MS = 90 * DAY_MS
KEPT = 64
"""Most notes that are kept, and how much older than the newest one (ms) a note may be."""
KEPT_CONSENTS = 64
"""Most pairs of purpose and channel that are kept; beyond that, withdrawals and newer ones are preferred."""

MOMENT, OPENED, RESOLVED, MADE, TOLD, INVITED, ANSWERED, APPROVED, REJECTED = range(9)
"""Kinds of notes: a moment that leads to an invitation, a complaint, its resolution, an improvement, a message about
it, an invitation, an answer, and the approval or rejection of a draft."""


class Note(msgspec.Struct, array_like=True, frozen=True):
    """One event. at: epoch ms."""

    at: int
    event_id: bytes
    what: int
    touchpoint: str = ""
    booking_ref: str | None = None
    unit: str | None = None
    case_id: str | None = None
    language: str | None = None
    channel: str | None = None
    about: bytes | None = None
    """The id of the event that it refers to: for a draft or an invitation, its cause."""
    aspect: str | None = None
    text: str | None = None
    """What was done, or who approved it."""


Noted = tuple[Note | Said | Source, ...]
"""What one event says."""


class Notes(msgspec.Struct, array_like=True):
    """The notes, in order of (at, event_id), and the current statements about consent."""

    notes: list[Note] = []
    consents: list[Said] = []
    sources: dict[bytes, str] = {}
    """Event id of a current statement -> its source, empty where it does not say. Those that 0.2.0 has written, which
    drops this field, are missing."""

    def add(self, some: Noted) -> None:
        """Add what one event says."""
        self._take(
            [one for one in some if isinstance(one, Note)],
            [one for one in some if isinstance(one, Said)],
            {one.event_id: one.text for one in some if isinstance(one, Source)},
        )

    def absorb(self, other: Notes) -> None:
        """Merge those of a disjoint set of events."""
        self._take(other.notes, other.consents, other.sources)

    def held(self) -> list[Held]:
        """What holds of each purpose and channel of which something was said."""
        return held(self.consents, self.sources)

    def _take(self, notes: list[Note], consents: list[Said], sources: dict[bytes, str]) -> None:
        if notes:
            every = sorted([*self.notes, *notes], key=lambda one: (one.at, one.event_id, one.what))
            self.notes = [one for one in every if one.at >= every[-1].at - KEPT_MS][-KEPT:]
        if consents:
            latest: dict[tuple[str, str], Said] = {}
            for said in (*self.consents, *consents):
                if not is_valid(said):
                    continue  # it must not take the place of a withdrawal from everything
                known = latest.get((said.purpose, said.channel))
                if known is None or (known.at, known.event_id) < (said.at, said.event_id):
                    latest[said.purpose, said.channel] = said
            order = sorted(latest.values(), key=lambda one: (not one.given, one.at, one.event_id))
            self.consents = order[-KEPT_CONSENTS:]
            every_source, ids = {**self.sources, **sources}, [said.event_id for said in self.consents]
            self.sources = {event_id: every_source[event_id] for event_id in ids if event_id in every_source}
