"""The state that stitch keeps a subject, and its encoding (msgpack).

Three kinds of messages reach a subject, each on a topic of its own: interactions, news of its root, parts of others.
How far each topic has been applied is part of the state, so that a message read again is known as such.
"""

from __future__ import annotations

import msgspec

from streams.alerts.moves import Cause
from streams.alerts.watch import Watch
from streams.stitch.summary import Summary

HERE, EVICTED, RECALLED = range(3)
"""Where a subject's events are: in its state; in ClickHouse alone (streams.stitch.eviction); on their way back."""

AWAY = b""
"""In place of a part's summary: it was evicted."""


class Part(msgspec.Struct, array_like=True, gc=False):
    """Another subject's summary, kept by its root."""

    version: int
    summary: bytes | None
    """The encoded Summary, or AWAY; None: dropped, remembered so that an older version does not come back."""


class Subject(msgspec.Struct, array_like=True, gc=False):
    """A subject's state. Offsets are the next ones: one more than the last applied."""

    interactions_applied: int = 0
    identities_applied: int = 0
    parts_applied: int = 0
    own: Summary = msgspec.field(default_factory=Summary)
    seen: bytes = b""
    """Eight bytes of each event id applied (a hash): what deduplication looks up."""
    root: str | None = None
    """The root's subject; None: this subject itself."""
    root_version: int = 0
    parts: dict[str, Part] = {}
    former: list[str] = []
    """Roots that may still hold this subject's part: it was told them to drop it, perhaps in vain (see `fold`)."""
    published: bool = False
    """Whether this subject has published as a customer and perhaps not withdrawn since."""
    ledger: list[str] = []
    """Keys of records published, and perhaps not withdrawn since, that do not follow from `own` alone."""
    watch: Watch | None = None
    """What a root remembers to observe changes by: alerts and moves. None: nothing."""
    presence: int = HERE
    """HERE, EVICTED or RECALLED: whether `own` and `seen` are whole. Until they are, nothing is published."""
    applied_at: int = -1
    """Offset that the state's changelog had come to when the last message was applied."""
    recall_from: int = 0
    """`interactions_applied` of the last eviction: a recall that was answered with less was asked for before it."""

    @property
    def whole(self) -> bool:
        """Whether all that the subject's publications follow from is in its state."""
        return self.presence == HERE and all(part.summary != AWAY for part in self.parts.values())

    @property
    def version(self) -> int:
        """Grows with every message applied: the version of all that this subject publishes."""
        return self.interactions_applied + self.identities_applied + self.parts_applied

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

    def merged(self) -> Summary:
        """The summary of its events and of its parts, of a `whole` subject. May be `own` itself: do not change it."""
        alive = [part.summary for part in self.parts.values() if part.summary is not None]
        if not alive:
            return self.own
        whole = self.own.copy()
        for summary in alive:
            whole.absorb(decode_summary(summary))
        return whole


_encoder = msgspec.msgpack.Encoder()
_encoded = bytearray()


def encode(state: Subject | Summary) -> bytes:
    """The bytes of a Subject (the table's value) or of a Summary (what a part carries).

    Copied out of a buffer, because they are kept: the encoder's own bytes stay in the larger block of memory that they
    grew in, which made a state take nearly half as much again.
    """
    _encoder.encode_into(state, _encoded)
    return bytes(_encoded)


decode = msgspec.msgpack.Decoder(Subject).decode
"""The Subject of its bytes; raises msgspec.ValidationError or DecodeError, both ValueErrors, for other bytes."""
decode_summary = msgspec.msgpack.Decoder(Summary).decode
"""The Summary of its bytes; raises like `decode`."""
_NIL = b"\xc0"


def without_cause(summary: bytes, cause: Cause) -> bytes:
    """The bytes of a Summary as a root keeps them: without its cause, which is of use where it arrives only."""
    # The cause is the last field, so that what is before it need not be encoded anew.
    return summary[: -len(_encoder.encode(cause))] + _NIL
