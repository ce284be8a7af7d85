"""Time zones by the IANA database that Rihla is released with (the package tzdata), never the machine's. Pure.

A machine's database may be years old, and columns in polars have a third one: by Debian 12's, and by that of polars
2.1, Casablanca is an hour off from 20 September 2026 on. So every time zone is asked for here.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import polars as pl

__all__ = ["ZoneInfo", "instant", "is_zone", "local", "names", "zone"]

zoneinfo.reset_tzpath(())  # the package is what is left

SLOT_MS = 900_000
"""Clocks have changed at quarters of an hour only, since 1972."""
_EPOCH = datetime(1970, 1, 1)
_UTC = ("", "UTC")


def zone(name: str) -> ZoneInfo:
    """A time zone of that name, as Asia/Riyadh.

    Raises KeyError (zoneinfo.ZoneInfoNotFoundError) or ValueError where there is none; OSError for a folder's name.
    """
    return ZoneInfo(name)


@cache
def names() -> frozenset[str]:
    """Of all time zones."""
    return frozenset(zoneinfo.available_timezones())


def is_zone(name: str) -> bool:
    """Whether there is a time zone of that name."""
    try:
        zone(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def local(at: pl.Series, name: str) -> pl.Series:
    """What the clocks of a zone show.

    at: epoch milliseconds. name: of the zone; an empty one is UTC. Returns times without a zone, of milliseconds.
    """
    if name not in _UTC:
        there = zone(name)

        def offset(slot: int) -> int | None:
            try:
                moment = (_EPOCH + timedelta(milliseconds=slot * SLOT_MS)).replace(tzinfo=UTC).astimezone(there)
            except OverflowError:
                return None
            return _ms(moment.utcoffset())

        at = at + _by_slot(at, offset)
    return at.cast(pl.Datetime("ms"))


def instant(shown: pl.Series, name: str) -> pl.Series:
    """When the clocks of a zone show these times: epoch milliseconds.

    An hour that comes twice is the first of the two; a time that no clock shows, as an hour is left out, is null.
    shown: times without a zone. name: of the zone; an empty one is UTC.
    """
    ms = shown.cast(pl.Datetime("ms")).cast(pl.Int64)
    if name in _UTC:
        return ms
    there = zone(name)

    def offset(slot: int) -> int | None:
        try:
            clock = _EPOCH + timedelta(milliseconds=slot * SLOT_MS)
            moment = clock.replace(tzinfo=there).astimezone(UTC)
            if moment.astimezone(there).replace(tzinfo=None) != clock:
                return None
        except OverflowError:
            return None
        return _ms(clock - moment.replace(tzinfo=None))

    return ms - _by_slot(ms, offset)


def _by_slot(ms: pl.Series, offset: Callable[[int], int | None]) -> pl.Series:
    """The offset, in milliseconds, of each time."""
    slots = ms // SLOT_MS
    distinct = slots.drop_nulls().unique()
    found = pl.Series([offset(slot) for slot in distinct], dtype=pl.Int64)
    return slots.replace_strict(distinct, found, default=None, return_dtype=pl.Int64)


def _ms(offset: timedelta | None) -> int:
    return 0 if offset is None else offset // timedelta(milliseconds=1)
