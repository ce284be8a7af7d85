"""Keeps the view up to date with the topics: every partition, from the stored offset, one transaction for each poll."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import lmdb
import polars as pl
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.decode import BatchDecoder
from schemas.registry import Registry, RegistryError
from streams import metrics
from streams.erasure.erased import Erased
from streams.erasure.guard import guard
from streams.kafka import clients
from streams.kafka.fetch import hand_out_columns
from streams.kafka.record_batch import RecordColumns
from streams.serve.store import Store, Transaction, pack, unpack
from streams.serve.view import APPLY, INTERACTION, bury, forget
from streams.settings import Settings
from streams.topology import BY_NAME
from streams.worker.sift import described, is_of_record, sift

READS = ("identities", "customers", "journeys", "cases", "alerts", "next-actions", "messages", "interactions")
"""Topics from which the view is made."""
POLL_MS = 100
RECORDS_PER_POLL = 4000
ENDS_EVERY = 0.5
"""Seconds between requests for the topics' end offsets."""
REGISTRY_AGAIN = 2.0
LAYOUT = 7
"""Version of the view's keys and values: a store with another version is filled anew."""

log = logging.getLogger(__name__)

Changed = Mapping[str, Sequence[Mapping[str, Any]]]
"""The number of rows applied, by schema."""


