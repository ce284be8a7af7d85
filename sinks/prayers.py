"""Times of prayer for what a sink stores: made once events of a new day, or units, are in ClickHouse."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import date

import polars as pl
from clickhouse_connect.driver.client import Client

from sinks.clickhouse.errors import in_short
from sinks.clickhouse.prayers import day_of, fill

EVENTS, UNITS = "interactions", "units"
"""Topics whose rows need times of prayer."""
_DAY_MS = 86_400_000

log = logging.getLogger(__name__)


class PrayerTimes:
    """Fills in the times that are missing after each insert that may need more; all agents of a sink share one.

    connect: makes a client on the database; called in a thread.
    """

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._filling = asyncio.Lock()
        self._days: set[int] = set()  # days of events whose times are stored; epoch days
        self._owed = False  # an attempt has failed, so all days must be checked again

    async def stored(self, topic: str, rows: pl.DataFrame) -> None:
        """Store the times that a topic's rows need, once those rows are in ClickHouse. If it does not answer, the next
        insert or the next start tries again."""
        if topic == EVENTS and rows.height:
            days = set(rows.select((pl.col("occurred_at") // _DAY_MS).unique()).to_series().to_list())
            if days <= self._days and not self._owed:
                return
        elif topic == UNITS and rows.height:
            days = None
        else:
            return
        async with self._filling:
            new = None if days is None or self._owed else days - self._days
            if new is not None and not new:
                return
            try:
                await asyncio.to_thread(self._fill, None if new is None else list(map(day_of, new)))
            except Exception as error:  # figures by prayer are not worth stopping the sink for
                self._owed = True
                log.warning("times of prayer are missing, and are made with the next events: %s", in_short(error))
                return
            self._owed = False
            self._days |= days or set()

    def _fill(self, days: list[date] | None) -> None:
        with contextlib.closing(self._connect()) as client:
            if made := fill(client, days):
                log.info("times of prayer: %d days of places made", made)
