"""A case's summary: complaint, contacts, answer, resolution, reopening; commutative like a journey's."""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from streams.stitch.content import Content
from streams.stitch.journey import Event

First = tuple[int, bytes, str, str | None, str | None]
"""(occurred_at, event id, touchpoint, unit, booking_ref) of a case's earliest event."""


def _order(first: First) -> tuple[int, bytes, str, str, str]:
    """Sort key: earliest first. Two subjects' events may share an id, so their content has the last word."""
    return (*first[:3], first[3] or "", first[4] or "")


CaseFields = tuple[int, int, int, int, int, First | None]
"""The fields of a Case as states store them."""


@mypyc_attr(acyclic=True)
class Case(Content):
    """The summary of one case's events. Times are epoch ms; 0: none."""

    def __init__(
        self,
        opened: int = 0,
        responded: int = 0,
        resolved: int = 0,
        reopened: int = 0,
        contacts: int = 0,
        first: First | None = None,
        brand: str | None = None,
    ) -> None:
        """A case without events, but for what is given.

        Args:
            opened, responded: the first of these. resolved, reopened: the latest of these.
            contacts: how often the customer came to us: events that open, contact or reopen.
            first: the earliest event. brand: that which its attribute names.
        """
        self.opened = opened
        self.responded = responded
        self.resolved = resolved
        self.reopened = reopened
        self.contacts = contacts
        self.first = first
        self.brand = brand

    def fields(self) -> tuple[object, ...]:
        return (*self.stored(), self.brand)

    def stored(self) -> CaseFields:
        """The fields that states store of a case; summaries store the brand apart (streams.stitch.summary)."""
        return self.opened, self.responded, self.resolved, self.reopened, self.contacts, self.first

    def add(self, event: Event) -> None:
        """Add one event that has a case role."""
        at, role = event.at, event.case_role
        if role == "open" and (not self.opened or at < self.opened):
            self.opened = at
        elif role == "response" and (not self.responded or at < self.responded):
            self.responded = at
        elif role == "resolve" and at > self.resolved:
            self.resolved = at
        elif role == "reopen" and at > self.reopened:
            self.reopened = at
        if role in ("open", "contact", "reopen"):
            self.contacts += 1
        mark = (at, event.event_id, event.touchpoint, event.unit, event.booking_ref)
        self._begin(mark, event.brand)

    def absorb(self, other: Case) -> None:
        """Merge another summary of the same case, of disjoint events."""
        if other.opened and (not self.opened or other.opened < self.opened):
            self.opened = other.opened
        if other.responded and (not self.responded or other.responded < self.responded):
            self.responded = other.responded
        self.resolved = max(self.resolved, other.resolved)
        self.reopened = max(self.reopened, other.reopened)
        self.contacts += other.contacts
        if other.first is not None:
            self._begin(other.first, other.brand)

    def _begin(self, mark: First, brand: str | None) -> None:
        """Take an event for the earliest one if it is earlier. brand: that which its attribute names."""
        if self.first is not None:
            new, known = _order(mark), _order(self.first)
            if new > known or (new == known and (brand or "") >= (self.brand or "")):
                return
        self.first, self.brand = mark, brand

    def copy(self) -> Case:
        """An independent copy."""
        twin = Case()
        twin.absorb(self)
        return twin

    @property
    def status(self) -> str:
        """`resolved` while the latest resolution is later than the opening and than any reopening, else `open`.

        At the same instant the resolution wins: systems that stamp a whole exchange with one time end it resolved.
        """
        return "resolved" if self.resolved and self.resolved >= max(self.opened, self.reopened) else "open"
