"""Dead letters: what could not be used, whole, with the reason. One envelope for every worker and tool."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

from schemas.records import polars_schema
from streams.metrics import package_version

EXPIRED = "expired"
"""Reason of a letter about records that were deleted before they were read (streams.missed)."""

TRANSACTIONAL = "transactional"
"""Reason of a letter about a record of a transaction on the embedded broker, which cannot say whether that held."""

REASONS = (
    "undecodable",
    "bad_event_id",
    "no_identifier",
    "bad_time",
    "bad_survey",
    "bad_money",
    "bad_country",
    "too_long",
    "unstorable",
    EXPIRED,
    TRANSACTIONAL,
)
"""The closed list of reasons."""

FILE = "file:"
"""Topic of a letter that was a line of a file begins with it; the file's path follows."""

ATTEMPTS_HEADER = "rihla-attempts"
"""Kafka header of a record that `rihla replay` sent: how often it was refused before, in ASCII digits."""


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


def attempts(headers: Iterable[tuple[str, bytes]]) -> int:
    """How often a record has been tried, this time included, by its Kafka headers."""
    for name, value in headers:
        if name == ATTEMPTS_HEADER and value.isdigit():
            return int(value) + 1
    return 1


def letters_frame(letters: Iterable[DeadLetter], failed_at_ms: int) -> pl.DataFrame:
    """Dead letters in the frame form of dead_letter.avsc.

    Args:
        failed_at_ms: when they were refused, epoch milliseconds.
    """
    version = package_version()
    rows = [(*letter[:-2], _detail(letter), failed_at_ms, letter.attempts, version) for letter in letters]
    return pl.DataFrame(rows, schema=polars_schema("dead_letter"), orient="row")


def _detail(letter: DeadLetter) -> str:
    """The detail; of a letter that was replayed in vain it says so."""
    return letter.detail if letter.attempts == 1 else f"{letter.detail} (replayed in vain: attempt {letter.attempts})"
