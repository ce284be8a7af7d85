"""Identifiers as small whole numbers: every distinct identifier is kept once, packed, and known by a dense number.

A Python dict of strings costs some 250 bytes an identifier; this costs its packed bytes and about 15 more. The packed
form is one byte for kind and form, then the value: as text, or half as long when it is hexadecimal (hashes), or 16
bytes when it is a UUID. It is laid out in one arena; open-addressing hash tables hold the numbers. There are many
small tables instead of a large one, so that growing never stops the worker for longer than some milliseconds.
"""

from __future__ import annotations

from array import array

from streams.identity.identifiers import BOOKING_REF, KINDS, UNKNOWN_RANK

BOOKING_RANK = UNKNOWN_RANK + 1
"""What `Interner.rank` says of `booking_ref:REF`, which has no strength."""

_CODES = {kind: rank for rank, kind in enumerate(KINDS)} | {BOOKING_REF: BOOKING_RANK}
_HEADS = [bytes((head,)) for head in range((BOOKING_RANK + 1) << 2)]
_PREFIXES = [f"{kind}:" for kind in KINDS] + ["", f"{BOOKING_REF}:"]
_TEXT, _HEX, _UUID = range(3)
_HEX_LENGTH = 16
_UUID_LENGTH = 36

_TABLES = 256
_TABLE_SIZE = 8
_MAX_LOAD = 0.75
_GROWTH = 1.5
_RECENT = 1 << 14
"""How many of the last identifiers are kept as they were spelled, some 4 MB: about as many as a large batch names."""


def pack(identifier: str) -> bytes:
    """One byte (kind's rank, form), then the value; of an unknown kind, the whole identifier as text."""
    kind, _, value = identifier.partition(":")
    code = _CODES.get(kind)
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


def unpack(packed: bytes) -> str:
    """The identifier that `pack` packed."""
    code, form = packed[0] >> 2, packed[0] & 3
    raw = packed[1:]
    value = raw.decode() if form == _TEXT else raw.hex() if form == _HEX else _uuid(raw)
    return _PREFIXES[code] + value


def _uuid(raw: bytes) -> str:
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Interner:
    """Numbers for identifiers, 0, 1, 2 ... in order of arrival. Nothing is ever taken out."""

    def __init__(self) -> None:
        self._arena = bytearray()
        self._starts = array("Q", [0])
        self._tables = [array("I", bytes(4 * _TABLE_SIZE)) for _ in range(_TABLES)]
        self._counts = array("I", bytes(4 * _TABLES))
        # The last ones: an identifier is heard of several times in a batch, and then said what it belongs to.
        self._recent: dict[str, int] = {}
        self._spelled: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._starts) - 1

    def intern(self, identifier: str) -> int:
        """The number of `identifier`, a new one if it has none."""
        known = self._recent.get(identifier)
        if known is not None:
            return known
        if len(self._recent) >= _RECENT:
            self._recent.clear()
        number = self._recent[identifier] = self._intern(pack(identifier))
        if ":" in identifier:  # else it is spelled with one from now on
            self._spell(number, identifier)
        return number

    def _intern(self, packed: bytes) -> int:
        hashed = hash(packed)
        which = hashed & (_TABLES - 1)
        table = self._tables[which]
        at, number = self._find(table, hashed >> 8, packed)
        if number >= 0:
            return number
        starts = self._starts
        number = len(starts) - 1
        self._arena += packed
        starts.append(len(self._arena))
        table[at] = number + 1
        self._counts[which] += 1
        if self._counts[which] > _MAX_LOAD * len(table):
            self._tables[which] = self._grown(table)
        return number

    def number(self, identifier: str) -> int:
        """The number of `identifier`, -1 if it has none."""
        packed = pack(identifier)
        hashed = hash(packed)
        return self._find(self._tables[hashed & (_TABLES - 1)], hashed >> 8, packed)[1]

    def name(self, number: int) -> str:
        """The identifier of a number."""
        name = self._spelled.get(number)
        if name is None:
            starts = self._starts
            name = unpack(bytes(self._arena[starts[number] : starts[number + 1]]))
            self._spell(number, name)
        return name

    def _spell(self, number: int, name: str) -> None:
        if len(self._spelled) >= _RECENT:
            self._spelled.clear()
        self._spelled[number] = name

    def rank(self, number: int) -> int:
        """Rank of the identifier's kind, `BOOKING_RANK` for a booking."""
        return self._arena[self._starts[number]] >> 2

    def _find(self, table: array[int], hashed: int, packed: bytes) -> tuple[int, int]:
        """(slot, number) of an identifier in its table; (the slot to put it, -1) if it is not there."""
        arena, starts = self._arena, self._starts
        size, length = len(table), len(packed)
        at = hashed % size
        while entry := table[at]:
            start = starts[entry - 1]
            if starts[entry] - start == length and arena.startswith(packed, start):
                return at, entry - 1
            at += 1
            if at == size:
                at = 0
        return at, -1

    def _grown(self, table: array[int]) -> array[int]:
        """A larger table with the same entries."""
        arena, starts = self._arena, self._starts
        size = int(len(table) * _GROWTH)
        larger = array("I", bytes(4 * size))
        for entry in table:
            if entry:
                at = (hash(bytes(arena[starts[entry - 1] : starts[entry]])) >> 8) % size
                while larger[at]:
                    at = at + 1 if at + 1 < size else 0
                larger[at] = entry
        return larger
