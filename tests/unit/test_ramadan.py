"""Ramadan as Rihla knows it is that of the package of Umm al-Qura's calendar."""

from __future__ import annotations

from datetime import date, timedelta

from hijridate import Gregorian

from streams.model.ramadan import is_ramadan


def test_the_days_are_those_of_the_civil_calendar() -> None:
    first, last = date(2019, 1, 1), date(2077, 11, 16)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    wrong = [day for day in days if is_ramadan(day) != (Gregorian(day.year, day.month, day.day).to_hijri().month == 9)]
    assert wrong == []
