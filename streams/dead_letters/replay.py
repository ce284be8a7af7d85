"""Which dead letters to send again. Pure: no Kafka, no ClickHouse, no clock.

A record that is refused again becomes a new letter, with one attempt more, beside the old one. So of the letters with
the same topic, key and payload only the one with the most attempts counts. A letter that was replayed is not replayed
again: either its record succeeded, or there is a newer letter.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from streams.model.dead_letter import EXPIRED, FILE

SEND = "send"
REPLAYED = "replayed before"
GIVEN_UP = "given up"
OTHER_TOPIC = "of a topic that takes no replay"
TOO_LARGE = "too large to be sent"
NOTHING_LEFT = "of records that were deleted before they were read"

LETTERS: dict[str, pl.DataType] = {
    "topic": pl.String(),
    "partition": pl.Int64(),
    "offset": pl.Int64(),
    "epoch": pl.UInt32(),
    "payload_hash": pl.UInt64(),
    "content": pl.UInt64(),
    "content_rest": pl.UInt64(),
    "reason": pl.String(),
    "attempts": pl.Int64(),
    "failed_at": pl.Int64(),
    "bytes": pl.Int64(),
    "replayed": pl.Boolean(),
}
"""The columns of a letter, without its payload. topic, partition, offset, epoch and payload_hash identify a letter;
content and content_rest are the halves of a hash of key and payload (16 bytes a letter: there may be ten million);
failed_at is in epoch milliseconds; bytes is the size of key and payload."""


@dataclass(frozen=True)
class Choice:
    """A choice of letters.

    reasons, topics: of these only, or of any when empty. since_ms, until_ms: refused then or later, before then.
    max_attempts: letters with this many attempts are left. again: includes letters that were replayed before.
    """

    reasons: Collection[str] = ()
    topics: Collection[str] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    max_attempts: int = 5
    again: bool = False


def judge(letters: pl.DataFrame, choice: Choice, inputs: Collection[str], max_bytes: int) -> pl.DataFrame:
    """The chosen letters, each record once; the column `fate` says whether a letter is to be sent, and if not, why.

    letters: as LETTERS; of a content all that there are. inputs: full names of the topics that records may be sent to.
    max_bytes: of key and payload of what can be sent. In no order.
    """
    latest = letters.sort(
        "attempts", "failed_at", "epoch", "partition", "offset", descending=True, maintain_order=True
    ).unique(subset=["topic", "content", "content_rest"], keep="first", maintain_order=True)
    meant = [pl.lit(True)]
    if choice.reasons:
        meant.append(pl.col("reason").is_in(list(choice.reasons)))
    if choice.topics:
        meant.append(pl.col("topic").is_in(list(choice.topics)))
    if choice.since_ms is not None:
        meant.append(pl.col("failed_at") >= choice.since_ms)
    if choice.until_ms is not None:
        meant.append(pl.col("failed_at") < choice.until_ms)
    line = pl.col("topic").str.starts_with(FILE)
    fate = (
        pl.when(pl.col("replayed") & pl.lit(not choice.again))
        .then(pl.lit(REPLAYED))
        .when(pl.col("reason") == EXPIRED)
        .then(pl.lit(NOTHING_LEFT))
        .when(pl.col("attempts") >= choice.max_attempts)
        .then(pl.lit(GIVEN_UP))
        .when(~line & ~pl.col("topic").is_in(list(inputs)))
        .then(pl.lit(OTHER_TOPIC))
        .when(pl.col("bytes") > max_bytes)
        .then(pl.lit(TOO_LARGE))
        .otherwise(pl.lit(SEND))
    )
    return latest.filter(*meant).with_columns(fate=fate)


def wait_for(sent: int, seconds: float, rate: float | None) -> float:
    """Seconds to wait to keep to a rate (letters a second), after a number of letters in a number of seconds."""
    return 0.0 if rate is None else max(0.0, sent / rate - seconds)
