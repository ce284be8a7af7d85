"""The period of a report and the one before it, with which it is compared. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from streams.errors import RihlaError

Kind = Literal["day", "week", "month", "quarter", "year"]
"""What periods come one after the other. Weeks begin on Monday."""


class PeriodError(RihlaError):
    """A period that cannot be read; the message says what would do."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `since` up to `until`, which no longer counts; both UTC."""

    since: date
    until: date


def periods(text: str) -> tuple[Period, Period]:
    """The period of `2026`, `2026-Q1`, `2026-03` or `2026-03-01/2026-03-31`, and the one of the same kind before it.

    Raises PeriodError.
    """
    try:
        if match := re.fullmatch(r"(\d{4})", text):
            year = int(match[1])
            return _months(year, 1, 12), _months(year - 1, 1, 12)
        if match := re.fullmatch(r"(\d{4})-Q([1-4])", text):
            year, first = int(match[1]), 3 * int(match[2]) - 2
            return _months(year, first, 3), _months(*_back(year, first, 3), 3)
        if match := re.fullmatch(r"(\d{4})-(\d\d)", text):
            year, month = int(match[1]), int(match[2])
            return _months(year, month, 1), _months(*_back(year, month, 1), 1)
        first_day, _, last_day = text.partition("/")
        since, until = date.fromisoformat(first_day), date.fromisoformat(last_day) + timedelta(days=1)
        if since < until:
            return Period(since, until), Period(since - (until - since), since)
    except (ValueError, OverflowError):
        pass
    raise PeriodError(f"{text!r} is no period", "write 2026, 2026-Q1, 2026-03 or 2026-03-01/2026-03-31")


def ended(kind: Kind, day: date) -> Period:
    """The last period that has ended when a day begins."""
    if kind == "day":
        return Period(day - timedelta(days=1), day)
    if kind == "week":
        until = day - timedelta(days=day.weekday())
        return Period(until - timedelta(days=7), until)
    count = {"month": 1, "quarter": 3, "year": 12}[kind]
    first = (day.month - 1) // count * count + 1
    return _months(*_back(day.year, first, count), count)


def _months(year: int, month: int, count: int) -> Period:
    after = year * 12 + month - 1 + count
    return Period(date(year, month, 1), date(after // 12, after % 12 + 1, 1))


def _back(year: int, month: int, count: int) -> tuple[int, int]:
    before = year * 12 + month - 1 - count
    return before // 12, before % 12 + 1
