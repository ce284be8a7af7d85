"""The partitioner agrees with the one that every Kafka client has."""

from __future__ import annotations

from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.partitioner import murmur2, partitions_of, rows_by

KEYS = st.lists(st.binary(max_size=70), max_size=60)


@given(KEYS)
def test_hashes_are_those_of_the_reference(keys: list[bytes]) -> None:
    assert [murmur2(key) for key in keys] == [reference(key) & 0xFFFFFFFF for key in keys]


@given(KEYS, st.integers(1, 200))
def test_partitions_are_those_of_the_default_partitioner(keys: list[bytes], partitions: int) -> None:
    everyone = list(range(partitions))
    expected = [DefaultPartitioner()(key, everyone, everyone) for key in keys]
    assert partitions_of(keys, partitions) == expected
    rows = {partition: [row for row, its in enumerate(expected) if its == partition] for partition in {*expected}}
    assert rows_by(expected) == rows


@given(st.lists(st.none() | st.binary(max_size=9), max_size=60), st.integers(1, 20))
def test_rows_without_a_key_are_spread_evenly(keys: list[bytes | None], partitions: int) -> None:
    found = partitions_of(keys, partitions)
    keyed = [key for key in keys if key is not None]
    assert [place for key, place in zip(keys, found, strict=True) if key is not None] == partitions_of(
        keyed, partitions
    )
    free = [place for key, place in zip(keys, found, strict=True) if key is None]
    counts = [free.count(partition) for partition in range(partitions)]
    assert max(counts) - min(counts) <= 1
