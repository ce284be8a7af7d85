"""Time zones: of the package, in columns as one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.doctor.clickhouse import clocks
from streams.model import zones

ZONES = ("Asia/Riyadh", "Africa/Casablanca", "Europe/Istanbul", "Australia/Lord_Howe", "America/St_Johns", "UTC", "")
MOMENTS = st.integers(
    int(datetime(1975, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2037, 1, 1, tzinfo=UTC).timestamp())
)
EPOCH = datetime(1970, 1, 1)


def test_a_change_that_a_machine_may_not_know_of() -> None:
    assert zones.zone("Africa/Casablanca").utcoffset(datetime(2026, 11, 1)) == timedelta(0)
    assert zones.local(pl.Series([1793491200000]), "Africa/Casablanca").to_list() == [datetime(2026, 11, 1)]


@given(st.lists(MOMENTS, max_size=20), st.sampled_from(ZONES))
def test_columns_say_what_each_time_says(moments: list[int], name: str) -> None:
    shown = zones.local(pl.Series([at * 1000 for at in moments], dtype=pl.Int64), name)
    clock = zones.zone(name or "UTC")
    assert shown.to_list() == [datetime.fromtimestamp(at, clock).replace(tzinfo=None) for at in moments]
    first = [
        int((one.replace(tzinfo=clock, fold=0).astimezone(UTC).replace(tzinfo=None) - EPOCH).total_seconds()) * 1000
        for one in shown
    ]
    assert zones.instant(shown, name).to_list() == first


def test_hours_that_are_left_out_or_come_twice() -> None:
    shown = pl.Series([datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30), None, datetime(9999, 12, 31, 23)])
    at = zones.instant(shown, "Europe/Paris").to_list()
    assert at[0] is None
    assert datetime.fromtimestamp(at[1] / 1000, UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert at[2] is None
    assert zones.instant(pl.Series([datetime(1, 1, 1)]), "Asia/Tokyo").to_list() == [None]


@pytest.mark.parametrize("name", ["Mars/Olympus", "Asia", "../etc/passwd", "/etc/localtime", "", " "])
def test_what_is_no_zone(name: str) -> None:
    assert not zones.is_zone(name)
    assert name not in zones.names()


@pytest.mark.parametrize(("off", "told"), [(0, 0), (3600, 1)])
def test_doctor_tells_of_another_clock_in_clickhouse(off: int, told: int) -> None:
    def ask(sql: str) -> SimpleNamespace:
        if "DISTINCT timezone" in sql:
            return SimpleNamespace(result_rows=[("Asia/Riyadh",)])
        now = int(datetime.now(UTC).timestamp())
        late = [(now + day * 86400, 10800 - (off if day > 20 else 0)) for day in range(-365, 366)]
        return SimpleNamespace(result_rows=late)

    found = list(clocks("cx", ask))
    assert len(found) == told
    assert all("the clock of Asia/Riyadh is another in ClickHouse" in one.detail for one in found)
