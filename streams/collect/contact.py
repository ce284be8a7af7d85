"""Hashes e-mail addresses and phone numbers: no code after this module sees one in clear. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import Final

import phonenumbers

from streams.model.normal import CLEAR_KINDS, Nobody, normal, normal_kind
from streams.sources.mapping.people import email_hash

EMAIL, PHONE = "email_sha256", "phone_sha256"
MAIL_KINDS: Final = frozenset(kind for kind in CLEAR_KINDS if "mail" in kind) | {EMAIL}
PHONE_KINDS: Final = (CLEAR_KINDS - MAIL_KINDS) | {PHONE}
"""Kinds whose values are hashed here, including kinds of hashes: a value that is a hash already is left alone."""
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_INTERNATIONAL = re.compile(r"^00(?=[\s\d])")


def phone_hash(text: str, country: str | None) -> str | None:
    """SHA-256 of a phone number in E.164 (+966501234567), or the value itself if it is such a hash; None for other
    values.

    country: ISO 3166-1 alpha-2, for numbers without a calling code; without it those are not recognised.
    """
    value = normal(text)
    if _HASH.fullmatch(value):
        return value.lower()
    try:
        number = phonenumbers.parse(_INTERNATIONAL.sub("+", value.replace("(0)", "")), country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return sha256(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).encode()).hexdigest()


def hashed(kind: str, value: str, country: str | None, nobody: Nobody) -> tuple[str, str] | None:
    """An identifier as it may be stored: kind and value, hashed if it is an address or a number; None if it should be
    one and cannot be read. Placeholders for nobody ("n/a") are left for enrich to refuse."""
    to = _hashed_as(kind)
    if to is None:
        return kind, value
    found = email_hash(value) if to == EMAIL else phone_hash(value, country)
    if found is None and normal(value) in nobody:
        return to, normal(value)
    return None if found is None else (to, found)


@lru_cache(1000)
def _hashed_as(kind: str) -> str | None:
    """The kind that the hash of such a value has; None for a kind that is not hashed."""
    said = normal_kind(kind)
    return EMAIL if said in MAIL_KINDS else PHONE if said in PHONE_KINDS else None
