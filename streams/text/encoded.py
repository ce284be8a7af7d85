"""Decodes text in machine encodings: escapes of JSON, percent-encoding, HTML's character references,
quoted-printable, and base64. Pure; time is in proportion to the text's length.

`readings` decodes them, also when nested, and says where each character stood in the original. The text itself stays as
it is: a search of a text also searches its readings (streams.text.scrub).
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterator
from typing import NamedTuple

ROUNDS = 3
"""Most nested encodings that are decoded: `&amp;#64;`, `%2540`, JSON in a string of JSON."""
SHORTEST = 8
"""Characters of the shortest run of base64 that is decoded."""

_H = "[0-9A-Fa-f]"


def _octets(mark: str, h: str) -> str:
    """A pattern of one character of UTF-8, each of its octets in hexadecimal behind a mark."""
    more = rf"{mark}[89ABab]{h}"
    return rf"{mark}[0-7]{h}|{mark}[CDcd]{h}{more}|{mark}[Ee]{h}(?:{more}){{2}}|{mark}[Ff][0-4](?:{more}){{3}}"


_PAIR = rf"\\{{1,4}}u[Dd][89ABab]{_H}{{2}}\\{{1,4}}u[Dd][C-Fc-f]{_H}{{2}}"
_ESCAPE = rf"{_PAIR}|\\{{1,4}}u{_H}{{4}}|\\{{1,4}}x{_H}{{2}}|\\{{1,4}}[/\"]"
_REFERENCE = rf"&#\d{{1,7}};?|&#[Xx]{_H}{{1,6}};?|&[A-Za-z]{{2,12}};"
_USUAL = re.compile(rf"{_ESCAPE}|{_octets('%', _H)}|{_REFERENCE}")
_QUOTED = re.compile(rf"{_ESCAPE}|{_octets('%', _H)}|{_REFERENCE}|{_octets('=', '[0-9A-F]')}|=\r?\n")
_FORM = re.compile(rf"{_ESCAPE}|{_octets('%', _H)}|{_REFERENCE}|\+")
_MAY = re.compile(rf"%{_H}{{2}}|&[#A-Za-z]|\\[ux/\"]|=[0-9A-F]{{2}}|=\r?\n")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{76}\r?\n)++[A-Za-z0-9+/]*+={0,2}+|[A-Za-z0-9+/_-]++={0,2}+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_URL_SAFE = str.maketrans("-_", "+/", "\r\n")


class Reading(NamedTuple):
    """A decoded text. starts, ends: the position of each of its characters in the original text."""

    text: str
    starts: list[int]
    ends: list[int]


def readings(text: str) -> Iterator[Reading]:
    """The readings of a text that contains machine encodings, one by one; none for other texts."""
    if not _MAY.search(text):
        return
    yield from _read(text, _USUAL, _USUAL)
    if "%" in text and "+" in text:  # a form, in which + is a space
        yield from _read(text, _FORM, _USUAL)
    if "=" in text:
        yield from _read(text, _QUOTED, _USUAL)


def _read(text: str, first: re.Pattern[str], then: re.Pattern[str]) -> Iterator[Reading]:
    starts, ends = list(range(len(text))), list(range(1, len(text) + 1))
    for turn in range(ROUNDS):
        pieces, begins, stops, at = [], list[int](), list[int](), 0
        for match in (then if turn else first).finditer(text):
            sign = _sign(match[0])
            if sign is None:
                continue
            pieces += [text[at : match.start()], sign]
            begins += starts[at : match.start()]
            stops += ends[at : match.start()]
            if sign:
                begins.append(starts[match.start()])
                stops.append(ends[match.end() - 1])
            at = match.end()
        if not pieces:
            return
        text = "".join(pieces) + text[at:]
        starts, ends = begins + starts[at:], stops + ends[at:]
        yield Reading(text, starts, ends)


def _sign(spelt: str) -> str | None:
    """The character that is encoded; empty for a continued line; None if it is no encoding."""
    mark = spelt[0]
    if mark == "+":
        return " "
    if mark == "&":
        found = html.unescape(spelt)
        return found if len(found) == 1 else None
    if mark == "\\":
        code = spelt.lstrip("\\")
        if code[0] not in "ux":
            return code
        units = [int(unit.strip("\\"), 16) for unit in code.lower().replace("x", "u").split("u")[1:]]
        if len(units) == 2:
            return chr(0x10000 + ((units[0] - 0xD800) << 10) + units[1] - 0xDC00)
        return chr(units[0])
    if spelt.endswith("\n"):
        return ""
    try:
        return bytes.fromhex(spelt.replace(mark, "")).decode()
    except UnicodeDecodeError:
        return None


def base64_texts(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, text) of each run of base64 that decodes to text."""
    for match in _BASE64.finditer(text):
        run = match[0].translate(_URL_SAFE).rstrip("=")
        if len(run) < SHORTEST or len(run) % 4 == 1:
            continue
        try:
            said = base64.b64decode(run + "=" * (-len(run) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
        if not _CONTROL.search(said):
            yield *match.span(), said
