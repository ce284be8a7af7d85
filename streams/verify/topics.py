"""Reads the log itself: every record of cx.interactions and cx.links, from beginning to end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import polars as pl
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.decode import BatchDecoder
from schemas.records import polars_schema
from schemas.registry import Registry
from streams.errors import RihlaError
from streams.kafka import clients
from streams.kafka.acl_check import require
from streams.kafka.fetch import hand_out_columns
from streams.kafka.record_batch import RecordColumns
from streams.registries import registry_of
from streams.settings import Settings
from streams.verify.compare import DIFFERENCE, WHOLE_ROW
from streams.verify.recompute import COLUMNS

QUIET_POLLS = 3
POLL_MS = 300
"""Polls without a record, at the end offset, after which reading ends: the embedded broker's end offset can be too
low."""
RECORDS_PER_POLL = 20_000


@dataclass
class Log:
    """What the topics hold."""

    interactions: pl.DataFrame
    """recompute.COLUMNS and `subject`, in frame form; in order within each partition."""
    links: pl.DataFrame
    """subject, identifier, occurred_at."""
    unreadable: pl.DataFrame
    """Records that cannot be decoded, as differences (compare.DIFFERENCE)."""


async def read(settings: Settings) -> Log:
    """Read both topics to where they end now.

    Raises RihlaError when a topic is missing or does not begin at its first record, because records have been deleted
    by age or size; aiokafka's KafkaError when the broker does not answer; RegistryError.
    """
    await require(settings, "verify")
    partitions = await _partitions(settings, ("interactions", "links"))
    consumer = clients.consumer(
        settings,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=8 << 20,
    )
    await consumer.start()
    try:
        hand_out_columns(consumer)
        registry = registry_of(settings)
        interactions = _Reader("interaction", ("subject", *COLUMNS), registry)
        links = _Reader("link", ("subject", "identifier", "occurred_at"), registry)
        await _read(consumer, partitions["interactions"], interactions.take)
        await _read(consumer, partitions["links"], links.take)
        unreadable = pl.DataFrame(interactions.unreadable + links.unreadable, schema=DIFFERENCE, orient="row")
        return Log(interactions.frame(), links.frame(), unreadable)
    finally:
        await consumer.stop()


@dataclass
class _Reader:
    """Decodes the records of one topic, and collects them by partition."""

    record: str
    columns: Sequence[str]
    registry: Registry
    parts: list[pl.DataFrame] = field(default_factory=list)
    unreadable: list[tuple[str, str, str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._decoder = BatchDecoder(self.record, self.registry)

    def take(self, place: TopicPartition, records: RecordColumns) -> None:
        """Take in records of one partition, in order."""
        decoded = self._decoder.decode(records.values, self.columns)
        self.parts.append(decoded.frame)
        for at, detail in decoded.errors:
            if at in records.unreadable:
                detail = records.unreadable[at].detail
            where = f"partition {place.partition}, offset {records.offsets[at]}"
            self.unreadable.append((f"{place.topic} (topic)", where, WHOLE_ROW, f"a record {self.record}", detail))

    def frame(self) -> pl.DataFrame:
        """Everything taken in."""
        schema = polars_schema(self.record)
        empty = pl.DataFrame(schema={name: schema[name] for name in self.columns})
        return pl.concat([empty, *self.parts], rechunk=True)


async def _partitions(settings: Settings, names: Sequence[str]) -> dict[str, list[TopicPartition]]:
    """The partitions of topics, by the topics' names without prefix."""
    admin = clients.admin(settings)
    topics = {settings.topic(name): name for name in names}
    try:
        await admin.start()
        missing = sorted(topics.keys() - set(await admin.list_topics()))  # to ask about one that is missing may make it
        if missing:
            raise RihlaError(f"there is no topic {missing[0]}", "is --prefix right? --source table needs no broker")
        described = await admin.describe_topics(list(topics))
    finally:
        await admin.close()
    return {
        topics[topic["topic"]]: [TopicPartition(topic["topic"], entry["partition"]) for entry in topic["partitions"]]
        for topic in described
    }


async def _read(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], take: Callable[[TopicPartition, RecordColumns], None]
) -> None:
    """Give all records of a topic to `take`, those of one partition in order."""
    for partition, offset in (await consumer.beginning_offsets(partitions)).items():
        if offset > 0:
            raise RihlaError(
                f"{partition.topic} is not the whole log: partition {partition.partition} begins at offset {offset}, "
                "what came before has been deleted",
                "--source table compares with the interactions that ClickHouse has stored",
            )
    consumer.assign(partitions)
    for partition in partitions:
        consumer.seek(partition, 0)
    ends = await consumer.end_offsets(partitions)
    quiet = 0
    while quiet < QUIET_POLLS:
        found = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_PER_POLL)
        for place, records in found.items():
            await asyncio.to_thread(take, place, records)
        behind = [partition for partition in partitions if await consumer.position(partition) < ends[partition]]
        quiet = 0 if found or behind else quiet + 1
