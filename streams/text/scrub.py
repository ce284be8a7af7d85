"""Scrub text of payment cards, bank accounts, e-mail addresses, phone numbers and identity documents, before it is
scored, sent or stored.

`scrub_text` replaces them by `[card]`, `[cvv]`, `[iban]`, `[email]`, `[phone]`, `[id]` and `[passport]`. Signs and
digits may be of any script and width, with zero-width characters between them, and in machine encodings (`%40`,
`\\u0040`: streams.text.encoded). docs/personal-data.md has figures for each.

- Card: 13 to 19 digits (ISO/IEC 7812), however separated, whose Luhn check digit (ISO/IEC 7812-1 annex B) is right.
- CVV: three or four digits after its name. IBAN: by length and check digits (ISO 13616).
- E-mail: as it is written, and spelt out ("a (at) b (dot) com").
- Phone: international (`+` or `00`, 8 to 15 digits, E.164), local with its trunk `0` (9 to 13 digits), North American
  (3-3-4), the mobile prefixes of our markets without a plus, and any 7 to 15 digits beside a word such as "WhatsApp".
- Identity documents: Emirates ID, CNIC, MyKad, NIK, T.C. kimlik by their form or check digits; those and any other of
  9 to 16 digits after a word such as "iqama"; passports after that word.
- Left alone: dates, times, prices, fractions, UUIDs, flight numbers, and what follows a word such as "booking" or "PNR"
  and is no card. One e-ticket number in ten is Luhn-valid by chance and goes too: losing it costs less than keeping a
  card.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

from streams.model.characters import IGNORED, plain
from streams.text.documents import GROUPED, iban_length, is_document, is_mykad, luhn
from streams.text.encoded import base64_texts, readings
from streams.text.words import Said, said, said_after

CARD, CVV, IBAN, EMAIL, PHONE, ID, PASSPORT = "[card]", "[cvv]", "[iban]", "[email]", "[phone]", "[id]", "[passport]"
HIDDEN = "[hidden]"

Span = tuple[int, int, str]
"""Start, end, and replacement."""

_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:1[345]|19|20)\d\d"
_DATE = rf"(?:{_YEAR}[-/.]{_MONTH}[-/.]{_DAY}|{_DAY}[-/.]{_MONTH}[-/.]{_YEAR}|{_MONTH}/{_DAY}/{_YEAR})"
_DATES = rf"{_DATE}(?:[ ]?(?:-|/)[ ]?{_DATE})?(?![-.]?\d)"
_TIME = r"(?:[01]?\d|2[0-3])[.:][0-5]\d"
_TIMES = rf"{_TIME}(?:[ ]?-[ ]?{_TIME})?(?![-.]?\d)"
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_FRACTION = r"\d{1,3}[.,]\d{5,10}(?![.,]?\d)"
_THOUSANDS = r"\d{1,3}(?:,\d{3})+(?:\.\d{1,2})?(?![.,]?\d)"

_LOCAL = 127
"""Most characters that are searched before the last one of an e-mail's local part, which has 64 bytes at most (RFC
5321, 4.5.3.1.1): without a bound, a word of 64 KiB would take a minute."""

_EMAIL = re.compile(
    rf"[\w.%+'-]{{0,{_LOCAL}}}[\w%+]@[\w-]+(?:\.[\w-]+)+"
    r"|[\w.+-]{1,64}[ ]@[ ]?(?:gmail|hotmail|yahoo|outlook|icloud|live|proton|protonmail|yandex|example)"
    r"(?:\.\w{2,}(?:\.\w{2,3})?|[ ]?\.[ ]?com\b)",
)
_AT = r"\s{0,2}[\[({<]\s?(?:at|@|a|et|chez|arobase|آت|ات|ایٹ)\s?[\])}>]\s{0,2}"
_DOT = r"\s{0,2}[\[({<]\s?(?:dot|\.|d|nokta|titik|point|دوت|نقطة|ڈاٹ)\s?[\])}>]\s{0,2}"
_DOT_WORD = r"\s(?:dot|nokta|titik|point|دوت|نقطة|ڈاٹ)\s"
_AT_WORD = r"\s(?:at|et|arobase|آت|ات|ایٹ)\s"
_HOST = r"[\w-]{2,63}"
_SHORT_HOST = r"\s{0,2}[\[({<]\s?(?:at|@)\s?[\])}>]\s{0,2}[\w-]\s{0,2}[\[({<]\s?dot\s?[\])}>]\s{0,2}"
"""Of one character: only between the words themselves, since (a) and (d) also number things."""
_SPELT = re.compile(
    rf"[\w.+-]{{1,64}}(?:{_DOT}[\w+-]{{1,64}})?{_AT}{_HOST}(?:(?:{_DOT}|\.|{_DOT_WORD})[\w-]{{2,63}}){{1,3}}"
    rf"|[\w.+-]{{1,64}}{_SHORT_HOST}[\w-]{{2,63}}"
    rf"|[\w.+-]{{1,64}}(?:{_DOT_WORD}[\w+-]{{1,64}})?{_AT_WORD}{_HOST}(?:(?:{_DOT_WORD}|{_DOT})[\w-]{{2,10}}){{1,3}}",
    re.IGNORECASE,
)

_CVV = re.compile(
    r"(?:\b(?:cvv|cvc|cvn|csc|cv2|cid)2?\b|security code|kode keamanan|kod keselamatan|güvenlik kodu\w*|guvenlik kodu"
    r"|code de sécurité|cryptogramme|رمز الأمان|رمز الامان|رمز التحقق|سیکیورٹی کوڈ|سی وی وی)"
    r"(?P<between>\W{1,3}(?:(?:is|code|no|number|nomor|kodu|numarası|adalah|est|de|la|carte|kartu|saya|my|of|the|card|and"
    r"|هو|للبطاقة|ہے|کوڈ|نمبر)\W{1,3}){0,4}|\W{0,3})"
    r"(?P<code>\d{3,4})(?![\d.,]?\d)",
    re.IGNORECASE,
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d\d(?:[ .\-]{0,2}[A-Za-z0-9]){11,30}")
_PASSPORT = re.compile(r"(?<![\w\[])(?:[A-Za-z]{1,2}[ -]?\d{6,9}|\d\d[A-Za-z]{2}\d{5})(?![\w-])")
_CARD = re.compile(
    r"(?<![\d])(?:\d{4}[\W_]{1,3}\d{4}[\W_]{1,3}\d{4}[\W_]{1,3}\d{1,7}(?:(?<=\d{4})[\W_]{1,3}\d{1,3})?"
    r"|3\d{3}[\W_]{1,3}\d{6}[\W_]{1,3}\d{5})(?!\d)"
)
# One pass over the numbers; at each position the first alternative that matches wins: a date is never read as a number.
_NUMBER = re.compile(
    rf"(?P<keep>(?<![\w-]){_UUID}(?![\w-])|(?<![\d.,+-])(?:{_DATES}|{_TIMES}|{_FRACTION}|{_THOUSANDS}))"
    r"|(?P<run>(?<!\d)(?:\+[ ]?)?\(?\d(?:[ \t.()\-]{0,3}\d)*)"
)
_GROUP = re.compile(r"\d+")
_DIGIT = re.compile(r"\d")
_DIGITS = re.compile(r"\d(?:\D{0,3}\d){5}")
_YEARS = re.compile(r"(?:19|20)\d\d\D+(?:19|20)\d\d\D+(?:19|20)\d\d\D+(?:19|20)\d\d")

# Mobile numbers written with the country code but no plus: SA, AE, JO, KW, QA, OM, BH, ID, MY, TR, PK, EG.
_MOBILE = re.compile(
    r"9665\d{8}|9715\d{8}|9627\d{8}|965[569]\d{7}|974[3567]\d{7}|968[79]\d{7}|973[36]\d{7}"
    r"|628\d{8,11}|601\d{8,9}|905\d{9}|923\d{9}|201\d{9}"
)


def _card(groups: list[str], first: int) -> int:
    """Number of groups from `first` on that are a card number; 0: none. Part of a longer run must be grouped like
    one."""
    found, total = 0, 0
    for count, group in enumerate(groups[first : first + 20], start=1):
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
    """Number of groups from `first` on to take: up to `most` digits, or up to `stretch` until there are `enough`."""
    count, total = 0, 0
    for group in groups[first : first + max(most, stretch)]:
        if total + len(group) > (most if total >= enough else stretch):
            break
        total += len(group)
        count += 1
    return count if total >= enough else 0


def _phone(groups: list[str], gaps: list[str], first: int, plus: bool, called: bool) -> int:
    """Number of groups from `first` on that are a phone number; 0: none. `gaps[i]` is the text before group i."""
    head = groups[first]
    if plus or head.startswith("00"):
        zero = not any(group.strip("0") for group in groups[first : first + 17])
        return 0 if zero else _upto(groups, first, 8, 15 if plus else 17, 15)
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


def _numbers(text: str, start: int, run: str) -> Iterator[Span]:
    """What to replace in a run of digits and separators that begins at `start`."""
    matches = list(_GROUP.finditer(run))
    groups = [match.group() for match in matches]
    if sum(map(len, groups)) < 7:
        return
    starts = [0, *(match.end() for match in matches[:-1])]
    gaps = [run[end : match.start()] for end, match in zip(starts, matches, strict=True)]
    before, after = text[start - 1 : start], text[start + len(run) : start + len(run) + 1]
    meant = said(text, start)
    if meant in (Said.NOTHING, Said.REFERENCE):
        follows = said_after(text, start + len(run))
        meant = follows if meant is Said.NOTHING else meant
    called = meant is Said.CALL
    glued = (before.isascii() and (before.isalpha() or before in ("_", "#"))) and not called
    glued = glued or (after.isascii() and after.isalpha())
    at = 0
    while at < len(groups):
        plus = at == 0 and run[0] == "+"
        count, marker = _document(groups, at, meant), PASSPORT if meant is Said.PASSPORT else ID
        if glued or plus:
            count = 0
        if not count:
            count, marker = (0 if plus and len(groups) > 1 else _card(groups, at)), CARD
        if not count and not glued and (plus or meant not in (Said.REFERENCE, Said.AMOUNT)):
            count, marker = _phone(groups, gaps, at, plus, called), PHONE
        if not count:
            at += 1
            continue
        head = matches[at].start()
        opened = 0 if at == 0 else head - (gaps[at].endswith("("))
        yield start + opened, start + matches[at + count - 1].end(), marker
        at += count


def _document(groups: list[str], first: int, meant: Said) -> int:
    """Number of groups from `first` on that are an identity document's number; 0: none."""
    if meant is Said.PASSPORT:
        return 1 if 7 <= len(groups[first]) <= 9 else 0
    if meant is Said.IDENTITY:
        return _upto(groups, first, 9, 16, 16)
    if meant in (Said.REFERENCE, Said.CALL, Said.AMOUNT):
        return 0
    return 1 if is_document(groups[first]) else 0


