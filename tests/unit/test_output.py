"""Rows by partition, few and many."""

from __future__ import annotations

import numpy as np
import pytest

from streams.kafka.batch_producer import MANY, _group


@pytest.mark.parametrize("rows", [0, 1, MANY - 1, MANY, 3 * MANY])
def test_each_row_is_with_its_partition_in_order(rows: int) -> None:
    partitions = np.random.default_rng(rows).integers(0, 5, rows)
    found = _group(partitions)
    assert sorted(row for some in found.values() for row in some) == [*range(rows)]
    for partition, some in found.items():
        assert some == sorted(some)
        assert partitions[some].tolist() == [partition] * len(some)
