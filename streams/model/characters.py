"""Characters that stand for others: full-width signs, digits of all scripts, zero-width characters. Pure."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Unicode's property Default_Ignorable_Code_Point, as ranges of a regular expression: what takes no room."""

IGNORED = re.compile(f"[{IGNORABLE}]+")


_LAST_DIGIT = 0x1FBF9
"""The last decimal digit of Unicode: looking at all that comes after it would take a quarter of a second."""


@cache
def same_width() -> dict[int, int]:
    """For str.translate: full-width signs to ASCII, decimal digits of every script to 0 to 9, one by one."""
    table = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
    for code in range(128, _LAST_DIGIT + 1):
        digit = unicodedata.decimal(chr(code), None)
        if digit is not None:
            table[code] = 48 + digit
    return table


_BLANKS = (0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)
_DASHES = (*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63)
_DOTS = (0x2024, 0x3002, 0xFE52, 0xFF61, 0x066B)


@cache
def _plain() -> dict[int, int]:
    return (
        same_width()
        | dict.fromkeys(_BLANKS, 32)
        | dict.fromkeys(_DASHES, 45)
        | dict.fromkeys(_DOTS, 46)
        | {0xFE6B: 64, 0x066C: 44}
    )


_UNSEEN = re.compile(f"[{IGNORABLE}\u20e3]")


def plain(text: str) -> tuple[str, list[int] | None]:
    """A text in plain signs, for who looks for something in it, and where each of its characters stands in the text;
    None where each stands at its own place. Blanks, dashes, dots and digits of all kinds are those of ASCII; what takes
    no room, and the frames of keycaps, are left out.
    """
    if text.isascii():
        return text, None
    if not _UNSEEN.search(text):
        return text.translate(_plain()), None
    places = [place for place, character in enumerate(text) if not _UNSEEN.match(character)]
    return _UNSEEN.sub("", text).translate(_plain()), places
