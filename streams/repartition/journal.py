"""The steps of a repartitioning that are done, in a topic that exists while it is under way.

Workers that find the topic do not start (streams.kafka.layout).
"""

from __future__ import annotations

import json
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from streams.errors import RihlaError
from streams.kafka.layout import JOURNAL
from streams.kafka.topics import FOREVER, ROOMY
from streams.repartition.reading import Reader
from streams.repartition.writing import Topic, delete, make
from streams.settings import Settings

Entry = dict[str, Any]


class Journal:
    """The journal of one prefix."""

    def __init__(self, admin: AIOKafkaAdminClient, producer: Any, reader: Reader, settings: Settings) -> None:
        self._admin, self._producer, self._reader = admin, producer, reader
        self._replication = settings.replication
        self.topic = settings.topic(JOURNAL)

    async def read(self) -> list[Entry] | None:
        """All entries, None when nothing is under way."""
        if self.topic not in await self._admin.list_topics():
            return None
        entries: list[Entry] = []
        async for records in self._reader.merged(self.topic, await self._reader.limits(self.topic, 1)):
            try:
                entries += [json.loads(record.value or b"") for record in records]
            except ValueError as error:
                raise RihlaError(f"{self.topic} is no journal of this command: {error}") from None
        return entries

    async def begin(self) -> None:
        """Make the topic."""
        await make(self._admin, self.topic, Topic(1, self._replication, {**FOREVER, **ROOMY}))

    async def note(self, **entry: Any) -> None:
        """Add an entry; durable on return."""
        await self._producer.send_and_wait(self.topic, json.dumps(entry).encode(), partition=0)

    async def end(self) -> None:
        """Delete the topic, when all steps are done."""
        await delete(self._admin, self.topic)
