"""Customers computed the plain way: rolling sentiment straight from its definition (DESIGN 6), preferences, counts."""

from __future__ import annotations

import math

import polars as pl

DAY_MS = 86_400_000
HALF_LIVES = (7, 30, 90)
"""Days."""
DECIDES = 30
"""The half-life that decides the profile and gives the evidence."""
DIGITS = 6


def customers(events: pl.DataFrame, journeys: pl.DataFrame, cases: pl.DataFrame) -> pl.DataFrame:
    """The customers' table, one row a `customer_id`.

    Args:
        events: interactions in order of time, with `customer_id` and `root`, scores rounded, weights not null.
        journeys: with `customer_id`. cases: with `customer_id` and `status`.
    """
    at, root = pl.col("occurred_at"), pl.col("root").first()
    whole = events.group_by("customer_id").agg(
        kind=root.str.extract(r"^([^:]*)"),
        value=root.str.extract(r"^[^:]*:((?s).*)$"),
        interactions=pl.len().cast(pl.Int64),
        first_event_at=at.min(),
        last_event_at=at.max(),
    )
    counted = journeys.group_by("customer_id").agg(journeys=pl.len().cast(pl.Int64))
    open_cases = cases.group_by("customer_id").agg(open_cases=(pl.col("status") == "open").sum().cast(pl.Int64))
    decisive = pl.col(f"sentiment_{DECIDES}d").round(DIGITS)
    return (
        whole.join(_sentiment(events, whole), on="customer_id", how="left")
        .join(counted, on="customer_id", how="left")
        .join(open_cases, on="customer_id", how="left")
        .join(_preferences(events), on="customer_id", how="left")
        .with_columns(
            pl.col("evidence").fill_null(0.0),
            pl.col("open_cases").fill_null(0),
            pl.col("preferences").fill_null([]),
            profile=pl.when(decisive <= -0.25)
            .then(pl.lit("negative"))
            .when(decisive >= 0.25)
            .then(pl.lit("advocate"))
            .otherwise(pl.lit("non_committal")),
        )
    )


def _sentiment(events: pl.DataFrame, whole: pl.DataFrame) -> pl.DataFrame:
    """Of each customer of whom anything scored was heard: the rolling scores as of the last event, and the evidence.

    Evidence is taken as of the last scored event: decay leaves it unchanged, but over decades nothing would be left to
    divide by.
    """
    at, weight, score = pl.col("occurred_at"), pl.col("score_weight"), pl.col("score")
    scored = events.filter(score.is_not_null()).join(whole.select("customer_id", "last_event_at"), on="customer_id")
    parts = []
    for days in HALF_LIVES:
        rate = math.log(2) / (days * DAY_MS)
        decayed = weight * ((at - pl.col("last_event_at")) * rate).exp()
        parts.append(((decayed * score).sum() / (decayed.sum() + 1.0)).alias(f"sentiment_{days}d"))
        if days == DECIDES:
            decayed = weight * ((at - at.max()) * rate).exp()
            parts.append((decayed.sum().pow(2) / decayed.pow(2).sum()).fill_nan(0.0).alias("evidence"))
    return scored.group_by("customer_id").agg(parts)


def _preferences(events: pl.DataFrame) -> pl.DataFrame:
    """Of each customer that stated any: per key the latest value, how often one was stated, and when last."""
    common = ["customer_id", "occurred_at", "event_id"]
    language = pl.col("locale").str.extract(r"^([A-Za-z]{2,3})").str.to_lowercase()
    mat = pl.when(pl.col("touchpoint") == "stay.prayer_mat_requested").then(pl.lit("yes"))
    stated = pl.concat(
        events.select(*common, key=pl.lit(key), value=value).filter(pl.col("value").is_not_null())
        for key, value in (
            ("meal_plan", pl.col("meal_plan")),
            ("room_type", pl.col("room_type")),
            ("language", language),
            ("prayer_mat", mat),
        )
    )
    return (
        stated.sort("occurred_at", "event_id")
        .group_by("customer_id", "key")
        .agg(pl.col("value").last(), evidence=pl.len().cast(pl.Int64), last_at=pl.col("occurred_at").last())
        .group_by("customer_id")
        .agg(preferences=pl.struct("key", "value", "evidence", "last_at").sort_by("key"))
    )
