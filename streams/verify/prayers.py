"""Whose day it was, and what was prayed: what prayer_times and interactions_local must hold, the plain way.

Times of prayer are reckoned again; what they mean for an interaction is looked up by the day of its place's clock, not
by the last dawn, as the view does.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

import polars as pl

from sinks.clickhouse.prayers import AFTER, BEFORE, FIRST, LAST
from streams.model import zones
from streams.model.prayer import USUAL_METHOD, Place, Times, times

PLACE = ("latitude", "longitude", "prayer_method", "timezone")
TIMES_KEY = (*PLACE, "date")
TIMES_SHOWN = {
    **dict.fromkeys(("latitude", "longitude"), pl.Float64()),
    **dict.fromkeys(("prayer_method", "timezone"), pl.String()),
    "date": pl.Int32(),
    **dict.fromkeys(("ramadan", "ramadan_next"), pl.Boolean()),
    **dict.fromkeys((*Times._fields, "next_fajr"), pl.Int64()),
}
"""Columns of the table prayer_times_store; days as epoch days, times as epoch ms."""
LOCAL_KEY = ("subject", "event_id")
LOCAL_SHOWN = dict.fromkeys(
    ("timezone", "local_time", "hijri_date", "hijri_date_from_sunset", "prayer_window", "ramadan_meal"), pl.String()
)
_EPOCH = date(1970, 1, 1)
_DAY = timedelta(days=1)
_HALF_HOUR, _HOUR, _DAY_MS = 1_800_000, 3_600_000, 86_400_000


def places(levels: pl.DataFrame) -> pl.DataFrame:
    """What unit_levels says of clocks and places: `unit`, `valid_from` and PLACE, nulls where nothing is known."""
    there = pl.col("latitude").is_not_null() & pl.col("longitude").is_not_null()
    return levels.select(
        "unit",
        "valid_from",
        latitude=pl.when(there).then("latitude"),
        longitude=pl.when(there).then("longitude"),
        prayer_method=pl.when(pl.col("prayer_method") == "").then(pl.lit(USUAL_METHOD)).otherwise("prayer_method"),
        timezone=pl.when(pl.col("timezone").is_in(sorted(zones.names()))).then("timezone").otherwise(pl.lit("")),
    )


def prayer_times(levels: pl.DataFrame, days: Collection[date], fasts: Collection[date]) -> pl.DataFrame:
    """The rows that must be there. days: of events, UTC. fasts: days of Ramadan."""
    near = {day + n * _DAY for day in days if FIRST <= day <= LAST for n in range(-BEFORE, AFTER + 1)}
    where = places(levels).filter(pl.col("latitude").is_not_null()).select(PLACE).unique().sort(PLACE)
    rows = []
    for said in where.iter_rows():
        place = Place(*said)
        found: dict[date, Times | None] = {}
        for day in sorted(near | {day + _DAY for day in near}):
            found[day] = times(place, day, day in fasts)
        for day in near:
            today, after = found[day], found[day + _DAY]
            at = [None] * len(Times._fields) if today is None else [int(one.timestamp() * 1000) for one in today]
            dawn = None if after is None else int(after.fajr.timestamp() * 1000)
            rows.append((*said, (day - _EPOCH).days, day in fasts, day + _DAY in fasts, *at, dawn))
    return pl.DataFrame(rows, TIMES_SHOWN, orient="row")


def interactions_local(
    events: pl.DataFrame, levels: pl.DataFrame, prayed: pl.DataFrame, hijri: pl.DataFrame
) -> pl.DataFrame:
    """What the view of that name must hold: LOCAL_KEY and LOCAL_SHOWN.

    Args:
        events: LOCAL_KEY, `occurred_at`, epoch ms, and `attributed_unit`. levels: of unit_levels.
        prayed: what `prayer_times` returns. hijri: `date` (epoch days) and `hijri_date`, a text.
    """
    rows = (
        events.sort("occurred_at")
        .join_asof(
            places(levels).sort("valid_from"),
            left_on="occurred_at",
            right_on="valid_from",
            by_left="attributed_unit",
            by_right="unit",
            check_sortedness=False,
        )
        .with_columns(pl.col("timezone").fill_null(""), at=pl.col("occurred_at"))
    )
    parts = [
        some.with_columns(zones.local(some["at"], str(zone)).alias("local"))
        for (zone,), some in rows.group_by("timezone")
    ]
    rows = pl.concat(parts) if parts else rows.with_columns(local=pl.lit(None, pl.Datetime("ms")))
    rows = rows.with_columns(date=pl.col("local").dt.date().cast(pl.Int32))
    today = prayed.drop("ramadan_next").drop_nulls("fajr")
    # What holds before dawn began the day before.
    rows = rows.join(today, on=TIMES_KEY, how="left").with_columns(early=pl.col("at") < pl.col("fajr"))
    eve = [pl.col(name).name.prefix("eve_") for name in ("fajr", "maghrib", "isha", "next_fajr")]
    before = today.select(*PLACE, pl.col("date") + 1, *eve)
    rows = rows.join(before, on=TIMES_KEY, how="left")
    return _said(rows, hijri)


def _said(rows: pl.DataFrame, hijri: pl.DataFrame) -> pl.DataFrame:
    """LOCAL_KEY and LOCAL_SHOWN of rows with the times of their day and of the eve."""
    at = pl.col("at")
    alone = pl.col("fajr").is_null() & pl.col("eve_fajr").is_not_null() & (at < pl.col("eve_fajr") + _DAY_MS)
    eve = (pl.col("early") & pl.col("eve_fajr").is_not_null()) | alone
    eve_ends = pl.coalesce("eve_next_fajr", pl.col("eve_fajr") + _DAY_MS)
    ends = pl.coalesce("next_fajr", pl.col("fajr") + _DAY_MS)
    of_eve = (eve & (at < eve_ends)).fill_null(False)
    of_day = (~pl.col("early") & (at < ends)).fill_null(False)
    known = of_eve | of_day
    maghrib = pl.when(of_eve).then("eve_maghrib").otherwise("maghrib")
    isha = pl.when(of_eve).then("eve_isha").otherwise("isha")
    dawn = pl.when(of_eve).then(eve_ends).otherwise(ends)
    middle = maghrib + (dawn - maghrib) // 2
    friday = pl.col("local").dt.weekday() == 5
    noon = pl.when(friday).then(pl.lit("jumua")).otherwise(pl.lit("dhuhr"))

    def within(name: pl.Expr, length: int | pl.Expr = _HALF_HOUR) -> pl.Expr:
        return ((at >= name) & (at < name + length)).fill_null(False)

    window = (
        pl.when(~known).then(pl.lit(""))
        .when(of_day & within(pl.col("dhuhr"), pl.when(friday).then(_HOUR).otherwise(_HALF_HOUR))).then(noon)
        .when(within(isha)).then(pl.lit("isha"))
        .when(within(maghrib)).then(pl.lit("maghrib"))
        .when(of_day & within(pl.col("asr"))).then(pl.lit("asr"))
        .when(of_day & within(pl.col("fajr"))).then(pl.lit("fajr"))
        .otherwise(pl.lit("none"))
    )  # fmt: skip
    day = pl.col("date") - of_eve.cast(pl.Int32)  # to which the night belongs
    rows = rows.with_columns(
        prayer_window=window, known=known, night_of=day, sunset=day + (at >= maghrib).fill_null(False).cast(pl.Int32)
    )
    months = hijri.with_columns(fasting=pl.col("hijri_date").str.slice(5, 2) == "09")
    rows = (
        rows.join(months.select("date", "hijri_date"), on="date", how="left")
        .join(months.select(sunset="date", hijri_date_from_sunset="hijri_date"), on="sunset", how="left")
        .join(months.select(night_of="date", fasts="fasting"), on="night_of", how="left")
        .join(months.select(night_of=pl.col("date") - 1, fasts_next="fasting"), on="night_of", how="left")
    )
    meal = (
        pl.when(~pl.col("known")).then(pl.lit(""))
        .when(at >= middle).then(pl.when("fasts_next").then(pl.lit("suhoor")).otherwise(pl.lit("none")))
        .when(~pl.col("fasts").fill_null(False)).then(pl.lit("none"))
        .when(at < maghrib).then(pl.lit("fast"))
        .otherwise(pl.lit("iftar"))
    )  # fmt: skip
    return rows.select(
        *LOCAL_KEY,
        timezone=pl.when(pl.col("timezone") == "").then(pl.lit("UTC")).otherwise("timezone"),
        local_time=pl.col("local").dt.strftime("%Y-%m-%d %H:%M:%S"),
        hijri_date=pl.col("hijri_date").fill_null(""),
        hijri_date_from_sunset=pl.when("known")
        .then(pl.col("hijri_date_from_sunset").fill_null(""))
        .otherwise(pl.lit("")),
        prayer_window="prayer_window",
        ramadan_meal=meal,
    )
