"""Identifiers as small whole numbers: every distinct identifier is kept once, packed, and known by a dense number.

A Python dict of strings costs some 250 bytes an identifier; this costs its packed bytes and about 20 more. The packed
form is one byte for kind and form, then the value: as text, or half as long when it is hexadecimal (hashes), or 16
bytes when it is a UUID. It is laid out in one arena; open-addressing hash tables hold the numbers. There are many
small tables instead of a large one, so that growing never stops the worker for longer than some milliseconds.
"""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter
from librt.vecs import vec
from mypy_extensions import i32, i64

from streams.identity.columns import Ints, Longs
from streams.model.identifiers import BOOKING_PREFIX, BOOKING_REF, BUILT_IN, UNKNOWN_RANK, Kinds

BOOKING_RANK: Final = 31
"""The rank of `booking_ref:REF`, which has no strength."""

_HEADS = [bytes((head,)) for head in range((BOOKING_RANK + 1) << 2)]
_TEXT: Final = 0
_HEX: Final = 1
_UUID: Final = 2
_HEX_LENGTH: Final = 16
_UUID_LENGTH: Final = 36

_TABLES: Final = 256
_TABLE_SIZE: Final = 8
_HASH: Final = 0x7FFFFFFF
_RECENT: Final = 1 << 14
"""Number of recent identifiers that are also kept unpacked, some 2 MB: about as many as a large batch names."""


class Packing:
    """How identifiers are packed, which their kinds decide."""

    def __init__(self, kinds: Kinds) -> None:
        self._codes = {**kinds.ranks, BOOKING_REF: BOOKING_RANK}
        self._prefixes = [""] * (BOOKING_RANK + 1)
        for kind, code in kinds.ranks.items():
            self._prefixes[code] = f"{kind}:"
        self._prefixes[BOOKING_RANK] = BOOKING_PREFIX

    def pack(self, identifier: str) -> bytes:
        """One byte (kind's rank, form), then the value; of an unknown kind, the whole identifier as text."""
        kind, _, value = identifier.partition(":")
        code = self._codes.get(kind)
        if code is None:
            return _HEADS[UNKNOWN_RANK << 2 | _TEXT] + identifier.encode()
        length = len(value)
        try:
            if length == _UUID_LENGTH and value[8] == "-":
                raw = bytes.fromhex(value.replace("-", ""))
                if _uuid(raw) == value:
                    return _HEADS[code << 2 | _UUID] + raw
            elif length >= _HEX_LENGTH and not length & 1:
                raw = bytes.fromhex(value)
                if raw.hex() == value:
                    return _HEADS[code << 2 | _HEX] + raw
        except ValueError:
            pass  # not hexadecimal: text
        return _HEADS[code << 2 | _TEXT] + value.encode()

    def unpack(self, packed: bytes) -> str:
        """The identifier that `pack` packed."""
        code, form = packed[0] >> 2, packed[0] & 3
        raw = packed[1:]
        value = raw.decode() if form == _TEXT else raw.hex() if form == _HEX else _uuid(raw)
        return self._prefixes[code] + value


