"""Compares the views that follow from the exact ones: whose doing it was, what was kept, what holds of units.

What follows from a row that differs is not reported again: views of a journey are not compared where the journey, or
one of its interactions, is not as expected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl

from streams.verify import money, now, prayers, store, units
from streams.verify.compare import Comparison, compare
from streams.verify.recompute import Expected

RAMADAN = "09"
_KEYS = {"interactions": ("subject", "event_id"), "journeys": ("journey_id",), "cases": ("case_id", "customer_id")}


def compared(
    client: Any,
    log: pl.DataFrame,
    expected: Expected,
    found: Mapping[str, pl.DataFrame],
    comparisons: Sequence[Comparison],
    beyond: pl.DataFrame,
) -> list[Comparison]:
    """The comparisons of these views.

    log: the interactions, with `occurred_at`. found: the rows of the exact views, by name. comparisons: those with what
    is expected of them.
    beyond: `journey_id` of journeys of which not all interactions could be stored.
    """
    wrong = {one.table: one.differences.select("key").unique() for one in comparisons if one.table in _KEYS}
    either = [expected.interactions, found["interactions"]]
    differing = [_keyed(rows, "interactions").join(wrong["interactions"], on="key") for rows in either]
    troubled = pl.concat(
        [*(rows.select("journey_id") for rows in differing), beyond, wrong["journeys"].rename({"key": "journey_id"})]
    )
    sound = {
        "interactions": expected.interactions,
        "journeys": expected.journeys,
        "cases": _keyed(expected.cases, "cases").join(wrong["cases"], on="key", how="anti"),
    }
    result = []
    for name, key in store.ATTRIBUTED.items():
        rows = sound[name.removesuffix("_attributed")].join(troubled, on="journey_id", how="anti").select(key)
        both = [
            side.join(rows, on=list(key), how="semi")
            for side in (expected.attributed[name], store.attributed(client, name))
        ]
        result.append(compare(name, both[0], both[1], key))
    rows = expected.journeys.join(troubled, on="journey_id", how="anti")
    both = [
        side.join(rows, on="journey_id", how="semi") for side in (expected.journey_spend, store.journey_spend(client))
    ]
    result.append(compare("journey_spend", both[0], both[1], money.KEY))
    shown, before, after = store.journeys_now(client)
    said, holds = store.of_units(client, "units"), store.of_units(client, "unit_levels")
    wanted = now.at(expected.journeys_now, before, holds)
    meanwhile = wanted.filter(pl.col("ends_at").is_between(before, after, closed="right"))  # judged by either clock
    both = [
        side.join(rows, on="journey_id", how="semi").join(meanwhile, on="journey_id", how="anti")
        for side in (wanted, shown)
    ]
    result.append(compare("journeys_now", both[0], both[1], now.KEY))
    for name, (key, _) in store.GROUPS.items():
        result.append(compare(name, expected.groups[name], store.of_groups(client, name), key))
    result.append(compare("unit_levels", *units.unit_levels(said, holds), units.KEY))
    if holds.height:
        judged = sound["interactions"].join(troubled, on="journey_id", how="anti")
        result += _local(client, log, judged.select("subject", "event_id"), expected, holds)
    return result


def _local(
    client: Any, log: pl.DataFrame, judged: pl.DataFrame, expected: Expected, levels: pl.DataFrame
) -> Iterator[Comparison]:
    """Times of prayer, and whose day it was: where there are units, else all days are UTC's."""
    days = pl.from_epoch(log["occurred_at"], time_unit="ms").dt.date().unique().to_list()
    calendar = store.hijri(client)
    epoch = date(1970, 1, 1)
    fasts = {epoch + timedelta(days=day) for day, hijri_date in calendar.iter_rows() if hijri_date[5:7] == RAMADAN}
    prayed = prayers.prayer_times(levels, days, fasts)
    stored = store.prayer_times(client).join(prayed, on=list(prayers.TIMES_KEY), how="semi")
    yield compare("prayer_times", prayed, stored, prayers.TIMES_KEY)
    events = expected.attributed["interactions_attributed"].join(
        log.select("subject", "event_id", "occurred_at").unique(["subject", "event_id"], keep="first"),
        on=["subject", "event_id"],
    )
    both = [
        side.join(judged, on=list(prayers.LOCAL_KEY), how="semi")
        for side in (
            prayers.interactions_local(events, levels, prayed, calendar),
            store.interactions_local(client),
        )
    ]
    yield compare("interactions_local", both[0], both[1], prayers.LOCAL_KEY)


def _keyed(rows: pl.DataFrame, table: str) -> pl.DataFrame:
    """Rows with their key as differences have it."""
    return rows.with_columns(key=pl.concat_str(_KEYS[table], separator=" "))
