"""Reads records of several partitions in the order of their time stamps, and the states in a changelog."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from streams.errors import RihlaError
from streams.kafka import clients
from streams.kafka.changelog import STALLED, PartitionState, apply
from streams.kafka.fetch import hand_out_columns
from streams.kafka.record_batch import Header, RecordColumns
from streams.settings import Settings

AT_ONCE = 5_000
FETCH_BYTES = 4 << 20
POLL_MS = 500


class Record(NamedTuple):
    """A record and where it stood."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]


class Reader:
    """Reads topics from offset to offset; start and stop it."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = clients.consumer(
            settings,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=100,
        )

    async def start(self) -> None:
        """Connect."""
        await self._consumer.start()
        await asyncio.sleep(0)  # aiokafka cannot stop a consumer whose tasks have not begun
        hand_out_columns(self._consumer)

    async def stop(self) -> None:
        """Close all connections."""
        await self._consumer.stop()

    async def limits(self, topic: str, partitions: int) -> dict[int, tuple[int, int]]:
        """By partition: the offset of its first record, and the one after its last."""
        every = [TopicPartition(topic, number) for number in range(partitions)]
        begins = await self._consumer.beginning_offsets(every)
        ends = await self._consumer.end_offsets(every)
        return {tp.partition: (begins[tp], ends[tp]) for tp in every}

    async def merged(self, topic: str, ranges: Mapping[int, tuple[int, int]]) -> AsyncIterator[list[Record]]:
        """The records of partitions of a topic from (first, up to and without the second) offsets.

        Records of one partition keep their order; between partitions, the earliest comes first. If a key is in two
        partitions, because partitions were added, its last record comes last.
        """
        ends = {TopicPartition(topic, p): end for p, (begin, end) in ranges.items() if begin < end}
        if not ends:
            return
        self._consumer.assign(list(ends))
        for tp in ends:
            self._consumer.seek(tp, ranges[tp.partition][0])
        heads: list[tuple[int, int, int]] = []  # (time stamp, partition, position in its chunk)
        chunks: dict[int, RecordColumns] = {}
        waiting, some = {*ends}, list[Record]()
        while waiting or heads:
            if waiting:
                for tp, chunk in (await self._next(waiting, ends)).items():
                    waiting.discard(tp)
                    if chunk is not None and chunk.offsets[0] < ends[tp]:
                        chunks[tp.partition] = chunk
                        heapq.heappush(heads, (chunk.timestamps[0], tp.partition, 0))
                continue
            _, partition, at = heapq.heappop(heads)
            chunk, tp = chunks[partition], TopicPartition(topic, partition)
            headers = tuple(chunk.headers.get(at, ()))
            some.append(Record(partition, chunk.offsets[at], chunk.keys[at], chunk.values[at], headers))
            if at + 1 == len(chunk):
                waiting.add(tp)
            elif chunk.offsets[at + 1] < ends[tp]:
                heapq.heappush(heads, (chunk.timestamps[at + 1], partition, at + 1))
            if len(some) >= AT_ONCE:
                yield some
                some = []
        if some:
            yield some

    async def _next(
        self, waiting: set[TopicPartition], ends: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, RecordColumns | None]:
        """The next chunk of at least one of some partitions; None for one that has come to its end."""
        since = time.monotonic()
        while True:
            found: dict[Any, RecordColumns | None] = dict(
                await self._consumer.getmany(*waiting, timeout_ms=POLL_MS if since else 0)
            )
            for tp in waiting - found.keys():
                if await self._consumer.position(tp) >= ends[tp]:
                    found[tp] = None
            if found:
                return found
            if time.monotonic() - since > STALLED:
                raise RihlaError(f"no record of {next(iter(waiting)).topic} for {STALLED:.0f} s", "is the broker well?")

    async def table(self, topic: str, partition: int, begin: int, end: int) -> dict[bytes, bytes]:
        """The keys and values in a partition of a changelog (streams.kafka.changelog), without a former owner's late
        writes.
        """
        state, tp = PartitionState(), TopicPartition(topic, partition)
        if begin >= end:
            return state.data
        self._consumer.assign([tp])
        self._consumer.seek(tp, begin)
        while state.position < end:
            chunk = (await self._next({tp}, {tp: end}))[tp]
            if chunk is None:
                break
            apply(state, chunk, end, None)
        return state.data