def _found(text: str, digits: bool) -> Iterator[Span]:
    """What to replace in a plain text. digits: whether there are many of them close together."""

    if "@" in text:
        spans = [(*match.span(), EMAIL) for match in _EMAIL.finditer(text)]
        yield from spans
        text = _without(text, spans)
    if _is_spelt(text):
        spans = [(*match.span(), EMAIL) for match in _SPELT.finditer(text)]
        yield from spans
        text = _without(text, spans)
    if not _DIGIT.search(text):
        return
    for finder in (_cvvs, _ibans, _passports, _cards, _grouped) if digits else (_cvvs,):
        spans = [*finder(text)]
        yield from spans
        text = _without(text, spans)
    if digits:
        for match in _NUMBER.finditer(text):
            if match["run"] is not None:
                yield from _numbers(text, match.start(), match["run"])


def _without(text: str, spans: list[Span]) -> str:
    """The text with these spans blanked, so that what was found once is not found again."""
    if not spans:
        return text
    pieces, at = [], 0
    for start, end, _ in spans:
        pieces += [text[at:start], "\0" * (end - start)]
        at = end
    return "".join(pieces) + text[at:]


def _cvvs(text: str) -> Iterator[Span]:
    for match in _CVV.finditer(text):
        yield *match.span("code"), CVV


