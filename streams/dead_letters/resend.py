"""Sends dead letters from ClickHouse back to the topics that they came from, and records which were sent."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl
from aiokafka import AIOKafkaProducer

from streams.dead_letters.lines import HIDDEN, Lines, OwnLines
from streams.dead_letters.originals import originals
from streams.dead_letters.replay import LETTERS, SEND, TOO_LARGE, Choice, judge, wait_for
from streams.errors import RihlaError
from streams.kafka.acl_check import require
from streams.kafka.batch_producer import RECORD_OVERHEAD, REQUEST_BYTES, BatchProducer
from streams.kafka.topics import ensure_topics
from streams.model.dead_letter import ATTEMPTS_HEADER, FILE
from streams.registries import registry_of
from streams.settings import Settings
from streams.sources.feeder import Feeder, producing
from streams.topology import COMPACTED, TOPICS

CHUNK = 500
"""Letters that are sent and recorded at a time: after an interruption at most this many are sent twice."""
FETCH, FETCH_BYTES = 8_192, 64 * 1024 * 1024
"""Letters that are fetched at a time at most, and their bytes. What ClickHouse reads for one letter is a block of
thousands, so to fetch a CHUNK costs about as much as this. The statement that names so many places stays below the
262,144 bytes that ClickHouse takes (max_query_size)."""
MAX_BYTES = REQUEST_BYTES - RECORD_OVERHEAD - 1024
"""Largest size of key and payload, in bytes; the rest of a request is for headers."""
SAID_SECONDS = 10.0
"""How often it is said how far it is."""
NAME = ("topic", "partition", "offset", "epoch", "payload_hash")
"""The columns that identify a letter, as in dead_letters_store."""


class Letters:
    """The dead letters of one database. client: of clickhouse-connect, on it. Blocking."""

    def __init__(self, client: Any) -> None:
        """Raises RihlaError where the tables are missing."""
        self._client = client
        for table in ("dead_letters", "replays_store"):
            if not client.command(f"EXISTS {table}"):
                raise RihlaError(
                    f"there is no table {table} in that database",
                    "rihla migrate makes what is missing on a server, rihla up in a folder",
                )

    def known(self) -> pl.DataFrame:
        """Every letter, without its payload, as streams.dead_letters.replay.LETTERS."""
        return self._frame(
            f"""
            WITH if(
                empty(payload), sipHash128('at', partition, offset, epoch),
                sipHash128(isNull(key), ifNull(key, ''), payload)
            ) AS hashed
            SELECT
                toString(topic) AS topic, partition, offset, epoch, cityHash64(payload) AS payload_hash,
                reinterpretAsUInt64(substring(hashed, 1, 8)) AS content,
                reinterpretAsUInt64(substring(hashed, 9, 8)) AS content_rest, toString(reason) AS reason, attempts,
                toUnixTimestamp64Milli(failed_at) AS failed_at,
                toInt64(length(payload) + length(ifNull(key, ''))) AS bytes,
                ({", ".join(NAME)}) IN (SELECT {", ".join(NAME)} FROM replays_store) AS replayed
            FROM dead_letters
            """
        ).cast(pl.Schema(LETTERS))

    def whole(self, letters: pl.DataFrame) -> pl.DataFrame:
        """Letters of one topic with `key`, `payload` (Binary), `detail`, in order; those deleted meanwhile not."""
        places = ", ".join(
            f"({partition}, {at})" for partition, at in letters.select("partition", "offset").iter_rows()
        )
        found = self._frame(
            "SELECT partition, offset, epoch, cityHash64(payload) AS payload_hash, key, payload, detail "
            f"FROM dead_letters WHERE topic = {{topic:String}} AND (partition, offset) IN ({places})",
            {"topic": letters["topic"][0]},
        )
        said = {"key": pl.Binary(), "payload": pl.Binary(), "detail": pl.String()}
        types = pl.Schema({name: LETTERS[name] for name in NAME[1:]} | said)
        return letters.join(found.cast(types), on=NAME[1:], how="inner", maintain_order="left")

    def remember(self, letters: pl.DataFrame) -> None:
        """Note that these have been sent."""
        now = datetime.now(UTC)
        rows = [(*name, now) for name in letters.select(NAME).iter_rows()]
        if rows:
            self._client.insert("replays_store", rows, column_names=[*NAME, "replayed_at"])

    def _frame(self, sql: str, parameters: dict[str, Any] | None = None) -> pl.DataFrame:
        frame = pl.from_arrow(self._client.query_arrow(sql, parameters, use_strings=False))
        assert isinstance(frame, pl.DataFrame)
        return frame


@dataclass
class Replayed:
    """The result of a replay."""

    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(topic, reason): letters sent, all acknowledged by the broker; of a dry run, that would be."""
    kept: Counter[str] = field(default_factory=Counter)
    """Fate (see streams.dead_letters.replay) -> number of letters that were not sent."""
    unreadable: int = 0
    """Lines of files that still cannot be read as events."""
    beyond: int = 0
    """Letters beyond the limit; they were not looked at."""

    @property
    def total(self) -> int:
        """Letters sent."""
        return sum(self.sent.values())


