"""Sends dead letters from ClickHouse back to the topics that they came from, and records which were sent."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from aiokafka import AIOKafkaProducer

from streams.dead_letters.lines import HIDDEN, Lines, OwnLines
from streams.dead_letters.originals import Originals, sizes
from streams.dead_letters.replay import TOO_LARGE, Choice, wait_for
from streams.dead_letters.store import Letters
from streams.dead_letters.survey import PAGE, Survey, pages_of
from streams.kafka.acl_check import require
from streams.kafka.batch_producer import RECORD_OVERHEAD, REQUEST_BYTES, BatchProducer
from streams.kafka.topics import ensure_topics
from streams.model.dead_letter import ATTEMPTS_HEADER, FILE
from streams.registries import registry_of
from streams.settings import Settings
from streams.sources.feeder import Feeder, producing
from streams.topology import COMPACTED, TOPICS

CHUNK = 4_096
"""Letters that are sent and recorded at a time: after an interruption at most this many are sent twice."""
FETCH, FETCH_BYTES = 8_192, 64 * 1024 * 1024
"""Letters that are fetched at a time at most, and their bytes; also the bytes of the records that are sent at a time.
A statement that names FETCH offsets stays below ClickHouse's limit of 262,144 bytes (max_query_size)."""
MAX_BYTES = REQUEST_BYTES - RECORD_OVERHEAD - 1024
"""Largest size of key and payload, in bytes; the rest of a request is for headers."""
SAID_SECONDS = 10.0
"""How often it is said how far it is."""


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
        self._producer, self._lines = producer, lines
        self._outputs: dict[str, BatchProducer] = {}
        self._feeder = Feeder(producer, settings, registry_of(settings))
        self._originals = Originals(settings)

    async def close(self) -> None:
        """Drop what was connected for this; the producer is left running."""
        await self._originals.close()

    async def original(self, letters: pl.DataFrame, done: Replayed) -> pl.DataFrame:
        """Letters of one topic; those that were cut or masked are whole again. Those that cannot be are left out,
        and counted."""
        whole, left = await self._originals.whole(letters)
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

    client: of clickhouse-connect, on the database; may be shared by threads. limit: letters to send at most. rate:
    letters a second, at most. dry_run: only find out what would be sent; needs no broker. say: called with sentences on
    the progress. lines: reads lines of files again; as our own form without it.
    Of each letter up to 100 bytes are on the disk meanwhile, in the folder for temporary files.
    Raises RihlaError, OSError, aiokafka's and clickhouse_connect's errors; what was sent by then is recorded except for
    the last CHUNK, and to send a record twice is harmless.
    """
    store = await asyncio.to_thread(Letters, client)
    lines = lines or OwnLines()
    done = Replayed()
    say("looking at what there is ...")
    with TemporaryDirectory(prefix="rihla-replay-") as folder:
        survey = await asyncio.to_thread(survey_of, store, choice, settings, Path(folder), say)
        done.kept.update(survey.kept)
        if dry_run or not survey.meant:
            await go_through(store, None, lines, survey, limit, None, done, say)
            return done
        await require(settings, "replay")
        await ensure_topics(settings)
        async with producing(settings) as producer:
            sender = Sender(producer, settings, lines)
            try:
                await go_through(store, sender, lines, survey, limit, rate, done, say)
            finally:
                await sender.close()
    return done


def survey_of(store: Letters, choice: Choice, settings: Settings, folder: Path, say: Callable[[str], None]) -> Survey:
    """Which letters of a store are to be sent; blocks. folder: an empty one, for the time of the survey."""
    about = store.count()
    progress = Progress(say, "{done:,} of about {all:,} letters looked at", about)
    pages = pages_of(lambda after: store.page(after, PAGE, choice.topics))
    inputs = {settings.topic(topic.name) for topic in TOPICS if topic.name not in COMPACTED}
    return Survey(pages, about, choice, inputs, MAX_BYTES, folder, progress.at)


class Progress:
    """Says how far something is, every SAID_SECONDS."""

    def __init__(self, say: Callable[[str], None], text: str, total: int) -> None:
        """text: with {done} and {all}."""
        self._say, self._text, self._total = say, text, total
        self._began = self._told = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def at(self, done: int) -> None:
        """So many are done."""
        if time.monotonic() - self._told > SAID_SECONDS:
            self._told = time.monotonic()
            a_second = done / self.seconds
            left = f", {max(0, self._total - done) / a_second:,.0f} s to go" if done else ""
            self._say(f"{self._text.format(done=done, all=self._total)}, {a_second:,.0f} a second{left} ...")


async def go_through(
    store: Letters,
    sender: Sender | None,
    lines: Lines,
    survey: Survey,
    limit: int | None,
    rate: float | None,
    done: Replayed,
    say: Callable[[str], None],
) -> None:
    """Send the letters of a survey and record them as sent, CHUNK at a time.

    sender: None only counts them (a dry run). limit: how many at most. rate: letters a second. done: is counted up.
    """
    progress = Progress(say, "{done:,} of {all:,} sent", survey.meant if limit is None else min(limit, survey.meant))
    size = CHUNK if rate is None else min(CHUNK, math.ceil(rate))
    looked = 0

    def fetch(block: pl.DataFrame) -> pl.DataFrame:
        return block if sender is None and not _of_file(block) else store.whole(block)

    async for block, whole in _ahead(_blocks(survey.letters(), FETCH if limit is None else min(FETCH, limit)), fetch):
        if limit is not None and done.total >= limit:
            break
        looked += block.height
        if whole.height and _of_file(whole):
            whole = await asyncio.to_thread(_readable, whole, lines, done)
        elif sender is None:
            room = whole.height if limit is None else limit - done.total
            done.sent.update(whole.head(room).select("topic", "reason").iter_rows())
            done.beyond += max(0, whole.height - room)
            continue
        while whole.height:
            room = size if limit is None else min(size, limit - done.total)
            if not room:
                done.beyond += whole.height
                break
            chunk = whole.head(room) if _of_file(whole) else whole.head(_fitting(whole, room))
            whole = whole.slice(chunk.height)
            if sender is not None:
                chunk = chunk if _of_file(chunk) else await sender.original(chunk, done)
                if not chunk.height:
                    continue
                await sender.send(chunk)
                await asyncio.to_thread(store.remember, chunk)
            done.sent.update(chunk.select("topic", "reason").iter_rows())
            progress.at(done.total)
            if sender is not None:
                await asyncio.sleep(wait_for(done.total, progress.seconds, rate))
    done.beyond += survey.meant - looked


def _of_file(letters: pl.DataFrame) -> bool:
    return str(letters["topic"][0]).startswith(FILE)


def _readable(letters: pl.DataFrame, lines: Lines, done: Replayed) -> pl.DataFrame:
    """The letters of a file that are events by now; the others are counted."""
    whole, hidden = lines.whole(letters)
    if hidden:
        done.kept[HIDDEN] += hidden
    good = lines.readable(whole["payload"].to_list())
    done.unreadable += whole.height - len(good)
    return whole[good]


def _fitting(letters: pl.DataFrame, most: int) -> int:
    """How many of the first letters, of `most`, have records of FETCH_BYTES together; at least one."""
    return max(1, int((sizes(letters.head(most)).cum_sum() <= FETCH_BYTES).sum()))


async def _ahead(
    blocks: Iterator[pl.DataFrame], fetch: Callable[[pl.DataFrame], pl.DataFrame]
) -> AsyncIterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Each block, and what is fetched for it in a thread; the next is fetched while one is worked on."""
    under_way: tuple[pl.DataFrame, asyncio.Task[pl.DataFrame]] | None = None
    try:
        for block in blocks:
            following = block, asyncio.create_task(asyncio.to_thread(fetch, block))
            if under_way is not None:
                (block, task), under_way = under_way, following
                yield block, await task
            under_way = following
        if under_way is not None:
            (block, task), under_way = under_way, None
            yield block, await task
    finally:
        if under_way is not None:
            await asyncio.wait([under_way[1]])


def _blocks(letters: Iterator[pl.DataFrame], size: int) -> Iterator[pl.DataFrame]:
    """Slices of at most `size` letters, and about FETCH_BYTES, of one topic and partition each, in order."""
    for page in letters:
        for _, some in page.group_by("topic", "partition", maintain_order=True):
            within = (some["bytes"].cum_sum() // FETCH_BYTES).alias("within")
            for _, part in some.with_columns(within).group_by("within", maintain_order=True):
                yield from part.drop("within").iter_slices(size)
