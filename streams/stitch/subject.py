"""The state that stitch keeps a subject.

Three kinds of messages reach a subject, each on a topic of its own: interactions, news of its root, parts of others.
How far each topic has been applied is part of the state, so that a message read again is known as such.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from streams.alerts.watch import Watch
from streams.stitch.content import Content
from streams.stitch.summary import Summary

HERE: Final = 0
EVICTED: Final = 1
RECALLED: Final = 2
"""Where a subject's events are: in its state; in ClickHouse alone (streams.stitch.eviction); on their way back."""

AWAY: Final = b""
"""In place of a part's summary: it was evicted."""


@mypyc_attr(acyclic=True)
class Part(Content):
    """Another subject's summary, kept by its root."""

    def __init__(self, version: int, summary: bytes | None) -> None:
        """summary: the encoded Summary, or AWAY; None: dropped, remembered so that an older version does not return."""
        self.version = version
        self.summary = summary

    def fields(self) -> tuple[int, bytes | None]:
        return self.version, self.summary


@mypyc_attr(acyclic=True)
class Subject(Content):
    """A subject's state. Offsets are the next ones: one more than the last applied."""

    def __init__(
        self,
        interactions_applied: int = 0,
        identities_applied: int = 0,
        parts_applied: int = 0,
        own: Summary | None = None,
        seen: bytes = b"",
        root: str | None = None,
        root_version: int = 0,
        parts: dict[str, Part] | None = None,
        former: list[str] | None = None,
        published: bool = False,
        ledger: list[str] | None = None,
        watch: Watch | None = None,
        presence: int = HERE,
        applied_at: int = -1,
        recall_from: int = 0,
        version_base: int = 0,
    ) -> None:
        """A state.

        Args:
            own: the summary of its events.
            seen: eight bytes of each event id applied (a hash): what deduplication looks up.
            root: the root's subject; None: this subject itself.
            former: roots that may still hold this subject's part: it was told them to drop it, perhaps in vain (see
                `fold`).
            published: whether this subject has published as a customer and perhaps not withdrawn since.
            ledger: keys of records published, and perhaps not withdrawn since, that do not follow from `own` alone.
            watch: what a root remembers to observe changes by: alerts and moves. None: nothing.
            presence: HERE, EVICTED or RECALLED: whether `own` and `seen` are whole. Until they are, nothing is
                published.
            applied_at: offset that the state's changelog had come to when the last message was applied.
            recall_from: `interactions_applied` of the last eviction: a recall that was answered with less was asked for
                before it.
            version_base: what makes the version of a state go on where it was when its topics, and with them the
                offsets applied, began anew (streams.repartition).
        """
        self.interactions_applied = interactions_applied
        self.identities_applied = identities_applied
        self.parts_applied = parts_applied
        self.own: Summary = Summary() if own is None else own
        self.seen = seen
        self.root = root
        self.root_version = root_version
        self.parts: dict[str, Part] = {} if parts is None else parts
        self.former: list[str] = [] if former is None else former
        self.published = published
        self.ledger: list[str] = [] if ledger is None else ledger
        self.watch = watch
        self.presence = presence
        self.applied_at = applied_at
        self.recall_from = recall_from
        self.version_base = version_base

    def fields(self) -> tuple[object, ...]:
        return self._fields() if not self.version_base else (*self._fields(), self.version_base)

    def _fields(self) -> tuple[object, ...]:
        """All but the base of the version, which few states have."""
        return (
            self.interactions_applied,
            self.identities_applied,
            self.parts_applied,
            self.own.fields(),
            self.seen,
            self.root,
            self.root_version,
            {sender: part.fields() for sender, part in self.parts.items()},
            self.former,
            self.published,
            self.ledger,
            self.watch,
            self.presence,
            self.applied_at,
            self.recall_from,
        )

    @property
    def whole(self) -> bool:
        """Whether all that the subject's publications follow from is in its state."""
        return self.presence == HERE and all(part.summary != AWAY for part in self.parts.values())

    @property
    def version(self) -> int:
        """Grows with every message applied: the version of all that this subject publishes."""
        return self.version_base + self.interactions_applied + self.identities_applied + self.parts_applied

    @property
    def is_root(self) -> bool:
        """Whether this subject is a customer: it is its own root, and has something to tell."""
        return self.root is None and (
            self.own.interactions > 0 or any(part.summary is not None for part in self.parts.values())
        )

    def owes(self, published: range | None) -> bool:
        """Whether what the last turn said may not have been published, and only the state remembers it: what it took
        back, and what it observed.

        published: offsets of the changelog: what was applied at one of them has been published; None: all has.
        """
        if published is None or self.applied_at in published:
            return False
        taken_back = self.former or self.ledger or (self.published and not self.is_root)
        return bool(taken_back) or self.watch is not None
