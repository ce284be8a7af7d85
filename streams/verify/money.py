"""What was booked, kept and lost of each journey, the plain way (docs/metrics.md)."""

from __future__ import annotations

import polars as pl

from streams.model import currencies

KEY = ("journey_id", "currency")
SHOWN = {**dict.fromkeys(("spend_booked", "spend_kept", "spend_lost"), pl.String()), "first_at": pl.Int64()}
"""Amounts in ten-thousandths of the currency's major unit, the most that any currency divides it into; as text, since
what an older version accepted of one event may fill 64 bits alone."""
PLACES = 4


def journey_spend(events: pl.DataFrame, journeys: pl.DataFrame) -> pl.DataFrame:
    """Columns KEY and SHOWN of each journey and currency.

    events: `journey_id`, `occurred_at`, `touchpoint`, `money`. journeys: `journey_id`, `status`, and the times of the
        milestones.
    """
    minor, at = pl.col("minor"), pl.col("occurred_at")
    status = pl.col("status")
    came = pl.max_horizontal("arrived_at", "checked_out_at")
    had = came.is_not_null() & (pl.col("booked_at").is_null() | (pl.col("booked_at") <= came))
    ended = journeys.select(
        "journey_id",
        ended_at=pl.when(had)
        .then(None)
        .when(status == "cancelled")
        .then("cancelled_at")
        .when(status == "no_show")
        .then("no_show_at"),
    )
    over = pl.col("ended_at").first().is_not_null()
    after = (minor > 0) & (at >= pl.col("ended_at")) & (pl.col("touchpoint") != "booking.confirmed")
    digits = currencies.digits()
    scale = (
        pl.col("currency")
        .replace_strict(
            list(digits), [10 ** (PLACES - n) for n in digits.values()], default=10 ** (PLACES - currencies.USUAL)
        )
        .cast(pl.Int128)
    )
    money = pl.col("money").struct
    return (
        events.filter(pl.col("money").is_not_null())
        .select(
            "journey_id",
            "occurred_at",
            "touchpoint",
            currency=money.field("currency"),
            minor=money.field("amount_minor").cast(pl.Int128),
        )
        .join(ended, on="journey_id")
        .group_by(KEY)
        .agg(
            paid=minor.filter(minor > 0).sum(),
            back=pl.lit(0, pl.Int128) - minor.filter(minor < 0).sum(),
            for_all=minor.filter((minor < 0) & (pl.col("touchpoint") != "booking.part_cancelled")).len(),
            charged=minor.filter(after).sum(),
            over=over,
            first_at=at.min(),
        )
        .with_columns(
            booked=pl.col("paid") - pl.col("charged"),
            kept=pl.when(pl.col("over") & (pl.col("for_all") == 0))
            .then(pl.col("charged"))
            .otherwise(pl.col("paid") - pl.col("back")),
        )
        .select(
            *KEY,
            spend_booked=(pl.col("booked") * scale).cast(pl.String),
            spend_kept=(pl.col("kept") * scale).cast(pl.String),
            spend_lost=((pl.col("booked") - pl.col("kept")) * scale).cast(pl.String),
            first_at="first_at",
        )
    )
