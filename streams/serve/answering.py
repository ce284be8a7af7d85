"""People's answers to alerts and cases, from the desk to the topics of their channels (streams.loop.answers)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.encode import BatchEncoder
from schemas.records import CHANNELS
from schemas.registry import Registry
from streams.kafka.batch_producer import BatchProducer
from streams.model.subjects import keys_of, subjects
from streams.serve.store import Transaction, digest, unpack
from streams.settings import Settings
from streams.sources.jsonl import row_of_object
from streams.sources.rows import rows_to_frame
from streams.topology import channel_topic

PATIENCE = 10.0
"""Seconds until an answer that the brokers have not acknowledged is called unsent. Sent again, it is the same event."""

log = logging.getLogger(__name__)


class UnsentError(Exception):
    """The brokers have not acknowledged an answer: it may be there, or not."""


class Sender(Protocol):
    """Where events go."""

    async def send(self, event: dict[str, Any]) -> None:
        """Return once an event of streams.loop.answers is durable. Raises UnsentError."""


class ToKafka:
    """Sends events to the topics of their channels. producer: started."""

    def __init__(self, producer: AIOKafkaProducer, settings: Settings, registry: Registry) -> None:
        self._encoders = {channel: BatchEncoder(channel, registry, settings.wire) for channel in CHANNELS}
        self._outputs = {
            channel: BatchProducer(producer, settings.topic(channel_topic(channel))) for channel in CHANNELS
        }
        self._turn = asyncio.Lock()

    @property
    def acknowledged(self) -> dict[str, dict[int, int]]:
        """Full topic name: {partition: next offset after our last record}."""
        return {output.topic: dict(output.acknowledged) for output in self._outputs.values()}

    async def send(self, event: dict[str, Any]) -> None:
        """See Sender."""
        channel, keys, values = encoded(self._encoders, event)
        output = self._outputs[channel]
        try:
            async with asyncio.timeout(PATIENCE), self._turn:
                await output.send(keys, values)
                await output.flush()
        except (KafkaError, TimeoutError) as error:
            log.warning("an answer is not written: %s", type(error).__name__)
            raise UnsentError(type(error).__name__) from error


def encoded(
    encoders: Mapping[str, BatchEncoder], event: Mapping[str, Any]
) -> tuple[str, Sequence[bytes], Sequence[bytes]]:
    """Channel, keys and values of an event as it is written. Pure."""
    row = row_of_object(dict(event))
    frame = rows_to_frame(event["channel"], [row])
    return event["channel"], keys_of(subjects(frame)), encoders[event["channel"]].encode(frame)


def record_of(view: Transaction, kind: str, customer_id: str, key: str) -> dict[str, Any] | None:
    """The open alert or case of an id; None where there is none.

    customer_id: under whom it is stored; an alert is found by its own id, whoever its customer is by now.
    """
    if kind == "alert":
        under = view.get(b"x" + digest(key))
        stored = None if under is None else view.get(b"a" + digest(under.decode()) + digest(key))
    else:
        stored = view.get(b"k" + digest(customer_id) + digest(key))
    if stored is None:
        return None
    row: dict[str, Any] = unpack(stored)
    is_open = row["closed_at"] is None if kind == "alert" else row["status"] == "open" and not row["withdrawn"]
    return {"touchpoint": None, "case_id": None, **row} if is_open else None
