"""Where the records behind letters are looked for: places that a letter only claims are not waited for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from aiokafka import TopicPartition

from streams.dead_letters import originals
from streams.settings import Settings


class Consumer:
    """Of a topic with partitions 0 and 1, in which every offset from 0 on has a record."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self._client = self
        self.asked: list[tuple[int, int]] = []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def fetch_all_metadata(self) -> Any:
        return SimpleNamespace(partitions_for_topic=lambda topic: {0, 1})

    def assign(self, places: list[TopicPartition]) -> None:
        assert all(place.partition in (0, 1) for place in places)

    def seek(self, place: TopicPartition, offset: int) -> None:
        if offset < 0:
            raise ValueError(offset)
        self.asked.append((place.partition, offset))

    async def getone(self, place: TopicPartition) -> Any:
        partition, offset = self.asked[-1]
        assert partition == place.partition
        return SimpleNamespace(offset=offset, key=None, value=b"whole")


def test_places_that_there_are_none_of_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Consumer()
    monkeypatch.setattr(originals.clients, "consumer", lambda *_, **__: consumer)
    places = [(0, 5), (0, -1), (-1, 5), (7, 5), (1_000_000, 2**62), (1, 2**62)]
    letters = pl.DataFrame(
        {"topic": ["cx.booking"] * len(places), "partition": [p for p, _ in places], "offset": [o for _, o in places]}
    )
    found = asyncio.run(originals._records(Settings(), letters, [*range(len(places))]))
    assert consumer.asked == [(0, 5), (1, 2**62)]
    assert found == {0: (None, b"whole"), 5: (None, b"whole")}
