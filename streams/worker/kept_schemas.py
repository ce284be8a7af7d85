"""The schemas that a registry has given, stored in a compacted topic, so that a worker can start while the registry is
away. Every worker reads the whole topic. Key: the registry's address and the id; value: the schema as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.registry import HttpRegistry, RegistryError, UnknownSchemaError
from streams import metrics
from streams.kafka import clients
from streams.kafka.fetch import hand_out_columns
from streams.kafka.record_batch import RecordColumns
from streams.model.digits import number_of
from streams.settings import Settings
from streams.topology import SCHEMAS

WAIT_MS = 500
CONFIRM_WITHIN = 2.0  # seconds for the registry to confirm the stored schemas before the first record
CONFIRM_AGAIN = 60.0  # seconds

log = logging.getLogger(__name__)


class RegistryChangedError(Exception):
    """The registry gives another schema for an id than before: it is another registry, or was made anew."""


class KeptSchemas:
    """Adds the stored schemas to a registry. A service beside a worker's app: `start` returns once all have been read.

    failed: called once, with the error, when a stored schema turns out wrong after records may have been read with it.
    """

    def __init__(
        self, registry: HttpRegistry, settings: Settings, failed: Callable[[BaseException], Awaitable[None]]
    ) -> None:
        self._registry, self._settings, self._failed = registry, settings, failed
        self._partition = TopicPartition(settings.topic(SCHEMAS), 0)
        self._consumer: AIOKafkaConsumer | None = None
        self._kept: dict[int, str] = {}
        self._confirming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the stored schemas and compare them with the registry's: now, or in the background if it is away."""
        self._consumer = clients.consumer(self._settings, group_id=None, enable_auto_commit=False)
        await self._consumer.start()
        hand_out_columns(self._consumer)
        self._consumer.assign([self._partition])
        await self._consumer.seek_to_beginning(self._partition)
        await self.read()
        if not self._kept:
            return
        try:
            changed = await asyncio.wait_for(self._changed(), CONFIRM_WITHIN)
        except (RegistryError, TimeoutError) as error:
            log.warning("%d schemas of the registry at %s are known, and it does not confirm them: %s",
                        len(self._kept), self._registry.address, error or "no answer")  # fmt: skip
            self._confirming = asyncio.ensure_future(self._confirm())
            return
        for id_, schema in changed.items():
            log.error("%s", _what_changed(self._registry.address, id_))
            self._registry.keep(id_, schema)
            self._registry.learned[id_] = schema

    async def stop(self) -> None:
        """Stop confirming."""
        if self._confirming is not None:
            self._confirming.cancel()
            await asyncio.gather(self._confirming, return_exceptions=True)
        if self._consumer is not None:
            await self._consumer.stop()

    async def read(self) -> None:
        """Read the schemas that any worker has stored since the last call."""
        consumer = self._consumer
        assert consumer is not None, "not started"
        # Records come singly, so that the end is right with the embedded broker, too.
        end = (await consumer.end_offsets([self._partition]))[self._partition]
        while await consumer.position(self._partition) < end:
            found: dict[TopicPartition, RecordColumns] = await consumer.getmany(timeout_ms=WAIT_MS)
            for records in found.values():
                for unreadable in records.unreadable.values():
                    log.error("%s: %s; the registry is asked for the schemas", self._partition.topic, unreadable.detail)
                    metrics.BATCHES_UNREADABLE.labels(self._partition.topic).inc()
                for key, value in zip(records.keys, records.values, strict=True):
                    self._take(key, value)

    def _take(self, key: bytes | None, value: bytes | None) -> None:
        address, _, said = (key or b"").decode("utf-8", "replace").rpartition("#")
        id_ = number_of(said)
        if address != self._registry.address or id_ is None or value is None:
            return  # of another registry, whose ids say something else
        try:
            self._registry.keep(id_, value.decode())
        except (UnknownSchemaError, UnicodeDecodeError) as error:
            log.error("%s: what is kept as schema id %d is none: %s", self._partition.topic, id_, error)
        else:
            self._kept[id_] = value.decode()

    async def _changed(self) -> dict[int, str]:
        """Those kept schemas that the registry gives otherwise now. Raises RegistryError where it is away."""
        changed = {}
        for id_, kept in self._kept.items():
            try:
                now = await asyncio.to_thread(self._registry.ask, id_)
            except UnknownSchemaError as error:
                log.warning("schema id %d is known, and the registry does not know it any more: %s", id_, error)
                continue
            if json.loads(now) != json.loads(kept):
                changed[id_] = now
        return changed

    async def _confirm(self) -> None:
        while True:
            await asyncio.sleep(CONFIRM_AGAIN)
            try:
                changed = await self._changed()
            except RegistryError:
                continue
            if changed:
                await self._failed(RegistryChangedError(_what_changed(self._registry.address, min(changed))))
            return


def key_of(address: str, id_: int) -> bytes:
    """The key under which a schema is kept."""
    return f"{address}#{id_}".encode()


def _what_changed(address: str, id_: int) -> str:
    return (
        f"the registry at {address} gives another schema for id {id_} than it gave before: it was made anew. Records "
        "that were written with the old one cannot be told from new ones; see docs/deploying-a-worker.md"
    )
