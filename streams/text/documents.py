"""Numbers of bank accounts and identity documents, recognised by their form and check digits. Pure.

All digits are ASCII here. Numbers without a check digit are recognised by the date of birth and the region in them, or
by the word before them (streams.text.words).
"""

from __future__ import annotations

import re

_IBAN_LENGTHS = {
    country: int(length)
    for country, length in re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22"
        "GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19"
        "MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23"
        "TN24TR26UA29VA22VG24XK20YE30",
    )
}
"""Characters of an IBAN by country (ISO 13616, SWIFT's registry)."""

_PROVINCES = frozenset(
    {*range(11, 20), 21, *range(31, 37), *range(51, 54), *range(61, 66), *range(71, 77), 81, 82, *range(91, 98)}
)
"""Codes of Indonesia's provinces."""

GROUPED = re.compile(
    r"(?<![\w-])(?:"
    r"784[ -]\d{4}[ -]\d{7}[ -]\d"  # Emirates ID
    r"|\d{5}-\d{7}-\d"  # CNIC
    r"|(?P<mykad>\d{6}-\d\d-\d{4})"
    r")(?![\w-])"
)
"""Numbers that are recognised by their grouping; MyKad by its date as well (`is_mykad`)."""


def luhn(digits: str) -> bool:
    """Whether the last of these ASCII digits is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = ord(digit) - 48
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def iban_length(text: str) -> int:
    """Length of the IBAN at the beginning of a text of capitals and digits; 0: none (ISO 7064, MOD 97-10)."""
    length = _IBAN_LENGTHS.get(text[:2], 0)
    if not length or len(text) < length:
        return 0
    moved = text[4:length] + text[:4]
    return length if int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1 else 0


def _is_date(year: int, month: int, day: int) -> bool:
    return 0 <= year <= 99 and 1 <= month <= 12 and 1 <= day <= 31


def is_mykad(digits: str) -> bool:
    """Whether twelve digits begin with a date of birth, as those of a MyKad do."""
    return len(digits) == 12 and _is_date(int(digits[:2]), int(digits[2:4]), int(digits[4:6]))


def is_nik(digits: str) -> bool:
    """Whether sixteen digits have a province and a date of birth (women's days plus 40) as Indonesia's NIK has."""
    if len(digits) != 16 or int(digits[:2]) not in _PROVINCES or digits[12:] == "0000":
        return False
    day = int(digits[6:8])
    return _is_date(int(digits[10:12]), int(digits[8:10]), day - 40 if day > 40 else day)


def is_tckn(digits: str) -> bool:
    """Whether eleven digits have the two check digits of Turkey's identity number."""
    if len(digits) != 11 or digits[0] == "0":
        return False
    d = [int(digit) for digit in digits]
    odd, even = sum(d[0:9:2]), sum(d[1:8:2])
    return (odd * 7 - even) % 10 == d[9] and sum(d[:10]) % 10 == d[10]


def is_document(digits: str) -> bool:
    """Whether a number is that of an identity document, regardless of the words before it."""
    if len(digits) == 15:
        return digits.startswith(("78419", "78420")) and luhn(digits)
    return is_tckn(digits) or is_nik(digits)
