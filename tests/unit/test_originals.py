"""How the records behind letters are read: what is there is found, in one run, and what is not is not waited for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException, OffsetOutOfRangeError
from hypothesis import given
from hypothesis import strategies as st

from streams.dead_letters.originals import NEAR, Originals
from streams.kafka import clients
from streams.settings import Settings


class Consumer:
    """Of a topic with partitions 0 and 1: records stand at some offsets, and before `begin` they have been deleted."""

    def __init__(self, there: set[int], begin: int = 0, unreadable: int | None = None) -> None:
        self._client = self
        self.there, self.begin, self.unreadable = sorted(there), begin, unreadable
        self.sought: list[tuple[int, int]] = []
        self.asked = 0
        self._at = 0

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def fetch_all_metadata(self) -> Any:
        return SimpleNamespace(partitions_for_topic=lambda topic: {0, 1})

    async def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self.begin)

    def assign(self, places: list[TopicPartition]) -> None:
        (self.place,) = places
        assert self.place.partition in (0, 1)

    def seek(self, place: TopicPartition, offset: int) -> None:
        if offset < 0:
            raise ValueError(offset)
        self.sought.append((place.partition, offset))
        self._at = offset

    async def getmany(self, place: TopicPartition, *, timeout_ms: int, max_records: int) -> Any:
        assert place == self.place
        self.asked += 1
        if self._at < self.begin:
            raise OffsetOutOfRangeError(self._at)
        if self._at == self.unreadable:
            raise CorruptRecordException
        got = [offset for offset in self.there if offset >= self._at][: min(max_records, 3)]
        if got:
            self._at = got[-1] + 1
        return {place: [SimpleNamespace(offset=offset, key=None, value=b"%d" % offset) for offset in got]}


def read(consumer: Consumer, places: list[tuple[int, int]], *more: list[tuple[int, int]]) -> list[dict[int, Any]]:
    """What is found of places (partition, offset), of a call each."""
    reader = Originals(Settings())
    reader._consumer = cast(AIOKafkaConsumer, consumer)

    async def all_() -> list[dict[int, Any]]:
        return [
            await reader._records(
                pl.DataFrame(
                    {
                        "topic": ["cx.booking"] * len(some),
                        "partition": [p for p, _ in some],
                        "offset": [o for _, o in some],
                    }
                ),
                [*range(len(some))],
            )
            for some in (places, *more)
        ]

    return asyncio.run(all_())


def test_places_that_there_are_none_of_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Consumer({5, 2**62})
    monkeypatch.setattr(clients, "consumer", lambda *_, **__: consumer)
    (found,) = read(consumer, [(0, 5), (0, -1), (-1, 5), (7, 5), (1_000_000, 2**62), (1, 2**62)])
    assert consumer.sought == [(0, 5), (1, 2**62)]
    assert found == {0: (None, b"5"), 5: (None, b"%d" % 2**62)}


def test_letters_in_a_row_are_read_without_looking_for_each() -> None:
    consumer = Consumer({*range(100)})
    first, second = read(consumer, [(0, at) for at in range(50)], [(0, at) for at in range(50, 100, 7)])
    assert (len(first), len(second)) == (50, 8)
    assert consumer.sought == [(0, 0)]
    (found,) = read(far := Consumer({*range(5), NEAR + 9}), [(0, 0), (0, NEAR + 9)])
    assert (far.sought, len(found)) == ([(0, 0), (0, NEAR + 9)], 2)


def test_of_records_that_retention_has_deleted_the_topic_is_asked_once() -> None:
    consumer = Consumer({*range(1000, 1010)}, begin=1000)
    (found,) = read(consumer, [(0, at) for at in range(1005)])
    assert found == {at: (None, b"%d" % at) for at in range(1000, 1005)}
    assert consumer.asked <= 4


def test_what_is_beside_an_unreadable_batch_is_read() -> None:
    (found,) = read(Consumer({*range(9)}, unreadable=3), [(0, at) for at in range(9)])
    assert found.keys() == {0, 1, 2, 4, 5, 6, 7, 8}


@given(st.sets(st.integers(0, 40)), st.lists(st.integers(0, 45), min_size=1, max_size=30), st.integers(0, 40))
def test_each_record_that_is_there_is_found_and_no_other(there: set[int], wanted: list[int], begin: int) -> None:
    here = {offset for offset in there if offset >= begin}
    (found,) = read(Consumer(here, begin), [(0, at) for at in wanted])
    assert found == {row: (None, b"%d" % at) for row, at in enumerate(wanted) if at in here}
