"""Open transactions: who reads what is committed stops in front of the first one, at the last stable offset.

A producer that was killed in a transaction leaves it open until the broker gives it up (transaction.timeout.ms), and a
hanging one, of which the broker's coordinator knows nothing, for ever. Readers see no error, only a topic without news.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from streams.kafka import clients
from streams.settings import Settings

PATIENCE = 60.0
"""Seconds for which a transaction may be open before it is called hanging: the usual time-out of a producer's."""
LOOK_AGAIN = 3.0
"""Seconds between two looks from outside: a transaction that is open at both has lasted for longer."""
READ_MS = 3_000

log = logging.getLogger(__name__)

Place = tuple[str, int]
"""Topic and partition."""


class Ends(NamedTuple):
    """Where a reader stands in a partition, where committed records end, and where the log ends."""

    position: int
    stable: int
    end: int


class Open(NamedTuple):
    """A transaction that holds records of a partition back.

    offset: its first one, which is the last stable offset. records: offsets from there to the end of the log.
    """

    topic: str
    partition: int
    offset: int
    records: int

    def sentence(self, seconds: float) -> str:
        """What is wrong. seconds: for how long the transaction has been open, at least."""
        return (
            f"the transaction at offset {self.offset} of partition {self.partition} has been open for {seconds:.0f} s: "
            f"it and all behind it, {self.records} records at most, are read when it ends"
        )

    def remedy(self, settings: Settings) -> str:
        """The command that ends it."""
        return (
            f"have its producer end it, or: kafka-transactions.sh --bootstrap-server {settings.broker_list[0]} abort "
            f"--topic {self.topic} --partition {self.partition} --start-offset {self.offset}"
        )


class OpenTransactions:
    """Watches the partitions that one worker reads; to be given a look at them every second or so.

    clock: seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._open: dict[Place, tuple[Open, float]] = {}
        self._logged: dict[Place, int] = {}

    def look(self, ends: Mapping[Place, Ends]) -> None:
        """Note what is open now, and log what has been for PATIENCE. A partition that is not among `ends` is
        forgotten."""
        now, before = self._clock(), self._open
        self._open = {}
        for (topic, partition), (position, stable, end) in ends.items():
            if not stable <= position < end:  # a reader who has not come so far is held back by nobody
                continue
            place = topic, partition
            found = Open(topic, partition, stable, end - stable)
            earlier = before.get(place)
            since = earlier[1] if earlier is not None and earlier[0].offset == stable else now
            self._open[place] = found, since
            if now - since >= PATIENCE and self._logged.get(place) != stable:
                self._logged[place] = stable
                log.error("%s: %s; %s", topic, found.sentence(now - since), found.remedy(self._settings))
        for place in self._logged.keys() - self._open.keys():
            offset = self._logged.pop(place)
            if place in ends:
                log.warning("%s[%d]: the transaction at offset %d has ended", *place, offset)

    def held_back(self) -> dict[Place, int]:
        """By topic and partition, the offsets behind a transaction that has been open for PATIENCE."""
        now = self._clock()
        return {place: found.records for place, (found, since) in self._open.items() if now - since >= PATIENCE}


class Found(NamedTuple):
    """A transaction that was open at two looks. age: of its first record, by its time stamp, seconds."""

    open: Open
    age: float


async def find(settings: Settings, partitions: Sequence[TopicPartition]) -> list[Found]:
    """The transactions that are open in some partitions, and were LOOK_AGAIN seconds ago. Raises aiokafka's KafkaError.

    Changes nothing. The embedded broker has no transactions (streams.kafka.fetch), and is not to be asked.
    """
    every = clients.consumer(settings, enable_auto_commit=False)
    committed = clients.consumer(settings, enable_auto_commit=False, isolation_level="read_committed")
    try:
        await every.start()
        await committed.start()
        before = await _gaps(every, committed, partitions)
        if not before:
            return []
        await asyncio.sleep(LOOK_AGAIN)
        now = await _gaps(every, committed, list(before))
        lasting = [one for tp, one in now.items() if before[tp].offset == one.offset]
        return [Found(one, await _age(every, one)) for one in lasting]
    finally:
        await every.stop()
        await committed.stop()


async def _gaps(
    every: AIOKafkaConsumer, committed: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, Open]:
    """By partition, what lies between the last stable offset and the end of the log."""
    stable = await committed.end_offsets(partitions)
    ends = await every.end_offsets(partitions)  # afterwards: what ends in between must not look like a gap
    stable = {**stable, **await committed.end_offsets([tp for tp in partitions if stable[tp] < ends[tp]])}
    return {
        tp: Open(tp.topic, tp.partition, stable[tp], ends[tp] - stable[tp])
        for tp in partitions
        if stable[tp] < ends[tp]
    }


async def _age(every: AIOKafkaConsumer, found: Open) -> float:
    """Seconds since the time stamp of a transaction's first record; LOOK_AGAIN where we may not read it."""
    tp = TopicPartition(found.topic, found.partition)
    every.assign([tp])
    every.seek(tp, found.offset)
    records: Sequence[Any] = []
    with contextlib.suppress(TopicAuthorizationFailedError):
        records = (await every.getmany(tp, timeout_ms=READ_MS, max_records=1)).get(tp, [])
    return max(LOOK_AGAIN, time.time() - records[0].timestamp / 1000) if records else LOOK_AGAIN
