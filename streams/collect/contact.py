"""E-mail addresses and phone numbers as the hashes that are kept of them: nobody behind this module sees one. Pure."""

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
"""Kinds whose values are hashed here, those that say that they are hashed among them: those that are stay."""
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_INTERNATIONAL = re.compile(r"^00(?=[\s\d])")


def phone_hash(text: str, country: str | None) -> str | None:
    """SHA-256 of a number in E.164 (+966501234567); of one hashed already, that. None for what is no number.

    country: ISO 3166-1 alpha-2, of numbers without a calling code; without it they are none.
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
    """An identifier as it may be kept: kind and value, hashed where it is an address or a number; None where it is one
    of these and cannot be read. What is nobody stays as it is, for who knows what to do with it."""
    to = _hashed_as(kind)
    if to is None:
        return kind, value
    found = email_hash(value) if to == EMAIL else phone_hash(value, country)
    if found is None and normal(value) in nobody:
        return to, normal(value)
    return None if found is None else (to, found)


@lru_cache(1000)
def _hashed_as(kind: str) -> str | None:
    """The kind of the hash of what is of this kind; None where that is not hashed."""
    said = normal_kind(kind)
    return EMAIL if said in MAIL_KINDS else PHONE if said in PHONE_KINDS else None
