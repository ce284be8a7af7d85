"""The files of the named queries and their documentation."""

from __future__ import annotations

import re

import pytest

from sinks.clickhouse.named import load, parse

TEXT = """-- A title
--
-- What it answers,
-- in two lines.
--
-- columns:
--   n          How many, which is
--              said in two lines
--   example    One
-- parameters:
--   by String = all             What to group by
--   limit UInt32 = 20           Most rows
--   name String =               A name
SELECT 1 AS n, {name:String} AS example LIMIT {limit:UInt32} -- {by:String}
"""


def test_parse() -> None:
    query = parse("q", TEXT)
    assert (query.name, query.title, query.doc) == ("q", "A title", "What it answers,\nin two lines.")
    assert query.columns == (("n", "How many, which is said in two lines"), ("example", "One"))
    assert [(p.name, p.type, p.default, p.doc) for p in query.parameters] == [
        ("by", "String", "all", "What to group by"),
        ("limit", "UInt32", "20", "Most rows"),
        ("name", "String", "", "A name"),
    ]
    assert query.sql.startswith("SELECT 1 AS n")


def test_bind() -> None:
    query = parse("q", TEXT)
    assert query.bind({"limit": "5"}) == {"by": "all", "limit": "5", "name": ""}
    with pytest.raises(ValueError, match="query q has no parameter nmae; it has: by, limit, name"):
        query.bind({"nmae": "x"})


@pytest.mark.parametrize(
    "text", ["SELECT 1", "-- Title\nSELECT 1", "-- T\n-- columns:\n--   a  b\n-- parameters:\n--   x\nSELECT"]
)
def test_a_file_without_its_documentation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="query q"):
        parse("q", text)


def test_every_file_declares_just_the_parameters_that_it_uses() -> None:
    queries = load()
    assert {"nps", "csat", "ces", "funnel", "pain_points", "profiles", "channels", "journeys", "dead_letters"} <= set(
        queries
    )
    for query in queries.values():
        used = set(re.findall(r"\{(\w+:[^}]+)\}", query.sql))
        assert used == {f"{p.name}:{p.type}" for p in query.parameters}, query.name
        assert query.doc
        assert all(doc for _, doc in query.columns)
        assert all(parameter.doc for parameter in query.parameters)


def asked(name: str, **given: str) -> str:
    query = load()[name]
    return query.text(query.bind(given))


def test_the_text_to_ask_has_only_the_joins_that_its_parameters_need() -> None:
    assert "JOIN" in load()["nps"].sql
    assert "JOIN" not in asked("nps")
    assert "JOIN" not in asked("nps", by="channel", country="SA")
    by_brand = asked("nps", by="brand")
    # A unit's brand needs the unit, which needs the units that the journey names.
    views = (
        "FROM interactions\n",
        "FROM journeys",
        "FROM stays",
        "FROM unit_places",
        "FROM prayer_times",
        "FROM hijri",
    )
    assert [one for one in views if one in by_brand] == ["FROM interactions\n", "FROM unit_places"]
    # What it rests on, and who served, need whole stays.
    assert "FROM stays" in asked("nps", by="unit_basis")
    assert "FROM stays" in asked("nps", by="agent")
    assert "unit_places" in asked("nps", by="day")  # each has the clock of its unit
    assert "JOIN" not in asked("nps", by="day", timezone="Asia/Riyadh")
    assert "FROM journeys WHERE" in asked("nps", stage="booked")


def test_the_text_to_ask_of_an_unknown_segment_is_the_whole_one() -> None:
    assert asked("nps", by="nothing").count("{by:String} = ") == load()["nps"].sql.count("{by:String} = ")


def test_a_query_without_segments_is_asked_as_it_is() -> None:
    for name in ("journeys", "paths", "profiles"):
        assert asked(name) == "\n".join(line for line in load()[name].sql.splitlines() if not line.startswith("--"))
