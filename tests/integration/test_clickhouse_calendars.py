"""The calendar views against the packages that their values come from, and against known days."""

from __future__ import annotations

import datetime as dt

from hijridate import Gregorian

from sinks.clickhouse.calendars import weekends
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import NOON, frame, interaction


def test_every_day_is_the_day_of_umm_al_qura(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    rows = clickhouse.rows("SELECT date, hijri_year, hijri_month, hijri_day FROM hijri ORDER BY date")
    first, last = dt.date(2000, 1, 1), dt.date(2077, 11, 16)
    days = [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]
    assert rows == [(day, *Gregorian.fromdate(day).to_hijri().datetuple()) for day in days]


def test_known_days_and_seasons(clickhouse: ClickHouse) -> None:
    """Ramadan 1445 began on 2024-03-11; Arafah (9 Dhu al-Hijja 1445) was on 2024-06-15."""
    clickhouse.migrated()
    days = "'2024-03-10', '2024-03-11', '2024-04-09', '2024-04-10', '2024-06-15', '2024-06-19', '2024-06-20'"
    assert clickhouse.rows(
        f"SELECT hijri_year, month_name, hijri_day, season FROM hijri WHERE date IN ({days}) ORDER BY date"
    ) == [
        (1445, "Shaban", 29, "umrah_peak"),
        (1445, "Ramadan", 1, "ramadan"),
        (1445, "Ramadan", 30, "ramadan"),
        (1445, "Shawwal", 1, "none"),
        (1445, "Dhu al-Hijja", 9, "hajj"),
        (1445, "Dhu al-Hijja", 13, "hajj"),
        (1445, "Dhu al-Hijja", 14, "none"),
    ]


def test_weekends_are_those_of_the_source(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    expected = {country: list(days) for days, countries in weekends().items() for country in countries}
    assert clickhouse.rows("SELECT count() FROM weekends") == [(len(expected),)]
    assert dict(clickhouse.rows("SELECT country, days FROM weekends")) == expected
    assert (expected["SA"], expected["AE"], expected["IR"], expected["MY"]) == ([5, 6], [6, 7], [5], [6, 7])


def test_joined_with_interactions(clickhouse: ClickHouse) -> None:
    """2024-01-01 is 19 Jumada al-Akhira 1445, a Monday; the Friday after it is free in Riyadh and not in Istanbul."""
    clickhouse.migrated()
    friday = NOON + 4 * 86_400_000
    rows = [interaction(f"customer:{country}", friday, country=country) for country in ("SA", "TR")]
    clickhouse.write("interactions", frame("interaction", *rows, interaction("customer:0", NOON)))
    assert clickhouse.rows(
        "SELECT i.customer_id, h.hijri_month, h.hijri_day, has(w.days, toDayOfWeek(i.occurred_at)) "
        "FROM interactions AS i LEFT ANY JOIN hijri AS h ON h.date = toDate(i.occurred_at) "
        "LEFT ANY JOIN weekends AS w ON w.country = i.country ORDER BY i.customer_id"
    ) == [("0", 6, 19, False), ("SA", 6, 23, True), ("TR", 6, 23, False)]