def _uuid(raw: bytes) -> str:
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Interner:
    """Numbers for identifiers, 0, 1, 2 ... in order of arrival. None is ever removed."""

    def __init__(self, kinds: Kinds = BUILT_IN) -> None:
        self._packing = Packing(kinds)
        self._arena = BytesWriter()
        self._starts = Longs()
        self._starts.add(0)
        self._hashes = Ints()
        self._tables: list[_Table] = [_Table(_TABLE_SIZE) for _ in range(_TABLES)]
        # The recent ones, by number: a batch names an identifier several times, and its result once more.
        self._spelled: list[str] = [""] * _RECENT
        self._spelled_of: vec[i32] = vec[i32]([-1] * _RECENT)
        self._heard: vec[i32] = vec[i32]([0] * _RECENT)
        """By a hash of the identifier as spelled: its number, if it is among those."""

    def __len__(self) -> int:
        return len(self._starts) - 1

    def intern(self, identifier: str) -> i64:
        """The number of `identifier`, a new one if it has none."""
        hashed: i64 = hash(identifier)
        heard = hashed & (_RECENT - 1)
        number: int = self._heard[heard]
        place: i64 = number & (_RECENT - 1)
        if self._spelled_of[place] == number and self._spelled[place] == identifier:
            return number
        number = self._intern(self._packing.pack(identifier))
        if ":" in identifier:  # else it is spelled with one from now on
            self._heard[heard] = number
            self._spell(number, identifier)
        return number

    def _intern(self, packed: bytes) -> i64:
        hashed: i64 = hash(packed)
        table = self._tables[hashed & (_TABLES - 1)]
        hashed = hashed >> 8 & _HASH
        at = self._find(table, hashed, packed)
        if at >= 0:
            return int(table.slots[at]) - 1
        number: int = len(self._hashes)
        self._arena.write(packed)
        self._starts.add(len(self._arena))
        self._hashes.add(hashed)
        table.slots[-1 - at] = number + 1
        table.count += 1
        if 4 * table.count > 3 * table.size:
            self._grow(table)
        return number

    def number(self, identifier: str) -> i64:
        """The number of `identifier`, -1 if it has none."""
        packed = self._packing.pack(identifier)
        hashed: i64 = hash(packed)
        table = self._tables[hashed & (_TABLES - 1)]
        at = self._find(table, hashed >> 8 & _HASH, packed)
        return int(table.slots[at]) - 1 if at >= 0 else -1

    def name(self, number: i64) -> str:
        """The identifier of a number."""
        place = number & (_RECENT - 1)
        spelled: int = self._spelled_of[place]
        if spelled == number:
            return self._spelled[place]
        packed, arena = BytesWriter(), self._arena
        for at in range(self._starts.get(number), self._starts.get(number + 1)):
            packed.append(arena[at])
        name = self._packing.unpack(packed.getvalue())
        self._spell(number, name)
        return name

    def _spell(self, number: i64, name: str) -> None:
        place = number & (_RECENT - 1)
        self._spelled[place] = name
        of: int = number
        self._spelled_of[place] = of

    def rank(self, number: i64) -> i64:
        """Rank of the identifier's kind, `BOOKING_RANK` for a booking."""
        return int(self._arena[self._starts.get(number)]) >> 2

    def _find(self, table: _Table, hashed: i64, packed: bytes) -> i64:
        """The slot of an identifier in its table; if it is not there, -1 less the slot to put it."""
        slots, size = table.slots, table.size
        at = hashed % size
        while True:
            number = int(slots[at]) - 1
            if number < 0:
                return -1 - at
            if self._hashes.get(number) == hashed and self._is(number, packed):
                return at
            at += 1
            if at == size:
                at = 0

    def _is(self, number: i64, packed: bytes) -> bool:
        """Whether this is the identifier with a certain number."""
        arena, start = self._arena, self._starts.get(number)
        length: i64 = len(packed)
        if self._starts.get(number + 1) - start != length:
            return False
        return all(arena[start + at] == packed[at] for at in range(length))

    def _grow(self, table: _Table) -> None:
        """Make a table larger by half, with the same entries."""
        former = table.slots
        size = table.size + (table.size >> 1)
        slots = vec[i32]([0] * size)
        for entry in former:
            if entry:
                at = self._hashes.get(int(entry) - 1) % size
                while slots[at]:
                    at += 1
                    if at == size:
                        at = 0
                slots[at] = entry
        table.slots, table.size = slots, size


class _Table:
    """A hash table of numbers."""

    def __init__(self, size: int) -> None:
        self.slots: vec[i32] = vec[i32]([0] * size)
        """Per slot a number plus 1, or 0 for an empty one."""
        self.size: i64 = size
        self.count: i64 = 0
