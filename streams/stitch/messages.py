"""What reaches subjects: the three kinds of messages, and those of a group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from streams.stitch.journey import Event

Record = tuple[int, bytes, Event]
"""(offset, eight-byte hash of the event id, event) of an interaction."""
News = tuple[int, str, int]
"""(offset, root, version) of what is told of a subject."""
Sent = tuple[int, str, int, bytes | None]
"""(offset, sender, version, encoded summary or None to drop) of a part. Versions ASKED and NONE_STORED are no parts,
but say something to the target (streams.stitch.eviction); the latter with the offset of a recall instead."""


@dataclass(slots=True)
class Messages:
    """What came for the subjects of a partition: by subject, each kind in order of its offsets."""

    interactions: dict[str, list[Record]] = field(default_factory=dict)
    identities: dict[str, list[News]] = field(default_factory=dict)
    parts: dict[str, list[Sent]] = field(default_factory=dict)

    def taken(self, subjects: int) -> Iterator[Messages]:
        """All of it, of so many subjects at a time, taken out: what has been folded need not stay in memory."""
        interactions, identities, parts = self.interactions, self.identities, self.parts
        names = [*{**interactions, **identities, **parts}]
        for begin in range(0, len(names), subjects):
            some = names[begin : begin + subjects]
            yield Messages(
                {name: interactions.pop(name) for name in some if name in interactions},
                {name: identities.pop(name) for name in some if name in identities},
                {name: parts.pop(name) for name in some if name in parts},
            )
