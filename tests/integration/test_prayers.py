"""Times of prayer, Hijri days from sunset, meals of Ramadan, and answers that were late for prayer alone."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sinks.clickhouse import prayers
from streams.model.prayer import Place, times
from streams.model.zones import ZoneInfo
from streams.verify.verify import verify
from tests.integration.test_attribution import event, stored
from tests.integration.test_clickhouse_queries import answers, ask
from tests.integration.test_units import load
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import frame

RIYADH, MAKKAH = (24.7136, 46.6753), (21.4225, 39.8262)
UNITS = f"""unit,brand,timezone,latitude,longitude,prayer_method
noor,,Asia/Riyadh,,,umm_al_qura
RUH-1,noor,,{RIYADH[0]},{RIYADH[1]},
HERE,noor,,,,
"""


@pytest.mark.parametrize(
    ("place", "zone", "day", "published"),
    [
        # Al Mowaten's timetable of Ramadan 1440 for Makkah, and Evrim Agaci's of 3 March 2025 for Riyadh.
        (
            Place(*MAKKAH, "umm_al_qura", "Asia/Riyadh"),
            "Asia/Riyadh",
            date(2019, 5, 6),
            "04:25 05:47 12:17 15:37 18:48",
        ),
        (Place(*MAKKAH, "umm_al_qura", "Asia/Riyadh"), "Asia/Riyadh", date(2019, 5, 13), "04:20 05:43 - - -"),
        (Place(*RIYADH, "umm_al_qura", "Asia/Riyadh"), "Asia/Riyadh", date(2025, 3, 3), "04:57 - - - 17:57"),
    ],
)
def test_times_are_those_that_are_published(place: Place, zone: str, day: date, published: str) -> None:
    """To the minute, but for one of rounding."""
    found = times(place, day)
    assert found is not None
    for said, at in zip(published.split(), found, strict=False):
        if said != "-":
            local = at.astimezone(ZoneInfo(zone))
            wanted = datetime.strptime(f"{day} {said}", "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(zone))
            assert abs(local - wanted) <= timedelta(minutes=1), (said, local)


def test_days_are_those_of_the_clock_and_isha_is_later_in_ramadan() -> None:
    kiritimati = times(Place(1.87, -157.4, "", "Pacific/Kiritimati"), date(2025, 3, 1))
    assert kiritimati is not None
    assert kiritimati.dhuhr.astimezone(ZoneInfo("Pacific/Kiritimati")).date() == date(2025, 3, 1)
    makkah = Place(*MAKKAH, "umm_al_qura", "Asia/Riyadh")
    plain, ramadan = times(makkah, date(2025, 3, 1)), times(makkah, date(2025, 3, 1), ramadan=True)
    assert plain is not None
    assert ramadan is not None
    assert (plain.isha - plain.maghrib, ramadan.isha - ramadan.maghrib) == (
        timedelta(minutes=90),
        timedelta(minutes=120),
    )
    assert times(Place(69.6, 18.9, "", ""), date(2025, 6, 21)) is None


def at(text: str, zone: str = "Asia/Riyadh") -> int:
    """A local time as epoch ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def test_days_from_sunset_windows_and_meals(clickhouse: ClickHouse, tmp_path: Path) -> None:
    """01:45 on 1 March 2025 in Riyadh is 1 March, 1 Ramadan, by both days; 18:30 on 28 February is 29 Shaban
    by midnight and 1 Ramadan from sunset (17:55)."""
    clickhouse.migrated()
    moments = {
        "2025-02-28 17:30:00": ("1446-08-29", "1446-08-29", "none", "none"),
        "2025-02-28 18:30:00": ("1446-08-29", "1446-09-01", "none", "none"),
        "2025-03-01 01:45:00": ("1446-09-01", "1446-09-01", "none", "suhoor"),
        "2025-03-01 05:10:00": ("1446-09-01", "1446-09-01", "fajr", "fast"),
        "2025-03-01 18:00:00": ("1446-09-01", "1446-09-02", "maghrib", "iftar"),
        "2025-03-07 12:50:00": ("1446-09-07", "1446-09-07", "jumua", "fast"),
        "2025-03-29 19:00:00": ("1446-09-29", "1446-10-01", "none", "iftar"),
        "2025-03-30 00:30:00": ("1446-10-01", "1446-10-01", "none", "none"),
    }
    rows = [
        answers("ces", 5, unit="RUH-1", event_id=f"00000000-0000-4000-8000-{n:012}")[0] for n in range(len(moments))
    ]
    for row, moment in zip(rows, moments, strict=True):
        row["occurred_at"] = at(moment)
    other = answers("ces", 5, unit="HERE")[0] | {"occurred_at": at("2025-03-01 18:00:00")}
    clickhouse.write("interactions", frame("interaction", *rows, other))
    load(clickhouse, tmp_path / "u.csv", UNITS, now=1)
    assert ask(clickhouse, "ces", by="prayer_window")[0][:2] == ("", 9)  # nobody has reckoned times yet
    assert prayers.fill(clickhouse.client) > 30
    assert prayers.fill(clickhouse.client) == 0
    shown = clickhouse.rows(
        "SELECT local_time, hijri_date, hijri_date_from_sunset, prayer_window, ramadan_meal "
        "FROM interactions_local WHERE attributed_unit = 'RUH-1' ORDER BY occurred_at"
    )
    assert shown == [(moment, *said) for moment, said in moments.items()]
    found = {
        name: {row[0]: row[1] for row in ask(clickhouse, "ces", by=name)}
        for name in ("prayer_window", "ramadan_meal", "hijri_day_from_sunset")
    }
    assert found["prayer_window"] == {"": 1, "none": 5, "fajr": 1, "maghrib": 1, "jumua": 1}
    assert found["ramadan_meal"] == {"": 1, "none": 3, "suhoor": 1, "fast": 2, "iftar": 2}
    assert found["hijri_day_from_sunset"]["1446-09-01"] == 3
    assert ask(clickhouse, "seasons")[0][:3] == ("ramadan", 3, 6)
    assert [row[0] for row in ask(clickhouse, "seasons", by="hijri_day", timezone="UTC")][:2] == [
        "1446-08-29",
        "1446-09-01",
    ]


