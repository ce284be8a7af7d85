"""Times of prayer in ClickHouse: which are needed, and the expressions that ask them.

A place is what the times depend on: coordinates, method and time zone of units, at any time of their history. Needed
are the days from the one before a stored event to AFTER days behind it. After an insert of events or of units the
missing times are filled in; the second of the two inserts finds both and completes them.

The text of a query in which `t`, the row of prayer_times that began last before it, is joined to the time `p.at` may
hold

    {prayer_window}   the prayer that is prayed then
    {ramadan_meal}    what a day of Ramadan has then
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

from streams.model.prayer import REVISION, USUAL_METHOD, Place, Times, times

BEFORE, AFTER = 1, 31
"""Days before and after a day with events. An answer that took longer than AFTER is late for other reasons than
prayer."""
FIRST, LAST = date(1971, 1, 1), date(2100, 1, 1)
"""Days of events for which times are reckoned."""
_ROWS_AT_ONCE = 20_000
_DAY = timedelta(days=1)

COLUMNS = (
    *("place", "latitude", "longitude", "prayer_method", "timezone", "date", "ramadan", "ramadan_next"),
    *Times._fields,
    *("next_fajr", "revision"),
)


class Client(Protocol):
    """The part of clickhouse-connect's client that is used here."""

    def query(self, query: str, parameters: dict[str, Any] | None = None) -> Any:
        """Rows of a SELECT."""

    def insert(self, table: str, data: Any, column_names: Any) -> Any:
        """Store rows."""


def place(of: str) -> str:
    """Which place a row of unit_levels (alias `of`) stands for, as an expression of SQL; empty: no coordinates."""
    method = f"if(ifNull({of}.prayer_method, '') = '', '{USUAL_METHOD}', toString({of}.prayer_method))"
    return (
        f"if({of}.latitude IS NULL OR {of}.longitude IS NULL, '', concat(toString(ifNull({of}.latitude, 0)), ' ', "
        f"toString(ifNull({of}.longitude, 0)), ' ', {method}, ' ', ifNull({of}.timezone, '')))"
    )


def known(at: str, of: str) -> str:
    """Whether the row of prayer_times that began last before `at` (alias `of`) is still the one that holds."""
    return f"(ifNull({of}.place, '') != '' AND {at} < {of}.until)"


def window(at: str, of: str) -> str:
    """The prayer that is prayed at a time: fajr, dhuhr, jumua, asr, maghrib, isha, none; empty: not known."""
    friday = f"toDayOfWeek({of}.date) = 5"
    half = f"{at} < {of}.{{0}} + toIntervalMinute(30)"
    prayed = ", ".join(
        f"{at} >= {of}.{name} AND {half.format(name)}, '{name}'" for name in ("isha", "maghrib", "asr", "fajr")
    )
    noon = f"{at} >= {of}.dhuhr AND {at} < {of}.dhuhr + toIntervalMinute(if({friday}, 60, 30))"
    return f"multiIf(NOT {known(at, of)}, '', {noon}, if({friday}, 'jumua', 'dhuhr'), {prayed}, 'none')"


def meal(at: str, of: str) -> str:
    """What a day of Ramadan has at a time: suhoor, fast, iftar; none outside of it; empty: not known."""
    return (
        f"multiIf(NOT {known(at, of)}, '', {at} >= {of}.midnight, if({of}.ramadan_next, 'suhoor', 'none'), "
        f"NOT {of}.ramadan, 'none', {at} < {of}.maghrib, 'fast', 'iftar')"
    )


def day_from_sunset(at: str, of: str) -> str:
    """The civil day whose Hijri day holds at a time, since days begin at sunset: a Date; 1970-01-01: not known."""
    return f"if({known(at, of)}, {of}.date + if({at} >= {of}.maghrib, 1, 0), toDate(0))"


def fill_in(text: str) -> str:
    """The text of a query with the placeholders of this module filled in."""
    return text.replace("{prayer_window}", window("p.at", "t")).replace("{ramadan_meal}", meal("p.at", "t"))


def fill(client: Client, days: Collection[date] | None = None) -> int:
    """Store the times that are missing, and return the number of rows.

    days: days of events; None: of all stored events. Several processes may do so at once: they compute the same rows.
    """
    if not client.query("SELECT count() FROM units_store WHERE latitude IS NOT NULL").result_rows[0][0]:
        return 0
    places = {key: Place(*said) for key, *said in client.query(_PLACES).result_rows}
    wanted = needed(stored_days(client) if days is None else days)
    if not places or not wanted:
        return 0
    asked = {"revision": REVISION, "first": min(wanted), "last": max(wanted)}
    here = set(map(tuple, client.query(_HERE, asked).result_rows))
    missing = [(key, one, day) for key, one in places.items() for day in wanted if (key, day) not in here]
    some: list[list[Any]] = []
    fasts = ramadan(client)
    for row in rows(missing, fasts):
        some.append(row)
        if len(some) == _ROWS_AT_ONCE:
            client.insert("prayer_times_store", some, column_names=COLUMNS)
            some = []
    if some:
        client.insert("prayer_times_store", some, column_names=COLUMNS)
    return len(missing)


def needed(days: Collection[date]) -> list[date]:
    """The days whose times are needed where there are events on some days, in their order."""
    near = range(-BEFORE, AFTER + 1)
    return sorted({day + n * _DAY for day in days if FIRST <= day <= LAST for n in near})


def rows(missing: Collection[tuple[str, Place, date]], fasts: Collection[date]) -> Iterator[list[Any]]:
    """Rows of the table, COLUMNS, for places (with their keys) and days; fasts: the days of Ramadan."""
    last: tuple[Place, date, Times | None] | None = None
    for key, one, day in missing:
        today = last[2] if last and last[:2] == (one, day) else times(one, day, day in fasts)
        after = times(one, day + _DAY, day + _DAY in fasts)
        last = (one, day + _DAY, after)
        yield [
            *(key, one.latitude, one.longitude, one.method, one.timezone, day, day in fasts, day + _DAY in fasts),
            *(today or (None,) * len(Times._fields)),
            *(after and after.fajr, REVISION),
        ]


def stored_days(client: Client) -> list[date]:
    """The days, UTC, on which stored events happened."""
    return [day for (day,) in client.query("SELECT DISTINCT toDate(occurred_at) FROM interactions_store").result_rows]


def day_of(at: int) -> date:
    """The day, UTC, of an epoch time in days."""
    return datetime.fromtimestamp(at * 86_400, UTC).date()


def ramadan(client: Client) -> frozenset[date]:
    """The days of Ramadan by the civil calendar."""
    return frozenset(day for (day,) in client.query("SELECT date FROM hijri WHERE hijri_month = 9").result_rows)


_PLACES = f"""SELECT DISTINCT {place("u")} AS place, assumeNotNull(latitude), assumeNotNull(longitude),
    if(prayer_method = '', '{USUAL_METHOD}', toString(prayer_method)), toString(timezone)
FROM
(
    SELECT latitude, longitude, prayer_method,
        if(timezone IN (SELECT time_zone FROM system.time_zones), timezone, '') AS timezone
    FROM unit_levels WHERE latitude IS NOT NULL AND longitude IS NOT NULL
) AS u ORDER BY place"""
_HERE = """SELECT place, date FROM prayer_times_store
WHERE revision >= {revision:UInt32} AND date >= {first:Date} AND date <= {last:Date}"""
