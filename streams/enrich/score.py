"""The score of an interaction: what a survey, a text or the event itself says, the strongest of them.

- survey, weight 1: nps piecewise linear through (0,-1) (6.5,-1/3) (8.5,1/3) (10,1); csat, stars (x-3)/2; ces (x-4)/3.
- text, weight 0.6 x confidence: what the text scorer found.
- implicit, weight 0.3: the touchpoint's prior.
"""

from __future__ import annotations

import polars as pl

SURVEY_WEIGHT, TEXT_WEIGHT, IMPLICIT_WEIGHT = 1.0, 0.6, 0.3
DIGITS = 6


def _survey_score() -> pl.Expr:
    """The survey's score in [-1, 1], or null without a survey."""
    instrument = pl.col("survey").struct.field("instrument")
    x = pl.col("survey").struct.field("score")
    third = 1.0 / 3.0
    nps = (
        pl.when(x <= 6.5)
        .then(-1.0 + x * ((1.0 - third) / 6.5))
        .when(x <= 8.5)
        .then(-third + (x - 6.5) * third)
        .otherwise(third + (x - 8.5) * ((1.0 - third) / 1.5))
    )
    return (
        pl.when(instrument == "nps")
        .then(nps)
        .when(instrument.is_in(["csat", "stars"]))
        .then((x - 3.0) / 2.0)
        .when(instrument == "ces")
        .then((x - 4.0) / 3.0)
    )


def _scores(survey: pl.Expr) -> tuple[pl.Expr, ...]:
    """The columns of `with_scores`, given the survey's score."""
    text, prior = pl.col("text_score"), pl.col("prior")
    return (
        (pl.coalesce(survey, text, prior).round(DIGITS) + 0.0).alias("score"),
        pl.when(survey.is_not_null())
        .then(pl.lit("survey"))
        .when(text.is_not_null())
        .then(pl.lit("text"))
        .when(prior.is_not_null())
        .then(pl.lit("implicit"))
        .alias("score_source"),
        pl.when(survey.is_not_null())
        .then(pl.lit(SURVEY_WEIGHT))
        .when(text.is_not_null())
        .then((TEXT_WEIGHT * pl.col("text_confidence")).round(DIGITS))
        .when(prior.is_not_null())
        .then(pl.lit(IMPLICIT_WEIGHT))
        .alias("score_weight"),
        (survey * text < 0.0).fill_null(False).alias("conflict"),
    )


_SURVEY_SCORE = _survey_score().alias("survey_score")
_SCORES = _scores(pl.col("survey_score"))
_UNSURVEYED = _scores(pl.lit(None, pl.Float64))


def with_scores(frame: pl.DataFrame) -> pl.DataFrame:
    """Add score, score_source, score_weight and conflict (and, where there are surveys, survey_score).

    Args:
        frame: with `survey`, `prior` (the touchpoint's, or null), `text_score` and `text_confidence` (or null).
    """
    if frame["survey"].null_count() == frame.height:
        return frame.with_columns(_UNSURVEYED)
    return frame.with_columns(_SURVEY_SCORE).with_columns(_SCORES)
