"""SQL that `rihla query --explain` prints gives on the real engine what the query with its parameters gives."""

from __future__ import annotations

import pytest

from sinks.clickhouse.named import load
from sinks.clickhouse.plots import PLOTS
from streams.cli import main
from streams.cli.query_explain import explain, fill
from streams.cli.query_plot import lines, picture
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import NOON, frame, interaction, journey


@pytest.mark.slow
def test_every_named_query(clickhouse: ClickHouse, capsys: pytest.CaptureFixture[str]) -> None:
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
    some = drawn = 0
    for name, query in load().items():
        given = {"unit": "M'\\1"} if any(one.name == "unit" for one in query.parameters) else {}
        values = query.bind(given)
        result = clickhouse.client.query(query.text(values), parameters=values)
        asked = result.result_rows
        if name in PLOTS and asked:  # what it says to be drawn can be
            drawn += len(lines(picture(query.title, PLOTS[name], result.named_results()), 80)) > 2
        assert clickhouse.rows(explain(query, query.text(values), values)) == [tuple(row) for row in asked], name
        some += bool(asked) and "unit" in given
    assert some >= 4
    assert drawn >= 8
    where = ["--clickhouse", clickhouse.url, "--database", clickhouse.database]
    assert main.main(["query", "nps", *where, "--param", "by=month", "--plot"]) == 0
    said = capsys.readouterr().out
    assert "2024-01" in said
    assert "●" in said


def test_types_are_those_of_the_parameters(clickhouse: ClickHouse) -> None:
    sql = "SELECT toTypeName({n:UInt32} + 1), toTypeName({t:DateTime64(3,'UTC')}), {s:String}, {f:Float64}"
    values = {"n": "7", "t": "2026-01-01 00:00:00", "s": "o'clock \\ \n ü", "f": "-0.5"}
    asked = clickhouse.client.query(sql, parameters=values).result_rows
    assert clickhouse.rows(fill(sql, values)) == [tuple(row) for row in asked]
