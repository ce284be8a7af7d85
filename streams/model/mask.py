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


def masked(data: bytes, values: Iterable[str]) -> bytes:
    """The bytes with these values masked wherever they stand, in whatever case, in Avro, JSON or plain."""
    wholes: set[bytes] = set()
    parts: set[bytes] = set()
    for value in values:
        text = value.strip()
        if not text:
            continue
        octets = text.encode()
        if len(octets) > SHORT:
            parts |= {octets, json.dumps(text)[1:-1].encode(), json.dumps(text, ensure_ascii=False)[1:-1].encode()}
        else:
            for one in (text, value):
                wholes |= {avro(one), json.dumps(one).encode(), json.dumps(one, ensure_ascii=False).encode()}
    if parts:
        found = b"|".join(re.escape(part) for part in sorted(parts, key=len, reverse=True))
        data = re.sub(found, lambda match: b"*" * len(match[0]), data, flags=re.IGNORECASE)
    for whole in wholes:
        quoted = whole[:1] == b'"'
        kept = whole[:1] + b"*" * (len(whole) - 1 - quoted) + whole[-1:] * quoted
        data = data.replace(whole, kept)
    return data
