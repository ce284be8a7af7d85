"""What an agent says of the records that it has handled: each is accepted, a duplicate, erased, or a dead letter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from streams.kafka.progress import Records

VERDICTS = ("accepted", "duplicate", "erased", "dead_letter")


class Refusal(NamedTuple):
    """A Kafka record that becomes a dead letter.

    at: its position among `records`. reason: a word of the closed list (streams.model.dead_letter). detail: a sentence.
    """

    records: Records
    at: int
    reason: str
    detail: str


@dataclass(slots=True)
class Verdict:
    """What became of the records of a group; each is one of the four.

    accepted: took effect now: stored, folded, passed on or acted on, whether or not that changed anything.
    duplicates: had taken effect before: copies of an event, and records that were read again.
    erased: dropped, as they are about somebody who was erased, or have no value.
    refused: became dead letters.
    """

    accepted: int = 0
    duplicates: int = 0
    erased: int = 0
    refused: list[Refusal] = field(default_factory=list)

    @classmethod
    def of(cls, records: int, refused: list[Refusal], duplicates: int = 0, erased: int = 0) -> Verdict:
        """The verdict on a group of this many records: those that are none of the other three are accepted."""
        return cls(records - duplicates - erased - len(refused), duplicates, erased, refused)

    @property
    def counts(self) -> dict[str, int]:
        """The number of records by VERDICTS."""
        return dict(zip(VERDICTS, (self.accepted, self.duplicates, self.erased, len(self.refused)), strict=True))
