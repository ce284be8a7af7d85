"""The records of a fetch in columns, and a reader of them from the bytes of a record batch.

That is Kafka's batch of magic 2 (https://kafka.apache.org/documentation/#recordbatch), whose numbers are varints in
zigzag. Compiled, reading takes a sixth of what it takes to make an object of each record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from aiokafka.errors import CorruptRecordException
from mypy_extensions import i64

from schemas.numbers import UnfitError, read_long

Header = tuple[str, bytes]
"""Name and value; one that has none is taken as empty."""

UNREADABLE: Final = b"\xff"
"""Value of the record that stands for unreadable ones: no decoder accepts it, and no table takes it for a deletion."""


class Unreadable(NamedTuple):
    """Records of a batch that cannot be read, from an offset on; in columns one record stands for all of them."""

    following: int
    """The offset after the last of them."""
    batch: bytes
    """The whole batch, as the broker has it."""
    detail: str
    """A sentence that says why."""


class RecordColumns:
    """Records of one partition in offset order: keys, values and timestamps (epoch ms) have an entry for each.

    headers: by position, of those records that have some. unreadable: by position, of those that stand for unreadable
    ones. size: bytes of keys and values.
    """

    def __init__(self) -> None:
        self.keys: list[bytes | None] = []
        self.values: list[bytes | None] = []
        self.timestamps: list[int] = []
        self.headers: dict[int, list[Header]] = {}
        self.unreadable: dict[int, Unreadable] = {}
        self.size = 0
        self._first = self._next = 0
        self._scattered: list[int] | None = None  # the offsets, where some are missing in between

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def offsets(self) -> Sequence[int]:
        """Of each, ascending."""
        if self._scattered is not None:
            return self._scattered
        return range(self._first, self._next)

    def append(
        self,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes | None]] = (),
    ) -> None:
        """Add a record, which must come after the others."""
        self.follow(offset, 1)
        some = [(name, content or b"") for name, content in headers]
        if some:
            self.headers[len(self.keys)] = some
        self.keys.append(key)
        self.values.append(value)
        self.timestamps.append(timestamp)
        self.size += len(key or b"") + len(value or b"")

    def follow(self, offset: int, count: int) -> None:
        """Note the offsets of `count` records that are added: `offset` and those next to it."""
        if self._scattered is not None:
            self._scattered += range(offset, offset + count)
        elif self._first == self._next:
            self._first = offset
        elif offset != self._next:
            self._scattered = [*range(self._first, self._next), *range(offset, offset + count)]
        self._next = offset + count

    def take(self, positions: Iterable[int]) -> RecordColumns:
        """The records at some ascending positions."""
        taken, offsets = RecordColumns(), self.offsets
        for at in positions:
            if at in self.unreadable:
                taken.unreadable[len(taken)] = self.unreadable[at]
            taken.append(offsets[at], self.timestamps[at], self.keys[at], self.values[at], self.headers.get(at, ()))
        return taken

    def give_up(self, offset: int, timestamp: int, unreadable: Unreadable) -> None:
        """Add one record, at the first of the offsets, for all that cannot be read."""
        self.unreadable[len(self.keys)] = unreadable
        self.append(offset, timestamp, None, UNREADABLE)

    def mark(self) -> tuple[int, int, int, int, int]:
        """Where the columns end now, for `back_to`."""
        scattered = -1 if self._scattered is None else len(self._scattered)
        return len(self.offsets), self.size, self._first, self._next, scattered

    def back_to(self, mark: tuple[int, int, int, int, int]) -> None:
        """Forget all that was added since `mark`, in whole or in part."""
        count, self.size, self._first, self._next, scattered = mark
        del self.keys[count:], self.values[count:], self.timestamps[count:]
        self.headers = {at: headers for at, headers in self.headers.items() if at < count}
        self._scattered = None if scattered < 0 or self._scattered is None else self._scattered[:scattered]


class Reader:
    """Reads the records of a batch, some at a time.

    Args:
        data: has them from `start` up to `end`, not compressed. count: how many they are.
        offset, timestamp: of the batch, to which theirs are relative.
        appended: when the broker appended the batch, where that is to be their timestamp; else None.
        following: the offset after the batch; its records have ascending ones from `offset` up to there.
    """

    def __init__(
        self,
        data: bytes,
        start: int,
        end: int,
        count: int,
        offset: int,
        timestamp: int,
        appended: int | None,
        following: int,
    ) -> None:
        self._data = data
        self._at: i64 = start
        self._end: i64 = end
        self._left: i64 = count
        self._offset: i64 = offset
        self._timestamp: i64 = timestamp
        self._appended = appended
        self._lowest: i64 = offset
        self._following: i64 = following

    def read(self, columns: RecordColumns, wanted: int, room: int) -> int:
        """Add the next records, `room` at most, of offsets from `wanted` on; returns the offset after the last read.

        Once none are left, it is `wanted`. Raises aiokafka's CorruptRecordException for what is not such records; then
        nothing is added, and what comes before the fault can still be read with less room.
        """
        before = columns.mark()
        try:
            return int(self._read(columns, wanted, room))
        except (UnfitError, IndexError, UnicodeDecodeError):
            columns.back_to(before)
            raise CorruptRecordException("a record that is longer than it says, or than its batch") from None

    def _read(self, columns: RecordColumns, wanted: i64, room: i64) -> i64:
        data, at, left, lowest = self._data, self._at, self._left, self._lowest
        keys, values, timestamps = columns.keys, columns.values, columns.timestamps
        size: i64 = 0
        run: i64 = 0  # records so far without a gap
        while left > 0 and room > 0:
            left -= 1
            length, at = read_long(data, at)
            end = at + length
            if end > self._end:
                raise IndexError
            timestamp, at = read_long(data, at + 1)  # behind attributes, of which none is in use
            offset, at = read_long(data, at)
            offset += self._offset
            if offset < lowest or offset >= self._following:
                raise IndexError
            lowest = offset + 1
            if offset < wanted:  # the fetch began in the midst of the batch
                at = end
                continue
            if offset > wanted:
                if run:
                    columns.follow(wanted - run, run)
                run = 0
            run += 1
            wanted = offset + 1
            room -= 1
            length, at = read_long(data, at)
            if length < 0:
                keys.append(None)
            else:
                keys.append(_slice(data, at, length, end))
                at += length
                size += length
            length, at = read_long(data, at)
            if length < 0:
                values.append(None)
            else:
                values.append(_slice(data, at, length, end))
                at += length
                size += length
            timestamps.append(self._timestamp + timestamp if self._appended is None else self._appended)
            count, at = read_long(data, at)
            if count > 0:
                headers, at = _headers(data, at, count, end)
                columns.headers[len(keys) - 1] = headers
            if at != end:
                raise IndexError
        if not left and at != self._end:
            raise IndexError
        if run:
            columns.follow(wanted - run, run)
        self._at, self._left, self._lowest = at, left, lowest
        columns.size += size
        return wanted


def _headers(data: bytes, at: i64, count: i64, end: i64) -> tuple[list[Header], i64]:
    """The next `count` headers from a place on, and the place behind them."""
    headers: list[Header] = []
    for _ in range(count):
        length, at = read_long(data, at)
        name = _slice(data, at, length, end).decode("utf-8", "replace")  # as Kafka's own clients
        at += length
        length, at = read_long(data, at)
        if length < 0:
            headers.append((name, b""))
        else:
            headers.append((name, _slice(data, at, length, end)))
            at += length
    return headers, at


def _slice(data: bytes, at: i64, length: i64, end: i64) -> bytes:
    """The bytes at a place, which must end where the record does, or before."""
    if length < 0 or length > end - at:
        raise IndexError
    return data[at : at + length]
