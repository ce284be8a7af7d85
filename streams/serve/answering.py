"""Writes people's answers to Kafka: an event on its channel, acknowledged before the page says that it is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.encode import BatchEncoder
from schemas.records import CHANNELS
from schemas.registry import Registry
from streams.kafka.batch_producer import BatchProducer, RecordTooLarge
from streams.loop.first import First
from streams.settings import Settings
from streams.sources.lines import frame_of
from streams.topology import channel_topic

PATIENCE = 10.0
"""Most seconds that a person waits for Kafka. The answer may still arrive later; the same click again changes
nothing."""


class NotRecorded(Exception):
    """Kafka has not acknowledged the event, which may or may not be stored."""


class Answers:
    """Writes events of streams.loop.answers. producer: started; the topics of the channels must exist."""

    def __init__(self, producer: AIOKafkaProducer, settings: Settings, registry: Registry) -> None:
        self._registry, self._wire = registry, settings.wire
        self._outputs = {
            channel: BatchProducer(producer, settings.topic(channel_topic(channel))) for channel in CHANNELS
        }
        self._encoders: dict[str, BatchEncoder] = {}
        self._one, self._first = asyncio.Lock(), First()

    @property
    def acknowledged(self) -> dict[str, dict[int, int]]:
        """Full topic name: {partition: next offset after our last record}."""
        return {output.topic: dict(output.acknowledged) for output in self._outputs.values()}

    async def record(self, event: Mapping[str, Any]) -> None:
        """Return once Kafka has the event, as it was first said. Raises NotRecorded."""
        event = self._first.of(event)
        channel = event["channel"]
        frame, keys = frame_of(channel, [event])
        output = self._outputs[channel]
        try:
            async with asyncio.timeout(PATIENCE), self._one:
                if channel not in self._encoders:
                    self._encoders[channel] = BatchEncoder(channel, self._registry, self._wire)
                await output.send(keys, self._encoders[channel].encode(frame))
                await output.flush()
        except (TimeoutError, KafkaError, RecordTooLarge) as error:
            raise NotRecorded(type(error).__name__) from error
