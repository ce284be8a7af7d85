"""What a row calls the customer, normalised as everywhere (streams.model.normal), and e-mail and phone hashed."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from hashlib import sha256

import polars as pl

from streams.model.normal import HASHED, Nobody, normal, normal_kind, normal_pair
from streams.sources.mapping.model import Identifier

_HASH = re.compile(r"[0-9a-fA-F]{64}")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_FORMATTING = re.compile(r"[\s().\-/]")
PHONE_DIGITS = (7, 15)
"""Digits that an international number has."""


@cache
def nobody() -> Nobody:
    """The values that name nobody, of streams/model/nobody.txt."""
    return Nobody()


def email_hash(text: str) -> str | None:
    """SHA-256 of an address: normal, in lower case; of one hashed already, that. None for what is no address."""
    value = normal(text).lower()
    if _HASH.fullmatch(value):
        return value
    return sha256(value.encode()).hexdigest() if _ADDRESS.fullmatch(value) else None


def phone_hash(text: str, country_code: str | None = None) -> str | None:
    """SHA-256 of a number in E.164 (+966501234567); of one hashed already, that. None for what is no number.

    country_code: of numbers that begin neither with + nor with 00; their leading 0 is left out. Without it they
    are none.
    """
    value = normal(text)
    if _HASH.fullmatch(value):
        return value.lower()
    digits = _FORMATTING.sub("", value.replace("(0)", ""))
    if digits.startswith("+"):
        digits = digits[1:]
    elif digits.startswith("00"):
        digits = digits[2:]
    elif country_code is not None:
        digits = country_code.lstrip("+") + digits.removeprefix("0")
    else:
        return None
    low, high = PHONE_DIGITS
    if not (digits.isascii() and digits.isdigit() and low <= len(digits) <= high and digits[0] != "0"):
        return None
    return sha256(f"+{digits}".encode()).hexdigest()


def is_secret(identifier: Identifier) -> bool:
    """Whether the cells of an identifier may be shown to nobody, since they are hashed here."""
    return normal_kind(identifier.kind).endswith(HASHED)


def identified(text: pl.Series, identifier: Identifier, country_code: str | None) -> pl.Series:
    """The identifier's value of each row; null where the cell is empty, nobody, or not of that kind."""
    make = _maker(identifier, country_code)
    return by_value(text, make)


def _maker(identifier: Identifier, country_code: str | None) -> Callable[[str], str | None]:
    kind = normal_kind(identifier.kind)
    code = identifier.country_code or country_code

    def make(text: str) -> str | None:
        value = normal(text)
        if value in nobody():
            return None
        value = {"lower": value.lower(), "upper": value.upper(), "keep": value}[identifier.case]
        if kind == "email_sha256":
            return email_hash(value)
        if kind == "phone_sha256":
            return phone_hash(value, code)
        said, shown = normal_pair(kind, identifier.prefix + value)
        value = shown if said == kind else normal(identifier.prefix + value)  # enrich takes it for what it spells
        if kind.endswith(HASHED) and not _HASH.fullmatch(value):
            value = sha256(value.encode()).hexdigest()
        return value

    return make


def by_value(text: pl.Series, make: Callable[[str], str | None]) -> pl.Series:
    """A function of texts over a column, called once for each different text."""
    seen = text.drop_nulls().unique()
    made = pl.Series([make(one) for one in seen], dtype=pl.String)
    return text.replace_strict(seen, made, default=None, return_dtype=pl.String)
