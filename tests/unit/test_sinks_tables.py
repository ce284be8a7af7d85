"""Frames in the form of ClickHouse's tables."""

from __future__ import annotations

import re

import polars as pl
import pyarrow as pa
import pytest

from sinks.clickhouse.migrate import migrations
from sinks.clickhouse.tables import TABLES, WORDS_FROM, to_arrow
from tests.support.sink_rows import NOON, frame, interaction, journey


def test_timestamps_and_flags_get_their_types() -> None:
    rows = frame("journey", journey("c1", "B1", NOON, NOON + 1, withdrawn=True))
    arrow = to_arrow(rows, TABLES["journeys"], 0)
    assert arrow.schema.field("started_at").type == pa.timestamp("ms", "UTC")
    assert arrow.schema.field("withdrawn").type == pa.uint8()
    assert arrow.column("span_end").cast(pa.int64()).to_pylist() == [NOON + 1]
    assert arrow.column("withdrawn").to_pylist() == [1]


def test_nested_timestamps_too() -> None:
    preference = {"key": "diet", "value": "halal", "evidence": 2, "last_at": NOON}
    arrow = to_arrow(frame("customer", {"customer_id": "c1", "preferences": [preference]}), TABLES["customers"], 0)
    assert arrow.schema.field("preferences").type.value_type.field("last_at").type == pa.timestamp("ms", "UTC")
    assert arrow.column("preferences").to_pylist()[0][0]["last_at"].isoformat() == "2024-01-01T12:00:00+00:00"


def test_versions_carry_the_epoch() -> None:
    arrow = to_arrow(frame("identity", {"kind": "email_sha256", "value": "x", "version": 7}), TABLES["identities"], 3)
    assert arrow.column("version").to_pylist() == [3 * 2**44 + 7]
    largest = to_arrow(frame("identity", {"value": "x", "version": 2**44 - 1}), TABLES["identities"], 2**19 - 1)
    assert largest.column("version").to_pylist() == [2**63 - 1]


def test_copies_carry_the_epoch_as_a_column() -> None:
    for topic, row in (("interactions", interaction("customer:1", NOON)), ("dead-letters", {"topic": "cx.stay"})):
        arrow = to_arrow(frame(TABLES[topic].schema, row), TABLES[topic], 5)
        assert arrow.column("epoch").to_pylist() == [5]


def test_a_line_of_a_file_is_the_same_letter_in_every_history() -> None:
    rows = frame("dead_letter", {"topic": "file:/a.jsonl", "offset": 3}, {"topic": "cx.stay", "offset": 3})
    assert to_arrow(rows, TABLES["dead-letters"], 5).column("epoch").to_pylist() == [0, 5]


def test_only_the_last_version_of_a_key_is_kept() -> None:
    rows = frame(
        "journey",
        journey("c1", "B1", NOON, NOON, version=2, status="cancelled"),
        journey("c1", "B2", NOON, NOON, version=1),
        journey("c1", "B1", NOON, NOON, version=1, status="booked"),
        journey("c1", "B2", NOON, NOON, version=1, status="completed"),
    )
    arrow = to_arrow(rows, TABLES["journeys"], 0)
    assert sorted(zip(arrow["journey_id"].to_pylist(), arrow["status"].to_pylist(), strict=True)) == [
        ("c1/B1", "cancelled"),
        ("c1/B2", "completed"),
    ]


def test_the_same_case_of_two_customers_is_two_rows() -> None:
    rows = frame("case", {"case_id": "1", "customer_id": "a"}, {"case_id": "1", "customer_id": "b"})
    assert to_arrow(rows, TABLES["cases"], 0).num_rows == 2


def test_lists_of_pairs_become_maps_also_in_slices() -> None:
    spend = [
        [{"currency": "EUR", "amount_minor": i}, {"currency": "USD", "amount_minor": -i}][: i % 3] for i in range(9)
    ]
    rows = frame("journey", *(journey("c", f"B{i}", NOON, NOON, spend=pairs) for i, pairs in enumerate(spend)))
    for start, length in ((0, 9), (4, 3), (8, 1)):
        arrow = to_arrow(rows.slice(start, length), TABLES["journeys"], 0)
        assert isinstance(arrow.schema.field("spend").type, pa.MapType)
        expected = {
            f"c/B{i}": [(p["currency"], p["amount_minor"]) for p in spend[i]] for i in range(start, start + length)
        }
        assert dict(zip(arrow["journey_id"].to_pylist(), arrow["spend"].to_pylist(), strict=True)) == expected


def test_a_uuid_in_capitals_is_the_same_event() -> None:
    row = interaction("customer:1", NOON, event_id="0E6F8A9C-0000-4000-8000-00000000ABCD")
    arrow = to_arrow(frame("interaction", row), TABLES["interactions"], 0)
    assert arrow["event_id"].to_pylist() == ["0e6f8a9c-0000-4000-8000-00000000abcd"]


def test_another_form_is_an_error() -> None:
    with pytest.raises(pl.exceptions.PolarsError):
        to_arrow(pl.DataFrame({"x": [1]}), TABLES["journeys"], 0)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.topic)
def test_empty_frames(table: object) -> None:
    from sinks.clickhouse.tables import Table

    assert isinstance(table, Table)
    assert to_arrow(frame(table.schema), table, 0).num_rows == 0


def test_words_are_the_columns_that_clickhouse_keeps_as_such() -> None:
    ddl = next(migration.text for migration in migrations() if migration.name.endswith("interactions_store"))
    low = re.findall(r"^    (\w+) LowCardinality\(", ddl, re.MULTILINE)
    assert set(TABLES["interactions"].words) == set(low)


def test_words_go_out_as_dictionaries_with_their_nulls() -> None:
    many = [None, *(f"desk {number % 300}" for number in range(WORDS_FROM)), None]
    rows = [interaction("customer:A", NOON, unit=unit, channel="stay") for unit in many]
    arrow = to_arrow(frame("interaction", *rows), TABLES["interactions"], 0)
    assert arrow.schema.field("unit").type == pa.dictionary(pa.int16(), pa.string())
    assert arrow.schema.field("channel").type == pa.dictionary(pa.int8(), pa.string())
    assert arrow.column("unit").to_pylist() == many
