"""sinks.first_copies: which rows an insert need not look for."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from sinks.first_copies import COLUMN, FEWEST_WORDS, PAUSE, Filter, FirstCopies, sip_hashes
from streams.kafka.progress import RecordBatch
from streams.kafka.record_batch import RecordColumns

IDS = [str(UUID(int=number << 64 | number)) for number in range(1, 9)]
FOUND = {
    "00000000-0000-0001-0000-000000000001": 7_081_404_226_110_698_778,
    "ffffffff-ffff-ffff-ffff-ffffffffffff": 18_109_086_891_280_381_274,
}
"""What ClickHouse 26.9 gives for sipHash64 of them."""


class Stored:
    """A client of a table that holds some events. gate: what happens while it is read."""

    def __init__(self, *events: str, refuses: bool = False) -> None:
        self.events, self.refuses, self.reads = events, refuses, 0
        self.meanwhile: Any = lambda: None
        self.clock = 0.0

    def command(self, sql: str) -> object:
        if self.refuses:
            raise RuntimeError("no such column: first_copy")
        return len(self.events)

    @contextmanager
    def raw_stream(self, sql: str, fmt: str, settings: object) -> Iterator[io.BytesIO]:
        self.reads += 1
        content = sip_hashes(pa.array(list(self.events), pa.string()))[0].tobytes()
        self.meanwhile()
        yield io.BytesIO(content)

    def close(self) -> None:
        pass


def batch(first: int, following: int, partition: int = 0) -> RecordBatch:
    columns = RecordColumns()
    for offset in range(first, following):
        columns.append(offset, 0, None, None)
    return RecordBatch(columns, "cx.interactions", partition, 1)


def copies(stored: Stored) -> FirstCopies:
    return FirstCopies(lambda: cast(Client, stored), lambda: stored.clock)


def reading(known: FirstCopies, stored: Stored, *batches: RecordBatch) -> None:
    """After a while the batches come, and the filter is filled if it has to be."""
    stored.clock += PAUSE
    known.reading(batches)
    known.wait()


def marked(known: FirstCopies, *ids: str) -> list[bool] | None:
    rows = known.mark(pa.table({"event_id": pa.array(list(ids), pa.string())}))
    return rows.column(COLUMN).to_pylist() if COLUMN in rows.column_names else None


def test_hashes_are_clickhouses() -> None:
    ids = pa.chunked_array([pa.array(list(FOUND)[:1]), pa.array(["short", *list(FOUND)[1:]])])
    hashes, at = sip_hashes(ids)
    assert hashes.tolist() == list(FOUND.values())
    assert at.tolist() == [0, 2]
    assert sip_hashes(pa.array([], pa.string()))[0].tolist() == []
    assert sip_hashes(pa.array(list(FOUND)).slice(1))[0].tolist() == list(FOUND.values())[1:]


@given(st.lists(st.integers(0, 2**64 - 1), unique=True), st.lists(st.integers(0, 2**64 - 1), unique=True))
def test_a_filter_never_denies_what_it_holds(before: list[int], after: list[int]) -> None:
    held = Filter(0)
    held.add(np.array(before, dtype=np.uint64))
    held.add(np.array(after, dtype=np.uint64))
    assert not held.add(np.array(before + after, dtype=np.uint64)).any()


def test_a_filter_seldom_takes_a_new_event_for_a_known_one() -> None:
    chance, held = np.random.default_rng(1), Filter(FEWEST_WORDS * 3)
    held.add(chance.integers(0, 2**64, FEWEST_WORDS * 7 // 2, dtype=np.uint64))
    assert not held.full
    assert held.add(chance.integers(0, 2**64, 10_000, dtype=np.uint64)).mean() > 0.97
    held.add(chance.integers(0, 2**64, FEWEST_WORDS, dtype=np.uint64))
    assert held.full


def test_what_is_stored_or_came_before_is_no_first_copy() -> None:
    stored = Stored(IDS[0], IDS[1])
    known = copies(stored)
    reading(known, stored, batch(100, 104))
    assert marked(known, IDS[0], IDS[2], IDS[1], IDS[2]) == [False, True, False, False]
    reading(known, stored, batch(104, 106))
    assert marked(known, IDS[2], IDS[3], "not a UUID") == [False, True, False]


def test_what_comes_while_the_filter_is_filled_is_known_when_it_is_there() -> None:
    stored = Stored()
    known = copies(stored)
    stored.meanwhile = lambda: marked(known, IDS[0])
    reading(known, stored, batch(0, 4))
    assert marked(known, IDS[0], IDS[1]) == [False, True]


@pytest.mark.parametrize("hole", [batch(5, 6), batch(3, 4), batch(0, 4, partition=1)])
def test_a_partition_that_somebody_else_may_have_read_makes_the_filter_anew(hole: RecordBatch) -> None:
    stored = Stored()
    known = copies(stored)
    reading(known, stored, batch(0, 2), batch(2, 4))
    assert marked(known, IDS[0]) == [True]
    stored.events = (IDS[1],)
    reading(known, stored, hole)
    assert stored.reads == 2
    assert marked(known, IDS[1], IDS[2]) == [False, True]


def test_a_filter_that_was_overtaken_while_it_was_filled_is_not_used() -> None:
    stored = Stored()
    known = copies(stored)
    stored.meanwhile = lambda: known.reading([batch(9, 12)])
    reading(known, stored, batch(0, 4))
    assert marked(known, IDS[0]) is None
    stored.meanwhile = lambda: None
    reading(known, stored, batch(12, 13))
    assert marked(known, IDS[1]) == [True]


def test_where_the_filter_cannot_be_filled_rows_go_as_they_are() -> None:
    stored = Stored(refuses=True)
    known = copies(stored)
    reading(known, stored, batch(0, 4))
    assert marked(known, IDS[0]) is None
    stored.refuses = False
    reading(known, stored, batch(4, 5))
    assert marked(known, IDS[0], IDS[1]) == [True, True]
