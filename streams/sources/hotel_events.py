"""The events of hotel bookings: columns of bookings in, columns of events out.

Which events, and when (all UTC; days are the file's, times of day are chosen so that a booking's milestones are in
the order in which they happen even where their days are the same):

- booking.waitlisted, where it waited: 08:00 of the day it was made, arrival date minus lead time
- booking.confirmed: 09:00 of that day; carries party, nights, price (adr x nights, euros), meal plan and room
- booking.special_request, where there are some: ten minutes later
- booking.modified, as often as it was changed: spread evenly between confirmation and what ended the booking's wait
- booking.cancelled: 12:00 of the status date, check_in.no_show: 23:00 of it
- stay.arrived: 15:00 of the arrival date; check_in.room_changed ten minutes before, where the assigned room is another
- stay.checked_out: 11:00 of the status date

What ends a booking comes an hour after the milestone before it at the earliest, whatever the file's dates say: the
status of the journey is that of its latest milestone, and must be the row's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from streams.sources.countries import alpha_2_of
from streams.sources.event_ids import Words, event_uuids
from streams.sources.events import conform

STATUSES = ("Canceled", "No-Show", "Check-Out")

CURRENCY = "EUR"  # both hotels are in Portugal

_SALTS = 64  # more than there are kinds of events

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

_MEDIUM = {"Direct": "web", "TA/TO": "partner", "Corporate": "call_centre", "GDS": "partner"}
_MEALS = {"SC": "SC", "BB": "BB", "HB": "HB", "FB": "FB", "Undefined": "SC"}

# Attributes of the confirmation: what the schema has no field for.
_ATTRIBUTES = (
    "market_segment",
    "distribution_channel",
    "customer_type",
    "deposit_type",
    "company",
    "required_car_parking_spaces",
    "is_repeated_guest",
    "previous_cancellations",
    "previous_bookings_not_canceled",
    "country_as_given",
)


def booking_events(bookings: pl.DataFrame, keys: Words, by_company: bool = False) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield (channel, frame in its schema's frame form) for the channels that have events.

    bookings: the typed columns of the file, arrival and status_date as Date, number as the row's number; keys: two
    words of each row's hash, shape (rows, 2). by_company: the customer is the company, which each row must have, not
    the row. Sorted by booking, then time.
    """
    timed = _timed(bookings, by_company).with_row_index("row")
    for channel, kinds in _CHANNELS.items():
        events = pl.concat([kind(timed, code) for code, kind in kinds], how="diagonal")
        if events.height == 0:
            continue
        events = events.sort("row", "occurred_at", "salt")
        ids = event_uuids(keys[events["row"].to_numpy()], events["salt"].to_numpy().astype(np.uint64))
        yield channel, conform(channel, events.drop("row", "salt").with_columns(ids))


def _timed(bookings: pl.DataFrame, by_company: bool) -> pl.DataFrame:
    """The bookings with what all their events share, and the time of each milestone (epoch milliseconds)."""
    number = pl.col("number").cast(pl.String).str.zfill(6)
    company = pl.concat_str(pl.lit("company-"), pl.col("company").str.strip_suffix(".0"))
    customer = pl.concat_str(pl.lit("hb-"), company if by_company else number)
    country = pl.col("country").replace_strict(alpha_2_of(), default=None, return_dtype=pl.String)
    stayed = pl.col("reservation_status") == "Check-Out"
    status_day = _midnight(pl.col("status_date"))
    return (
        bookings.with_columns(
            ids=pl.concat_list(pl.struct(pl.lit("customer").alias("kind"), customer.alias("value"))),
            booking_ref=pl.concat_str(pl.lit("HB-"), number),
            unit=pl.col("hotel"),
            country=country,
            country_as_given=pl.when(country.is_null()).then(pl.col("country")),
            booking_medium=pl.col("distribution_channel").replace_strict(_MEDIUM, default="system"),
            agent_id=pl.coalesce(pl.concat_str(pl.lit("agent-"), pl.col("agent").str.strip_suffix(".0")), company),
            nights=pl.col("stays_in_weekend_nights") + pl.col("stays_in_week_nights"),
            confirmed_at=_midnight(pl.col("arrival")) - pl.col("lead_time") * _DAY + 9 * _HOUR,
            arrived_at=_midnight(pl.col("arrival")) + 15 * _HOUR,
        )
        .with_columns(
            arrived_at=pl.max_horizontal("arrived_at", pl.col("confirmed_at") + _HOUR),
            ended_at=pl.max_horizontal(
                status_day + pl.when(pl.col("reservation_status") == "Canceled").then(12 * _HOUR).otherwise(23 * _HOUR),
                pl.col("confirmed_at") + _HOUR,
            ),
        )
        .with_columns(
            wait_ended_at=pl.when(stayed).then("arrived_at").otherwise("ended_at"),
            checked_out_at=pl.max_horizontal(status_day + 11 * _HOUR, pl.col("arrived_at") + _HOUR),
        )
    )


def _midnight(day: pl.Expr) -> pl.Expr:
    return day.cast(pl.Int32).cast(pl.Int64) * _DAY


