"""Which touchpoints are surveys and reviews, by their names."""

from __future__ import annotations

import pytest

from sinks.clickhouse import surveys
from sinks.clickhouse.named import load
from streams.model import catalogue


def test_those_of_the_catalogue() -> None:
    assert {name for name in catalogue.load() if surveys.is_survey(name)} == {
        "booking.survey_answered",
        "check_in.survey_answered",
        "stay.survey_answered",
        "post_travel.survey_answered",
        "post_travel.survey_declined",
        "post_travel.nps_answered",
        "post_travel.csat_answered",
        "post_travel.ces_answered",
        "post_travel.review_requested",
        "post_travel.review_posted",
    }


@pytest.mark.parametrize(
    "name", ["stay.complaint_made", "post_travel.review_answered", "post_travel.nps_answered_late"]
)
def test_what_is_none(name: str) -> None:
    assert not surveys.is_survey(name)


def test_it_is_filled_in_wherever_it_stands() -> None:
    assert surveys.fill("WHERE NOT {is_survey}") == f"WHERE NOT match(toString(touchpoint), '{surveys.PATTERN}')"
    assert not any("{is_survey}" in query.sql for query in load().values())
