"""The rules an event must keep to become an interaction, over the columns of a whole batch."""

from __future__ import annotations

import polars as pl

from streams.identity.identifiers import BOOKING_REF

DAY_MS = 86_400_000
EARLIEST_MS = 946_684_800_000
"""2000-01-01T00:00:00Z."""
TEXT_LIMIT_BYTES = 64 * 1024
SCALES = {"nps": (0.0, 10.0), "csat": (1.0, 5.0), "ces": (1.0, 7.0), "stars": (1.0, 5.0)}
"""Lowest and highest score of each survey instrument."""

UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"


def _survey_off_scale() -> pl.Expr:
    instrument = pl.col("survey").struct.field("instrument")
    score = pl.col("survey").struct.field("score")
    on_scale = pl.lit(False)
    for name, (low, high) in SCALES.items():
        on_scale = on_scale | ((instrument == name) & score.is_between(low, high))
    return instrument.is_not_null() & ~on_scale.fill_null(False)


def _text(value: pl.Expr) -> pl.Expr:
    """A value as it is quoted in a detail: short, so that a letter's detail stays a sentence."""
    return value.cast(pl.String).fill_null("null").str.slice(0, 60)


def refusals(frame: pl.DataFrame, now_ms: int) -> pl.DataFrame:
    """Judge each event of a batch.

    Args:
        frame: events in the frame form of a channel's schema.
        now_ms: the worker's clock, epoch milliseconds.

    Returns:
        A frame of the same height with `reason` (a word of the closed list, null: accepted) and `detail` (a sentence).
    """
    ids = pl.col("ids")
    kind, value = pl.element().struct.field("kind"), pl.element().struct.field("value")
    empty_id = ids.list.eval((kind == "") | (value == "")).list.any()
    names_somebody = ids.list.eval(kind != BOOKING_REF).list.any()
    currency = pl.col("money").struct.field("currency")
    rules: list[tuple[str, pl.Expr, pl.Expr]] = [
        (
            "bad_event_id",
            ~pl.col("event_id").str.contains(UUID),
            pl.format("event_id is not a UUID: {}", _text(pl.col("event_id"))),
        ),
        (
            "no_identifier",
            empty_id.fill_null(False) | (pl.col("booking_ref") == "").fill_null(False),
            pl.lit("an identifier's kind or value, or the booking reference, is empty"),
        ),
        (
            "no_identifier",
            ~names_somebody.fill_null(False) & pl.col("booking_ref").is_null(),
            pl.lit("neither an identifier nor a booking reference"),
        ),
        (
            "bad_time",
            pl.col("occurred_at") < EARLIEST_MS,
            pl.format("occurred_at is before 2000-01-01: {} ms since 1970", _text(pl.col("occurred_at"))),
        ),
        (
            "bad_time",
            pl.col("occurred_at") > now_ms + DAY_MS,
            pl.format(
                "occurred_at is more than a day ahead of the worker's clock: {} ms since 1970, here it is {}",
                _text(pl.col("occurred_at")),
                pl.lit(str(now_ms)),
            ),
        ),
        (
            "bad_survey",
            _survey_off_scale(),
            pl.format(
                "a {} score of {} is outside its scale",
                _text(pl.col("survey").struct.field("instrument")),
                _text(pl.col("survey").struct.field("score")),
            ),
        ),
        (
            "bad_money",
            ~currency.str.contains(r"^[A-Z]{3}$").fill_null(True),
            pl.format("currency is not three capital letters: {}", _text(currency)),
        ),
        (
            "bad_country",
            ~pl.col("country").str.contains(r"^[A-Z]{2}$").fill_null(True),
            pl.format("country is not two capital letters: {}", _text(pl.col("country"))),
        ),
        (
            "too_long",
            (pl.col("text").str.len_bytes() > TEXT_LIMIT_BYTES).fill_null(False),
            pl.format("text of {} bytes is over 64 KiB", _text(pl.col("text").str.len_bytes())),
        ),
    ]
    number = pl.lit(None, dtype=pl.Int8)
    for index, (_, broken, _) in reversed(list(enumerate(rules))):
        number = pl.when(broken).then(pl.lit(index, dtype=pl.Int8)).otherwise(number)
    verdict = frame.select(rule=number)["rule"]
    if verdict.null_count() == frame.height:  # the usual batch: no sentence has to be made
        nothing = pl.Series([None], dtype=pl.String).extend_constant(None, max(frame.height - 1, 0)).head(frame.height)
        return pl.DataFrame({"reason": nothing, "detail": nothing})
    reason, detail = pl.lit(None, dtype=pl.String), pl.lit(None, dtype=pl.String)
    for index, (word, _, sentence) in enumerate(rules):
        reason = pl.when(pl.col("rule") == index).then(pl.lit(word)).otherwise(reason)
        detail = pl.when(pl.col("rule") == index).then(sentence).otherwise(detail)
    return frame.with_columns(rule=verdict).select(reason=reason, detail=detail)
