"""Topics of the broker in memory: their settings, and logs of record batches as producers sent them."""

from __future__ import annotations

import struct
import time
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from aiokafka.errors import CorruptRecordException, MessageSizeTooLargeError, OffsetOutOfRangeError
from aiokafka.record.memory_records import MemoryRecords

# In a batch of Kafka's second format: where each of these is, after the 12 bytes of offset and length.
HEAD = 12
LENGTH = struct.Struct(">q i")
LAST_DELTA = struct.Struct(">i"), 23
PRODUCER = struct.Struct(">q h i"), 43

SETTINGS = {
    "cleanup.policy": "delete",
    "max.message.bytes": "1048588",
    "message.timestamp.type": "CreateTime",
    "retention.ms": "604800000",
    "retention.bytes": "-1",
    "compression.type": "producer",
}
"""Kafka's own defaults, of the settings that somebody asks for. Only the largest batch is enforced: this log keeps
everything, as it came, and its stamps are the producers'."""


class Refused(Exception):
    """A batch is not taken. `code`: Kafka's error code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Log:
    """A partition: its batches, and the offset at which each ends."""

    batches: list[bytes] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    start: int = 0
    _sequences: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """Offset that the next record gets."""
        return self.ends[-1] if self.ends else 0

    def append(self, data: bytes, largest: int) -> int:
        """Add batches; the offset of the first record. Raises Refused. A batch that an idempotent producer sends again
        is not added again."""
        first = None
        for batch in split(data):
            if len(batch) > largest:
                raise Refused(MessageSizeTooLargeError.errno)
            if not MemoryRecords(batch).next_batch().validate_crc():
                raise Refused(CorruptRecordException.errno)
            offset = self._again(batch)
            if offset is None:
                offset = self.end
                (delta,) = LAST_DELTA[0].unpack_from(batch, LAST_DELTA[1])
                self.batches.append(struct.pack(">q", offset) + batch[8:])
                self.ends.append(offset + delta + 1)
                producer, _, sequence = PRODUCER[0].unpack_from(batch, PRODUCER[1])
                self._sequences[producer] = sequence, offset
            first = offset if first is None else first
        return self.end if first is None else first

    def _again(self, batch: bytes) -> int | None:
        producer, _, sequence = PRODUCER[0].unpack_from(batch, PRODUCER[1])
        last = self._sequences.get(producer)
        return last[1] if producer >= 0 and last is not None and last[0] == sequence else None

    def read(self, offset: int, room: int) -> bytes:
        """Batches from the one that has `offset`, one at least, up to `room` bytes.

        Raises Refused for an offset that is not in the log.
        """
        if not self.start <= offset <= self.end:
            raise Refused(OffsetOutOfRangeError.errno)
        found, size = [], 0
        for batch in self.batches[bisect_right(self.ends, offset) :]:
            if found and size + len(batch) > room:
                break
            found.append(batch)
            size += len(batch)
        return b"".join(found)

    def delete_before(self, offset: int) -> None:
        """Let the log begin at an offset."""
        self.start = max(self.start, min(offset, self.end))

    def offset_at(self, timestamp: int) -> tuple[int, int]:
        """The first record at a time (epoch milliseconds) or later: its stamp and offset; -1, -1: there is none."""
        for batch in self.batches:
            records = MemoryRecords(batch).next_batch()
            if records.max_timestamp < timestamp:
                continue
            for record in records:
                if record.offset >= self.start and record.timestamp >= timestamp:
                    return record.timestamp, record.offset
        return -1, -1


@dataclass
class Topic:
    """A topic's partitions, and what was set when it was made."""

    logs: list[Log]
    settings: dict[str, str]
    made_at: float = field(default_factory=time.time)

    def setting(self, name: str) -> str:
        """A setting's value, Kafka's default where none was given."""
        return self.settings.get(name, SETTINGS.get(name, ""))


def split(data: bytes) -> Iterator[bytes]:
    """The batches of what a producer sends for one partition."""
    while data:
        _, length = LENGTH.unpack_from(data)
        yield data[: HEAD + length]
        data = data[HEAD + length :]
