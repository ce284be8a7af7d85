"""Dead letters: what could not be used, with the reason. One envelope for every worker and tool."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

from schemas.records import polars_schema
from streams.metrics import package_version
from streams.model.digits import number_of

UNDECODABLE = "undecodable"
"""The reason of what no known schema decodes, and of lines that are no events."""

UNPROCESSABLE = "unprocessable"
"""The reason of what makes a worker's own code raise (streams.worker.sift)."""

TOO_LONG = "too_long"
"""The reason of what is larger than it may be, or than its topic takes."""

EXPIRED = "expired"
"""Reason of a letter about records that were deleted before they were read (streams.kafka.missed)."""

TRANSACTIONAL = "transactional"
"""Reason of a letter about a record of a transaction on the embedded broker, which cannot say whether that held."""

REASONS = (
    UNDECODABLE,
    "bad_event_id",
    "no_identifier",
    "clear_identifier",
    "bad_time",
    "bad_survey",
    "bad_money",
    "bad_country",
    TOO_LONG,
    "unstorable",
    UNPROCESSABLE,
    EXPIRED,
    TRANSACTIONAL,
)
"""The closed list of reasons."""

FILE = "file:"
"""Topic of a letter that was a line of a file begins with it; the file's path follows."""

ATTEMPTS_HEADER = "rihla-attempts"
"""Kafka header of a record that `rihla replay` sent: how often it was refused before, in ASCII digits."""


OF_A_LETTER = ("rihla-of-a-letter", b"1")
"""Kafka header of a letter about a letter. One that cannot be read gets none: there would be no end to it."""


class DeadLetter(NamedTuple):
    """A record that was refused."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    payload: bytes
    reason: str
    detail: str
    attempts: int = 1
    described: bool = False
    """Whether the detail says everything by now, as that of a letter that was cut."""


def attempts(headers: Iterable[tuple[str, bytes]]) -> int:
    """How often a record has been tried, this time included, by its Kafka headers."""
    for name, value in headers:
        if name == ATTEMPTS_HEADER and (before := number_of(value)) is not None:
            return before + 1
    return 1


_UNMASKED = re.compile(rb'[^*"]+')
KEY_BYTES = 1000
"""Of the key that a letter without payload shows."""
ENVELOPE = 200
"""Bytes of a letter besides topic, key, payload and detail, at most."""
CUT = re.compile(r" \(cut: (\d+) of (\d+) bytes of the payload and (\d+) of (\d+) of the key are here\)$")
"""How the detail of a letter ends that is too large to be kept whole."""
MASKED = " (personal data in it is masked here)"
"""In the detail of a letter in which something was masked that the record has in clear: a replay sends the record."""
DETAIL_BYTES = 2000
"""Of the detail of a letter that is cut."""


def cut_to(letter: DeadLetter, room: int) -> DeadLetter:
    """A letter that takes no more than `room` bytes, its Kafka key included: the record's, which is in it twice.

    Of one that is larger the payload is cut, and if need be the key, and its detail says so at its end.
    """
    topic, key, payload, detail = letter.topic, letter.key, letter.payload, _detail(letter)
    left = room - ENVELOPE - len(topic.encode())
    size = len(key or b"")
    if 2 * size + len(payload) + len(detail.encode()) <= left:
        return letter
    detail = detail.encode()[:DETAIL_BYTES].decode("utf-8", "ignore")
    left -= len(detail.encode()) + len(_cut(10**10, 10**10, 10**10, 10**10))
    if key is not None and 2 * size > left // 2:
        key = key[: max(left // 4, 0)]
    payload = payload[: max(left - 2 * len(key or b""), 0)]
    said = _cut(len(payload), len(letter.payload), len(key or b""), size)
    return letter._replace(key=key, payload=payload, detail=f"{detail}{said}", described=True)


def showing(letter: DeadLetter, key: bytes | None, payload: bytes | None) -> DeadLetter:
    """A letter that shows no more than this of its record's key and payload (None: none of it), and says so."""
    if (key, payload) == (letter.key, letter.payload):
        return letter
    if payload is None or (key is None and letter.key is not None):
        key, shown = (key or b"")[:KEY_BYTES] or None, payload or b""
        said = _cut(len(shown), len(letter.payload), len(key or b""), len(letter.key or b""))
        return letter._replace(key=key, payload=shown, detail=f"{_detail(letter)}{MASKED}{said}", described=True)
    return letter._replace(key=key, payload=payload, detail=letter.detail + MASKED)


def is_cut(detail: str) -> bool:
    """Whether a letter of this detail was cut."""
    return CUT.search(detail) is not None


def is_masked(detail: str) -> bool:
    """Whether the record of a letter has in clear what is masked in the letter."""
    return MASKED in detail


def shows(detail: str, letter: tuple[bytes | None, bytes], record: tuple[bytes | None, bytes]) -> bool:
    """Whether a letter that was cut or masked is of this record, and not of one that stood there before a topic was
    made anew. letter, record: key and payload; detail: the letter's."""
    cut = CUT.search(detail)
    sizes = (len(letter[1]), len(letter[0] or b"")) if cut is None else (int(cut[2]), int(cut[4]))
    if sizes != (len(record[1]), len(record[0] or b"")):
        return False
    return all(_masks(some or b"", whole or b"") for some, whole in zip(letter, record, strict=True))


def _masks(some: bytes, whole: bytes) -> bool:
    """Whether bytes are the first of others, but for asterisks (in quotes, where a number of JSON was)."""
    return len(some) <= len(whole) and all(run[0] == whole[run.start() : run.end()] for run in _UNMASKED.finditer(some))


def _cut(payload: int, of_payload: int, key: int, of_key: int) -> str:
    return f" (cut: {payload} of {of_payload} bytes of the payload and {key} of {of_key} of the key are here)"


def letters_frame(letters: Iterable[DeadLetter], failed_at_ms: int) -> pl.DataFrame:
    """Dead letters in the frame form of dead_letter.avsc.

    Args:
        failed_at_ms: when they were refused, epoch milliseconds.
    """
    version = package_version()
    rows = [(*letter[:6], _detail(letter), failed_at_ms, letter.attempts, version) for letter in letters]
    return pl.DataFrame(rows, schema=polars_schema("dead_letter"), orient="row")


def _detail(letter: DeadLetter) -> str:
    """The detail; of a letter that was replayed in vain it says so."""
    if letter.described or letter.attempts == 1:
        return letter.detail
    return f"{letter.detail} (replayed in vain: attempt {letter.attempts})"
