"""Take values out of bytes that are kept whole, a dead letter's key and payload, and change nothing else. Pure.

Each value becomes as many asterisks as it has octets: lengths stay, so an Avro datum of any schema and a line of JSON
can still be read. Asterisks are nobody (streams.model.normal), so such a letter, sent again, names nobody by them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from streams.model.patterns import avro

SHORT = 4
"""Octets up to which a value is looked for only where it is a whole string: `ab` stands in many others."""
LONG = 1_000
"""Octets up to which a value is looked for with any of its characters escaped."""


def masked(data: bytes, values: Iterable[str]) -> bytes:
    """The bytes with these values masked wherever they stand, in whatever case, in Avro, JSON or plain."""
    wholes: set[bytes] = set()
    parts: list[bytes] = []
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
            for one in (text, value):
                wholes |= {avro(one), json.dumps(one).encode(), json.dumps(one, ensure_ascii=False).encode()}
    if parts:
        parts.sort(key=len, reverse=True)
        data = re.sub(b"|".join(parts), lambda match: b"*" * len(match[0]), data, flags=re.IGNORECASE)
    for whole in wholes:
        quoted = whole[:1] == b'"'
        kept = whole[:1] + b"*" * (len(whole) - 1 - quoted) + whole[-1:] * quoted
        data = data.replace(whole, kept)
    return data


def _escapable(text: str) -> bytes:
    """A pattern of a text in UTF-8 and in JSON, where any character may be escaped: some writers escape + and @."""
    return b"".join(b"(?:%b)" % b"|".join(map(re.escape, [*_escapes(c), c.encode()])) for c in text)


def _escapes(character: str) -> list[bytes]:
    """The ways in which JSON may escape a character."""
    pairs = character.encode("utf-16-be")
    unit = b"".join(b"\\u%02x%02x" % (pairs[i], pairs[i + 1]) for i in range(0, len(pairs), 2))
    short = json.dumps(character)[1:-1].encode()
    return [unit, short] if len(short) == 2 else [unit, b"\\/"] if character == "/" else [unit]
