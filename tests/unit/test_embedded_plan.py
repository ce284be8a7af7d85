"""What the pipeline on one machine starts with, unless somebody says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.embedded.plan import KAFKA, TANSU, Plan, is_sole, partitions_for


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


@pytest.mark.parametrize(
    ("broker", "workers", "kind", "expected"),
    [
        (TANSU, 1, "stitch", True),
        (TANSU, 2, "stitch", False),
        (TANSU, 2, "identity", True),  # never more than one
        (KAFKA, 1, "stitch", False),  # joins at once anyway
        ("kafka.example:9092", 1, "identity", False),  # others may have workers there
    ],
)
def test_a_worker_is_the_only_one_of_its_group_where_nobody_can_start_another(
    broker: str, workers: int, kind: str, expected: bool
) -> None:
    assert is_sole(Plan(Path("data"), broker, workers=workers), kind) is expected
