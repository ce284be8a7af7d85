"""`rihla verify`: recompute, compare, and look again before anything is called a difference.

While events flow, a row can be ahead of the log or behind it. So differences are looked at again, and one counts when
it has lasted, unchanged, for the time to settle: the same is expected, so the row's inputs have not changed meanwhile,
and the same is found. What has not when PATIENCE times that time is over is **moving**: told apart and not judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import polars as pl

from streams.verify import store, units
from streams.verify.compare import DIFFERENCE, Comparison, compare, nothing
from streams.verify.deliveries import deliveries
from streams.verify.names import Names
from streams.verify.recompute import recompute
from streams.verify.topics import Log

KEYS = {
    "interactions": ("subject", "event_id"),
    "journeys": ("journey_id",),
    "customers": ("customer_id",),
    "cases": ("case_id", "customer_id"),
    "identities": ("kind", "value"),
}
"""The tables that are compared, and what tells their rows apart."""

LINKS, CONTENT = "links (topic)", "interactions (topic)"
"""Comparisons with the topics themselves: links with the events, stored interactions with those of the topic."""
LOOK_AGAIN_SECONDS = 1.0
PATIENCE = 3
_SINCE = "_since"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """What verify found."""

    source: str
    """What the tables were recomputed from: "table" or "topics"."""
    events: int
    """Distinct interactions that they were recomputed from."""
    rows: dict[str, int]
    """Table: rows compared, those that are on one side only included."""
    differences: pl.DataFrame
    """Columns as in compare.DIFFERENCE, one row a value that is not as expected."""
    moving: pl.DataFrame
    """Those that have not lasted long enough to be judged."""
    looks: int
    seconds: float
    missed: list[str] = field(default_factory=list)
    """What workers have said that was deleted before they read it (streams.kafka.missed), a sentence each."""

    @property
    def differing_rows(self) -> dict[str, int]:
        """Table: rows with a difference."""
        found = dict(self.differences.group_by("table").agg(pl.col("key").n_unique()).iter_rows())
        return {table: found.get(table, 0) for table in {**self.rows, **found}}


class _Look(NamedTuple):
    events: int
    rows: dict[str, int]
    differences: pl.DataFrame


def verify(
    client: Any,
    read_log: Callable[[], Log] | None = None,
    *,
    settle: float = 0.0,
    say: Say = lambda text: None,
) -> Report:
    """Recompute all tables and compare them with the exact views.

    Args:
        client: of clickhouse-connect, on the database of the tables (see store.check).
        read_log: reads the topics; None recomputes from the stored interactions.
        settle: seconds that a difference must last to count; 0 for data at rest, where one look decides.
        say: is told what is being done.

    Raises clickhouse_connect's errors, and what read_log raises.
    """
    source = "table" if read_log is None else "topics"
    began = time.monotonic()
    look, looks, started = _look(client, read_log, say), 1, began
    first = time.monotonic()
    seen = look.differences.with_columns(pl.lit(first).alias(_SINCE))
    while True:
        lasts = started - pl.col(_SINCE) >= settle if settle else pl.lit(True)
        lasting, moving = seen.filter(lasts).drop(_SINCE), seen.filter(~lasts).drop(_SINCE)
        if not moving.height or started - first >= PATIENCE * settle:
            break
        say(f"{moving.height:,} values differ; they may be under way, so they are looked at again")
        time.sleep(min(LOOK_AGAIN_SECONDS, settle))
        started = time.monotonic()
        look, looks = _look(client, read_log, say), looks + 1
        seen = look.differences.join(seen, on=list(DIFFERENCE), how="left", nulls_equal=True, maintain_order="left")
        seen = seen.with_columns(pl.col(_SINCE).fill_null(time.monotonic()))
    missed = store.missed(client) if lasting.height else []
    return Report(source, look.events, look.rows, lasting, moving, looks, time.monotonic() - began, missed)


def _look(client: Any, read_log: Callable[[], Log] | None, say: Say) -> _Look:
    comparisons: list[Comparison] = []
    unreadable = nothing()
    if read_log is None:
        say("reading the stored interactions")
        log = store.interactions(client)
    else:
        say("reading the topics")
        topics = read_log()
        log, unreadable = topics.interactions, topics.unreadable
        comparisons += [_links(topics), _content(client, topics)]
    say(f"recomputing the tables from {log.height:,} interactions")
    without = store.left_out(client)
    if without.height:
        say(
            f"{without.height:,} interactions could not be processed, and are in no table (dead letters: unprocessable)"
        )
    missing = store.not_stored(client, log if read_log is None else store.interactions(client))
    if missing.height:
        say(f"{missing.height:,} interactions could not be stored, and are in all tables but one (see dead letters)")
        log = log if read_log else pl.concat([log, missing.select(log.columns)])
    expected = recompute(log, without, store.left_out_links(client))
    expected = expected._replace(interactions=_without(expected.interactions, missing))
    for table, key in KEYS.items():
        say(f"comparing {table}")
        found = store.view(client, table)
        comparisons.append(compare(table, getattr(expected, table), found, key))
    say("comparing units")
    said, holds = store.of_units(client, "units"), store.of_units(client, "unit_levels")
    comparisons.append(compare("unit_levels", *units.unit_levels(said, holds), units.KEY))
    say("looking at deliveries")
    comparisons.append(deliveries(client))
    return _Look(
        expected.interactions.height,
        {comparison.table: comparison.rows for comparison in comparisons},
        pl.concat([*(comparison.differences for comparison in comparisons), unreadable]),
    )


def _links(topics: Log) -> Comparison:
    """The links that the events make are those of the topic: each pair at its earliest time."""
    pair = ("subject", "identifier")
    made = pl.DataFrame(list(Names(topics.interactions).links(bookings=True)), schema=topics.links.schema, orient="row")
    earliest = pl.col("occurred_at").min()
    return compare(LINKS, made.group_by(pair).agg(earliest), topics.links.group_by(pair).agg(earliest), pair)


def _content(client: Any, topics: Log) -> Comparison:
    """What is stored of each interaction is what the topic has; of several copies in it, the first."""
    key = KEYS["interactions"]
    stored = store.interactions(client)
    sent = topics.interactions.unique(key, keep="first")
    return compare(CONTENT, _without(sent, store.not_stored(client, stored)), stored, key)


def _without(interactions: pl.DataFrame, some: pl.DataFrame) -> pl.DataFrame:
    return interactions.join(some, on=["subject", "event_id"], how="anti") if some.height else interactions
