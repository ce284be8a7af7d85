"""Hotel booking demand, the CSV of Antonio, Almeida and Nunes (2019, CC BY 4.0): one booking a row.

A row becomes the events of its booking (`streams.sources.hotel_events`). The file names no guests, so each row is a
customer of its own: customer ``hb-000001`` and booking reference ``HB-000001`` are the first row after the header.
Those numbers and the event ids depend on the row's content and its place in the file only, so a second run makes the
same events. `read_companies` takes the bookings of companies only, each company one customer (``hb-company-40``): the
only ones of which the file tells who comes again. Event ids are the same: store the two in different databases.

Columns are found by their names in the header, whatever their order; further columns are not read. A row that cannot be
read (not as many fields as the header, no number where one must be, no date) is a `BadLine`; the rest goes on.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

import polars as pl

from schemas.records import empty
from streams.sources.event_ids import row_keys
from streams.sources.events import BadLine, EventBatch, SourceError
from streams.sources.files import display_name, read_lines
from streams.sources.hotel_events import STATUSES, booking_events

BATCH_ROWS = 10_000

# What a number may be at most: a broken row must not become a million events.
_NUMBERS = {
    "lead_time": 10_000,
    "stays_in_weekend_nights": 10_000,
    "stays_in_week_nights": 10_000,
    "adults": 10_000,
    "babies": 10_000,
    "booking_changes": 1_000,
    "days_in_waiting_list": 10_000,
    "total_of_special_requests": 1_000,
    "required_car_parking_spaces": 10_000,
    "previous_cancellations": 10_000,
    "previous_bookings_not_canceled": 10_000,
    "is_repeated_guest": 1,
}
_TEXTS = (
    "hotel",
    "meal",
    "country",
    "market_segment",
    "distribution_channel",
    "reserved_room_type",
    "assigned_room_type",
    "deposit_type",
    "agent",
    "company",
    "customer_type",
    "reservation_status",
)
_ARRIVAL = ("arrival_date_year", "arrival_date_month", "arrival_date_day_of_month")
_COLUMNS = (*_NUMBERS, *_TEXTS, *_ARRIVAL, "children", "adr", "reservation_status_date")
_MISSING = ("", "NA", "NULL")


def read(path: str, *, batch_size: int = BATCH_ROWS) -> Iterator[EventBatch]:
    """Read the file (plain or gzip, "-" for standard input) as batches of booking, check_in and stay events.

    batch_size: rows held in memory at once; all events of a row are in the batches of the same rows, next to each
    other and in the order of time within each channel. Raises SourceError where the file cannot be read or its header
    lacks a column.
    """
    return _read(path, batch_size, by_company=False)


def read_companies(path: str, *, batch_size: int = BATCH_ROWS) -> Iterator[EventBatch]:
    """The same of the bookings that name a company, whose customer is the company; the others are left out."""
    return _read(path, batch_size, by_company=True)


def _read(path: str, batch_size: int, by_company: bool) -> Iterator[EventBatch]:
    name = display_name(path)
    header: list[str] | None = None
    for first, lines in read_lines(path, batch_size):
        if header is None:
            header = _header(name, lines[0])
            first, lines = first + 1, lines[1:]
        yield from _batches(name, header, first, lines, by_company)
    if header is None:
        raise SourceError(f"{name}: the file is empty; a header with the columns of hotel bookings was expected")


def _header(name: str, line: bytes) -> list[str]:
    header = [column.strip() for column in _fields(line.decode("utf-8", "replace")) or []]
    lacking = [column for column in _COLUMNS if column not in header]
    if lacking:
        raise SourceError(
            f"{name}: this is no file of hotel bookings: its header lacks {', '.join(lacking[:5])}"
            + (f" and {len(lacking) - 5} more columns" if len(lacking) > 5 else "")
        )
    return header


def _batches(name: str, header: list[str], first: int, lines: list[bytes], by_company: bool) -> Iterator[EventBatch]:
    rows = _parse(header, lines)
    # The header is line 1, so the first booking is number 1 on line 2.
    rows = rows.with_columns(number=pl.col("offset") + (first - 1))
    bad = [
        BadLine(name, first + offset, bytes(lines[offset]), reason, detail)
        for offset, reason, detail in rows.filter(pl.col("detail").is_not_null())
        .select("offset", "reason", "detail")
        .iter_rows()
        if lines[offset].strip()
    ]
    good = rows.filter(pl.col("detail").is_null() & (pl.col("company").is_not_null() | (not by_company)))
    if good.height:
        contents = (b"%d\n%s" % (n, lines[at]) for at, n in good.select("offset", "number").iter_rows())
        for channel, frame in booking_events(good, row_keys(contents), by_company):
            yield EventBatch(channel, frame, bad, name)
            bad = []
    if bad:
        yield EventBatch("booking", empty("booking"), bad)


def _parse(header: list[str], lines: list[bytes]) -> pl.DataFrame:
    """One row a line: offset, the typed columns, and reason and detail where the line is bad (else null)."""
    text = pl.Series("text", [_decoded(line) for line in lines], dtype=pl.String)
    fields = text.str.split(",").alias("fields")
    quoted = text.str.contains('"', literal=True).fill_null(False)
    if quoted.any():
        parsed = [
            _fields(line) if has_quotes else plain for line, has_quotes, plain in zip(text, quoted, fields, strict=True)
        ]
        fields = pl.Series("fields", parsed, dtype=pl.List(pl.String))
    whole = fields.list.len() == len(header)
    raw = pl.DataFrame(fields).select(
        pl.col("fields").list.get(header.index(column), null_on_oob=True).str.strip_chars().alias(column)
        for column in _COLUMNS
    )
    typed = raw.select(
        *(_number(column) for column in (*_NUMBERS, "children")),
        *(pl.when(~pl.col(column).is_in(_MISSING)).then(pl.col(column)).alias(column) for column in _TEXTS),
        pl.col("adr").cast(pl.Float64, strict=False),
        arrival=pl.concat_str(_ARRIVAL, separator="-").str.to_date("%Y-%B-%d", strict=False),
        status_date=pl.col("reservation_status_date").str.to_date("%Y-%m-%d", strict=False),
        no_children=pl.col("children").is_in(_MISSING),
    ).with_row_index("offset")
    return (
        typed.with_columns(pl.Series("whole", whole), pl.Series("readable", text.is_not_null()))
        .with_columns(_first_problem(len(header)))
        .unnest("problem")
        .with_columns(pl.col("offset").cast(pl.Int64))
    )


def _fields(line: str) -> list[str] | None:
    """The fields of a row with quotes; None where it is no CSV (a line end within, a field of more than 128 KiB)."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return None


