"""What a dead letter may show of a record, or of a line of a file: all but personal data. Pure.

Asterisks replace what `streams.text.scrub` finds, one for each byte. Nothing else changes, so an Avro datum still
decodes, and JSON can still be read. Hashes and other identifiers stay, because the tables have them as well. Personal
data in clear among the identifiers is masked (streams.model.normal.secrets).

- An event that a schema reads: its texts, attributes and other fields, each by itself.
- Another payload with the header of a schema (an unknown one, or garbled): what looks like strings of Avro, then all
  that is readable.
- JSON, and any other text in UTF-8.
- Anything else (compressed, encrypted, an encoding that is not UTF-8) may hold what cannot be found: nothing is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import orjson

from schemas.numbers import UnfitError, read_long
from schemas.records import CHANNELS, fields
from schemas.registry import Registry, RegistryError
from schemas.single import UndecodableError, decode_as_written
from schemas.wire import WireError, prefix
from streams.model.mask import masked, replaced
from streams.model.normal import Nobody, secrets
from streams.model.patterns import avro
from streams.model.vocabulary import UUID
from streams.text.scrub import cover_text

LOOKED_AT = 64 * 1024
"""Characters of the longest string that is searched: no event may have a longer text. A longer one is masked whole."""
SHORTEST = 4
"""Bytes of the shortest string that is searched for without a schema."""
NUMBER = 16
"""Bytes of the longest key that is read as a number or a UUID if it is no text."""
LONGEST_KEY = 64
"""Most characters before a value that may say what it is."""

_KNOWN = frozenset(name for channel in CHANNELS for name in fields(channel))
_NAMES = ("event_id", "booking_ref", "ids")
"""Fields that identify an event and its customer."""
_NUMBERS = ("", "amount_minor", "score", "rating")
"""Fields whose numbers are not personal; the empty name stands for all fields of events."""
_UUID = re.compile(UUID)
_WORDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_READABLE_ONE = (
    rb"(?:[\t\n\r\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}"
    rb"|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
    rb")"
)
"""A character in UTF-8 that is no control character."""
_READABLE = re.compile(rb"%b{%d,}" % (_READABLE_ONE, SHORTEST))
_READABLE_AT_ALL = re.compile(rb"%b+" % _READABLE_ONE)


def cover_value(key: str, value: str) -> str:
    """A value with its personal data masked; its key says what it is (`mobile`: 91234567)."""
    said = _WORDS.sub(" ", key)[:LONGEST_KEY] + ": "
    covered = cover_text(said + value)
    return covered[len(said) :] if covered.startswith(said) else cover_text(value)


def shown_record(payload: bytes, registry: Registry) -> bytes | None:
    """What may be shown of a record's value; None: nothing can be masked safely."""
    try:
        header = prefix(payload)
    except WireError:
        return shown_text(payload)
    try:
        event = decode_as_written(payload, registry)
    except (UndecodableError, RegistryError):
        body = shown_text(payload[len(header) :])  # JSON may follow a header as well
        return _cover_binary(payload, len(header)) if body is None else header + body
    shown = masked(payload, _secrets(event))
    hits = {avro(text): avro(covered) for text, covered in _hits(event).items() if isinstance(text, str)}
    return replaced(shown, hits)


def shown_key(key: bytes | None, registry: Registry) -> bytes | None:
    """What may be shown of a record's key; None as well if nothing can be masked safely."""
    if key is None:
        return None
    shown = shown_record(key, registry)
    return key if shown is None and len(key) <= NUMBER else shown


def shown_line(line: bytes) -> bytes:
    """What may be shown of a line of a file."""
    shown = shown_text(line)
    return cover_text(line.decode("latin-1")).encode("latin-1") if shown is None else shown


def shown_text(data: bytes) -> bytes | None:
    """What may be shown of text in UTF-8, JSON or any other; None: it is none."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if _CONTROL.search(text):
        return None
    try:
        orjson.loads(data)
        said = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return cover_text(text).encode()
    if not isinstance(said, (dict, list)):
        return cover_text(text).encode()
    if isinstance(said, dict):
        text = masked(data, _secrets(said)).decode()
    hits = _hits(said)
    return _TOKEN.sub(lambda token: _covered_token(token[0], hits), text).encode() if hits else text.encode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; a repeated name has a list of all its values, not only the last one."""
    found: dict[str, Any] = {}
    several = set[str]()
    for name, value in pairs:
        if name in several:
            found[name].append(value)
        elif name in found:
            found[name] = [found[name], value]
            several.add(name)
        else:
            found[name] = value
    return found


def _covered_token(token: str, hits: dict[str | float, str]) -> str:
    """A string or number of JSON, masked where it is one of `hits`."""
    if not token.startswith('"'):
        return f'"{"*" * (len(token) - 2)}"' if _number(token) in hits else token
    text = json.loads(token, strict=False)
    covered = hits.get(text)
    if covered is None:
        return token
    return f'"{covered}"' if len(text) + 2 == len(token) else f'"{"*" * (len(token.encode()) - 2)}"'


