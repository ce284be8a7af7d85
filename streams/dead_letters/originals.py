"""The whole records behind dead letters that were cut or masked, read from the topics where they were refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import polars as pl
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException, OffsetOutOfRangeError, UnsupportedCodecError

from streams.kafka import clients
from streams.model.dead_letter import CUT, FILE, is_cut, is_masked, shows
from streams.settings import Settings

PATIENCE = 60.0
"""Seconds to wait for a record; a broker that has it answers in milliseconds."""
NEAR = 1000
"""Records that are read past rather than looked for anew: to look costs a millisecond, a record some microseconds."""
UNREADABLE = "a batch that cannot be read"
GONE = "cut, and not to be had any more from its topic"

Record = tuple[bytes | None, bytes]
"""Key and value."""


def batches_of(details: list[str]) -> list[bool]:
    """Matches the details of letters that stand for a whole batch (streams.kafka.fetch)."""
    return [detail.startswith("the records at offsets ") and " cannot be read: " in detail for detail in details]


def sizes(letters: pl.DataFrame) -> pl.Series:
    """Bytes of key and payload of the records behind letters. letters: with key, payload and detail."""
    here = letters["payload"].bin.size().cast(pl.Int64) + letters["key"].bin.size().fill_null(0)
    if not letters["detail"].str.contains(re.escape(" (cut: ")).any():
        return here
    cuts = [CUT.search(detail) for detail in letters["detail"]]
    whole = [size if cut is None else int(cut[2]) + int(cut[4]) for size, cut in zip(here, cuts, strict=True)]
    return pl.Series(whole, dtype=pl.Int64)


class Originals:
    """Reads the records behind letters. One consumer, which is started when the first record is wanted, and goes on
    from where it stands: letters that come in the order of their places are read as a consumer reads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None
        self._place: TopicPartition | None = None
        self._next: int | None = None
        """What the consumer reads next of its place; None: nobody knows."""

    async def close(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def whole(self, letters: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
        """Letters of one topic; those that were cut or masked get their record's key and payload back.

        letters: with topic, partition, offset, key, payload and detail. Returns those that can be sent, and the number
        of the others by reason. One that was masked and not cut can be sent as it is if the topic no longer holds its
        record. Raises aiokafka's errors where the broker does not answer.
        """
        left: dict[str, int] = {}
        unreadable = pl.Series(batches_of(letters["detail"].to_list()), dtype=pl.Boolean)
        if count := int(unreadable.sum()):
            left[UNREADABLE] = count
            letters = letters.filter(~unreadable)
        details = letters["detail"].to_list()
        cut = [is_cut(detail) for detail in details]
        wanted = [row for row, detail in enumerate(details) if cut[row] or is_masked(detail)]
        if not wanted:
            return letters, left
        keys, payloads = letters["key"].to_list(), letters["payload"].to_list()
        found = await self._records(letters, wanted)
        lost = set[int]()
        for row in wanted:
            record = found.get(row)
            if record is not None and shows(details[row], (keys[row], payloads[row]), record):
                keys[row], payloads[row] = record
            elif cut[row]:
                lost.add(row)
        if lost:
            left[GONE] = len(lost)
        whole = letters.with_columns(
            pl.Series("key", keys, dtype=pl.Binary), pl.Series("payload", payloads, dtype=pl.Binary)
        )
        return whole[[row for row in range(letters.height) if row not in lost]], left

    async def _records(self, letters: pl.DataFrame, rows: list[int]) -> dict[int, Record]:
        """What stands at the places of letters, by row; nothing where there is none, or none any more.

        Of lines only the letters are kept, and of records that no topic took; the embedded broker has lost, with its
        start, those of an earlier epoch.
        """
        topic = letters["topic"][0]
        if topic.startswith(FILE):
            return {}
        partitions, offsets = letters["partition"].to_list(), letters["offset"].to_list()
        here = self._settings
        epochs = letters["epoch"].to_list() if "epoch" in letters.columns else [here.epoch] * letters.height
        of_partition: dict[int, list[int]] = {}
        for row in sorted(rows, key=lambda row: (partitions[row], offsets[row])):
            if partitions[row] >= 0 and offsets[row] >= 0 and (epochs[row] == here.epoch or not here.embedded):
                of_partition.setdefault(partitions[row], []).append(row)
        found: dict[int, Record] = {}
        if not of_partition:
            return found
        if self._consumer is None:
            self._consumer = clients.consumer(here, group_id=None, auto_offset_reset="none", enable_auto_commit=False)
            await self._consumer.start()
        # A letter may name a partition that does not exist, which would be waited for.
        cluster = await self._consumer._client.fetch_all_metadata()
        numbers = cluster.partitions_for_topic(topic) or set()
        for partition, some in of_partition.items():
            if partition in numbers:
                records = await self._read(TopicPartition(topic, partition), [offsets[row] for row in some])
                found |= {row: records[offsets[row]] for row in some if offsets[row] in records}
        return found

    async def _read(self, place: TopicPartition, offsets: Sequence[int]) -> dict[int, Record]:
        """Offset -> record, of offsets in order of which the topic has one."""
        found: dict[int, Record] = {}
        ends = _ends(offsets)
        at = 0
        while at < len(offsets):
            try:
                records = await self._some(place, offsets[at], ends[at])
            except OffsetOutOfRangeError:
                begin = await self._begin(place)
                at += max(1, sum(offset < begin for offset in offsets[at:]))
                continue
            except (CorruptRecordException, UnsupportedCodecError):
                records = []
            if not records:
                self._next = None
                at += 1
                continue
            self._next = records[-1].offset + 1
            for record in records:
                while at < len(offsets) and offsets[at] < record.offset:
                    at += 1
                while at < len(offsets) and offsets[at] == record.offset:  # of two epochs, twice
                    found[record.offset] = record.key, record.value or b""
                    at += 1
        return found

    async def _some(self, place: TopicPartition, first: int, last: int) -> list[Any]:
        """The next records of a place from an offset on, or from shortly before it; none beyond the last offset. Empty
        when none comes for PATIENCE."""
        consumer = self._consumer
        assert consumer is not None
        if self._place != place:
            consumer.assign([place])
            self._place, self._next = place, None
        if self._next is None or not 0 <= first - self._next <= NEAR:
            consumer.seek(place, first)
            self._next = first
        got = await consumer.getmany(place, timeout_ms=int(PATIENCE * 1000), max_records=last - self._next + 1)
        return list(got.get(place, ()))

    async def _begin(self, place: TopicPartition) -> int:
        """The first offset that a topic still has."""
        assert self._consumer is not None
        self._next = None
        return int((await self._consumer.beginning_offsets([place]))[place])


def _ends(offsets: Sequence[int]) -> list[int]:
    """For each of some offsets in order, the last one that is reached from it in steps of at most NEAR."""
    ends = list(offsets)
    for at in range(len(offsets) - 2, -1, -1):
        if offsets[at + 1] - offsets[at] <= NEAR:
            ends[at] = ends[at + 1]
    return ends


async def originals(settings: Settings, letters: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """See Originals.whole: of some letters alone."""
    reader = Originals(settings)
    try:
        return await reader.whole(letters)
    finally:
        await reader.close()
