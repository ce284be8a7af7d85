"""The partitioner over many keys at once agrees with the one that every Kafka client has."""

from __future__ import annotations

from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from streams.kafka import keyed
from streams.kafka.partitioner import murmur2, partitions_of

KEYS = st.lists(st.binary(max_size=70), max_size=60)


@given(KEYS)
def test_hashes_are_those_of_the_reference(keys: list[bytes]) -> None:
    expected = [reference(key) & 0xFFFFFFFF for key in keys]
    assert murmur2(keys).tolist() == expected
    assert [keyed.murmur2(key) for key in keys] == expected


@given(KEYS, st.integers(1, 200))
def test_partitions_are_those_of_the_default_partitioner(keys: list[bytes], partitions: int) -> None:
    everyone = list(range(partitions))
    expected = [DefaultPartitioner()(key, everyone, everyone) for key in keys]
    assert partitions_of(keys, partitions).tolist() == expected
    rows = {partition: [row for row, its in enumerate(expected) if its == partition] for partition in {*expected}}
    assert keyed.rows_by_partition(keys, partitions) == keyed.group(expected) == rows


@given(st.lists(st.none() | st.binary(max_size=9), max_size=60), st.integers(1, 20))
def test_rows_without_a_key_are_spread_evenly(keys: list[bytes | None], partitions: int) -> None:
    found = partitions_of(keys, partitions)
    some = [key for key in keys if key is not None]
    assert [int(p) for key, p in zip(keys, found, strict=True) if key is not None] == partitions_of(
        some, partitions
    ).tolist()
    free = [int(p) for key, p in zip(keys, found, strict=True) if key is None]
    counts = [free.count(partition) for partition in range(partitions)]
    assert max(counts) - min(counts) <= 1
    rows = keyed.rows_by_partition(keys, partitions)
    assert sorted(row for its in rows.values() for row in its) == [*range(len(keys))]
    counts = [sum(keys[row] is None for row in rows.get(partition, ())) for partition in range(partitions)]
    assert max(counts) - min(counts) <= 1
