"""The state that stitch keeps a subject, its encoding, and the join of two of its versions.

A subject's state has three components, each a chain of its own: what its own interactions add up to (`own`, a function
of the offset applied in cx.interactions), who its root is (a function of the identity worker's version) and the parts
that others sent (each with its sender's version). Of two versions of a component the larger contains the smaller. So
any two states of a subject have a join, which is what recovery takes when a changelog holds a key more than once: a
write of an owner that did not know it had been replaced does no harm.

Encoding: three big-endian int64 (the offsets applied of interactions, identities and parts), then msgpack. Recovery
compares these heads and decodes only states of which neither contains the other.
"""

from __future__ import annotations

import struct

import msgspec

from streams.stitch.summary import Summary

HEAD = struct.Struct(">qqq")


class Part(msgspec.Struct, array_like=True):
    """Another subject's summary, kept by its root."""

    version: int
    summary: bytes | None
    """The encoded Summary; None: dropped, remembered so that an older version does not come back."""


class Subject(msgspec.Struct, array_like=True):
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

    def merged(self) -> Summary:
        """The summary of the subject's own events and of its parts. The result may be `own` itself: do not change it."""
        alive = [part.summary for part in self.parts.values() if part.summary is not None]
        if not alive:
            return self.own
        whole = self.own.copy()
        for summary in alive:
            whole.absorb(decode_summary(summary))
        return whole


_encode = msgspec.msgpack.Encoder().encode
_decode_subject = msgspec.msgpack.Decoder(Subject).decode
decode_summary = msgspec.msgpack.Decoder(Summary).decode
encode_summary = _encode


def encode(subject: Subject) -> bytes:
    """The changelog's value of a state."""
    head = HEAD.pack(subject.interactions_applied, subject.identities_applied, subject.parts_applied)
    return head + _encode(subject)


def decode(value: bytes) -> Subject:
    """The state of a changelog's value.

    Raises:
        ValueError: when the bytes are no state (msgspec.ValidationError and DecodeError are ValueErrors).
    """
    return _decode_subject(memoryview(value)[HEAD.size :])


def join(one: bytes, other: bytes) -> bytes:
    """The least state that contains both: commutative, associative, idempotent."""
    a, b = HEAD.unpack_from(one), HEAD.unpack_from(other)
    if a[0] <= b[0] and a[1] <= b[1] and a[2] <= b[2]:
        return other
    if b[0] <= a[0] and b[1] <= a[1] and b[2] <= a[2]:
        return one
    left, right = decode(one), decode(other)
    newer, older = (left, right) if left.version >= right.version else (right, left)
    if older.interactions_applied > newer.interactions_applied:
        newer.interactions_applied, newer.own, newer.seen = older.interactions_applied, older.own, older.seen
    if older.root_version > newer.root_version:
        newer.root, newer.root_version = older.root, older.root_version
    for subject, part in older.parts.items():
        known = newer.parts.get(subject)
        if known is None or part.version > known.version:
            newer.parts[subject] = part
    newer.identities_applied = max(newer.identities_applied, older.identities_applied)
    newer.parts_applied = max(newer.parts_applied, older.parts_applied)
    newer.former = sorted({*newer.former, *older.former} - {newer.root})
    newer.published = newer.published or older.published
    newer.ledger = sorted({*newer.ledger, *older.ledger})
    return encode(newer)
