"""Scrub free text of payment card numbers, e-mail addresses and phone numbers before it is scored, sent or stored.

`scrub_text` replaces them by `[card]`, `[email]` and `[phone]`. Digits may be of any script (ASCII, Arabic, Persian).

- Card: 13 to 19 digits (ISO/IEC 7812), however separated, whose Luhn check digit (ISO/IEC 7812-1 annex B) is right.
- Phone: international (`+` or `00`, 8 to 15 digits, E.164), local with its trunk `0` (9 to 13 digits), North American
  (3-3-4), the mobile prefixes of our markets without a plus, and any 7 to 15 digits after a word such as "WhatsApp".
- Left alone: dates, times, prices, UUIDs, flight numbers, and what follows a word such as "booking" or "PNR" and is no
  card. One e-ticket number in ten is Luhn-valid by chance and goes too: losing it costs less than keeping a card.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

CARD, EMAIL, PHONE = "[card]", "[email]", "[phone]"

_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)\d\d"
_DATE = rf"(?:{_YEAR}[-/.]{_MONTH}[-/.]{_DAY}|{_DAY}[-/.]{_MONTH}[-/.]{_YEAR}|{_MONTH}/{_DAY}/{_YEAR})"
_DATES = rf"{_DATE}(?:[ ]?(?:-|–|/)[ ]?{_DATE})?(?![-.]?\d)"
_TIME = r"(?:[01]?\d|2[0-3])[.:][0-5]\d"
_TIMES = rf"{_TIME}(?:[ ]?[-–][ ]?{_TIME})?(?![-.]?\d)"
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

_LOCAL = 127
"""Characters that are looked at before the last one of an e-mail's local part, which has 64 bytes at most (RFC 5321,
4.5.3.1.1): without a bound, a word of 64 KiB would take a minute."""

# One pass over the text; at each place the first alternative that fits wins, so that a date is never read as a number.
_TOKEN = re.compile(
    rf"(?P<email>[\w.%+'-]{{0,{_LOCAL}}}[\w%+]@[\w-]+(?:\.[\w-]+)+)"
    rf"|(?P<keep>(?<![\w-]){_UUID}(?![\w-])|(?<![\d.+-])(?:{_DATES}|{_TIMES}))"
    r"|(?P<run>(?<!\d)(?:\+[ ]?)?\(?\d(?:[ \t\u00a0.()\-\u2010-\u2013]{0,3}\d)*)"
)
_GROUP = re.compile(r"\d+")
_DIGITS = re.compile(r"\d(?:\D{0,3}\d){6}")

_REFERENCE = re.compile(
    r"(?:booking|reservation|confirmation|reference|ref|pnr|e-?ticket|ticket|order|invoice|voucher|itinerary|flight|"
    r"kode|tiket|pesanan|tempahan|rujukan|rezervasyon|bilet|pnr|حجز|الحجز|تذكرة|التذكرة|مرجع|بکنگ|ٹکٹ)"
    r"(?:\s+(?:booking|pemesanan|reservasi|number|no|nr|id|ref|code|kodu|numarası|numaram|رقم|نمبر))?\W{0,3}$",
    re.IGNORECASE,
)
_CALL = re.compile(
    r"(?:phone|tel|telp|telepon|telefon|telefonum|mobile|cell|call|text|fax|sms|whats\s?app|wa|wa\.me/|hp|hubungi|nombor|"
    r"gsm|cep|ara|arayın|جوال|الجوال|جوالي|هاتف|الهاتف|موبايل|واتس|واتساب|تليفون|اتصل|اتصلوا|فون|موبائل|رابطہ)"
    r"(?:\s+(?:me|us|at|on|no|nr|number|nomor|numarası|numaram|ke|di|saya|رقم|على|نمبر|پر))*\W{0,3}$",
    re.IGNORECASE,
)
# Mobile numbers written with the country code but no plus: SA, AE, JO, KW, QA, OM, BH, ID, MY, TR, PK, EG.
_MOBILE = re.compile(
    r"9665\d{8}|9715\d{8}|9627\d{8}|965[569]\d{7}|974[3567]\d{7}|968[79]\d{7}|973[36]\d{7}"
    r"|628\d{8,11}|601\d{8,9}|905\d{9}|923\d{9}|201\d{9}"
)


def luhn(digits: str) -> bool:
    """Whether the last of these ASCII digits is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = ord(digit) - 48
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def _ascii(digits: str) -> str:
    return digits if digits.isascii() else "".join(str(unicodedata.digit(character, 0)) for character in digits)


