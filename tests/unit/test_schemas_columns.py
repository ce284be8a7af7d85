"""Lists of records become the column that Polars makes of them by itself."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_series_equal

from schemas.columns import series

RECORDS = pl.List(pl.Struct({"name": pl.String(), "count": pl.Int64(), "share": pl.Float64()}))


@pytest.mark.parametrize(
    "values",
    [
        [],
        [[], []],
        [[("a", 1, 0.5)]],
        [[], [("a", 1, None), (None, 2, 1.0)], [], [("é", None, -1.0)], []],
    ],
)
def test_lists_of_records(values: list[list[tuple[str | None, int | None, float | None]]]) -> None:
    names = ("name", "count", "share")
    plain = pl.Series("said", [[dict(zip(names, item, strict=True)) for item in value] for value in values], RECORDS)
    assert_series_equal(series("said", values, RECORDS), plain)


def test_other_columns_are_as_polars_makes_them() -> None:
    assert_series_equal(series("n", (1, None), pl.Int64()), pl.Series("n", [1, None], pl.Int64()))
    assert_series_equal(series("n", [["a"], None], pl.List(pl.String())), pl.Series("n", [["a"], None]))
