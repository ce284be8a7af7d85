"""When Ramadan is by Umm al-Qura, Saudi Arabia's civil calendar. Pure.

First day and length of the month of 1440 to 1500 AH, as the package hijridate has them (MIT); a test compares. The view
`hijri` of ClickHouse has the same for questions about what was.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

_MONTHS: Final = """
    2019-05-06/29 2020-04-24/30 2021-04-13/30 2022-04-02/30 2023-03-23/29 2024-03-11/30 2025-03-01/29 2026-02-18/30
    2027-02-08/29 2028-01-28/29 2029-01-16/29 2030-01-05/30 2030-12-26/29 2031-12-15/30 2032-12-04/29 2033-11-23/30
    2034-11-12/30 2035-11-01/30 2036-10-20/30 2037-10-10/29 2038-09-30/29 2039-09-19/30 2040-09-07/30 2041-08-28/29
    2042-08-17/29 2043-08-06/29 2044-07-26/29 2045-07-15/30 2046-07-05/29 2047-06-24/30 2048-06-12/30 2049-06-02/29
    2050-05-22/29 2051-05-11/30 2052-04-30/29 2053-04-20/29 2054-04-09/30 2055-03-29/30 2056-03-17/30 2057-03-06/30
    2058-02-24/29 2059-02-14/29 2060-02-03/30 2061-01-23/29 2062-01-12/29 2063-01-01/29 2063-12-21/30 2064-12-09/30
    2065-11-29/29 2066-11-19/29 2067-11-08/30 2068-10-27/30 2069-10-16/30 2070-10-05/30 2071-09-25/29 2072-09-13/30
    2073-09-03/29 2074-08-23/30 2075-08-13/29 2076-08-01/29 2077-07-21/29
"""
_DAYS: Final = frozenset(
    date.fromisoformat(first) + timedelta(days=number)
    for first, _, length in (month.partition("/") for month in _MONTHS.split())
    for number in range(int(length))
)


def is_ramadan(day: date) -> bool:
    """Whether a day is one of Ramadan; False for days before 2019 or after 2077."""
    return day in _DAYS