def _number(token: str) -> float | None:
    try:
        number: float = json.loads(token)
    except ValueError:  # part of a longer match
        return None
    return number


def _hits(event: Any) -> dict[str | float, str]:
    """Every text and number in an event that holds personal data, with its masked form."""
    hits: dict[str | float, str] = {}
    for key, said in _texts(event):
        text = str(said)
        if len(text) > LOOKED_AT:
            hits[said] = "*" * len(text.encode("utf-8", "surrogatepass"))
            continue
        covered = cover_value(key, text) if key else cover_text(text)
        if covered != text:
            hits[said] = covered
    return hits


def _texts(event: Any) -> Iterator[tuple[str, str | float]]:
    """(label or nothing, text) of all texts and unknown numbers in an event, except field names."""
    rest: list[tuple[str, Any]] = [("", event)]
    if isinstance(event, dict):
        rest = [("" if name in _KNOWN else name, value) for name, value in event.items() if not _tells(name, value)]
        yield from (("", name) for name in event if name not in _KNOWN)
    while rest:
        key, value = rest.pop()
        if isinstance(value, dict):
            if {*value} == {"key", "value"} and isinstance(value["key"], str):
                rest += [("", value["key"]), (value["key"], value["value"])]
            else:
                rest += [(name, each) for name, each in value.items()]
        elif isinstance(value, list):
            rest += [(key, each) for each in value]
        elif isinstance(value, str) or (
            isinstance(value, (int, float)) and key and key not in ("amount_minor", "score", "rating")
        ):
            yield key, value


def _tells(name: str, value: Any) -> bool:
    """Whether a field identifies an event or its customer, and is shown unchanged."""
    if name == "ids":
        return True
    return name in _NAMES and isinstance(value, str) and (name != "event_id" or _UUID.search(value) is not None)


def _secrets(event: dict[str, Any]) -> list[str]:
    """Personal data in clear in identifiers or the booking reference."""
    reference = event.get("booking_ref")
    return secrets(_pairs(event.get("ids")), reference if isinstance(reference, str) else None, _nobody())


def _pairs(ids: Any) -> list[tuple[str, str]]:
    """Kind and value of entries in the place of identifiers, in any form: one instead of many, a list ..."""
    pairs = []
    for one in ids if isinstance(ids, list) else [ids]:
        said = one if isinstance(one, dict) else {"value": one}
        kind = said.get("kind")
        pairs += [(kind if isinstance(kind, str) else "", value) for value in _leaves(said.get("value"))]
    return pairs


def _leaves(value: Any) -> Iterable[str]:
    """All texts and numbers in a value of JSON, as text."""
    found, rest = [], [value]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            rest += value.values()
        elif isinstance(value, list):
            rest += value
        elif value is not None:
            found.append(str(value))
    return found


@cache
def _nobody() -> Nobody:
    return Nobody()


def _cover_binary(data: bytes, at: int) -> bytes:
    """A payload of a schema that cannot be had, masked from `at` on: what looks like strings of Avro, each by itself or
    as the value of the one in front of it, and all other readable text."""
    out, lengths, key = bytearray(data), list[int](), ""
    runs = iter([*(run.span() for run in _READABLE_AT_ALL.finditer(data, at)), (len(data), len(data))])
    _, readable = next(runs)
    while at < len(data):
        size, begin = _length(data, at)
        while readable <= begin < len(data):
            _, readable = next(runs)
        # A string goes as far as all is readable, or there is none: most places are none, and looking at a long one
        # from each place would take hours.
        fits = size >= SHORTEST and min(begin + size, len(data)) <= readable
        text = _string(data, begin, size) if fits else None
        if text is None:
            at, key = at + 1, ""
            continue
        lengths += range(at, begin)
        covered = cover_value(key, text) if 0 < len(key) <= LONGEST_KEY else cover_text(text)
        octets = covered.encode()
        out[begin : begin + len(octets)] = octets
        at, key = begin + len(octets), text
    whole = bytearray(_READABLE.sub(lambda run: cover_text(run[0].decode()).encode(), bytes(out)))
    for place in lengths:  # the length prefix of a string is not part of its text
        whole[place] = data[place]
    return bytes(whole)


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The length at a position, and where its text begins; (0, _) if there is none, or one of 128 MiB or more."""
    try:
        length, begin = read_long(data, at)
    except (UnfitError, IndexError):
        return 0, at
    return (length, begin) if 0 <= length < 1 << 27 else (0, at)


def _string(data: bytes, begin: int, size: int) -> str | None:
    """The readable text of that many bytes, or as far as the data goes. None: it is no text."""
    try:
        text = data[begin : begin + size].decode()
    except UnicodeDecodeError:
        return None
    return text if text and not _CONTROL.search(text) else None
