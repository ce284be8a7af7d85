"""Splits text into tokens, and unifies variant spellings, by script and language."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Marks that carry no letter: Arabic vowel signs, tatweel, zero-width joiners, direction marks, emoji variants.
_MARKS = re.compile(
    "[\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufe0f]"
)
_EMOJI = "\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2b55\u231a\u23f0-\u23f3"
_EMOTICON = r"[:;=8][-o*']?[()\[\]dDpP/\\|3@](?!\w)|<3|</3|[dD)(][-o*']?[:;=](?!\w)|xD|XD|\^_+\^|-_+-|T_+T|:'\("
# White space, and words that are neither a link nor an emoticon, come first: most of a text matches at once.
TOKEN = re.compile(
    r"(?! )(?:(?P<word>(?!https?://\S|www\.\S|[dD][-o*']?[:;=](?!\w)|xD|XD|T_+T)[^\W\d_]+(?:['’`][^\W\d_]+)*)"
    rf"|(?P<skip>https?://\S+|www\.\S+|&\w+;|\[\w+\])|(?P<mention>@\w+)|(?P<emoticon>{_EMOTICON})"
    r"|(?P<number>\d[\d.,:]*)"
    rf"|(?P<emoji>[{_EMOJI}])|(?P<end>[.!?؟۔…\n]+)|(?P<pause>[,;:،؛()\-–—/\"]+))"
)
_JOINED = re.compile(TOKEN.pattern.replace("(?P<word>", r"(?P<word>(?:[Ww][Ii]-[Ff][Ii]|[Aa]/[Cc])(?!\w)|", 1))
"""The same, with "wi-fi" and "a/c" as words."""
Token = tuple[str | None, str, int]
"""Its kind (a group of `TOKEN`), its text, and its start."""
_REPEAT = re.compile(r"(.)\1{2,}")

_ARABIC = str.maketrans("أإآٱىةؤئکیےگڤپچھہۃ", "اااايهويكييجفبجههه")
_URDU = str.maketrans("يىكهةۃأإٱۀ", "ییکہہہااا" + "ہ")
_TURKISH = str.maketrans("ıİşçğöüâîû", "iiscgouaiu")

_FRENCH = str.maketrans("àâäçéèêëîïôöùûüÿ", "aaaceeeeiioouuuy") | {ord("œ"): "oe", ord("æ"): "ae"}
_ELIDED = frozenset(("qu", "jusqu", "lorsqu", "puisqu"))

# Sounds of Urdu that people spell in several ways, and the one spelling of its sound key.
_SOUNDS = {
    "c": "ch chh", "k": "kh q", "g": "gh", "f": "ph", "t": "th", "d": "dh", "b": "bh", "v": "w",
    "i": "ee ea ii ie", "u": "oo ou", "e": "ai ay ei ey", "o": "au",
}  # fmt: skip
_KEY = {spelling: key for key, spellings in _SOUNDS.items() for spelling in spellings.split()}
_SOUND = re.compile("ee+|oo+|" + "|".join(sorted(_KEY, key=len, reverse=True)))
_DOUBLE = re.compile(r"(.)\1+")


def clean(text: str) -> str:
    """The text in Unicode's form NFKC, without marks that carry no letter. Arabic presentation forms (U+FB50 to FEFF,
    as old systems and PDF files write them) and letters of full width become plain letters.
    """
    if text.isascii():
        return text
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    return _MARKS.sub("", text)


def tokens(text: str) -> list[Token]:
    """The tokens of a text, in order."""
    pattern = _JOINED if "-" in text or "/" in text else TOKEN
    return [(match.lastgroup, match[0], match.start()) for match in pattern.finditer(text)]


@lru_cache(maxsize=1 << 16)
def plain(word: str) -> str:
    """Lower case, one kind of apostrophe, letters repeated three times or more written once ("soooo": "so")."""
    word = word.lower().replace("’", "'").replace("`", "'").replace("i̇", "i")
    if len(word) > 3 and len(set(word)) < len(word) - 1:
        return _REPEAT.sub(r"\1", word)
    return word


def arabic(word: str) -> str:
    """One spelling for hamza seats, alif maqsura, ta marbuta and Persian letter shapes."""
    return plain(word).translate(_ARABIC)


def urdu(word: str) -> str:
    """Arabic letter shapes as Urdu writes them."""
    return plain(word).translate(_URDU)


def turkish(word: str) -> str:
    """Letters without their diacritics, as many people type them; a suffix after an apostrophe is removed."""
    word = word.replace("I", "ı").replace("İ", "i")
    return plain(word).split("'", 1)[0].translate(_TURKISH)


def french(word: str) -> str:
    """Letters without their marks, as many people type them; an elided word is removed (l'hôtel)."""
    word = plain(word).translate(_FRENCH)
    head, mark, rest = word.partition("'")
    return rest if mark and rest and (len(head) == 1 or head in _ELIDED) else word


def roman_urdu(word: str) -> str:
    """A sound key for Urdu in Latin letters, whose spelling is free: "achha", "acha" and "accha" are one."""
    word = word.lower().replace("’", "'").replace("cch", "ch")
    word = _DOUBLE.sub(r"\1", _SOUND.sub(lambda match: _KEY[match[0][:2] if match[0][0] in "eo" else match[0]], word))
    return word[:-1] if len(word) > 2 and word[-1] == "h" else word
