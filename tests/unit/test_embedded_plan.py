"""What the pipeline on one machine starts with, unless somebody says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.embedded.pipeline import KAFKA, TANSU, Plan, partitions_for


@pytest.mark.parametrize(
    ("broker", "environment", "expected"),
    [
        (TANSU, {}, 3),
        (TANSU, {"RIHLA_PREFIX": "other"}, 3),
        (TANSU, {"RIHLA_PARTITIONS": "8"}, None),
        (KAFKA, {}, None),  # keeps its topics: there may be more workers another day
        ("kafka.example:9092", {}, None),
    ],
)
def test_the_embedded_broker_has_a_partition_a_worker(
    broker: str, environment: dict[str, str], expected: int | None
) -> None:
    assert partitions_for(Plan(Path("data"), broker, workers=3), environment) == expected
