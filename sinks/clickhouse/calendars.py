"""Makes the data of the migrations `hijri` and `weekends`: `python -m sinks.clickhouse.calendars` prints both lists of
values.

- Hijri years are those of Umm al-Qura, Saudi Arabia's civil calendar, as the package hijridate has them (MIT): 1420 to
  1500 AH, which is 1999-04-17 to 2077-11-16. Beyond, no month has been computed yet.
- Weekends are those of Unicode CLDR's week data, as the package Babel has them (BSD), for every country of ISO 3166-1,
  but for CORRECTIONS. They are those of today: what a country had before it changed (Saudi Arabia 2013, the Emirates
  2022) is not in the data.

Both packages are needed here and in tests only; what a running Rihla knows is in the migrations.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date
from importlib.resources import files
from itertools import pairwise

FIRST_YEAR, LAST_YEAR = 1420, 1500

CORRECTIONS = {"BD": (5, 6), "BN": (5, 7), "MV": (5, 6)}
"""Weekends that CLDR 47 gives as Saturday and Sunday, unlike the countries' own offices: Bangladesh and the Maldives
rest on Friday and Saturday, Brunei on Friday and Sunday."""


def hijri_years() -> list[tuple[int, date, list[int]]]:
    """Hijri year, its first day, and the length of each of its twelve months in days."""
    from hijridate import Hijri

    starts = [
        Hijri(year, month, 1).to_gregorian() for year in range(FIRST_YEAR, LAST_YEAR + 1) for month in range(1, 13)
    ]
    lengths = [(later - earlier).days for earlier, later in pairwise(starts)]
    lengths.append(Hijri(LAST_YEAR, 12, 1).month_length())
    return [
        (FIRST_YEAR + at // 12, date(*starts[at].timetuple()[:3]), lengths[at : at + 12])
        for at in range(0, len(starts), 12)
    ]


def weekends() -> dict[tuple[int, ...], list[str]]:
    """Days of the weekend (1 Monday to 7 Sunday), and the countries (ISO 3166-1 alpha-2) that have it."""
    from babel import Locale
    from babel.localedata import locale_identifiers

    found = {locale.territory: locale for locale in map(Locale.parse, locale_identifiers()) if locale.territory}
    countries: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for country in _countries():
        locale = found.get(country, found["001"])  # 001 is the world, CLDR's default
        length = (locale.weekend_end - locale.weekend_start) % 7 + 1
        days = tuple((locale.weekend_start + offset) % 7 + 1 for offset in range(length))  # Babel's Monday is 0
        countries[CORRECTIONS.get(country, days)].append(country)
    return dict(sorted(countries.items(), key=lambda entry: len(entry[1])))


def _countries() -> list[str]:
    with files("streams.sources").joinpath("iso3166.csv").open(encoding="utf-8") as lines:
        return sorted({row["alpha_2"] for row in csv.DictReader(lines)})


def main() -> None:
    """Print the values as the migrations hold them."""
    for year, first_day, lengths in hijri_years():
        print(f"        ({year}, '{first_day}', {lengths}),")
    for days, countries in weekends().items():
        print(f"        ({list(days)}, '{' '.join(countries)}'),")


if __name__ == "__main__":
    main()
