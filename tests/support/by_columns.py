"""What enrich makes of events, by queries over whole columns: the oracle that streams.enrich is held to.

It shares with it the rules of validation and cleaning, who is who, and the text scorer; nothing of how an interaction
is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.columns import series
from schemas.records import CHANNELS, polars_schema
from streams.enrich.clean import clean
from streams.enrich.validate import refusals
from streams.model import catalogue
from streams.model.normal import Nobody
from streams.model.subjects import subjects_and_links
from streams.text.scorer import Scorer
from streams.text.scrub import scrub_text

INTERACTION = polars_schema("interaction")
Aspects = list[tuple[str, float | None]]
"""What an event is about: (aspect, its score or None)."""
_FIELDS = tuple(name for name in INTERACTION if any(name in polars_schema(channel) for channel in CHANNELS))


def _of_channel(channel: str) -> list[pl.Expr]:
    """`channel` and each field of an interaction that some channel has; one that this channel lacks is null, or empty
    where it is an array: those are never null in an interaction.
    """
    fields = [pl.lit(channel).alias("channel")]
    for name in _FIELDS:
        dtype, own = INTERACTION[name], polars_schema(channel).get(name)
        if own is None:
            fields.append(pl.lit([] if isinstance(dtype, pl.List) else None, dtype=dtype).alias(name))
        else:
            fields.append(pl.col(name) if own == dtype else pl.col(name).cast(dtype))
    return fields


_OF_CHANNEL = {channel: _of_channel(channel) for channel in CHANNELS}
_RESULT = [pl.col(name).str.to_lowercase() if name == "event_id" else pl.col(name) for name in INTERACTION]


@dataclass(frozen=True, slots=True)
class Enriched:
    """What became of a batch."""

    interactions: pl.DataFrame
    """Accepted events, in the frame form of interaction.avsc."""
    rows: npt.NDArray[np.int64]
    """Position of each accepted event among those given, channel by channel."""
    links: pl.DataFrame
    """What the accepted events say of who is who, in the frame form of link.avsc: each pair once, at its earliest."""
    refused: list[tuple[int, str, str]]
    """(position, reason, detail) of the others."""
    unknown_touchpoints: int
    """Accepted events whose touchpoint the catalogue lacks."""


class Enricher:
    """Enriches batches. Holds the catalogue and the text scorer, and no state of the stream."""

    def __init__(self, scorer: Scorer | None = None) -> None:
        self._scorer = scorer or Scorer()
        self._nobody = Nobody()
        touchpoints = catalogue.load().values()
        self._places = {touchpoint.name: place for place, touchpoint in enumerate(touchpoints)}
        self._unknown = len(self._places)
        # What a touchpoint is about, with its prior; and of one that is unknown, in the last place.
        self._about: list[Aspects] = [[(t.aspect, t.prior)] if t.aspect else [] for t in touchpoints] + [[]]
        self._priors = pl.Series("prior", [*(touchpoint.prior for touchpoint in touchpoints), None], pl.Float64)

    def enrich(self, events: Mapping[str, pl.DataFrame], now_ms: int) -> Enriched:
        """Validate, normalise, scrub, score and re-key events, those of all channels together.

        Args:
            events: of each channel (booking, check_in, stay, post_travel) a frame in the form of the channel's schema.
            now_ms: the worker's clock, epoch milliseconds.
        """
        cleaned = clean(_together(events), self._nobody)
        frame = cleaned.frame
        rows = np.arange(frame.height, dtype=np.int64)
        refused = refusals(frame, now_ms, cleaned.clear)
        if refused:
            rows = np.delete(rows, [at for at, _, _ in refused])
            frame = frame[rows]
        subjects, links = subjects_and_links(frame)
        places = [self._places.get(name, self._unknown) for name in frame["touchpoint"].to_list()]
        columns = [subjects, self._priors.gather(places), *self._texts(frame, places)]
        interactions = with_scores(frame.with_columns(columns)).select(_RESULT)
        return Enriched(interactions, rows, links, refused, places.count(self._unknown))

    def _texts(self, frame: pl.DataFrame, places: list[int]) -> list[pl.Series]:
        """The columns text (scrubbed), language, text_score, text_confidence and aspects.

        places: of each event's touchpoint. What it is about is among the aspects where the text does not say it.
        """
        texts = frame["text"]
        languages: list[str | None] = [None] * frame.height
        scores: list[float | None] = [None] * frame.height
        confidences: list[float | None] = [None] * frame.height
        aspects = [self._about[place] for place in places]
        if texts.null_count() < frame.height:
            scrubbed = texts.to_list()
            locales = frame["locale"].to_list()
            for row, text in enumerate(scrubbed):
                if not text:
                    continue
                text = scrubbed[row] = scrub_text(text)
                found = self._scorer.score_one(text, locales[row], by_sentence=False)
                languages[row], scores[row], confidences[row] = found.language, found.score, found.confidence
                named = {aspect for aspect, _ in found.aspects}
                aspects[row] = found.aspects + [own for own in aspects[row] if own[0] not in named]
            texts = pl.Series("text", scrubbed, pl.String)
        return [
            texts,
            pl.Series("language", languages, pl.String),
            pl.Series("text_score", scores, pl.Float64),
            pl.Series("text_confidence", confidences, pl.Float64),
            series("aspects", aspects, INTERACTION["aspects"]),
        ]


def _together(events: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The events of all channels in one frame, with their channel and each field that some channel has."""
    parts = [frame.select(_OF_CHANNEL[channel]) for channel, frame in events.items()]
    return parts[0] if len(parts) == 1 else pl.concat(parts)


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
