"""Masks values in bytes that are otherwise kept as they are: a dead letter's key and payload. Pure.

Each value becomes as many asterisks as it has octets: lengths stay, so an Avro datum of any schema and a line of JSON
can still be read. Asterisks are nobody (streams.model.normal), so such a letter, sent again, names nobody by them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping

import polars as pl

from streams.model.patterns import avro

SHORT = 4
"""Octets up to which a value is looked for only where it is a whole string: `ab` stands in many others."""
LONG = 1_000
"""Octets up to which a value is looked for with any of its characters escaped."""
FEW = 32
"""Values that one regular expression looks for: it tries each of them at every place."""
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\Z)', re.DOTALL)


def masked(data: bytes, values: Iterable[str]) -> bytes:
    """The bytes with these values masked wherever they stand, in whatever case, in Avro, JSON or plain."""
    wholes: set[bytes] = set()
    short: set[str] = set()
    parts: list[bytes] = []
    values = [*values]
    if len(values) > FEW:
        long = {text for value in values if len((text := value.strip()).encode()) > SHORT}
        data = _of_many(data, long)
        values = [value for value in values if value.strip() not in long]
    for value in values:
        text = value.strip()
        if not text:
            continue
        octets = text.encode()
        if len(octets) > SHORT:
            plain = {octets, json.dumps(text)[1:-1].encode(), json.dumps(text, ensure_ascii=False)[1:-1].encode()}
            escaped = b"\\" in data and len(octets) <= LONG
            parts += [_escapable(text)] if escaped else [re.escape(one) for one in plain]
        else:
            short |= {text, value}
            for one in (text, value):
                wholes |= {avro(one), json.dumps(one).encode(), json.dumps(one, ensure_ascii=False).encode()}
    if parts:
        parts.sort(key=len, reverse=True)
        data = re.sub(b"|".join(parts), lambda match: b"*" * len(match[0]), data, flags=re.IGNORECASE)
    data = replaced(data, {whole: _without(whole) for whole in wholes})
    return _spelled(data, short) if short and b"\\" in data else data


def _spelled(data: bytes, values: Collection[str]) -> bytes:
    """The bytes with each string of JSON masked that is one of these values in other escapes than the usual ones."""

    def one(match: re.Match[bytes]) -> bytes:
        found = match[0]
        is_one = b"\\" in found and _read(found) in values
        return b'"' + b"*" * (len(found) - 2) + b'"' if is_one else found

    return _STRING.sub(one, data)


def _without(whole: bytes) -> bytes:
    """A short value in Avro or JSON, masked."""
    quoted = whole[:1] == b'"'
    return whole[:1] + b"*" * (len(whole) - 1 - quoted) + whole[-1:] * quoted


def replaced(data: bytes, by: Mapping[bytes, bytes], *, any_case: bool = False) -> bytes:
    """The bytes with each key replaced by its value, all in one pass: thousands of passes over what has a megabyte
    would hold up a worker for minutes. any_case: of ASCII."""
    if not by:
        return data
    some = {old.decode("latin-1"): new.decode("latin-1") for old, new in by.items()}
    olds = sorted(some, key=len, reverse=True)
    text = pl.Series([data.decode("latin-1")], dtype=pl.String)
    done = text.str.replace_many(olds, [some[old] for old in olds], ascii_case_insensitive=any_case, leftmost=True)
    return str(done[0]).encode("latin-1")


def _of_many(data: bytes, values: Iterable[str]) -> bytes:
    """The bytes with each of very many values masked; of a string of JSON with escapes that holds one, all is."""
    by = {}
    for text in values:
        for one in (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
            by[one.encode()] = b"*" * len(one.encode())
    data = replaced(data, by, any_case=True)
    places = [match.span() for match in _STRING.finditer(data) if b"\\" in match[0]]
    read = [_read(data[start:end]) for start, end in places]
    olds = sorted({text.encode().decode("latin-1") for text in values}, key=len, reverse=True)
    strings = pl.Series([one.encode("utf-8", "replace").decode("latin-1") for one in read], dtype=pl.String)
    news = strings.str.replace_many(olds, [""] * len(olds), ascii_case_insensitive=True, leftmost=True)
    whole = bytearray(data)
    for (start, end), changed in zip(places, (news != strings).to_list(), strict=True):
        if changed:
            whole[start + 1 : end - 1] = b"*" * (end - start - 2)
    return bytes(whole)


def _read(string: bytes) -> str:
    try:
        return str(json.loads(string, strict=False))
    except ValueError:  # it is no string of JSON
        return ""


def _escapable(text: str) -> bytes:
    """A pattern of a text in UTF-8 and in JSON, where any character may be escaped: some writers escape + and @."""
    return b"".join(b"(?:%b)" % b"|".join(map(re.escape, [*_escapes(c), c.encode()])) for c in text)


def _escapes(character: str) -> list[bytes]:
    """The ways in which JSON may escape a character."""
    pairs = character.encode("utf-16-be")
    unit = b"".join(b"\\u%02x%02x" % (pairs[i], pairs[i + 1]) for i in range(0, len(pairs), 2))
    short = json.dumps(character)[1:-1].encode()
    return [unit, short] if len(short) == 2 else [unit, b"\\/"] if character == "/" else [unit]
