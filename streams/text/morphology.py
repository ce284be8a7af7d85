"""Which dictionary forms a written word may stand for, and whether its own affixes negate them.

Each function takes a normalised word and the forms that the lexicon knows, and gives (form, negated) pairs, the
likeliest first. They may over-generate: a form counts only when the lexicon has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator

Forms = Iterator[tuple[str, bool]]


def _set(affixes: str) -> frozenset[str]:
    return frozenset(affixes.split())


def english(word: str, known: Container[str]) -> Forms:
    yield word, False
    if word.endswith("'s"):
        word = word[:-2]
        yield word, False
    if word.endswith("in'"):
        yield word[:-1] + "g", False
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        yield word[:-1], False
        if word.endswith("es"):
            yield word[:-2], False
        if word.endswith("ies"):
            yield word[:-3] + "y", False
    for ending in ("ed", "ing", "ly"):
        if len(word) > len(ending) + 3 and word.endswith(ending):
            stem = word[: -len(ending)]
            yield stem, False
            if ending != "ly":
                yield stem + "e", False
            if stem[-1] == stem[-2]:
                yield stem[:-1], False
            if stem.endswith("i"):
                yield stem[:-1] + "y", False


_AR_PREFIXES = _set("وال بال فال كال هال عال ولل لل ال وب ول وي وت و ف ب ل ك س ه ي ت ن ا بي بت هي هت سي ست م مت")
_AR_SUFFIXES = _set(
    "ه ها هم هن كم ك نا ي ين ون ات ان تين يه ا وا ت تم ني وني تها ته تهم تني اته اتهم اتها تنا يين يات و تي اني نه"
)


def arabic(word: str, known: Container[str]) -> Forms:
    yield word, False
    yield from _arabic_affixes(word, False, known)
    if len(word) > 4 and word[-1] == "ش" and word[0] == "م":  # Egyptian and Levantine circumfix: ma- ... -sh
        for core in (word[2:-1], word[1:-1]) if word[1] == "ا" else (word[1:-1],):
            yield core, True
            yield from _arabic_affixes(core, True, known)


def _arabic_affixes(word: str, negated: bool, known: Container[str]) -> Forms:
    length = len(word)
    if length < 4:
        return
    bases = [word]
    for cut in range(1, min(4, length - 2)):
        if word[:cut] in _AR_PREFIXES:
            bases.append(word[cut:])
            yield word[cut:], negated
    for base in bases:
        length = len(base)
        for cut in range(length - 1, max(2, length - 5), -1):
            if base[cut:] in _AR_SUFFIXES:
                stem = base[:cut]
                if stem in known:
                    yield stem, negated
                if stem + "ه" in known:
                    yield stem + "ه", negated


_TR_NOMINAL = re.compile(
    r"(?:l[ae]r|y?[iu]z|[iu]m[iu]z|[iu]n[iu]z|m[iu]z|n[iu]z|[iu]m|[iu]n|m|n|[sy]?[iu]|[yn]?[ae]|n?[dt][ae]n?|y?l[ae]|c[ae]|c[iu]"
    r"|l[iu][kg]|l[iu]|s[iu]z|ki|[dt][iu]r|y?[dt][iu]k?|y?m[iu]s|y?s[ae]|y?ken|l[ae]s|k|yor)+"
)
_TR_WITHOUT = re.compile(r"(?:l[iu][kg])?s[iu]z")
_TR_VERBAL = re.compile(
    r"(?:[iu]l|[iu]n|[iu]?t|[dt][iu]r|[iu]s|n|l)?"  # voice
    r"(?:y?[ae])?(?:m[ae])?"  # ability, negation
    r"(?:m[iu]yor|[iu]?yor|y?[ae]ca[kg]|y?ece[kg]|[dt][iu]|m[iu]s|[iu]r|[ae]r|z|r|m[ae][kg]?|y?[iu]p|y?[ae]r[ae]k|y?[ae]n"
    r"|y?[iu]nc[ae]|[dt][iu][kg]|s[ae]|m|y?[iu]s|y?[iu]|y?[ae]|g[iu]|k|[iu]m)?"  # tense, or a verbal noun
    r"(?:l[ae]r|[iu]m|[iu]z|[iu]n|m|n|k|s[iu]n|[sy]?[iu]|[dt][iu]r|[dt][iu]|m[iu]s|n?[dt][ae]n?|[yn]?[ae]|ken|s[ae]"
    r"|y?l[ae]|c[ae]|l[iu])*"  # person, case
)
_TR_SOFT = {"g": "k", "d": "t", "b": "p"}
_TR_NEGATIVE_PLACE = re.compile(r"m(?:[ae]|[iu]yor)")
_TR_NEGATIVE = re.compile(
    r"(?:[iu]l|[iu]n|[iu]?t|[dt][iu]r|[iu]s)?(?:y?[ae])?m"
    r"(?:[ae](?:d[iu]|z|m|y[ae](?:n|c|r)|y[iu]n|y[iu]p|m[iu]s|s[iu]n(?:l[ae]r)?$)|[iu]yor)"
)
"""Not the bare -me: as often it makes a noun ("konuşma", talk) as it forbids; and -mekten is an infinitive."""


def turkish(word: str, known: Container[str]) -> Forms:
    """Forms that end in "-" are verb stems. Only known forms are given, for the suffixes cost most to check."""
    yield word, False
    for cut in range(len(word), 1, -1):
        stem, rest = word[:cut], word[cut:]
        if stem + "-" in known and _TR_VERBAL.fullmatch(rest):
            yield stem + "-", bool(_TR_NEGATIVE.match(rest))
        if rest and cut > 2 and stem in known and _TR_NOMINAL.fullmatch(rest):
            yield stem, bool(_TR_WITHOUT.match(rest))
        if rest.startswith(("iyor", "uyor")):  # a final e or a of the stem is lost: bekle-, bekliyor
            for vowel in "ea":
                if stem + vowel + "-" in known:
                    yield stem + vowel + "-", False
        softened = _TR_SOFT.get(stem[-1])
        if rest and cut > 2 and softened and stem[:-1] + softened in known and _TR_NOMINAL.fullmatch(rest):
            yield stem[:-1] + softened, bool(_TR_WITHOUT.match(rest))


def turkish_negative_verb(word: str) -> bool:
    """Whether this looks like a negated verb of any stem ("olmadı", "gelmiyor")."""
    for match in _TR_NEGATIVE_PLACE.finditer(word, 2):
        for cut in range(max(2, match.start() - 3), match.start() + 1):
            if _TR_NEGATIVE.match(word[cut:]) and _TR_VERBAL.fullmatch(word[cut:]):
                return True
    return False


_FR_FEMININE = (
    ("elle", "el"),
    ("enne", "en"),
    ("onne", "on"),
    ("euse", "eux"),
    ("ive", "if"),
    ("ere", "er"),
    ("e", ""),
)


def french(word: str, known: Container[str]) -> Forms:
    """Plural and feminine lead to the masculine, adverbs to their adjective."""
    yield word, False
    if len(word) < 4:
        return
    for ending in ("ement", "ment"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            yield word[: -len(ending)], False
    singular = word[:-1] if word[-1] in "sx" else word
    if singular != word:
        yield singular, False
    for feminine, masculine in _FR_FEMININE:
        if singular.endswith(feminine) and len(singular) > len(feminine) + 2:
            yield singular[: -len(feminine)] + masculine, False


def german(word: str, known: Container[str]) -> Forms:
    """Endings of case, number and comparison."""
    yield word, False
    for ending in ("eren", "erer", "eres", "ere", "sten", "ste", "en", "er", "es", "em", "e", "n", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            yield word[: -len(ending)], False


def urdu(word: str, known: Container[str]) -> Forms:
    yield word, False
    if len(word) > 3:
        if word[-1] in "ےی":
            yield word[:-1] + "ا", False
            yield word[:-1] + "ہ", False
        for ending in ("وں", "یں", "یاں", "ات", "ے", "ی", "ا", "ہ", "نے", "نا", "تا", "تے", "تی"):
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                yield word[: -len(ending)], False


def roman_urdu(word: str, known: Container[str]) -> Forms:
    yield word, False
    if len(word) > 2 and word[-1] in "ie":
        yield word[:-1] + "a", False
    for ending in ("on", "en", "in", "i", "e", "a"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            yield word[: -len(ending)], False


_ID_ENDINGS = ["nya", "lah", "kah", "pun", "ku", "mu", "kan", "an", "i", "in", "la", "x"]
_ID_HEADS = [
    "ter",
    "ber",
    "me",
    "di",
    "se",
    "ke",
    "pe",
    "men",
    "mem",
    "meng",
    "meny",
    "nge",
    "ng",
    "peng",
    "pen",
    "pem",
]


def indonesian(word: str, known: Container[str]) -> Forms:
    yield word, False
    bases = [word]
    for ending in _ID_ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            bases.append(word[: -len(ending)])
            yield bases[-1], False
    for base in bases:
        for head in _ID_HEADS:
            if base.startswith(head) and len(base) - len(head) >= 4:
                yield base[len(head) :], False


FORMS: dict[str, Callable[[str, Container[str]], Forms]] = {
    "en": english,
    "ar": arabic,
    "de": german,
    "fr": french,
    "id": indonesian,
    "ms": indonesian,
    "tr": turkish,
    "ur": urdu,
    "ur-Latn": roman_urdu,
}
