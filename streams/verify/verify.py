"""`rihla verify`: recomputes, compares, and compares again before it reports a difference.

While events flow, a row can be ahead of the log or behind it. So a difference counts only when it has lasted,
unchanged, for the settling time: the same value is expected, so the row's inputs have not changed, and the same value
is found. One that has not lasted that long after PATIENCE times the settling time is **moving**: it is reported
separately and not judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import polars as pl

from schemas.registry import LocalRegistry, Registry
from streams.model.company import Model, built_in
from streams.verify import derived, owners, store
from streams.verify.alerted import alerts
from streams.verify.anomalies import anomalies
from streams.verify.answers import answers
from streams.verify.calls import calls
from streams.verify.compare import DIFFERENCE, Comparison, compare, nothing
from streams.verify.consents import consents
from streams.verify.customers import as_kept
from streams.verify.deliveries import deliveries
from streams.verify.drivers import drivers
from streams.verify.effects import effects
from streams.verify.guests import guests
from streams.verify.names import Names
from streams.verify.next_actions import compared as next_actions
from streams.verify.recompute import recompute
from streams.verify.sla import sla
from streams.verify.targets import targets
from streams.verify.topics import Log
from streams.verify.unheard import concerned
from streams.verify.unheard import without as unheard_of

KEYS = {
    "interactions": ("subject", "event_id"),
    "journeys": ("journey_id",),
    "customers": ("customer_id",),
    "cases": ("case_id", "customer_id"),
    "segments": ("segment", "customer_id"),
    "identities": ("kind", "value"),
}
"""The tables that are compared, and what tells their rows apart."""

LINKS, CONTENT = "links (topic)", "interactions (topic)"
"""Comparisons with the topics themselves: links with the events, stored interactions with those of the topic."""
LOOK_AGAIN_SECONDS = 1.0
RESOLVE_SECONDS = 120.0
"""How long what is not resolved yet is waited for: passes are a minute apart at most (sinks.resolving)."""
PATIENCE = 3
_SINCE = "_since"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """What verify found."""

    source: str
    """Source of the recomputation: "table" or "topics"."""
    events: int
    """Distinct interactions that they were recomputed from."""
    rows: dict[str, int]
    """Table: rows compared, those that are on one side only included."""
    differences: pl.DataFrame
    """Columns as in compare.DIFFERENCE, one row a value that is not as expected."""
    moving: pl.DataFrame
    """Differences that have not lasted long enough to be judged."""
    looks: int
    seconds: float
    unheard: int = 0
    """Rows that differ and are not judged, of customers that stitch has not heard all about (verify.unheard)."""
    missed: list[str] = field(default_factory=list)
    """Records that were deleted before a worker had read them (streams.kafka.missed): a sentence for each range."""

    @property
    def differing_rows(self) -> dict[str, int]:
        """Table: rows with a difference."""
        found = dict(self.differences.group_by("table").agg(pl.col("key").n_unique()).iter_rows())
        return {table: found.get(table, 0) for table in {**self.rows, **found}}


class _Look(NamedTuple):
    events: int
    rows: dict[str, int]
    differences: pl.DataFrame
    unheard: int


def verify(
    client: Any,
    read_log: Callable[[], Log] | None = None,
    *,
    registry: Registry | None = None,
    model: Model | None = None,
    settle: float = 0.0,
    say: Say = lambda text: None,
) -> Report:
    """Recompute all tables and compare them with the exact views.

    Args:
        client: of clickhouse-connect, on the database of the tables (see store.check).
        read_log: reads the topics; None recomputes from the stored interactions.
        registry: knows the schemas of records in dead letters; the files of schemas/ by default.
        model: what events mean; the one that comes with Rihla by default.
        settle: seconds that a difference must last to count; 0 for data at rest, where one look decides.
        say: called with sentences on the progress.

    Raises clickhouse_connect's errors, what read_log raises, and RihlaError where the registry does not answer.
    """
    source = "table" if read_log is None else "topics"
    began = time.monotonic()
    registry = registry or LocalRegistry()
    model = built_in() if model is None else model
    if settle and (marks := store.wait_until_resolved(client, RESOLVE_SECONDS)):
        say(f"{marks:,} subjects and customers are not resolved yet: is a sink running?")
    look, looks, started = _look(client, read_log, registry, model, say), 1, began
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
        look, looks = _look(client, read_log, registry, model, say), looks + 1
        seen = look.differences.join(seen, on=list(DIFFERENCE), how="left", nulls_equal=True, maintain_order="left")
        seen = seen.with_columns(pl.col(_SINCE).fill_null(time.monotonic()))
    missed = store.missed(client) if lasting.height else []
    took = time.monotonic() - began
    return Report(source, look.events, look.rows, lasting, moving, looks, took, look.unheard, missed)


def _look(client: Any, read_log: Callable[[], Log] | None, registry: Registry, model: Model, say: Say) -> _Look:
    letters = store.Letters(client, registry)
    comparisons: list[Comparison] = []
    unreadable = nothing()
    if read_log is None:
        say("reading the stored interactions")
        log = store.interactions(client)
    else:
        say("reading the topics")
        topics = read_log()
        log, unreadable = topics.interactions, topics.unreadable
        comparisons += [_links(topics, model), _content(client, topics, letters)]
    say(f"recomputing the tables from {log.height:,} interactions")
    without = store.left_out(client)
    if without.height:
        say(
            f"{without.height:,} interactions could not be processed, and are in no table (dead letters: unprocessable)"
        )
    missing = letters.not_stored(log if read_log is None else store.interactions(client))
    if missing.height:
        say(f"{missing.height:,} interactions could not be stored, and are in all tables but one (see dead letters)")
        log = log if read_log else pl.concat([log, missing.select(log.columns)])
    expected = recompute(log, without, letters.links(), model)
    beyond = expected.interactions.join(missing, on=["subject", "event_id"], how="semi").select("journey_id")
    expected = expected._replace(interactions=_without(expected.interactions, missing))
    for unread in letters.unread.values():
        say(f"{unread} (--registry names who knows)")
    subjects = letters.unheard()
    customers = concerned(subjects, Names(log, model.kinds).links(), expected.identities) if subjects else set[str]()
    unheard = 0
    tables: dict[str, pl.DataFrame] = {}
    for table, key in KEYS.items():
        say(f"comparing {table}")
        wanted, found = getattr(expected, table), store.view(client, table)
        tables[table] = found
        if table == "customers":
            wanted = as_kept(wanted, found)
        comparison = compare(table, wanted, found, key)
        if customers and comparison.differences.height:
            judged = compare(table, *unheard_of(customers, wanted, found, key), key)
            unheard += comparison.differences["key"].n_unique() - judged.differences["key"].n_unique()
            comparison = Comparison(table, comparison.rows, judged.differences)
        comparisons.append(comparison)
    key = KEYS["interactions"]
    # The other view of the same rows: what the first is held to holds for it.
    comparisons.append(compare("contacts", tables["interactions"].drop("journey_id"), store.contacts(client), key))
    by_key = store.in_order_of_key(client)
    comparisons.append(compare("interactions by time", by_key, store.in_order_of_time(client), key))
    comparisons.append(compare("interactions resolved", by_key, store.resolved(client), key))
    say("comparing what follows from these")
    not_judged = expected.journeys.filter(pl.col("customer_id").is_in(list(customers))).select("journey_id")
    comparisons += derived.compared(client, log, expected, tables, comparisons, pl.concat([beyond, not_judged]))
    say("looking at deliveries")
    comparisons.append(deliveries(client))
    say("looking at people's answers")
    comparisons += [answers(client), sla(client, model), calls(client), targets(client, model), drivers(client)]
    comparisons += [effects(client), anomalies(client)]
    say("looking at whose alerts are")
    comparisons.append(alerts(client, log, expected, model, customers))
    comparisons.append(owners.cases(client, log, expected, model, customers))
    comparisons.append(owners.moves(client, log, expected, model))
    say("looking at what may be done for customers")
    comparisons.append(next_actions(client, expected.next_actions, expected.customers, model.guests, customers))
    say("looking at consent")
    comparisons.append(consents(client, expected.interactions))
    say("looking at what guests were asked and told")
    comparisons.append(guests(client, model))
    return _Look(
        expected.interactions.height,
        {comparison.table: comparison.rows for comparison in comparisons},
        pl.concat([*(comparison.differences for comparison in comparisons), unreadable]),
        unheard,
    )


def _links(topics: Log, model: Model) -> Comparison:
    """Compare the links that the events make with those of the topic: each pair at its earliest time."""
    pair = ("subject", "identifier")
    names = Names(topics.interactions, model.kinds)
    made = pl.DataFrame(list(names.links(bookings=True)), schema=topics.links.schema, orient="row")
    earliest = pl.col("occurred_at").min()
    return compare(LINKS, made.group_by(pair).agg(earliest), topics.links.group_by(pair).agg(earliest), pair)


def _content(client: Any, topics: Log, letters: store.Letters) -> Comparison:
    """Compare the stored interactions with those of the topic; of several copies there, the first counts."""
    key = KEYS["interactions"]
    stored = store.interactions(client)
    sent = topics.interactions.unique(key, keep="first")
    return compare(CONTENT, _without(sent, letters.not_stored(stored)), stored, key)


def _without(interactions: pl.DataFrame, some: pl.DataFrame) -> pl.DataFrame:
    return interactions.join(some, on=["subject", "event_id"], how="anti") if some.height else interactions
