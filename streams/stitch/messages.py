"""The three kinds of messages that reach subjects, and the messages of a group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from streams.stitch.journey import Event

Record = tuple[int, bytes, Event]
"""(offset, eight-byte hash of the event id, event) of an interaction."""
RootChange = tuple[int, str, int]
"""(offset, root, version): the root of a subject from now on."""
Sent = tuple[int, str, int, bytes | None, str]
"""(offset, sender, version, encoded summary or None to drop, kind) of a part. Those of the kinds SEND_AGAIN and
NOTHING_STORED (streams.model.control) are no parts; the latter has the offset of a recall instead of a summary. To a
group its members send times of membership (streams.stitch.membership) instead of summaries."""
INTERACTION, IDENTITY, PART = "interactions", "identities", "parts"
Message = tuple[str, str, Any]
"""(subject, one of these three kinds, the Record, RootChange or Sent)."""


@dataclass(slots=True)
class Messages:
    """The messages for the subjects of one partition: by subject, each kind in order of offsets."""

    interactions: dict[str, list[Record]] = field(default_factory=dict)
    identities: dict[str, list[RootChange]] = field(default_factory=dict)
    parts: dict[str, list[Sent]] = field(default_factory=dict)

    def add(self, other: Messages) -> None:
        """Add messages whose offsets follow on those of before."""
        # usually there are none: nothing is copied then
        self.interactions = _extended(self.interactions, other.interactions)
        self.identities = _extended(self.identities, other.identities)
        self.parts = _extended(self.parts, other.parts)

    def each(self) -> list[Message]:
        """All messages, one at a time, subject by subject."""
        found: list[Message] = []
        for name in {**self.interactions, **self.identities, **self.parts}:
            found += [(name, INTERACTION, one) for one in self.interactions.get(name, ())]
            found += [(name, IDENTITY, one) for one in self.identities.get(name, ())]
            found += [(name, PART, one) for one in self.parts.get(name, ())]
        return found

    @staticmethod
    def of(some: Iterable[Message]) -> Messages:
        """These messages, in an order that `each` gives."""
        made = Messages()
        for name, kind, one in some:
            of_kind: dict[str, list[Any]] = getattr(made, kind)
            of_kind.setdefault(name, []).append(one)
        return made

    def taken(self, subjects: int) -> Iterator[Messages]:
        """All messages, a number of subjects at a time. Each is removed here, so that folded ones free their memory."""
        interactions, identities, parts = self.interactions, self.identities, self.parts
        names = [*{**interactions, **identities, **parts}]
        for begin in range(0, len(names), subjects):
            some = names[begin : begin + subjects]
            yield Messages(
                {name: interactions.pop(name) for name in some if name in interactions},
                {name: identities.pop(name) for name in some if name in identities},
                {name: parts.pop(name) for name in some if name in parts},
            )


M = TypeVar("M")
Applicable = TypeVar("Applicable", Record, RootChange, Sent)


def unapplied(applied: int, messages: Sequence[Applicable]) -> Sequence[Applicable]:
    """The messages, in order of offsets, that have not been applied yet. applied: one more than the last that was."""
    if not messages or messages[0][0] >= applied:
        return messages
    return [message for message in messages if message[0] >= applied]


def _extended(some: dict[str, list[M]], others: dict[str, list[M]]) -> dict[str, list[M]]:
    """The lists of both; may be one of the two."""
    if not some:
        return others
    for name, following in others.items():
        some.setdefault(name, []).extend(following)
    return some
