"""Events become interactions, links and refusals. Pure: no Kafka, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas import catalogue
from schemas.records import CHANNELS, polars_schema
from streams.enrich.score import with_scores
from streams.enrich.validate import refusals
from streams.identity.frames import subjects_and_links
from streams.text.scorer import Scorer
from streams.text.scrub import scrub

INTERACTION = polars_schema("interaction")
_FIELDS = tuple(name for name in INTERACTION if any(name in polars_schema(channel) for channel in CHANNELS))
_ABSENT = {
    name: pl.lit([] if isinstance(INTERACTION[name], pl.List) else None, dtype=INTERACTION[name]).alias(name)
    for name in _FIELDS
}


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
        self._touchpoints = catalogue.frame().select("touchpoint", "prior", pl.col("aspect").alias("_aspect"))

    def enrich(self, events: Mapping[str, pl.DataFrame], now_ms: int) -> Enriched:
        """Validate, normalise, scrub, score and re-key events, those of all channels together.

        Args:
            events: of each channel (booking, check_in, stay, post_travel) a frame in the form of the channel's schema.
            now_ms: the worker's clock, epoch milliseconds.
        """
        frame = _together(events)
        verdict = refusals(frame, now_ms)
        rows = np.arange(frame.height, dtype=np.int64)
        refused: list[tuple[int, str, str]] = []
        if verdict["reason"].null_count() < frame.height:
            bad = verdict["reason"].is_not_null()
            positions = rows[bad.to_numpy()].tolist()
            refused = [(at, *row) for at, row in zip(positions, verdict.filter(bad).iter_rows(), strict=True)]
            frame, rows = frame.filter(~bad), rows[~bad.to_numpy()]
        subjects, links = subjects_and_links(frame)
        frame = frame.with_columns(pl.col("event_id").str.to_lowercase(), subject=subjects).join(
            self._touchpoints, on="touchpoint", how="left", maintain_order="left"
        )
        frame = with_scores(self._with_text(frame))
        interactions = frame.select(pl.col(name).cast(dtype) for name, dtype in INTERACTION.items())
        unknown = self._unknown(frame)
        return Enriched(interactions, rows, links, refused, unknown)

    def _unknown(self, frame: pl.DataFrame) -> int:
        known = self._touchpoints["touchpoint"]
        return int((~frame["touchpoint"].is_in(known.implode())).sum())

    def _with_text(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Scrub the texts, and add language, text_score, text_confidence and aspects."""
        aspects = INTERACTION["aspects"]
        height = frame.height
        written = frame["text"].is_not_null() & (frame["text"].str.len_bytes() > 0)
        if written.any():
            at = written.arg_true()
            texts = scrub(frame["text"].gather(at))
            found = self._scorer.score_frame(texts, frame["locale"].gather(at))
            spread = pl.DataFrame({"_at": pl.int_range(height, dtype=pl.UInt32, eager=True)}).join(
                found.select("language", "confidence", "aspects", text_score="score").with_columns(_at=at, _text=texts),
                on="_at",
                how="left",
                maintain_order="left",
            )
            frame = frame.with_columns(
                text=pl.coalesce(spread["_text"], frame["text"]),
                language=spread["language"],
                text_score=spread["text_score"],
                text_confidence=spread["confidence"],
                aspects=spread["aspects"].fill_null(pl.Series([[]], dtype=aspects)),
            )
        else:
            frame = frame.with_columns(
                language=pl.lit(None, dtype=pl.String),
                text_score=pl.lit(None, dtype=pl.Float64),
                text_confidence=pl.lit(None, dtype=pl.Float64),
                aspects=pl.lit([], dtype=aspects),
            )
        # What the touchpoint itself is about counts where the text does not say it.
        own = pl.concat_list(pl.struct(aspect=pl.col("_aspect"), score=pl.col("prior"))).cast(aspects)
        said = pl.col("aspects").list.eval(pl.element().struct.field("aspect")).list.contains(pl.col("_aspect"))
        return frame.with_columns(
            aspects=pl.when(pl.col("_aspect").is_not_null() & ~said.fill_null(False))
            .then(pl.concat_list(pl.col("aspects"), own))
            .otherwise(pl.col("aspects"))
        )


def _together(events: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The events of all channels in one frame, with `channel` and each field of an interaction that a channel may have.

    A field that a channel lacks is null, or empty where it is an array: those are never null in an interaction.
    """
    parts = [
        frame.with_columns(
            pl.lit(channel).alias("channel"),
            *(_ABSENT[name] for name in _FIELDS if name not in frame.columns),
        ).select("channel", *_FIELDS)
        for channel, frame in events.items()
    ]
    return parts[0] if len(parts) == 1 else pl.concat(parts)
