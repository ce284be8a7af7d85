"""What must never wait in a text: danger, illness, somebody lost, a child, privacy, harassment, a threat to go public.

Patterns of a data file (lexicons/concerns.toml) in six languages, Malay with Indonesian, all looked for in every text:
people mix languages, and short texts have none that is certain. A concern is a reason to look, not a judgement: whoever
reads it decides. Offline, pure; bounded work for each character of a text.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from streams.text.normalise import clean

CONCERNS: Final = ("medical", "safety", "lost_member", "child", "privacy", "harassment", "threat")
LONGEST: Final = 8_000
"""Characters of a text that are looked at: what is urgent stands in front."""

_GAP = r"(?:[^.!?\n]{0,60}?)"
_SCRIPTS = {"latin": re.compile("[a-z]{2}"), "arabic": re.compile("[\u0621-\u064a]")}
_JOINED = "[وفبلك]{0,2}(?:ال)?[يتنا]?"
"""What Arabic joins to the front of a word: and, so, in, to, as, the; and the persons of a verb."""
_LETTERS = str.maketrans("أإآٱىیےةۃہھۂکؤئ", "اااايييهههههكوي")
_OTHERS = str.maketrans({"ı": "i", "ş": "s", "ß": "ss", "œ": "oe", "’": "'", "`": "'", "ʼ": "'"})


def plain(text: str) -> str:
    """A text in the spelling of the patterns: small letters without accents; one letter for those of Arabic and Urdu
    that people write for one another."""
    text = clean(text).replace("İ", "i").lower().translate(_OTHERS)
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text).translate(_LETTERS).translate(_OTHERS)
    if not any("ÿ" >= letter >= "à" or "ā" <= letter <= "ž" for letter in text):
        return text
    parted = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in parted if not unicodedata.combining(letter))


def concerns(text: str) -> frozenset[str]:
    """The CONCERNS that a text speaks of."""
    said = plain(text[:LONGEST])
    scripts = [script for script, letters in _SCRIPTS.items() if letters.search(said)]
    patterns = _patterns()
    return frozenset(name for name in CONCERNS if any(patterns[script, name].search(said) for script in scripts))


@cache
def _patterns() -> Mapping[tuple[str, str], re.Pattern[str]]:
    """One expression for each script and concern."""
    said = tomllib.loads(files("streams.text.lexicons").joinpath("concerns.toml").read_text("utf-8"))
    words: dict[str, dict[str, str]] = said.pop("words")
    found: dict[tuple[str, str], re.Pattern[str]] = {}
    for name in CONCERNS:
        written = [_written(one, words.get(at, {})) for at, some in said[name].items() for one in some]
        latin = [one for one in written if not _SCRIPTS["arabic"].search(one)]
        arabic = [one for one in written if _SCRIPTS["arabic"].search(one)]
        # One boundary in front of all: what is no beginning of a word costs one look.
        found["latin", name] = re.compile(rf"\b(?:{'|'.join(latin)})")
        found["arabic", name] = re.compile(rf"\b{_JOINED}(?:{'|'.join(arabic)})")
    return found


def _written(pattern: str, words: Mapping[str, str]) -> str:
    """A pattern of the file as a regular expression."""
    for name, meaning in words.items():
        pattern = pattern.replace(f"<{name}>", meaning)
    return "(?:" + plain(pattern).replace("~", _GAP) + ")"