class Follower:
    """Keeps a store up to date. `start` returns at once; `age` says how old its answers are.

    changed: called, in the event loop, with the rows of each poll after they are in the store.
    failed: called once, with the error, when it cannot go on.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        store: Store,
        erased: Erased,
        changed: Callable[[Changed], None],
        failed: Callable[[BaseException], Awaitable[None]],
    ) -> None:
        self._settings, self._store, self._erased = settings, store, erased
        self._changed, self._failed = changed, failed
        self._records = {settings.topic(name): str(BY_NAME[name].record) for name in READS}
        self._decoders = {record: BatchDecoder(record, registry) for record in self._records.values()}
        self._layout = pack([LAYOUT, settings.prefix])
        self._positions: dict[TopicPartition, int] = {}
        self._fresh: dict[TopicPartition, float] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._consumers: list[AIOKafkaConsumer] = []
        self._forgotten: set[str] = set()
        self.records = 0
        """Records applied since the start."""

    async def start(self) -> None:
        """Find the partitions and the stored offset of each, then go on in the background. Raises KafkaError."""
        # Two connections: the embedded broker answers the requests on one in turn, and a fetch waits for records.
        following = clients.consumer(self._settings, group_id=None, enable_auto_commit=False, auto_offset_reset="none")
        asking = clients.consumer(self._settings, group_id=None, enable_auto_commit=False)
        self._consumers = [following, asking]
        for consumer in self._consumers:
            await consumer.start()
        hand_out_columns(following)  # aiokafka itself stops at the first batch that cannot be read
        partitions = [one for topic in self._records for one in await clients.partitions_of(asking, topic)]
        begins = await asking.beginning_offsets(partitions)
        ends = await asking.end_offsets(partitions)
        self._positions = self._stored(partitions, begins, ends)
        self._fresh = dict.fromkeys(partitions, float("-inf"))
        following.assign(partitions)
        for partition, at in self._positions.items():
            following.seek(partition, at)
        self._tasks = [
            asyncio.ensure_future(self._guarded(self._follow(following))),
            asyncio.ensure_future(self._guarded(self._look(asking, partitions))),
        ]

    async def stop(self) -> None:
        """Stop following."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for consumer in self._consumers:
            await consumer.stop()

    def positions(self) -> dict[str, dict[int, int]]:
        """By topic and partition: the offset before which all records are in the view."""
        found: dict[str, dict[int, int]] = {}
        for one, offset in self._positions.items():
            found.setdefault(one.topic, {})[one.partition] = offset
        return found

    def age(self) -> float:
        """Seconds since the view was last complete; infinite before it has been filled."""
        oldest = min(self._fresh.values(), default=float("-inf"))
        return time.monotonic() - oldest

    def _stored(
        self,
        partitions: Sequence[TopicPartition],
        begins: Mapping[TopicPartition, int],
        ends: Mapping[TopicPartition, int],
    ) -> dict[TopicPartition, int]:
        """The offsets to continue from. A store that was filled from other topics is emptied."""
        with self._store.reading() as view:
            layout = view.get(b"t")
            stored = {one: view.get(_offset_key(one)) for one in partitions}
        found = {one: begins[one] if value is None else unpack(value) for one, value in stored.items()}
        others = [one for one, at in found.items() if at > ends[one] or stored[one] is None]
        known = any(value is not None for value in stored.values())
        if layout != self._layout or (known and others):
            if known:
                log.warning("the store is not of these topics as they are now: it is filled anew")
            self._store.empty()
            with self._store.writing() as view:
                view.put(b"t", self._layout)
                for one in partitions:
                    view.put(_offset_key(one), pack(begins[one]))
            return dict(begins)
        return {one: max(at, begins[one]) for one, at in found.items()}

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as exc:
            await self._failed(exc)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            columns = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_PER_POLL)
            polled = {partition: readable(partition, some) for partition, some in columns.items()}
            if polled or len(self._erased) != len(self._forgotten):
                applied = await self._applied(polled)
                self.records += sum(map(len, polled.values()))
                self._changed(applied)
            # The consumer's position, not that of the last record: what follows may be no record, such as the end of a
            # transaction, or an offset that compaction has removed.
            for one in self._positions:
                self._positions[one] = await consumer.position(one)

    async def _applied(self, polled: Mapping[TopicPartition, Sequence[Any]]) -> Changed:
        """Apply what was polled; retry while the schema registry does not answer."""
        while True:
            try:
                return await asyncio.to_thread(self._apply, polled)
            except RegistryError as error:
                log.warning("a schema cannot be had now: %s", error)
                await asyncio.sleep(REGISTRY_AGAIN)

    async def _look(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        """Note for each partition when the view was last complete."""
        while True:
            asked = time.monotonic()
            try:
                ends = await consumer.end_offsets(list(partitions))
            except KafkaError as error:  # answers say their age
                log.warning("the brokers do not say where the topics end: %s", error)
                ends = {}
            for partition, end in ends.items():
                if self._positions[partition] >= end:
                    self._fresh[partition] = asked
            await asyncio.sleep(ENDS_EVERY)

    def _apply(self, polled: Mapping[TopicPartition, Sequence[Any]]) -> dict[str, list[Mapping[str, Any]]]:
        """Apply what was polled, with the offsets after it, in one transaction."""
        applied: dict[str, list[Mapping[str, Any]]] = {}
        with self._store.writing() as view:
            for partition, records in polled.items():
                record = self._records[partition.topic]
                applied.setdefault(record, []).extend(self._take(view, record, records))
                if records:
                    view.put(_offset_key(partition), pack(records[-1].offset + 1))
            self._forget(view)
        return applied

    def _take(self, view: Transaction, record: str, records: Sequence[Any]) -> list[Mapping[str, Any]]:
        """Apply the records of a partition, in order; returns the rows among them. A record at which our code raises is
        left out: it would stop the next process, too."""
        sifted = sift(len(records), lambda some: self._rows(record, records[some.start : some.stop]))
        rows = {some.start + at: row for some, part in sifted.done for at, row in part.items()}
        faults = {fault.at: fault.error for fault in sifted.faults}
        for at, one in enumerate(records):
            try:
                if at in rows:
                    APPLY[record](view, rows[at])
                elif one.value is None and one.key is not None:
                    bury(view, record, one.key)
            except Exception as error:
                if isinstance(error, lmdb.Error) or not is_of_record(error):
                    raise
                faults[at] = error
        for at, fault in faults.items():
            one = records[at]
            log.error(
                "%s, partition %d, offset %d is left out: %s",
                one.topic,
                one.partition,
                one.offset,
                described("serve", fault),
            )
        return [row for at, row in rows.items() if at not in faults]

    def _rows(self, record: str, records: Sequence[Any]) -> dict[int, Mapping[str, Any]]:
        """The rows of records, by their position."""
        values, keys = [one.value for one in records], [one.key for one in records]
        decoded = self._decoders[record].decode(values, INTERACTION if record == "interaction" else None)
        for at, detail in decoded.errors:
            if values[at] is not None:  # a tombstone
                log.error("%s, partition %d, offset %d is left out: %s", records[at].topic, records[at].partition,
                          records[at].offset, detail)  # fmt: skip
        decoded, _ = guard(record, decoded, keys, values, self._erased)
        frame: pl.DataFrame = decoded.frame
        return dict(zip(decoded.rows.tolist(), frame.iter_rows(named=True), strict=True))

    def _forget(self, view: Transaction) -> None:
        """Remove people who have been erased since the last call: only their fingerprints are known."""
        if len(self._erased) == len(self._forgotten):
            return
        fingerprints = self._erased.fingerprints()
        if gone := fingerprints - self._forgotten:
            names = [value.decode() for _, value in view.scan(b"q")]
            forget(view, [name for name in names if self._erased.fingerprint_of(name) in gone])
        self._forgotten = fingerprints


class Record(NamedTuple):
    """A record of a topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def readable(partition: TopicPartition, columns: RecordColumns) -> list[Record]:
    """The fetched records of a partition, without batches that cannot be read, which are counted and logged."""
    topic, number = partition.topic, partition.partition
    for unreadable in columns.unreadable.values():
        log.error("%s, partition %d: %s; the view is without what is in it", topic, number, unreadable.detail)
        metrics.BATCHES_UNREADABLE.labels(topic).inc()
    some = zip(columns.offsets, columns.keys, columns.values, strict=True)
    return [
        Record(topic, number, offset, key, value)
        for at, (offset, key, value) in enumerate(some)
        if at not in columns.unreadable
    ]


def _offset_key(partition: TopicPartition) -> bytes:
    return f"t{partition.topic}/{partition.partition}".encode()
