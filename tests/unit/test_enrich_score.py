"""The score of an interaction, by hand and against the same in queries."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import records
from schemas.datums import DatumReader
from schemas.records import frame_type
from streams.enrich.score import FIELDS, Opinions, survey_score
from tests.support.by_columns import with_scores

INTERACTION = records.inlined("interaction")
OPINIONS = Opinions(INTERACTION["fields"])


def opinion(*said: Any) -> dict[str, Any]:
    """What is read of the fields that are written."""
    fields = [field for field in INTERACTION["fields"] if field["name"] in FIELDS]
    schema = {"type": "record", "name": "Opinion", "fields": fields}
    types = {field["name"]: frame_type(field["type"]) for field in fields}
    found = DatumReader(schema, schema).read([OPINIONS.write(*said)], b"", types, {})
    assert found is not None
    return found[0][0].row(0, named=True)


@pytest.mark.parametrize(
    ("instrument", "score", "expected"),
    [
        ("nps", 0, -1.0),
        ("nps", 6.5, -1 / 3),
        ("nps", 8.5, 1 / 3),
        ("nps", 10, 1.0),
        ("nps", 7.5, 0.0),
        ("csat", 1, -1.0),
        ("csat", 4, 0.5),
        ("stars", 5, 1.0),
        ("ces", 1, -1.0),
        ("ces", 5.5, 0.5),
        ("nps", -0.1, None),
        ("nps", 10.1, None),
        ("csat", 0.9, None),
        ("stars", 5.1, None),
        ("ces", 7.1, None),
        ("ces", float("nan"), None),
    ],
)
def test_survey_scores(instrument: str, score: float, expected: float | None) -> None:
    found = survey_score(instrument, float(score))
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-12))


def test_a_survey_comes_before_the_text_and_contradicts_it() -> None:
    said = opinion(0.5, -0.9, 0.5, -0.5, "en", [("staff", -0.9)])
    assert said == {
        "language": "en",
        "score": 0.5,
        "score_source": "survey",
        "score_weight": 1.0,
        "conflict": True,
        "aspects": [{"aspect": "staff", "score": -0.9}],
    }
    assert not opinion(-0.5, -0.9, 0.5, 0.5, "en", [])["conflict"]


def test_a_text_comes_before_the_prior_and_nothing_is_null() -> None:
    found = [opinion(None, 0.8, 0.5, -0.5, "ar", []), opinion(None, None, 0.0, -0.5, None, [])]
    found.append(opinion(None, None, 0.0, None, None, []))
    scored = [(said["score"], said["score_source"], said["score_weight"], said["conflict"]) for said in found]
    assert scored == [(0.8, "text", 0.3, False), (-0.5, "implicit", 0.3, False), (None, None, None, False)]


@given(
    st.none() | st.tuples(st.sampled_from(["nps", "csat", "ces", "stars"]), st.floats(1.0, 5.0) | st.integers(1, 5)),
    st.none() | st.tuples(st.integers(-10000, 10000), st.integers(0, 10000)),
    st.none() | st.floats(-1.0, 1.0),
)
@settings(deadline=None)
def test_it_is_what_queries_say(
    survey: tuple[str, float] | None, found: tuple[int, int] | None, prior: float | None
) -> None:
    text = found and (found[0] / 1e4, found[1] / 1e4)  # as the scorer rounds
    answer = None if survey is None else survey_score(survey[0], float(survey[1]))
    said = opinion(answer, text and text[0], text[1] if text else 0.0, prior, None, [])
    frame = pl.DataFrame(
        {
            "survey": [survey and {"instrument": survey[0], "score": float(survey[1])}],
            "prior": [prior],
            "text_score": [text and text[0]],
            "text_confidence": [text and text[1]],
        },
        schema={
            "survey": records.polars_schema("booking")["survey"],
            "prior": pl.Float64,
            "text_score": pl.Float64,
            "text_confidence": pl.Float64,
        },
    )
    expected = with_scores(frame).row(0, named=True)
    assert {name: said[name] for name in ("score", "score_source", "score_weight", "conflict")} == {
        name: expected[name] for name in ("score", "score_source", "score_weight", "conflict")
    }