def _events(
    bookings: pl.DataFrame, code: int, touchpoint: str, at: pl.Expr | str, medium: pl.Expr | str, **more: pl.Expr
) -> pl.DataFrame:
    """One event for each booking given; code tells the kinds apart in the event ids (salt, unless more names it)."""
    return bookings.select(
        "row",
        "ids",
        "booking_ref",
        "unit",
        "country",
        occurred_at=at if isinstance(at, pl.Expr) else pl.col(at),
        touchpoint=pl.lit(touchpoint),
        medium=pl.lit(medium) if isinstance(medium, str) else medium,
        **{"salt": pl.lit(code, dtype=pl.Int64), **more},
    )


_BOOKING_MEDIUM = pl.col("booking_medium")


def _waitlisted(bookings: pl.DataFrame, code: int) -> pl.DataFrame:
    waited = bookings.filter(pl.col("days_in_waiting_list") > 0)
    at = pl.col("confirmed_at") - _HOUR
    waiting_days = pl.col("days_in_waiting_list")
    return _events(waited, code, "booking.waitlisted", at, _BOOKING_MEDIUM, waiting_days=waiting_days)


def _confirmed(bookings: pl.DataFrame, code: int) -> pl.DataFrame:
    cents = (pl.col("adr") * 100).round().cast(pl.Int64) * pl.col("nights")
    return _events(
        bookings.join(_attributes(bookings), on="row", how="left", maintain_order="left"),
        code,
        "booking.confirmed",
        "confirmed_at",
        _BOOKING_MEDIUM,
        agent_id=pl.col("agent_id"),
        money=pl.struct(cents.alias("amount_minor"), pl.lit(CURRENCY).alias("currency")),
        attributes=pl.col("attributes"),
        party_size=pl.col("adults") + pl.col("children") + pl.col("babies"),
        nights=pl.col("nights"),
        lead_days=pl.col("lead_time"),
        arrival_date=pl.col("arrival").dt.to_string("%Y-%m-%d"),
        meal_plan=pl.col("meal").replace_strict(_MEALS, default=pl.col("meal")),
        room_type=pl.col("reserved_room_type"),
    )


def _attributes(bookings: pl.DataFrame) -> pl.DataFrame:
    """row, attributes: those that say something. Made by rows: lists made of columns take ten times as long."""
    return (
        bookings.select("row", *(pl.col(key).cast(pl.String) for key in _ATTRIBUTES))
        .unpivot(index="row", variable_name="key")
        .filter(pl.col("value") != "0")
        .sort("row", maintain_order=True)
        .group_by("row", maintain_order=True)
        .agg(attributes=pl.struct("key", "value"))
    )


def _special_request(bookings: pl.DataFrame, code: int) -> pl.DataFrame:
    asked = bookings.filter(pl.col("total_of_special_requests") > 0)
    at = pl.col("confirmed_at") + 10 * _MINUTE
    requests = pl.col("total_of_special_requests")
    return _events(asked, code, "booking.special_request", at, _BOOKING_MEDIUM, special_requests=requests)


def _modified(bookings: pl.DataFrame, code: int) -> pl.DataFrame:
    changes = pl.col("booking_changes")
    changed = bookings.filter(changes > 0).with_columns(nth=pl.int_ranges(1, changes + 1)).explode("nth")
    wait = pl.col("wait_ended_at") - pl.col("confirmed_at")
    at = pl.col("confirmed_at") + wait * pl.col("nth") // (changes + 1)
    salt = pl.col("nth") * _SALTS + code
    return _events(changed, code, "booking.modified", at, _BOOKING_MEDIUM, salt=salt)


def _cancelled(bookings: pl.DataFrame, code: int) -> pl.DataFrame:
    cancelled = bookings.filter(pl.col("reservation_status") == "Canceled")
    return _events(cancelled, code, "booking.cancelled", "ended_at", _BOOKING_MEDIUM)


def _no_show(bookings: pl.DataFrame, code: int) -> pl.DataFrame:
    missed = bookings.filter(pl.col("reservation_status") == "No-Show")
    return _events(missed, code, "check_in.no_show", "ended_at", "system")


def _room_changed(bookings: pl.DataFrame, code: int) -> pl.DataFrame:
    moved = bookings.filter(
        (pl.col("reservation_status") == "Check-Out") & (pl.col("reserved_room_type") != pl.col("assigned_room_type"))
    )
    at = pl.col("arrived_at") - 10 * _MINUTE
    return _events(moved, code, "check_in.room_changed", at, "in_person", room=pl.col("assigned_room_type"))


def _arrived(bookings: pl.DataFrame, code: int) -> pl.DataFrame:
    stayed = bookings.filter(pl.col("reservation_status") == "Check-Out")
    return _events(stayed, code, "stay.arrived", "arrived_at", "in_person")


def _checked_out(bookings: pl.DataFrame, code: int) -> pl.DataFrame:
    stayed = bookings.filter(pl.col("reservation_status") == "Check-Out")
    return _events(stayed, code, "stay.checked_out", "checked_out_at", "in_person")


# A kind's place here is in its events' ids: append, never reorder.
_KINDS = (
    _waitlisted,
    _confirmed,
    _special_request,
    _modified,
    _cancelled,
    _no_show,
    _room_changed,
    _arrived,
    _checked_out,
)
_CHANNELS = {
    "booking": tuple(enumerate(_KINDS))[:5],
    "check_in": tuple(enumerate(_KINDS))[5:7],
    "stay": tuple(enumerate(_KINDS))[7:],
}
