"""What holds of journeys now, the plain way: what the view journeys_now says (docs/identity-and-journeys.md)."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from streams.model import zones
from streams.model.readers import Stage
from streams.verify.prayers import places

KEY = ("journey_id",)
SHOWN = {
    "status": pl.String(),
    "held": pl.String(),
    "ends_at": pl.Int64(),
    "becomes": pl.String(),
    "planned_arrival": pl.String(),
    "planned_departure": pl.String(),
    "status_now": pl.String(),
    "assumed": pl.Boolean(),
}
"""Columns compared; times in epoch ms, days as ISO 8601."""
MOST_NIGHTS = 1000
_DAY = r"^(?:19[3-9]\d|20\d\d|21\d\d)-\d\d-\d\d$"


def plans(events: pl.DataFrame) -> pl.DataFrame:
    """Per `booking_ref` the latest `arrival` (a date) and `nights` that its events tell, as far as they can be read."""
    day = pl.when(pl.col("arrival_date").str.contains(_DAY)).then("arrival_date").str.to_date("%Y-%m-%d", strict=False)
    told = (
        events.filter(pl.col("booking_ref").is_not_null())
        .select(
            "booking_ref",
            "occurred_at",
            "event_id",
            arrival=day,
            nights=pl.when(pl.col("nights").is_between(0, MOST_NIGHTS)).then("nights"),
        )
        .sort("occurred_at", "event_id")
    )
    return told.group_by("booking_ref").agg(pl.col("arrival", "nights").drop_nulls().last())


def journeys_now(
    events: pl.DataFrame, journeys: pl.DataFrame, attributed: pl.DataFrame, stages: Mapping[str, Stage]
) -> pl.DataFrame:
    """What of journeys_now follows from events: KEY, and what `at` makes the rest from.

    attributed: `journey_id` and `attributed_unit` of each journey.
    """
    came = pl.max_horizontal("arrived_at", "checked_out_at")
    undone = pl.col("status").is_in(["cancelled", "no_show"]) & came.is_not_null()
    undone &= ~(pl.col("booked_at").fill_null(0) > came)
    left = pl.col("checked_out_at").fill_null(0) >= pl.col("arrived_at").fill_null(0)
    over = (pl.col("status") == "cancelled") | left
    held = pl.when(~undone).then("status").when(over).then(pl.lit("completed")).otherwise(pl.lit("in_stay"))
    rules = pl.DataFrame(
        [(name, one.lasts, one.then, one.plan, one.grace) for name, one in stages.items()],
        {"held": pl.String, "lasts": pl.Int64, "becomes": pl.String, "plan": pl.String, "grace": pl.Int64},
        orient="row",
    )
    since = pl.coalesce(
        *(pl.when(pl.col("held") == name).then(column) for name, column in
          (("booked", "booked_at"), ("checked_in", "checked_in_at"), ("in_stay", "arrived_at")))
    )  # fmt: skip
    departure = pl.col("arrival") + pl.duration(days=pl.col("nights"))
    day = pl.when(pl.col("plan") == "arrival").then("arrival").when(pl.col("plan") == "departure").then(departure)
    return (
        journeys.with_columns(held=held)
        .join(plans(events), on="booking_ref", how="left")
        .join(rules, on="held", how="left")
        .join(attributed.select("journey_id", unit="attributed_unit"), on="journey_id", how="left")
        .select(
            "journey_id",
            "status",
            "held",
            "unit",
            "grace",
            since=since,
            silent=pl.col("last_event_at") + pl.col("lasts"),
            midnight=day.cast(pl.Datetime("ms")) + pl.duration(days=1),
            left=(pl.col("arrival") + pl.duration(days=pl.col("nights").fill_null(0) + 1)).cast(pl.Datetime("ms")),
            becomes="becomes",
            planned_arrival=pl.col("arrival").cast(pl.String),
            planned_departure=departure.cast(pl.String),
        )
    )


def at(rows: pl.DataFrame, now: int, levels: pl.DataFrame | None = None) -> pl.DataFrame:
    """KEY and SHOWN at a moment, epoch ms, of what `journeys_now` gives.

    levels: of unit_levels, whose clocks say when a planned day ends; without, UTC does.
    """
    rows = _ended(rows, levels)
    over = (pl.col("ends_at") <= now).fill_null(False)
    status = pl.when(over).then("becomes").otherwise("held")
    return rows.with_columns(status_now=status, assumed=status != pl.col("status")).select(*KEY, *SHOWN)


def _ended(rows: pl.DataFrame, levels: pl.DataFrame | None) -> pl.DataFrame:
    """With `ends_at`."""
    zoned = rows.with_columns(timezone=pl.lit(""))
    if levels is not None and levels.height:
        clocks = places(levels).select("unit", "valid_from", "timezone").sort("valid_from")
        asked = rows.filter(pl.col("left").is_not_null()).select("journey_id", "unit", at=pl.col("left").cast(pl.Int64))
        found = asked.sort("at").join_asof(
            clocks, left_on="at", right_on="valid_from", by="unit", check_sortedness=False
        )
        zoned = rows.join(found.select("journey_id", "timezone"), on="journey_id", how="left")
    parts = []
    for (zone,), some in zoned.with_columns(pl.col("timezone").fill_null("")).group_by("timezone"):
        midnight = some["midnight"]
        # Where the clock leaps over midnight, the day ends as it leaps: at the next hour that there is.
        next_hour = zones.instant(midnight.dt.offset_by("1h"), str(zone))
        ends = zones.instant(midnight, str(zone))
        parts.append(some.with_columns(end=ends.zip_with(ends.is_not_null(), next_hour) + some["grace"]))
    ended = pl.concat(parts) if parts else zoned.with_columns(end=pl.lit(None, pl.Int64))
    by_plan = pl.when(pl.col("end") > pl.col("since")).then("end")
    ends_at = pl.when(pl.col("silent").is_not_null()).then(pl.coalesce(by_plan, "silent"))
    return ended.with_columns(ends_at=ends_at)