def test_late_for_prayer_alone_and_suhoor_before_fajr(clickhouse: ClickHouse, tmp_path: Path) -> None:
    """A case opened at 12:00 and answered at 13:10 was 50 minutes late for the noon prayer (12:05 to 12:35) not at all;
    suhoor at 05:30 was after Fajr (04:58)."""
    clickhouse.migrated()
    load(clickhouse, tmp_path / "u.csv", UNITS, now=1)

    def case(n: int, opened: str, answered: str) -> list[dict[str, Any]]:
        common = {"unit": "RUH-1", "case_id": f"C-{n}"}
        return [
            event(f"{n}", at(opened), "stay", touchpoint="stay.complaint_made", **common),
            event(f"{n}", at(answered), "stay", touchpoint="stay.complaint_answered", **common),
        ]

    meals = ["2025-03-02 04:10:00", "2025-03-02 04:40:00", "2025-03-03 04:40:00", "2025-03-03 05:30:00"]
    served = [event("9", at(when), "stay", touchpoint="stay.suhoor_served", unit="RUH-1") for when in meals]
    stored(
        clickhouse,
        *case(1, "2025-03-01 12:00:00", "2025-03-01 13:10:00"),
        *case(2, "2025-03-01 09:00:00", "2025-03-01 11:00:00"),
        *case(3, "2025-03-01 09:00:00", "2025-03-01 09:10:00"),
        *served,
        event("9", at("2025-03-02 18:05:00"), "stay", touchpoint="stay.iftar_served", unit="RUH-1"),
    )
    prayers.fill(clickhouse.client)
    assert ask(clickhouse, "late_answers") == [("RUH-1", 3, 1.17, 0.67, 2, 1, 0)]
    found = [(str(row[1]), *row[2:]) for row in ask(clickhouse, "ramadan_meals")]
    assert found == [
        ("2025-03-02", "1446-09-02", "suhoor", "04:57", 2, "04:10", "04:40", 100.0, 17.0),
        ("2025-03-02", "1446-09-02", "iftar", "17:56", 1, "18:05", "18:05", 100.0, 9.0),
        ("2025-03-03", "1446-09-03", "suhoor", "04:56", 2, "04:40", "05:30", 50.0, -34.0),
    ]
    report = verify(clickhouse.client).differing_rows
    assert {report["prayer_times"], report["interactions_local"]} == {0}