def _card(groups: list[str], first: int) -> int:
    """How many groups from `first` on are a card number; 0: none. A part of a longer run must be grouped like one."""
    found, total = 0, 0
    for count, group in enumerate(groups[first:], start=1):
        total += len(group)
        if total > 19:
            break
        whole = first == 0 and count == len(groups)
        grouped = count == 1 or (
            len(groups[first]) == 4 and all(3 <= len(g) <= 7 for g in groups[first : first + count])
        )
        if total >= 13 and (whole or grouped) and luhn("".join(groups[first : first + count])):
            found = count
    return found


def _upto(groups: list[str], first: int, enough: int, most: int, stretch: int) -> int:
    """How many groups from `first` on to take: up to `most` digits, up to `stretch` while there are not `enough`."""
    count, total = 0, 0
    for group in groups[first:]:
        if total + len(group) > (most if total >= enough else stretch):
            break
        total += len(group)
        count += 1
    return count if total >= enough else 0


def _phone(groups: list[str], gaps: list[str], first: int, plus: bool, called: bool) -> int:
    """How many groups from `first` on are a phone number; 0: none. `gaps[i]` is what stands before group i."""
    head = groups[first]
    if plus or head.startswith("00"):
        digits = "".join(groups[first:])
        return _upto(groups, first, 8, 15 if plus else 17, 15) if digits.strip("0") else 0
    second = groups[first + 1] if first + 1 < len(groups) else ""
    trunk = head[0] == "0" and (len(head) > 1 or (len(second) == 3 and gaps[first + 1] != "."))
    if trunk:
        return _upto(groups, first, 9, 11, 13)
    shape = [len(group) for group in groups[first : first + 4]]
    spaced = any(mark in gap for gap in gaps[first : first + 4] for mark in "-.(")
    if shape[:3] == [3, 3, 4] and spaced:
        return 3
    if shape == [1, 3, 3, 4] and head == "1":
        return 4
    for count in range(1, min(6, len(groups) - first) + 1):
        if _MOBILE.fullmatch("".join(groups[first : first + count])):
            return count
    return _upto(groups, first, 7, 11, 15) if called else 0


def _spans(text: str, start: int, run: str) -> Iterator[tuple[int, int, str]]:
    """What to replace in a run of digits and separators that begins at `start`: (from, to, replacement)."""
    matches = list(_GROUP.finditer(run))
    groups = [_ascii(match.group()) for match in matches]
    starts = [0, *(match.end() for match in matches[:-1])]
    gaps = [run[end : match.start()] for end, match in zip(starts, matches, strict=True)]
    if sum(map(len, groups)) < 7:
        return
    before, after = text[max(0, start - 40) : start], text[start + len(run) : start + len(run) + 1]
    called, reference = bool(_CALL.search(before)), bool(_REFERENCE.search(before))
    glued = (before[-1:].isascii() and (before[-1:].isalpha() or before[-1:] in ("_", "#"))) and not called
    glued = glued or (after.isascii() and after.isalpha())
    at = 0
    while at < len(groups):
        plus = at == 0 and run[0] == "+"
        count, replacement = (0 if plus and len(groups) > 1 else _card(groups, at)), CARD
        if not count and not glued and not reference:
            count, replacement = _phone(groups, gaps, at, plus, called), PHONE
        if not count:
            at += 1
            continue
        head = matches[at].start()
        opened = 0 if at == 0 else head - (gaps[at].endswith("("))
        yield start + opened, start + matches[at + count - 1].end(), replacement
        at += count


def _replace(match: re.Match[str]) -> str:
    if match["email"] is not None:
        return EMAIL
    run: str | None = match["run"]
    if run is None:
        return match.group()
    text, start, pieces, at = match.string, match.start(), [], match.start()
    for begin, end, replacement in _spans(text, start, run):
        pieces += [text[at:begin], replacement]
        at = end
    return "".join(pieces) + text[at : match.end()]


def scrub_text(text: str) -> str:
    """The text with card numbers, e-mail addresses and phone numbers replaced; scrubbing it again changes nothing."""
    if "@" not in text and not _DIGITS.search(text):  # most texts; and this takes no longer where a word never ends
        return text
    while (scrubbed := _TOKEN.sub(_replace, text)) != text:
        text = scrubbed
    return text
