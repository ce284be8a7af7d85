"""Comparing two accounts of a table: what counts as a difference, and how it is told."""

from __future__ import annotations

import polars as pl
import pytest

from streams.verify.compare import compare


def told(expected: pl.DataFrame, found: pl.DataFrame) -> list[tuple[str | None, ...]]:
    """Key, column, expected and found of each difference."""
    return [row[1:] for row in compare("t", expected, found, ["key"]).differences.rows()]


def one(**columns: object) -> pl.DataFrame:
    return pl.DataFrame({"key": ["k"], **{name: [value] for name, value in columns.items()}})


@pytest.mark.parametrize(
    ("expected", "found", "differ"),
    [
        (0.5, 0.5000009, False),
        (0.5, 0.5000011, True),
        (1e9, 1e9 + 0.5, False),
        (1e9, 1e9 + 2, True),
        (None, None, False),
        (None, 0.0, True),
        (0.0, None, True),
        (float("nan"), float("nan"), True),
        (float("inf"), 1.0, True),
    ],
)
def test_figures_are_equal_to_six_digits_and_never_nan(expected: object, found: object, differ: bool) -> None:
    schema = {"key": pl.String, "x": pl.Float64}
    left, right = (pl.DataFrame({"key": ["k"], "x": [value]}, schema=schema) for value in (expected, found))
    assert bool(told(left, right)) == differ


def test_null_is_told_apart_from_every_value() -> None:
    schema = {"key": pl.String, "name": pl.String}
    nobody = pl.DataFrame({"key": ["k"], "name": [None]}, schema=schema)
    assert told(nobody, one(name="")) == [("k", "name", None, "")]
    assert told(one(name=""), nobody) == [("k", "name", "", None)]
    assert told(nobody, nobody) == []


def test_times_are_told_as_people_read_them() -> None:
    assert told(one(booked_at=1_700_000_000_001), one(booked_at=None).cast({"booked_at": pl.Int64})) == [
        ("k", "booked_at", "2023-11-14T22:13:20.001Z", None)
    ]


def test_lists_are_equal_in_any_order_but_not_with_other_records() -> None:
    a, b = {"key": "a", "n": 1}, {"key": "b", "n": 2}
    assert told(one(of=[a, b]), one(of=[b, a])) == []
    assert told(one(of=[a]), one(of=[a, a])) == [
        ("k", "of", '{"key":"a","n":1}', '{"key":"a","n":1}, {"key":"a","n":1}')
    ]
    assert told(one(of=[{"key": "a,b", "n": 1}]), one(of=[{"key": "a", "n": 1}, {"key": "b", "n": 1}])) != []


def test_rows_that_are_missing_or_too_many_or_there_twice() -> None:
    rows = pl.DataFrame({"key": ["a", "b", "b"], "x": [1, 2, 2]})
    comparison = compare("t", pl.DataFrame({"key": ["b", "c"], "x": [2, 3]}), rows, ["key"])
    assert comparison.rows == 3
    assert comparison.differences.rows() == [
        ("t", "a", "(row)", None, "a row"),
        ("t", "b", "(row)", "a row", "2 rows"),
        ("t", "c", "(row)", "a row", None),
    ]


def test_a_column_that_nothing_is_expected_of_is_an_error_unless_ignored() -> None:
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        compare("t", one(x=1), one(x=1, y=2), ["key"])
    assert compare("t", one(x=1), one(x=1, y=2), ["key"], ["y"]).differences.height == 0