def _decoded(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _number(column: str) -> pl.Expr:
    """A whole number, also where it is written 2.0; null where it is none."""
    value = pl.col(column).cast(pl.Float64, strict=False)
    return pl.when(value == value.floor()).then(value).cast(pl.Int64, strict=False).alias(column)


def _first_problem(columns: int) -> pl.Expr:
    """struct problem{reason, detail} of the first check that a row fails, both null where it fails none."""
    checks: list[tuple[pl.Expr, str, str]] = [
        (pl.col("readable"), "undecodable", "the row is not UTF-8"),
        (pl.col("whole"), "undecodable", f"the row does not have {columns} fields, as the header does"),
    ]
    for column, most in _NUMBERS.items():
        detail = f"{column} is not a whole number from 0 to {most}"
        checks.append((pl.col(column).is_between(0, most), "undecodable", detail))
    checks += [
        (
            pl.col("no_children") | pl.col("children").is_between(0, 10_000),
            "undecodable",
            "children is not a whole number from 0 to 10000, and not missing",
        ),
        (pl.col("adr").is_finite() & (pl.col("adr").abs() < 1e9), "bad_money", "adr is not an amount of money"),
        (pl.col("hotel").is_not_null(), "undecodable", "hotel is empty"),
        (pl.col("arrival").is_not_null(), "bad_time", "arrival_date_year, _month and _day_of_month are no date"),
        (pl.col("status_date").is_not_null(), "bad_time", "reservation_status_date is not a date like 2015-07-01"),
        (
            pl.col("reservation_status").is_in(STATUSES),
            "undecodable",
            f"reservation_status is none of {', '.join(STATUSES)}",
        ),
    ]
    problem = pl.coalesce(
        pl.when(~valid.fill_null(False)).then(pl.struct(pl.lit(reason).alias("reason"), pl.lit(detail).alias("detail")))
        for valid, reason, detail in checks
    )
    return problem.alias("problem")
