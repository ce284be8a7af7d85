"""Compares two versions of one table, row by row and column by column."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import polars as pl

DIFFERENCE = dict.fromkeys(("table", "key", "column", "expected", "found"), pl.String)
"""Columns of a frame of differences; a row is one value that is not as expected."""

WHOLE_ROW = "(row)"
"""Stands in `column` for a row that is missing, should not be there, or is there several times."""

TOLERANCE = 1e-6
"""Floating-point figures are published to six digits; the order of additions shows beyond."""
RELATIVE_TOLERANCE = 1e-9
"""Relative tolerance, for large figures."""

TIMES = ("_at", "span_start", "span_end")
"""Ends of the names of columns that hold epoch milliseconds."""

DIGITS = 6
"""Digits that are shown of floating-point figures."""

_EXPECTED, _FOUND, _SUFFIX = "_is_expected", "_is_found", "_found"


class Comparison(NamedTuple):
    """The result of comparing one table."""

    table: str
    rows: int
    """Distinct keys on either side."""
    differences: pl.DataFrame


def nothing() -> pl.DataFrame:
    """No differences."""
    return pl.DataFrame(schema=DIFFERENCE)


def compare(
    table: str, expected: pl.DataFrame, found: pl.DataFrame, key: Sequence[str], ignored: Collection[str] = ()
) -> Comparison:
    """Compare all columns of `found` but the ignored ones.

    Args:
        table: its name, for the differences.
        expected, found: each with one row a key; a key that is there more often is itself a difference. Times are
            epoch milliseconds in columns named like TIMES; lists of records are compared without regard to order.
        key: columns that make the key; together they are written as one text, separated by spaces.

    Raises polars.exceptions.ColumnNotFoundError when `expected` lacks a column.
    """
    columns = [name for name in found.columns if name not in key and name not in ignored]
    left, left_twice = _once(table, _plain(expected.select(*key, *columns)), key, "expected")
    right, right_twice = _once(table, _plain(found.select(*key, *columns)), key, "found")
    joined = left.with_columns(pl.lit(True).alias(_EXPECTED)).join(
        right.with_columns(pl.lit(True).alias(_FOUND)), on=list(key), how="full", coalesce=True, suffix=_SUFFIX
    )
    there = pl.lit("a row")
    parts = [
        left_twice,
        right_twice,
        _rows(table, joined.filter(pl.col(_FOUND).is_null()), key, there, None),
        _rows(table, joined.filter(pl.col(_EXPECTED).is_null()), key, None, there),
    ]
    both = joined.filter(pl.col(_EXPECTED) & pl.col(_FOUND))
    for name in columns:
        differing = both.filter(_differs(name, left.schema[name]))
        if differing.height:
            one, other = _shown(name, name, left.schema[name]), _shown(name, name + _SUFFIX, right.schema[name])
            parts.append(_rows(table, differing, key, one, other, name))
    return Comparison(table, joined.height, pl.concat(parts).sort("key", "column"))


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with columns that can be compared: dates as epoch milliseconds, lists as sorted texts."""
    return frame.with_columns(
        pl.col(name)
        .list.eval(pl.element().struct.json_encode() if isinstance(dtype.inner, pl.Struct) else pl.element())
        .list.sort()
        .list.join(", ")
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.List)
    )


def _once(table: str, frame: pl.DataFrame, key: Sequence[str], side: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The first row of each key, and the differences that further ones are."""
    again = frame.group_by(key).len().filter(pl.col("len") > 1)
    if not again.height:
        return frame, nothing()
    rows, one = pl.format("{} rows", "len"), pl.lit("a row")
    said = (rows, one) if side == "expected" else (one, rows)
    return frame.unique(key, keep="first"), _rows(table, again, key, *said)


def _rows(
    table: str,
    frame: pl.DataFrame,
    key: Sequence[str],
    expected: pl.Expr | None,
    found: pl.Expr | None,
    column: str = WHOLE_ROW,
) -> pl.DataFrame:
    """A difference for each row of a frame that has the key's columns."""
    nobody = pl.lit(None, dtype=pl.String)
    return frame.select(
        table=pl.lit(table),
        key=pl.concat_str(key, separator=" "),
        column=pl.lit(column),
        expected=nobody if expected is None else expected,
        found=nobody if found is None else found,
    ).cast(pl.Schema(DIFFERENCE))


def _differs(name: str, dtype: pl.DataType) -> pl.Expr:
    one, other = pl.col(name), pl.col(name + _SUFFIX)
    if not dtype.is_float():
        return one.ne_missing(other)
    near = (one - other).abs() <= TOLERANCE + RELATIVE_TOLERANCE * one.abs()
    finite = one.is_finite() & other.is_finite()  # a published figure that is not finite is wrong in any case
    return ~((near & finite).fill_null(False) | (one.is_null() & other.is_null()))


def _shown(name: str, column: str, dtype: pl.DataType) -> pl.Expr:
    """A value as a person reads it."""
    if dtype.is_integer() and name.endswith(TIMES):
        return pl.from_epoch(column, time_unit="ms").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
    value = pl.col(column)
    return (value.round(DIGITS) if dtype.is_float() else value).cast(pl.String)
