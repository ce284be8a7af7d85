"""Ratings written in a text: "8/10", "4 out of 5", "٤ من ٥", "10 üzerinden 2", stars drawn as symbols. Pure.

Ratings in words ("one star", "beş yıldız") are phrases of the lexicons.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from streams.text.normalise import Token

FULL = 6.0
"""The valence of the best rating; that of the worst is as far below 0."""
_STARS = "★☆⭐🌟"
_OF = r"(?:/|out of|of|über|von|من|على|عن|dari|dr|out|daripada|per|sur|میں سے|me se|mein se)"
_SAID = (
    "would|for|from|me|but|and|overall|because|recommend|will|great|excellent|worst|best|thank|dari|karena|untuk|buat"
    "|banget|veriyorum|verdim|verirdim|veririm|puan|ama|tavsiye|çünkü|دیتا|دیتی|دوں|دیے|ہے|میری|لكن|بس|الصراحة|شكرا|dunga"
    "|deta|deti"
)
"""Words that may follow a rating; before others a fraction counts something ("1/10 of", "9/10 guests", "1/10 May")."""
_MARK = re.compile(  # the lookbehind comes after the first digit, so that other characters cost one comparison
    rf"(\d(?<![\d/.,:\-]\d)\d{{0,2}}(?:[.,]\d)?)\s?{_OF}\s?(5|10|100|٥|١٠|١٠٠|۵|۱۰|۱۰۰)(?![\d/]|[.,:\-]\d|\s?[:%]|[^\W\d]"
    rf"|\s(?!(?:{_SAID})\b)[^\W\d])",
    re.IGNORECASE,
)
_MARK_AFTER = re.compile(
    r"(?<![\d/.,:\-])(5|10|100)\s?(?:üzerinden|uzerinden)\s?(\d{1,3}(?:[.,]\d)?)(?![\d/]|[.,:]\d)", re.I
)
_BEST = ("5", "10", "٥", "١٠", "۵", "۱۰")
"""Matches in every text that has a rating out of something."""
_DRAWN = re.compile(f"[{_STARS}][{_STARS} ]*")
_UNITS = r"\s?(?:stars?\b|bintang\b|yıldız|yildiz|نجوم|نجمات|نجمة|ستارے|اسٹار|⭐|★)"
_COUNT = re.compile(rf"\d{_UNITS}", re.IGNORECASE)
_COUNTED = re.compile(
    r"(?:^|\b(?:give|gives|gave|giving|rate|rated|rating|deserves?|kasih|beri|memberi|veriyorum|verdim|اعطي|أعطي|أعطيهم|اعطيهم)\b"
    rf"[^.!?\d]{{0,24}})\s*(\d(?:[.,]\d)?){_UNITS}"
    r"(?!\s+(?:hotel|resort|otel|فندق|ہوٹل))",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:\b(?:on|by|until|from|since|before|after|dated?|tanggal|tgl|tarih\w*|room|gate|flight|kamar|oda|seat|page|part|day|bus)"
    r"|يوم|بتاريخ|تاريخ|غرفة|صفحة|کمرہ|تاریخ)\s*$",
    re.IGNORECASE,
)


def valence(share: float) -> float:
    """The valence of a rating, given as a share of the best one."""
    return (2.0 * min(1.0, max(0.0, share)) - 1.0) * FULL


def ratings(text: str, tokens: Sequence[Token]) -> list[tuple[int, int, float]]:
    """(start, end, valence) of each rating in a text, given its tokens."""
    kinds = [kind for kind, _, _ in tokens]
    stars = sum(token in _STARS for kind, token, _ in tokens if kind == "emoji") if "emoji" in kinds else 0
    if not stars and "number" not in kinds:
        return []
    words = kinds.count("word")
    found: list[tuple[int, int, float]] = []
    if stars:
        for drawn in _DRAWN.finditer(text):
            marks = drawn[0].replace(" ", "")
            if "☆" in marks or 3 <= len(marks) <= 5 or (not words and stars == len(marks) <= 5):
                full = len(marks) - marks.count("☆")
                scale = 5 if len(marks) <= 5 else len(marks)
                found.append((drawn.start(), drawn.end(), valence((full - 1) / (scale - 1) if full else 0.0)))
    if "number" not in kinds:
        return found
    if any(best in text for best in _BEST):
        for match in _MARK.finditer(text):
            _add(found, text, match, match[1], match[2])
        if "zer" in text.lower():
            for match in _MARK_AFTER.finditer(text):
                _add(found, text, match, match[2], match[1])
    for match in _COUNTED.finditer(text) if _COUNT.search(text) else ():
        if words <= 3 or match.start(1) > match.start():
            given = _number(match[1])
            if given <= 5:
                found.append((match.start(), match.end(), valence((given - 1) / 4 if given else 0.0)))
    return found


def _add(found: list[tuple[int, int, float]], text: str, match: re.Match[str], given: str, scale: str) -> None:
    best, mark = _number(scale), _number(given)
    if mark > best or (best == 5 and mark == 0 and "/" not in match[0]) or _DATE.search(text[: match.start()]):
        return
    least = 1.0 if best == 5 else 0.0
    found.append((match.start(), match.end(), valence((max(mark, least) - least) / (best - least))))


def _number(text: str) -> float:
    """The number; Python reads Arabic and Persian digits as well."""
    return float(text.replace(",", "."))