def _ibans(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        places = [place for place in range(*match.span()) if text[place].isalnum()]
        length = iban_length("".join(text[place] for place in places).upper())
        if length:
            yield places[0], places[length - 1] + 1, IBAN


def _passports(text: str) -> Iterator[Span]:
    for match in _PASSPORT.finditer(text):
        if said(text, match.start()) is Said.PASSPORT:
            yield *match.span(), PASSPORT


def _cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        end = _card_end(match)
        if end:
            yield match.start(), end, CARD


def _grouped(text: str) -> Iterator[Span]:
    for match in GROUPED.finditer(text):
        if match["mykad"] is None or is_mykad(match["mykad"].replace("-", "")):
            yield *match.span(), ID


_PASSES = 8
"""Most passes over a text in which something was found; texts written by people need two."""
_WORD = re.compile(r"\S+")
_SIGN = re.compile(r"[\d@＠﹫]")
_HINT = re.compile(r"[\d@(\[{<＠﹫&]")
_BRACKETED = re.compile(_AT, re.IGNORECASE)


def _card_end(match: re.Match[str]) -> int:
    """End of the card's number, with its last group or without a short fifth one; 0: it is none."""
    groups = [*_GROUP.finditer(match.string, *match.span())]
    for count in (len(groups), 4) if len(groups) == 5 else (len(groups),):
        number = "".join(group.group() for group in groups[:count])
        end = groups[count - 1].end()
        if 13 <= len(number) <= 19 and luhn(number) and not _YEARS.fullmatch(match.string[match.start() : end]):
            return end
    return 0


def _is_spelt(text: str) -> bool:
    """Whether an address may be spelt out in a text."""
    if " dot " in text or " DOT " in text or " nokta " in text or " titik " in text or " point " in text:
        return True
    if not text.isascii() and (" دوت " in text or " نقطة " in text or " ڈاٹ " in text):
        return True
    return ("(" in text or "[" in text or "{" in text or "<" in text) and _BRACKETED.search(text) is not None


def _may_hold(text: str) -> tuple[bool, bool]:
    """Whether a text has to be searched, and whether it has many digits close together."""
    if _DIGITS.search(text) or (not text.isascii() and _DIGIT.search(text) and IGNORED.search(text)):
        return True, True
    if "@" in text or "＠" in text or "﹫" in text or _is_spelt(text):
        return True, False
    return _DIGIT.search(text) is not None and _CVV.search(text) is not None, False


def scrub_text(text: str) -> str:
    """The text without personal data, a marker in the place of each; scrubbing it again changes nothing. Time is
    proportional to its length, for any content."""
    # Written out, since nearly all texts go no further than this.
    if (
        not _HINT.search(text)
        and not (" dot " in text or " nokta " in text or " titik " in text or " point " in text or " DOT " in text)
        and (text.isascii() or not (" دوت " in text or " نقطة " in text or " ڈاٹ " in text))
    ):
        return text
    for _ in range(_PASSES):
        spans = _spans(text)
        if not spans:
            return text
        pieces, at = [], 0
        for start, end, marker in spans:
            pieces += [text[at:start], marker]
            at = end
        text = "".join(pieces) + text[at:]
    return _blunt(text, lambda _: HIDDEN)


def cover_text(text: str) -> str:
    """The text with personal data replaced by asterisks, one for each byte in UTF-8.

    For data that must keep its length: the payload in a dead letter.
    """
    for _ in range(_PASSES):
        spans = _spans(text)
        before, at, pieces = text, 0, list[str]()
        for start, end, _marker in spans:
            pieces += [text[at:start], _asterisks(text[start:end])]
            at = end
        text = "".join(pieces) + text[at:]
        if text == before:  # asterisks match none of the patterns
            return _cover_base64(text)
    return _blunt(_cover_base64(text), _asterisks)


def _cover_base64(text: str) -> str:
    pieces, at = [], 0
    for start, end, meant in base64_texts(text):
        if _spans(meant):
            pieces += [text[at:start], "*" * (end - start)]
            at = end
    return "".join(pieces) + text[at:]


def _asterisks(text: str) -> str:
    return "*" * len(text.encode("utf-8", "surrogatepass"))


def _blunt(text: str, cover: Callable[[str], str]) -> str:
    """The rest of a text that still has findings after all passes, with every suspicious word masked: a text that needs
    a pass for each of its thousands of parts was made to hold up the worker."""
    text = _WORD.sub(lambda word: cover(word[0]) if _SIGN.search(word[0]) else word[0], text)
    return cover(text) if _spans(text) else text


def _spans(text: str) -> list[Span]:
    """The spans of personal data in a text, as written, else in its machine encodings, in order, each with its
    marker."""
    if found := _spans_as_written(text):
        return found
    for reading in readings(text):
        if found := _spans_as_written(reading.text):
            spans, done = list[Span](), 0
            for start, end, marker in found:
                if reading.starts[start] >= done:  # two may stand in one escape
                    done = reading.ends[end - 1]
                    spans.append((reading.starts[start], done, marker))
            return spans
    return []


def _spans_as_written(text: str) -> list[Span]:
    look, digits = _may_hold(text)
    if not look:
        return []
    shown, places = plain(text)
    found = []
    for start, end, marker in sorted(_found(shown, digits)):
        if places is not None:
            start, end = places[start], places[end - 1] + 1
        while end < len(text) and _goes_with(text[end]):
            end += 1
        found.append((start, end, marker))
    return found


def _goes_with(character: str) -> bool:
    """Whether a character is part of the one before it: an accent, a keycap's frame, a zero-width character."""
    return character > "\u02ff" and (unicodedata.category(character)[0] == "M" or IGNORED.match(character) is not None)
