"""Whether identifiers and short fields may stay as they are written: from their octets, cheap where compiled.

Nearly all may. The others are only marked as to be looked at (streams.enrich.clean). Short fields repeat their values:
hotels, agents, dates. Values that scrubbing has left unchanged are remembered, octet by octet, because scrubbing a text
takes ten times as long as looking it up.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from schemas.spans import Text
from streams.enrich.clean import scrub_attribute
from streams.enrich.validate import NAME_LIMIT_BYTES
from streams.model.brands import Scopes
from streams.model.identifiers import CUSTOMER, kind_of
from streams.model.normal import CLEAR_KINDS, HASHED, Nobody, in_clear, normal, normal_pair, shows
from streams.text.scrub import scrub_text

_PLAIN: Final = 0
_HASH: Final = 1
_STRANGE: Final = 2
_CUSTOMER: Final = 3
"""Kinds: a value is seen at once to be in order, is a hash, or has to be looked at; a customer's with a colon may spell
another identifier."""
_KINDS_REMEMBERED: Final = 1000
_TEXTS_REMEMBERED: Final = 20_000
_LONGEST_REMEMBERED: Final = 64
"""Octets. With what Python keeps for each, all that is remembered is below 4 MB."""
_HASH_SIZE: Final = 64
_UUID_SIZE: Final = 36
_DIGITS_OF_A_CODE: Final = 3
"""Fewer are not even the code of a card."""
_FEW_DIGITS: Final = 5
"""At most this many digits in a field of few letters are no number of a person."""


class Names:
    """Looks at identifiers and short fields. Holds what it knows of kinds."""

    def __init__(self, nobody: Nobody, scopes: Scopes | None = None) -> None:
        """scopes: of the kinds that count within a brand; None where there is none."""
        self.nobody, self._scopes = nobody, scopes
        spelt = [word.encode() for word in nobody.words if word.isascii()]
        self._words = frozenset(spelt)
        self._longest: i64 = max(map(len, spelt))
        self._digits_in_words = any(any(48 <= octet <= 57 for octet in word) for word in spelt)
        self._hashes = frozenset(one.encode() for one in nobody.hashes)
        self._kinds: dict[bytes, int] = {}
        self._texts: set[bytes] = set()
        self._attributes: set[bytes] = set()

    def fits(self, data: bytes, kind_start: i64, kind_end: i64, start: i64, end: i64) -> bool:
        """Whether an identifier is normal, somebody's, not too long and not in clear. Raises UnicodeDecodeError."""
        if kind_end - kind_start > NAME_LIMIT_BYTES or end - start > NAME_LIMIT_BYTES:
            return False
        kind = data[kind_start:kind_end]
        known = self._kinds.get(kind, -1)
        if known < 0:
            known = self._learn(kind)
        if known == _HASH:
            return _is_hash(data, start, end) and data[start:end] not in self._hashes
        if known == _CUSTOMER and data.find(b":", start, end) < 0:
            known = _PLAIN
        if known == _PLAIN and self._is_plain(data, start, end):
            return True
        return self._fits(kind.decode(), data[start:end].decode())

    def fits_booking(self, data: bytes, start: i64, end: i64) -> bool:
        """Whether a booking reference is normal, short, a booking's and shows nobody. Raises UnicodeDecodeError."""
        if end - start > NAME_LIMIT_BYTES:
            return False
        if self._is_plain(data, start, end):
            return True
        reference = data[start:end].decode()
        return normal(reference) == reference and reference not in self.nobody and not shows(reference)

    def is_harmless(self, data: bytes, start: i64, end: i64) -> bool:
        """Whether a short field has nothing that scrubbing would change. Raises UnicodeDecodeError."""
        digits: i64 = 0
        letters: i64 = 0
        place = start
        while place < end:
            octet: i64 = data[place]
            place += 1
            if 97 <= octet <= 122 or 65 <= octet <= 90:
                letters += 1
            elif 48 <= octet <= 57:
                digits += 1
            elif octet != 45 and octet != 46 and octet != 95:  # - . _
                break
        else:
            if digits < _DIGITS_OF_A_CODE or (digits <= _FEW_DIGITS and letters < 3):
                return True
        octets = data[start:end]
        if octets in self._texts:
            return True
        text = octets.decode()
        if scrub_text(text) != text:
            return False
        _remember(self._texts, octets)
        return True

    def is_harmless_attribute(self, data: bytes, key: Text, content: Text) -> bool:
        """Whether scrubbing would leave an attribute as it is; its key stands right before its content.

        Raises UnicodeDecodeError.
        """
        if _is_wordy(data, content.start, content.end) and self.is_harmless(data, key.start, key.end):
            return True
        octets = data[key.begin : content.end]  # with the length of either: of no other pair
        if octets in self._attributes:
            return True
        pair = data[key.start : key.end].decode(), data[content.start : content.end].decode()
        if scrub_attribute(*pair) != pair:
            return False
        _remember(self._attributes, octets)
        return True

    def _learn(self, kind: bytes) -> int:
        text = kind.decode()
        known = _CUSTOMER if text == CUSTOMER else _PLAIN
        if normal_pair(text, "")[0] != text or ":" in text or text in CLEAR_KINDS or in_clear(text, "x"):
            known = _STRANGE
        if kind_of(text).endswith(HASHED) and ":" not in text and normal_pair(text, "")[0] == text:
            known = _HASH
        if not text or text in self.nobody:
            known = _STRANGE
        if self._scopes is not None and text in self._scopes.kinds:
            known = _STRANGE  # one without its brand has to be given it
        if len(self._kinds) < _KINDS_REMEMBERED:
            self._kinds[kind] = known
        return known

    def _fits(self, kind: str, value: str) -> bool:
        """What `fits` says, of any identifier."""
        return (
            normal_pair(kind, value) == (kind, value)
            and kind not in self.nobody
            and value not in self.nobody
            and not in_clear(kind, value)
            and (self._scopes is None or self._scopes.holds(kind, value))
        )

    def _is_plain(self, data: bytes, start: i64, end: i64) -> bool:
        """Whether a value is seen at once to be in order; an empty one is not."""
        size = end - start
        if not size or data[start] == 32 or data[end - 1] == 32:
            return False
        solid = False
        digit = False
        upper = False
        place = start
        while place < end:
            octet: i64 = data[place]
            place += 1
            if 48 <= octet <= 57:
                digit = True
                if octet != 48:
                    solid = True
            elif 97 <= octet <= 122:
                solid = True
            elif 65 <= octet <= 90:
                solid = upper = True
            elif octet < 32 or octet > 126 or octet == 64 or octet == 43 or octet == 37:  # @ + %
                return False
        if not solid or (size == _HASH_SIZE and digit) or (upper and size == _UUID_SIZE):
            return False
        if size <= self._longest and (not digit or self._digits_in_words):
            return data[start:end].lower() not in self._words
        return True


def _remember(harmless: set[bytes], octets: bytes) -> None:
    if len(octets) > _LONGEST_REMEMBERED:
        return
    if len(harmless) >= _TEXTS_REMEMBERED:
        harmless.clear()  # what comes again is soon back
    harmless.add(octets)


def _is_wordy(data: bytes, start: i64, end: i64) -> bool:
    """Whether there are only letters, - and _, and at most two digits: no number, whatever is said of it."""
    digits: i64 = 0
    place = start
    while place < end:
        octet: i64 = data[place]
        place += 1
        if 48 <= octet <= 57:
            digits += 1
        elif not (97 <= octet <= 122 or 65 <= octet <= 90 or octet == 45 or octet == 95):
            return False
    return digits < 3


def _is_hash(data: bytes, start: i64, end: i64) -> bool:
    """Whether there are 64 hexadecimal digits, in lower case."""
    if end - start != _HASH_SIZE:
        return False
    place = start
    while place < end:
        octet: i64 = data[place]
        place += 1
        if not (48 <= octet <= 57 or 97 <= octet <= 102):
            return False
    return True
