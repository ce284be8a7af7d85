"""`rihla feed`: reads another system's topic by a mapping, and sends the events to the channels' topics.

Offsets are committed once Kafka has acknowledged all that came of their records, so a record may be read twice after a
kill, and its events, whose ids are a function of it, are stored once. What is no event becomes a dead letter with the
record's own topic, partition and offset. A record without a value is a tombstone: counted, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from schemas.foreign import ForeignReader, NoRegistryError
from schemas.registry import Registry, RegistryError
from schemas.single import UndecodableError
from streams.errors import RihlaError
from streams.kafka import clients, open_transactions
from streams.kafka.acl_check import require
from streams.kafka.acls import FEED
from streams.kafka.fetch import NO_TRANSACTIONS, TRANSACTIONAL, ends_of, hand_out_columns
from streams.kafka.open_transactions import OpenTransactions
from streams.kafka.record_batch import RecordColumns
from streams.kafka.topics import ensure_topics
from streams.model import dead_letter
from streams.model.dead_letter import MASKED, UNDECODABLE, DeadLetter, is_masked, showing
from streams.registries import registry_of
from streams.settings import Settings
from streams.sources.feeder import Feeder, producing
from streams.sources.mapping.model import Mapping
from streams.sources.mapping.reader import batches_of
from streams.sources.mapping.rows import rows_of_objects
from streams.sources.mapping.translate import Translator
from streams.text.scrub import scrub_text
from streams.text.shown import shown_key, shown_line

RECORDS = 5_000
"""Most records that are read at a time."""
POLL_MS = 500
METADATA_LOOKS, METADATA_SECONDS = 600, 0.05
"""For the partitions of a topic, just after it was subscribed to."""
RETRY_SECONDS = (1.0, 30.0)
"""Between two questions to a registry that does not answer: at first, and at most."""

log = logging.getLogger(__name__)


@dataclass
class Read:
    """What was read, all acknowledged."""

    records: int = 0
    events: Counter[str] = field(default_factory=Counter)
    """By channel."""
    letters: Counter[str] = field(default_factory=Counter)
    """By reason."""
    examples: dict[str, str] = field(default_factory=dict)
    """By reason, the first letter: where, and what is wrong."""
    tombstones: int = 0
    silent: int = 0
    """Records that meet the condition of no event."""
    uncommitted: int = 0
    """Offsets of and behind transactions that were open when the end was reached: they were not read."""


class TopicFeeder:
    """Reads records of one topic and sends what a mapping makes of them."""

    def __init__(self, mapping: Mapping, reader: ForeignReader, feeder: Feeder, topic: str, ours: Registry) -> None:
        """ours: of our own schemas. Raises MappingError."""
        self.read = Read()
        self._translator = Translator(mapping, topic)
        self._reader, self._feeder, self._topic, self._ours = reader, feeder, topic, ours

    async def take(self, partition: int, records: RecordColumns) -> None:
        """Some records of one partition; returns when Kafka has acknowledged all that came of them.

        Raises RegistryError where a schema cannot be asked for now, and RihlaError where the first records need a
        registry that nobody named: nothing was sent then.
        """
        strangers = 0
        payloads: list[bytes] = []
        places: list[int] = []
        letters: list[DeadLetter] = []
        for at, value in enumerate(records.values):
            headers = records.headers.get(at, [])
            if value is None:
                self.read.tombstones += 1
            elif (unreadable := records.unreadable.get(at)) is not None:
                letters.append(self._letter(partition, records, at, unreadable.batch, UNDECODABLE, unreadable.detail))
            elif TRANSACTIONAL in headers:
                letters.append(self._letter(partition, records, at, value, dead_letter.TRANSACTIONAL, NO_TRANSACTIONS))
            else:
                try:
                    found = _objects(await asyncio.to_thread(self._reader.read, value, headers))
                except UndecodableError as error:
                    strangers += isinstance(error, NoRegistryError)
                    letters.append(self._letter(partition, records, at, value, UNDECODABLE, str(error)))
                else:
                    payloads += found
                    places += [at] * len(found)
        if strangers == len(letters) > 0 and not payloads and not self.read.records:
            raise RihlaError(
                f"{self._topic}: its values name schemas of a registry, and no registry is named",
                "--registry URL, or --schema for the one schema of all values",
            )
        rows = rows_of_objects(payloads, self._translator.columns, self._translator.mapping.read)
        done = await asyncio.to_thread(self._translator.translate, rows)
        for line in done.bad:
            place = partition, records, places[line.line - 1]
            letters.append(self._letter(*place, line.payload, line.reason, line.detail, line.masked))
        every = batches_of(self._topic, self._translator, rows, done)
        bare = [replace(batch, bad=[]) for batch in every if batch.frame.height]
        before = Counter(self._feeder.fed.events)
        await self._feeder.feed(iter(bare))
        if letters:
            await self._feeder.send_letters(letters)
        self.read.events += Counter(self._feeder.fed.events) - before
        self.read.letters.update(letter.reason for letter in letters)
        for letter in letters:
            where = f"partition {letter.partition}, offset {letter.offset}"
            self.read.examples.setdefault(letter.reason, f"{where}: {letter.detail}")
        self.read.records += len(records)
        self.read.silent += done.silent

    def _letter(
        self,
        partition: int,
        records: RecordColumns,
        at: int,
        payload: bytes,
        reason: str,
        detail: str,
        masked: bool = False,
    ) -> DeadLetter:
        key = records.keys[at]
        letter = DeadLetter(self._topic, partition, records.offsets[at], key, payload, reason, scrub_text(detail))
        if at in records.unreadable:
            return showing(letter, None, None)
        shown = showing(letter, shown_key(key, self._ours), shown_line(payload))
        return shown._replace(detail=shown.detail + MASKED) if masked and not is_masked(shown.detail) else shown


def _objects(value: Any) -> list[bytes]:
    """The objects of a value: itself, or the items of an array."""
    some = value if isinstance(value, list) else [value]
    try:
        return [orjson.dumps(one) for one in some]
    except (orjson.JSONEncodeError, TypeError) as error:
        raise UndecodableError(f"cannot be kept as JSON: {error}") from None


async def feed_topic(
    settings: Settings,
    topic: str,
    mapping: Mapping,
    reader: ForeignReader,
    *,
    group: str,
    to_end: bool = False,
    stop: asyncio.Event | None = None,
    told: Callable[[Read], None] = lambda read: None,
) -> Read:
    """Read a topic from where the group left off, at first from its beginning.

    group: of consumers; processes with the same one share the partitions. to_end: stop where the topic ended when it
    was opened. stop: once set, reading ends after what is under way. told: called after each go.

    Raises RihlaError for a topic that is not there, TopicError, and KafkaError.
    """
    await require(settings, FEED + topic, group)
    await ensure_topics(settings)
    stop = stop or asyncio.Event()
    consumer = clients.consumer(
        settings,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",  # a producer's aborted transaction is no input
        max_poll_records=RECORDS,
    )
    await consumer.start()
    try:
        hand_out_columns(consumer, mark_transactions=settings.embedded)
        if topic not in await consumer.topics():
            raise RihlaError(f"there is no topic {topic}")
        consumer.subscribe([topic])
        partitions = await _partitions(consumer, topic)
        ends = await consumer.end_offsets(partitions) if to_end else {}
        registry = registry_of(settings)
        committed: dict[TopicPartition, int] = {}
        held_back = OpenTransactions(settings)
        async with producing(settings) as producer:
            feeder = TopicFeeder(mapping, reader, Feeder(producer, settings, registry), topic, registry)
            while not stop.is_set() and not (to_end and await _at(consumer, ends)):
                for tp, records in (await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS)).items():
                    await _insist(feeder, tp.partition, records, stop)
                    told(feeder.read)
                await _commit(consumer, committed)
                if not settings.embedded:
                    held_back.look(ends_of(consumer, consumer.assignment()))
            if to_end and not settings.embedded:
                left = await open_transactions.find(settings, partitions)
                feeder.read.uncommitted = sum(one.open.records for one in left)
            return feeder.read
    finally:
        await consumer.stop()


async def _partitions(consumer: Any, topic: str) -> list[TopicPartition]:
    """The partitions of a topic that is subscribed to. Raises RihlaError where the broker does not tell them."""
    for _ in range(METADATA_LOOKS):
        if found := consumer.partitions_for_topic(topic):
            return [TopicPartition(topic, number) for number in sorted(found)]
        await asyncio.sleep(METADATA_SECONDS)
    raise RihlaError(f"the broker does not say which partitions {topic} has")


async def _insist(feeder: TopicFeeder, partition: int, records: RecordColumns, stop: asyncio.Event) -> None:
    """Take records; where the registry does not answer, wait for it."""
    wait, most = RETRY_SECONDS
    while True:
        try:
            return await feeder.take(partition, records)
        except RegistryError as error:
            log.warning("%s; trying again in %.0f s", error, wait)
            try:
                await asyncio.wait_for(stop.wait(), wait)
                raise
            except TimeoutError:
                wait = min(2 * wait, most)


async def _commit(consumer: Any, committed: dict[TopicPartition, int]) -> None:
    """Commit where the consumer stands, all that it has handed out being done with: the end of a transaction is an
    offset, too, and no record.

    committed: by partition, what was committed last; brought up to date.
    """
    try:
        positions = {tp: await consumer.position(tp) for tp in consumer.assignment()}
        moved = {tp: offset for tp, offset in positions.items() if offset > committed.get(tp, 0)}
        if moved:
            await consumer.commit(moved)
            committed.update(moved)
    except (CommitFailedError, IllegalStateError) as error:  # some are another's by now, who reads them again
        log.warning("not committed: %s", error)


async def _at(consumer: Any, ends: dict[TopicPartition, int]) -> bool:
    """Whether the group has read all partitions up to these offsets."""
    for partition, end in ends.items():
        if end > 0 and (await consumer.committed(partition) or 0) < end:
            return False
    return True
