"""The normal form of identifiers; which values name nobody, and which should have been hashed. Pure.

- Trimmed, in Unicode's NFC, without what takes no room (zero-width blanks, joiners, byte order marks ...).
- Full-width letters, digits and signs are their ASCII selves, and decimal digits of every script are 0 to 9: `Ｃ-７７`,
  `C-٧٧` and `C-77` are one. Case is kept, but for kinds, for SHA-256 (kinds that end in `_sha256`) and for UUIDs.
- A value of `nobody.txt` ("null", "n/a" ...), one without any letter or digit but 0, and the hash of either, is nobody.
- E-mail addresses and phone numbers come as SHA-256, 64 hexadecimal digits; in clear they are refused.
- A customer's value that is written like another identifier (`loyalty:7`, `booking_ref:R1`) is that identifier: it is
  what a customer_id looks like of somebody without a customer number, and would otherwise be two people's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from hashlib import sha256
from importlib.resources import files

from streams.model.characters import IGNORED, same_width
from streams.model.identifiers import BOOKING_REF, CUSTOMER, GROUP, KINDS, kind_of

HASHED = "_sha256"
"""Kinds that end so hold SHA-256 in hexadecimal."""

CLEAR_KINDS = frozenset(
    {
        *("email", "e-mail", "e_mail", "mail", "email_address", "emailaddress", "phone", "phone_number", "phonenumber"),
        *("telephone", "tel", "mobile", "mobile_number", "mobile_phone", "cell", "cellphone", "cell_phone", "msisdn"),
        *("whatsapp", "fax", "sms"),
    }
)
"""Kinds whose values are personal data unless they are hashed; the kinds to use are email_sha256 and phone_sha256."""

_SPELT = frozenset((*KINDS, BOOKING_REF, GROUP))
"""The kinds that a customer's value may spell."""

_ENDS = re.compile(r"^[\s\x00-\x1f\x7f-\x9f]+|[\s\x00-\x1f\x7f-\x9f]+$")
_SOLID = re.compile(r"[^\W0_]")
"""A letter, or a digit but 0."""
_HASH = re.compile(r"[0-9a-f]{64}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ADDRESS = re.compile(r"[^\s@]\s?(?:@|%40)\s?(?:[\w-]+\.)+\w{2,}")
_NUMBER = re.compile(r"(?:[A-Za-z]+:)?\+\s?\(?\d(?:[\s().\-]{0,3}\d){6,14}")


def normal(text: str) -> str:
    """A value, or a booking reference, in its normal form; normalising that again changes nothing."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", IGNORED.sub("", text).translate(same_width()))
    return _ENDS.sub("", text)


def normal_kind(kind: str) -> str:
    """A kind in its normal form."""
    return normal(normal(kind).lower())


def normal_pair(kind: str, value: str) -> tuple[str, str]:
    """An identifier's kind and value in their normal form."""
    kind, value = normal_kind(kind), normal(value)
    if kind_of(kind) == CUSTOMER != kind:  # the first colon ends the kind
        kind, value = CUSTOMER, normal(f"{kind[len(CUSTOMER) + 1 :]}:{value}")
    while kind == CUSTOMER:
        said, colon, rest = value.partition(":")
        if not colon or said not in _SPELT:
            break
        kind, value = said, normal(rest)
    if kind_of(kind).endswith(HASHED) or _UUID.fullmatch(value):
        value = value.lower()
    return kind, value


def normal_identifier(identifier: str) -> str:
    """`kind:value`, a customer_id or a booking reference as it is stored: for who looks something up.

    What stands before a colon is taken for a kind where it is one that is known.
    """
    kind, colon, value = identifier.partition(":")
    said = normal_kind(kind)
    if colon and (said in KINDS or said == BOOKING_REF or said.endswith(HASHED)):
        return ":".join(normal_pair(kind, value))
    return normal_pair("", identifier)[1]


def in_clear(kind: str, value: str) -> bool:
    """Whether a normal identifier holds an e-mail address or a phone number that is not hashed, or could.

    A handle of a social network may look like an address (`@name@server.example`): there a leading @ says what it is.
    """
    said = kind_of(kind)
    if _HASH.fullmatch(value):
        return False
    if said.endswith(HASHED) or said in CLEAR_KINDS or _ADDRESS.search(kind):
        return True
    return shows(value) and not (said == "social" and value.startswith("@"))


def shows(text: str) -> bool:
    """Whether a normal value, or booking reference, has an e-mail address in it, or is an international number."""
    return _ADDRESS.search(text) is not None or _NUMBER.fullmatch(text) is not None


def secrets(ids: Iterable[tuple[str, str]], booking_ref: str | None, nobody: Nobody) -> list[str]:
    """What of an event's (kind, value) pairs and booking reference, as written, is in clear and may not be shown."""
    found: list[str] = []
    for kind, value in ids:
        said, normalised = normal_pair(kind, value)
        if normalised and normalised not in nobody and in_clear(said, normalised):
            found += [value, kind] if shows(said) else [value]
    if booking_ref is not None and shows(normal(booking_ref)):
        found.append(booking_ref)
    return found


class Nobody:
    """Values that name nobody: those of nobody.txt, and further ones. Recognises their hashes, too."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        """more: further values, in any case."""
        lines = files(__package__).joinpath("nobody.txt").read_text("utf-8").splitlines()
        listed = [line for line in lines if line and not line.startswith("# ")]
        self.words = frozenset(normal(word).casefold() for word in (*listed, *more) if normal(word))
        spellings = {spelt for word in self.words for spelt in (word, word.upper(), word.capitalize())}
        zeros = {"", " ", "0", "00000000", "0000000000", "-", "--", "+", "@"}
        self.hashes = frozenset(sha256(text.encode()).hexdigest() for text in spellings | zeros)
        self.longest = max(map(len, self.words))
        """Characters of the longest word."""

    def __contains__(self, value: object) -> bool:
        """Whether a normal value is nobody; the empty one is."""
        assert isinstance(value, str)
        if not _SOLID.search(value) and not _marks(value):
            return True
        return (len(value) <= self.longest and value.casefold() in self.words) or value in self.hashes


def _marks(value: str) -> bool:
    """Whether a value has a sign that is neither letter, digit nor punctuation: an emoji, for example."""
    return any(unicodedata.category(character)[0] in "SM" and character not in "+<=>|~^`$" for character in value)
