"""SQL that `rihla query --explain` prints gives on the real engine what the query with its parameters gives."""

from __future__ import annotations

import pytest

from sinks.clickhouse.named import load
from streams.cli.query_explain import explain, fill
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import NOON, frame, interaction, journey


@pytest.mark.slow
def test_every_named_query(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    answers = ["nps", "csat", "ces", "stars"] * 3
    rows = [
        interaction(
            f"customer:{at}", NOON + at, survey={"instrument": one, "score": at % 6.0}, unit="M'\\1", score=-0.5
        )
        for at, one in enumerate(answers)
    ]
    clickhouse.write("interactions", frame("interaction", *rows))
    clickhouse.write("journeys", frame("journey", journey("customer:1", "A", NOON, NOON + 1)))
    some = 0
    for name, query in load().items():
        given = {"unit": "M'\\1"} if any(one.name == "unit" for one in query.parameters) else {}
        values = query.bind(given)
        asked = clickhouse.client.query(query.text(values), parameters=values).result_rows
        assert clickhouse.rows(explain(query, query.text(values), values)) == [tuple(row) for row in asked], name
        some += bool(asked) and "unit" in given
    assert some >= 4


def test_types_are_those_of_the_parameters(clickhouse: ClickHouse) -> None:
    sql = "SELECT toTypeName({n:UInt32} + 1), toTypeName({t:DateTime64(3,'UTC')}), {s:String}, {f:Float64}"
    values = {"n": "7", "t": "2026-01-01 00:00:00", "s": "o'clock \\ \n ü", "f": "-0.5"}
    asked = clickhouse.client.query(sql, parameters=values).result_rows
    assert clickhouse.rows(fill(sql, values)) == [tuple(row) for row in asked]
