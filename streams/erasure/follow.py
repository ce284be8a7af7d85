"""Follows the topic of erasures: a worker reads all of them before its first record, and each new one within moments.
Every process reads the whole topic, without a consumer group."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.decode import BatchDecoder
from schemas.registry import Registry
from streams import metrics
from streams.erasure.erased import Erased, Erasure
from streams.kafka import clients
from streams.kafka.fetch import hand_out_columns
from streams.kafka.record_batch import RecordColumns
from streams.settings import Settings

TOPIC = "erasures"
WAIT_MS = 500

log = logging.getLogger(__name__)


class Follower:
    """Keeps `erased` up to date. A service beside a worker's app: `start` returns once all erasures have been read.

    failed: called once, with the error, when it cannot go on: a worker that does not know the erasures must stop.
    """

    def __init__(
        self,
        erased: Erased,
        settings: Settings,
        registry: Registry,
        failed: Callable[[BaseException], Awaitable[None]],
    ) -> None:
        self._erased, self._settings, self._failed = erased, settings, failed
        self._decoder = BatchDecoder("erasure", registry)
        self._consumer: AIOKafkaConsumer | None = None
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read all erasures that are there, then follow new ones in the background. Raises OtherKeyError,
        KafkaError."""
        partition = TopicPartition(self._settings.topic(TOPIC), 0)
        self._consumer = clients.consumer(self._settings, group_id=None, enable_auto_commit=False)
        await self._consumer.start()
        hand_out_columns(self._consumer)
        # Records come singly, so that the end is right with the embedded broker, too. It is asked for before there is
        # a fetch that waits for records: that broker answers what comes on one connection in turn.
        end = (await self._consumer.end_offsets([partition]))[partition]
        self._consumer.assign([partition])
        await self._consumer.seek_to_beginning(partition)
        while end and await self._consumer.position(partition) < end:
            await self._take(self._consumer)
        if len(self._erased):
            log.info("%d identifiers were erased, and are refused", len(self._erased))
        self._following = asyncio.ensure_future(self._follow(self._consumer))

    async def stop(self) -> None:
        """Stop following."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        if self._consumer is not None:
            await self._consumer.stop()

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        try:
            while True:
                await self._take(consumer)
        except Exception as exc:
            await self._failed(exc)

    async def _take(self, consumer: AIOKafkaConsumer) -> None:
        found: dict[TopicPartition, RecordColumns] = await consumer.getmany(timeout_ms=WAIT_MS)
        for tp, records in found.items():
            decoded = self._decoder.decode(records.values)
            for position, detail in decoded.errors:
                if position in records.unreadable:
                    detail = records.unreadable[position].detail
                    metrics.BATCHES_UNREADABLE.labels(tp.topic).inc()
                log.error(
                    "%s, offset %d: %s; who was erased by it is not refused: rihla forget has to be called again",
                    tp.topic, records.offsets[position], detail,
                )  # fmt: skip
            self._erased.add(Erasure(*row) for row in decoded.frame.iter_rows())
