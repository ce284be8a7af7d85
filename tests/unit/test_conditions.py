"""Conditions and questions as people write them: what they ask, and what a mistake is told."""

from __future__ import annotations

import re

import pytest

from sinks.clickhouse.asking import Question, QuestionError
from sinks.clickhouse.conditions import Condition, ConditionError, joined, parse
from sinks.clickhouse.named import load


@pytest.mark.parametrize(
    ("written", "name", "operator", "values"),
    [
        ("country=SA", "country", "=", ("SA",)),
        ("unit!=A,B", "unit", "!=", ("A", "B")),
        (r"unit=A\,B,C", "unit", "=", ("A,B", "C")),
        ("wait_seconds>=600", "wait_seconds", ">=", ("600",)),
        ("day<2024-05-01", "day", "<", ("2024-05-01",)),
        ("attributes.utm.source=a=b", "attributes.utm.source", "=", ("a=b",)),
        ("language=", "language", "=", ("",)),
    ],
)
def test_parse(written: str, name: str, operator: str, values: tuple[str, ...]) -> None:
    condition = parse(written)
    assert condition == Condition(name, operator, values)
    assert parse(str(condition)) == condition


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("contry=SA", "there is no dimension 'contry'; did you mean country"),
        ("SA", "'SA' is no condition like country=SA"),
        ("country>=SA", "country has no order: test it with = or !="),
        ("nights>=many", "nights is a number, and 'many' is none"),
        ("nights>=1,2", "nights>= takes one value"),
        ("attributes.a'b=1", "is no condition"),
    ],
)
def test_a_mistake_is_told_what_would_do(written: str, told: str) -> None:
    with pytest.raises(ConditionError, match=re.escape(told)):
        parse(written)


def test_values_of_one_dimension_are_any_of_them_and_exclusions_all_hold() -> None:
    given = [parse(one) for one in ("unit=A", "unit!=B", "unit=C", "unit!=D", "nights>=1", "nights<=7")]
    assert [str(one) for one in joined(given)] == ["unit=A,C", "unit!=B", "unit!=D", "nights>=1", "nights<=7"]


def test_no_value_stands_in_the_text() -> None:
    given = ("country=SECRET", "unit!=SECRET", "day>=SECRET", "attributes.a=SECRET", "segment=SECRET", "agent=SECRET")
    asked = Question("nps", {"by": "unit,channel"}, given).statement()
    assert "SECRET" not in asked.sql
    assert list(asked.parameters.values()).count("SECRET") == len(given)
    used = set(re.findall(r"\{(\w+):[^}]+\}", asked.sql))
    assert used <= set(asked.parameters)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (Question("npss"), "there is no query named 'npss'; did you mean nps"),
        (Question("nps", {"by": "unit,chanel"}), "there is no dimension 'chanel'; did you mean channel"),
        (Question("nps", {"by": "unit,unit"}), "names a dimension twice"),
        (Question("nps", {"by": "season,hijri_day_from_sunset"}), "is of another calendar day than season"),
        (Question("units", where=("country=SA",)), "units takes no conditions; these do: "),
        (Question("channels", {"by": "unit,channel"}), "channels cannot be grouped by several dimensions; these do: "),
        (Question("units", min_sample=5), "units has no sample that could be too small; these have: "),
        (Question("nps", compare="before"), "compare with previous, year or where:CONDITION, not 'before'"),
        (Question("nps", compare="previous"), "since and until, like 2026-05-01; since is not given"),
        (Question("units", compare="year"), "units cannot be compared; these can: "),
        (Question("units", people={"segment": "A"}), "the people behind units are not kept apart"),
        (Question("nps", {"by": "unit,channel"}, people={"segment": "A"}), "is named by each: unit=, channel="),
        (Question("nps", people={"untt": "A"}), "there is no dimension 'untt'; did you mean unit"),
        (Question("retention", {"by": "unit,agent"}), "an event can have several of agent"),
        (Question("nps", {"nmae": "x"}), "query nps has no parameter nmae"),
    ],
)
def test_a_question_that_cannot_be_asked_says_what_can(question: Question, told: str) -> None:
    with pytest.raises(QuestionError, match=re.escape(told)):
        question.statement()


def test_a_plain_question_is_the_named_query_as_it_is() -> None:
    query = load()["nps"]
    asked = Question("nps", {"by": "channel"}).statement()
    assert asked.sql == query.text(query.bind({"by": "channel"}))
    assert asked.parameters == query.bind({"by": "channel"})


def test_the_other_side_has_parameters_of_its_own() -> None:
    may = {"since": "2024-05-01", "until": "2024-06-01"}
    asked = Question("nps", may, ("country=SA", "nights>=2"), compare="where:country=ID").statement()
    given = dict(asked.parameters)
    assert (given["where_1_1"], given["other_where_2_1"], given["since"]) == ("SA", "ID", given["other_since"])
    asked = Question("nps", may, compare="previous").statement()
    assert asked.parameters["other_until"] == "2024-05-01 00:00:00.000"
    assert asked.parameters["other_since"] == "2024-03-31 00:00:00.000"
    leap = {"since": "2024-02-29", "until": "2024-03-31"}
    asked = Question("nps", leap, compare="year").statement()
    assert asked.parameters["other_since"] == "2023-02-28 00:00:00.000"
    assert asked.parameters["other_until"] == "2023-03-31 00:00:00.000"


def test_the_people_behind_a_row_are_asked_for_what_it_counts() -> None:
    asked = Question(
        "csat", {"by": "unit", "since": "2024-05-01"}, ("country=SA",), people={"segment": "A", "high": "3"}
    )
    statement = asked.statement()
    given = statement.parameters
    assert statement.query.name == "people"
    assert (given["instrument"], given["high"], given["since"]) == ("csat", "3", "2024-05-01")
    assert (given["where_1_1"], given["where_2_1"]) == ("SA", "A")
    assert Question("nps", people={"segment": "all"}).statement().parameters["instrument"] == "nps"


def test_a_funnel_with_steps_is_that_of_chosen_steps() -> None:
    assert Question("funnel", {"steps": "a,b"}).statement().query.name == "funnel_steps"
    assert Question("funnel").statement().query.name == "funnel"


def test_samples_name_columns_of_their_query() -> None:
    found = {name: query for name, query in load().items() if query.samples}
    assert {"nps", "csat", "ces"} <= set(found)
    for query in found.values():
        columns = {name for name, _ in query.columns}
        assert columns > {*query.samples, *(name for resting in query.samples.values() for name in resting)}, query.name