class Sender:
    """Sends letters through a started producer to topics that exist, and waits until they are acknowledged."""

    def __init__(self, producer: AIOKafkaProducer, settings: Settings, lines: Lines) -> None:
        """lines: reads lines of files again."""
        self._producer, self._settings, self._lines = producer, settings, lines
        self._outputs: dict[str, BatchProducer] = {}
        self._feeder = Feeder(producer, settings, registry_of(settings))

    async def original(self, letters: pl.DataFrame, done: Replayed) -> pl.DataFrame:
        """Letters of one topic; those that were cut or masked are whole again. Those that cannot be are left out,
        and counted."""
        whole, left = await originals(self._settings, letters)
        done.kept.update(left)
        large = (pl.col("payload").bin.size() + pl.col("key").bin.size().fill_null(0)) > MAX_BYTES
        fitting = whole.filter(~large)
        if fitting.height < whole.height:
            done.kept[TOO_LARGE] += whole.height - fitting.height
        return fitting

    async def send(self, letters: pl.DataFrame) -> None:
        """Letters of one topic, with key and payload: of records their own, of lines those of the event that the line
        holds."""
        topic = letters["topic"][0]
        if topic.startswith(FILE):
            await self._feeder.feed(iter(self._lines.events(letters["payload"].to_list())))
            return
        output = self._outputs.setdefault(topic, BatchProducer(self._producer, topic))
        for (attempts,), some in letters.group_by("attempts", maintain_order=True):
            tried = [(ATTEMPTS_HEADER, str(attempts).encode())]
            await output.send(some["key"].to_list(), some["payload"].to_list(), marks=tried)
        await output.flush()


async def replay(
    client: Any,
    settings: Settings,
    choice: Choice,
    *,
    limit: int | None = None,
    rate: float | None = None,
    dry_run: bool = False,
    say: Callable[[str], None] = lambda text: None,
    lines: Lines | None = None,
) -> Replayed:
    """Send the chosen letters again.

    client: of clickhouse-connect, on the database. limit: letters to send at most. rate: letters a second, at most.
    dry_run: only find out what would be sent; needs no broker. say: called with sentences on the progress. lines: reads
    lines of files again; as our own form without it.
    Raises RihlaError, aiokafka's and clickhouse_connect's errors; what was sent by then is recorded except for the last
    CHUNK, and to send a record twice is harmless.
    """
    store = await asyncio.to_thread(Letters, client)
    inputs = {settings.topic(topic.name) for topic in TOPICS if topic.name not in COMPACTED}
    say("looking at what there is ...")
    letters = judge(await asyncio.to_thread(store.known), choice, inputs, MAX_BYTES)
    lines = lines or OwnLines()
    done = Replayed()
    done.kept.update(dict(letters.filter(pl.col("fate") != SEND).group_by("fate").len().iter_rows()))
    meant = letters.filter(pl.col("fate") == SEND)
    del letters  # of ten million letters it is a gigabyte
    if dry_run or not meant.height:
        await _go_through(store, None, lines, meant, limit, None, done, say)
        return done
    await require(settings, "replay")
    await ensure_topics(settings)
    async with producing(settings) as producer:
        await _go_through(store, Sender(producer, settings, lines), lines, meant, limit, rate, done, say)
    return done


async def _go_through(
    store: Letters,
    sender: Sender | None,
    lines: Lines,
    meant: pl.DataFrame,
    limit: int | None,
    rate: float | None,
    done: Replayed,
    say: Callable[[str], None],
) -> None:
    began = told = time.monotonic()
    looked = 0
    for block in _blocks(meant, FETCH if limit is None else min(FETCH, max(CHUNK, limit))):
        room = block.height if limit is None else limit - done.total
        if room <= 0:
            break
        looked += block.height
        of_file = block["topic"][0].startswith(FILE)
        whole = block if sender is None and not of_file else await asyncio.to_thread(store.whole, block)
        if whole.height and of_file:
            whole, hidden = await asyncio.to_thread(lines.whole, whole)
            if hidden:
                done.kept[HIDDEN] += hidden
            good = await asyncio.to_thread(lines.readable, whole["payload"].to_list())
            done.unreadable += whole.height - len(good)
            whole = whole[good]
        if sender is not None and whole.height and not of_file:
            whole = await sender.original(whole, done)
        done.beyond += max(0, whole.height - room)
        for chunk in whole.head(room).iter_slices(CHUNK if rate is None else min(CHUNK, math.ceil(rate))):
            if sender is not None:
                await sender.send(chunk)
                await asyncio.to_thread(store.remember, chunk)
            done.sent.update(chunk.select("topic", "reason").iter_rows())
            if time.monotonic() - told > SAID_SECONDS:
                told = time.monotonic()
                say(f"{done.total:,} of {meant.height:,} sent ...")
            if sender is not None:
                await asyncio.sleep(wait_for(done.total, time.monotonic() - began, rate))
    done.beyond += meant.height - looked


def _blocks(letters: pl.DataFrame, size: int) -> Iterator[pl.DataFrame]:
    """Slices of at most `size` letters, and about FETCH_BYTES, of one topic each, in order."""
    for (_,), some in letters.group_by("topic", maintain_order=True):
        within = (some["bytes"].cum_sum() // FETCH_BYTES).alias("within")
        for _, part in some.with_columns(within).group_by("within", maintain_order=True):
            yield from part.drop("within").iter_slices(size)
