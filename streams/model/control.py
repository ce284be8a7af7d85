"""What a record of cx.links or cx.parts asks for: the field `kind` of both, and the negative numbers before it.

Before the schemas had `kind`, a negative number said it, in the place of a link's time or of a part's version. Such
records may still be in the topics, so readers take a negative number for what it meant then. Writers write the number
beside the kind: a reader that is older than `kind`, and gets the schema from a registry, drops the field and acts on
the number.
"""

from __future__ import annotations

from typing import Final

import polars as pl

LINK: Final = "link"
"""Kind of an ordinary link, which asks for nothing."""
SUMMARY: Final = "summary"
"""Kind of a part: a summary, or null in its place, which drops the part."""
SEND_AGAIN: Final = "send_again"
"""Kind of a part: the root, which has lost its parts, asks the subject to send its summary."""
NOTHING_STORED: Final = "nothing_stored"
"""Kind of a part: ClickHouse holds no event of the subject whose events stitch has asked for."""
ERASE: Final = "erase"
"""Kind of a link and of a part: the subject is to be erased."""

_NUMBERS: Final = {ERASE: -1, SEND_AGAIN: -2, NOTHING_STORED: -3}
_KINDS: Final = {number: kind for kind, number in _NUMBERS.items()}

LinkRow = tuple[str, str, int, str]
"""A record of link.avsc: subject, identifier, time of the earliest event (epoch ms), kind."""
PartRow = tuple[str, str, int, bytes | None, str]
"""A record of part.avsc: target, part, version, summary, kind."""


def erase_link(subject: str) -> LinkRow:
    """The record that asks identity to erase a subject."""
    return subject, subject, _NUMBERS[ERASE], ERASE


def erase_part(subject: str) -> PartRow:
    """The record that asks stitch to erase a subject."""
    return subject, subject, _NUMBERS[ERASE], None, ERASE


def send_again(subject: str, root: str) -> PartRow:
    """The record by which a root asks a subject to send its summary again."""
    return subject, root, _NUMBERS[SEND_AGAIN], None, SEND_AGAIN


def nothing_stored(subject: str, applied: int) -> PartRow:
    """The record that answers the recall of a subject of which ClickHouse holds nothing.

    applied: the offset in cx.interactions that the recall named.
    """
    return subject, subject, _NUMBERS[NOTHING_STORED], str(applied).encode(), NOTHING_STORED


def part_kind(kind: str, version: int) -> str | None:
    """The kind of a part, of whatever version of the schema; None: there is no such part.

    kind, version: as they were read; of a record without kind, the schema's default.
    """
    return kind if kind != SUMMARY or version >= 0 else _KINDS.get(version)


def erasures(links: pl.DataFrame) -> pl.Series:
    """Which of some links, in frame form, ask identity to erase their subject."""
    return links.select((pl.col("kind") == ERASE) | (pl.col("occurred_at") == _NUMBERS[ERASE])).to_series()
