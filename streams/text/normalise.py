"""Text into tokens, and letters into one spelling each, by script and language."""

from __future__ import annotations

import re

# Marks that carry no letter: Arabic vowel signs, tatweel, zero-width joiners, direction marks, emoji variants.
_MARKS = re.compile(
    "[\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufe0f]"
)
_EMOJI = "\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2b55\u231a\u23f0-\u23f3"
_EMOTICON = r"[:;=8][-o*']?[()\[\]dDpP/\\|3@](?!\w)|<3|</3|[dD)(][-o*']?[:;=](?!\w)|xD|XD|\^_+\^|-_+-|T_+T|:'\("
TOKEN = re.compile(
    rf"(?P<skip>https?://\S+|www\.\S+|&\w+;|\[\w+\])|(?P<mention>@\w+)|(?P<emoticon>{_EMOTICON})"
    r"|(?P<word>[^\W\d_]+(?:['’`][^\W\d_]+)*)|(?P<number>\d[\d.,:]*)"
    rf"|(?P<emoji>[{_EMOJI}])|(?P<end>[.!?؟۔…\n]+)|(?P<pause>[,;:،؛()\-–—/\"]+)"
)
_REPEAT = re.compile(r"(.)\1{2,}")

_ARABIC = str.maketrans("أإآٱىةؤئکیےگڤپچھہۃ", "اااايهويكييجفبجههه")
_URDU = str.maketrans("يىكهةۃأإٱۀ", "ییکہہہااا" + "ہ")
_TURKISH = str.maketrans("ıİşçğöüâîû", "iiscgouaiu")

_ROMAN = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(.)\1+", r"\1"),
        (r"chh?", "c"),
        (r"kh", "k"),
        (r"gh", "g"),
        (r"ph", "f"),
        (r"th", "t"),
        (r"dh", "d"),
        (r"bh", "b"),
        (r"q", "k"),
        (r"w", "v"),
        (r"ee|ea|ii|ie", "i"),
        (r"oo|ou", "u"),
        (r"ai|ay|ei|ey", "e"),
        (r"au", "o"),
        (r"(.)\1+", r"\1"),
        (r"(?<=..)h$", ""),
    )
]


def clean(text: str) -> str:
    """The text without marks that carry no letter."""
    return text if text.isascii() else _MARKS.sub("", text)


def plain(word: str) -> str:
    """Lower case, one kind of apostrophe, letters repeated three times or more written once ("soooo": "so")."""
    word = word.lower().replace("’", "'").replace("`", "'").replace("i̇", "i")
    return _REPEAT.sub(r"\1", word) if len(word) > 3 else word


def arabic(word: str) -> str:
    """One spelling for hamza seats, alif maqsura, ta marbuta and Persian letter shapes."""
    return plain(word).translate(_ARABIC)


def urdu(word: str) -> str:
    """Arabic letter shapes as Urdu writes them."""
    return plain(word).translate(_URDU)


def turkish(word: str) -> str:
    """Letters without their diacritics, as many people type them; what follows an apostrophe is a suffix and goes."""
    word = word.replace("I", "ı").replace("İ", "i")
    return plain(word).split("'", 1)[0].translate(_TURKISH)


def roman_urdu(word: str) -> str:
    """A sound key for Urdu in Latin letters, whose spelling is free: "achha", "acha" and "accha" are one."""
    word = plain(word)
    for pattern, replacement in _ROMAN:
        word = pattern.sub(replacement, word)
    return word
