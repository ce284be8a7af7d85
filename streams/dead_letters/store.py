"""The dead letters in ClickHouse: a page of them in the order of their places, those of some places whole, and the note
of what was sent again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from streams.dead_letters.replay import LETTERS
from streams.errors import RihlaError

NAME = ("topic", "partition", "offset", "epoch", "payload_hash")
"""The columns that identify a letter, and its table's order."""
DENSE = 4
"""Letters of so few places each are fetched as one range; what lies between them is read by ClickHouse in any case."""

Name = tuple[Any, ...]
"""Values of NAME: where a letter stands in the order of all letters."""


class Letters:
    """The dead letters of one database. client: of clickhouse-connect, on it. Blocking; may be shared by threads."""

    def __init__(self, client: Any) -> None:
        """Raises RihlaError where the tables are missing."""
        self._client = client
        for table in ("dead_letters_store", "replays_store"):
            if not client.command(f"EXISTS {table}"):
                raise RihlaError(
                    f"there is no table {table} in that database",
                    "rihla migrate makes what is missing on a server, rihla up in a folder",
                )

    def count(self) -> int:
        """About how many letters there are: a letter stored twice may count twice."""
        return int(self._client.command("SELECT count() FROM dead_letters_store"))

    def page(self, after: Name | None, size: int, topics: Collection[str] = ()) -> pl.DataFrame:
        """The next letters in the order of their names, without their payloads, as streams.dead_letters.replay.LETTERS.

        after: the name of the last one of the page before; None: from the first. size: letters at most; fewer are the
        last. topics: of these only, or of any when empty.
        """
        wanted = ["1"] if after is None else [_beside(after, ">", "a")]
        if topics:
            wanted.append("dead_letters_store.topic IN {topics:Array(String)}")
        given = {"topics": sorted(topics)} | ({} if after is None else _values(after, "a"))
        found = self._frame(
            f"""
            WITH if(
                empty(payload), sipHash128('at', partition, offset, epoch),
                sipHash128(isNull(key), ifNull(key, ''), payload)
            ) AS hashed
            SELECT
                toString(topic) AS topic, partition, offset, epoch, payload_hash,
                reinterpretAsUInt64(substring(hashed, 1, 8)) AS content,
                reinterpretAsUInt64(substring(hashed, 9, 8)) AS content_rest, toString(reason) AS reason, attempts,
                toUnixTimestamp64Milli(failed_at) AS failed_at,
                toInt64(length(payload) + length(ifNull(key, ''))) AS bytes
            FROM dead_letters_store FINAL
            WHERE {" AND ".join(wanted)}
            ORDER BY {", ".join(f"dead_letters_store.{column}" for column in NAME)}
            LIMIT {size}
            """,
            given,
        ).cast(pl.Schema({name: type_ for name, type_ in LETTERS.items() if name != "replayed"}))
        if found.is_empty():
            return found.with_columns(replayed=pl.lit(False))
        sent = self._sent(found.select(NAME).row(0), found.select(NAME).row(-1))
        return found.join(sent.with_columns(replayed=True), on=NAME, how="left", maintain_order="left").with_columns(
            pl.col("replayed").fill_null(False)
        )

    def _sent(self, first: Name, last: Name) -> pl.DataFrame:
        """The names from the first to the last one that a replay has sent, of letters that are still there."""
        within = f"{_beside(first, '>=', 'a')} AND {_beside(last, '<=', 'b')}"
        values = _values(first, "a") | _values(last, "b")
        names = ", ".join(NAME)
        there = self._client.command(f"SELECT 1 FROM replays_store WHERE {within} LIMIT 1", values)
        found = self._frame(
            f"SELECT DISTINCT toString(topic) AS topic, partition, offset, epoch, payload_hash FROM replays_store "
            f"WHERE {within} AND ({names}) IN (SELECT {names} FROM dead_letters_store WHERE {within})"
            f"{'' if there else ' AND 0'}",
            values,
        )
        return found.cast(pl.Schema({name: LETTERS[name] for name in NAME}))

    def whole(self, letters: pl.DataFrame) -> pl.DataFrame:
        """Letters of one topic and partition with `key`, `payload` (Binary), `detail`; without those deleted since.
        letters: in the order of their offsets, as what is returned."""
        offsets = letters["offset"]
        topic, partition, first, last = letters["topic"][0], letters["partition"][0], offsets[0], offsets[-1]
        some = "" if last - first < DENSE * letters.height else f"AND offset IN ({', '.join(map(str, offsets))})"
        found = self._frame(
            "SELECT offset, epoch, payload_hash, key, payload, detail FROM dead_letters_store FINAL WHERE topic = "
            f"{{topic:String}} AND partition = {partition} AND offset BETWEEN {first} AND {last} {some}",
            {"topic": topic},
        )
        said = {"key": pl.Binary(), "payload": pl.Binary(), "detail": pl.String()}
        types = pl.Schema({name: LETTERS[name] for name in NAME[2:]} | said)
        return letters.join(found.cast(types), on=NAME[2:], how="inner", maintain_order="left")

    def remember(self, letters: pl.DataFrame) -> None:
        """Note that these have been sent."""
        now = datetime.now(UTC)
        rows = [(*name, now) for name in letters.select(NAME).iter_rows()]
        if rows:
            self._client.insert("replays_store", rows, column_names=[*NAME, "replayed_at"])

    def _frame(self, sql: str, parameters: dict[str, Any]) -> pl.DataFrame:
        frame = pl.from_arrow(self._client.query_arrow(sql, parameters, use_strings=False))
        assert isinstance(frame, pl.DataFrame)
        return frame


def _beside(name: Name, relation: str, prefix: str) -> str:
    """The condition that a row's name is so related to another (`>`, `>=`, `<=`) in the order of names, in a form for
    which ClickHouse uses the primary key; the values are parameters."""
    types = ("String", "Int64", "Int64", "UInt32", "UInt64")
    said = [f"{{{prefix}{number}:{type_}}}" for number, type_ in enumerate(types[: len(name)])]
    condition = f"{NAME[-1]} {relation} {said[-1]}"
    for column, value in zip(NAME[-2::-1], said[-2::-1], strict=True):
        condition = f"({column} {relation[0]} {value} OR {column} = {value} AND {condition})"
    return condition


def _values(name: Sequence[Any], prefix: str) -> dict[str, Any]:
    return {f"{prefix}{number}": value for number, value in enumerate(name)}
