"""Patterns of a person's names in payloads and in free text, where they have no column of their own. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from schemas.numbers import varint

DISTINCT = 6
"""Characters from which a value is taken for a name wherever it stands; a shorter one only together with its kind."""


def needles(names: Iterable[str]) -> list[bytes]:
    """Byte strings of which one is in every payload, in Avro or JSON, that holds one of the names as a whole."""
    found: set[bytes] = set()
    for name in names:
        kind, _, value = name.partition(":")
        found |= {avro(name), avro(kind) + avro(value)}
        if len(value) >= DISTINCT:
            found |= {avro(value), json.dumps(value).encode(), json.dumps(value, ensure_ascii=False).encode()}
    return sorted(found)


def avro(text: str) -> bytes:
    """An Avro string: its length in bytes as a zigzag varint, then UTF-8."""
    data = text.encode()
    return varint(len(data)) + data


def expression(names: Iterable[str]) -> str:
    """A regular expression (RE2) that finds the names in a text: whole words, short values only with their kind."""
    words: set[str] = set()
    for name in names:
        value = name.partition(":")[2]
        words.add(name)
        if len(value) >= DISTINCT:
            words.add(value)
    return r"(?:^|[^\pL\pN_-])(?:" + "|".join(re.escape(word) for word in sorted(words)) + r")(?:$|[^\pL\pN_-])"
