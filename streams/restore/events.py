"""Fill empty topics with what ClickHouse holds, so that the workers rebuild their state from it.

For the embedded broker, which forgets, at every start; and for a cluster whose topics were trimmed or made anew. Only
interactions and the links that follow from them are sent: all the rest is a function of those, but for when an alert
was raised, which the interaction that caused it carries along while the alert is open. The workers then write in a new
epoch, and the tables of journeys, customers and cases begin empty: what is not written again (a visit that a booking
has taken in since) must not stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import polars as pl

from schemas.encode import BatchEncoder
from schemas.records import polars_schema
from schemas.registry import Registry
from sinks.clickhouse.stored import interactions
from streams.alerts import rules
from streams.alerts.match import Raised
from streams.alerts.signals import KEPT_MS
from streams.clock import now_ms
from streams.erasure.shards import rows_of
from streams.kafka.batch_producer import RAISED, RESTORED, BatchProducer
from streams.model import company
from streams.model.subjects import keys_of, subjects_and_links
from streams.settings import Settings

_DERIVED = ("journeys_store", "customers_store", "cases_store", "segments_store", "next_actions_store")

_EPOCHS = (
    "SELECT max(epoch) AS epoch, count() AS rows FROM interactions_store",
    "SELECT max(epoch), count() FROM dead_letters_store",
    *(
        f"SELECT toUInt32(bitShiftRight(max(version), 44)), count() FROM {table}_store"
        for table in (
            "identities",
            "journeys",
            "customers",
            "cases",
            "alerts",
            "moves",
            "segments",
            "next_actions",
            "deliveries",
            "invitations",
            "messages",
        )
    ),
)


def largest_epoch(client: Any) -> int | None:
    """The largest epoch in which anything was stored; None where nothing is.

    client: of clickhouse-connect, on the database of the tables.
    """
    rows = client.query(f"SELECT max(epoch), sum(rows) FROM ({' UNION ALL '.join(_EPOCHS)})").result_rows
    epoch, stored = rows[0]
    return int(epoch) if stored else None


def forget_derived(client: Any) -> None:
    """Empty the tables that workers withdraw rows from: all of them follow from the interactions.

    Until its state is rebuilt, a customer is missing in the views. What broke off is rebuilt at the next start.
    """
    for table in _DERIVED:
        client.command(f"TRUNCATE TABLE {rows_of(client, table)}")


def open_alerts(client: Any) -> dict[str, Raised]:
    """What is open of the alerts, by the id of the event that each tells of; none that a state would have forgotten."""
    rows = client.query(
        "SELECT event_id, rule, toUnixTimestamp64Milli(raised_at), reason FROM alerts "
        "WHERE closed_at IS NULL AND event_id IS NOT NULL "
        "AND occurred_at >= now64(3) - toIntervalMillisecond({kept:UInt64})",
        {"kept": KEPT_MS},
    ).result_rows
    found: dict[str, dict[str, tuple[int, str]]] = {}
    for event_id, rule, raised_at, reason in rows:
        found.setdefault(event_id, {})[rule] = (raised_at, reason)
    return dict(found)


def without_rule(client: Any, known: Collection[str]) -> pl.DataFrame:
    """The open alerts of rules that are not known any more, in frame form. A state that is built anew does not know of
    them, and so would never close them."""
    schema = polars_schema("alert")
    times = ("occurred_at", "raised_at", "closed_at", "acknowledged_at", "snoozed_until")
    columns = [
        f"if(isNull({name}), NULL, toUnixTimestamp64Milli(assumeNotNull({name}))) AS {name}_" if name in times else name
        for name in schema
    ]
    table = client.query_arrow(
        f"SELECT {', '.join(columns)} FROM alerts_store FINAL "
        "WHERE alerts_store.closed_at IS NULL AND rule NOT IN {known:Array(String)}",
        {"known": sorted(known)},
        use_strings=True,
    )
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found.rename({f"{name}_": name for name in times}).cast(pl.Schema(schema))


@dataclass(frozen=True)
class Restored:
    """What a restore sent: events, and topic: {partition: next offset after the last record sent}."""

    events: int = 0
    acknowledged: Mapping[str, Mapping[int, int]] = field(default_factory=dict)


async def restore(
    client: Any,
    producer: Any,
    settings: Settings,
    registry: Registry,
    progress: Callable[[int], None],
    *,
    anew: bool = True,
) -> Restored:
    """Empty the derived tables, if state is built `anew`, and send all stored interactions, and their links.

    Returns once all are acknowledged.

    client: as for `largest_epoch`. producer: a started AIOKafkaProducer. progress: called with the number sent so far.
    """
    model = company.load(settings.model)
    if anew:
        await asyncio.to_thread(forget_derived, client)
        await _close(producer, settings, registry, await asyncio.to_thread(without_rule, client, rules.of(model)))
    kinds = model.kinds
    encoders = {name: BatchEncoder(name, registry, settings.wire) for name in ("interaction", "link")}
    to_interactions = BatchProducer(producer, settings.topic("interactions"))
    to_links = BatchProducer(producer, settings.topic("links"))
    raised = await asyncio.to_thread(open_alerts, client)
    sent = 0
    chunks = interactions(client)
    ahead = asyncio.create_task(asyncio.to_thread(next, chunks, None))
    while (frame := await ahead) is not None:
        ahead = asyncio.create_task(asyncio.to_thread(next, chunks, None))
        links = subjects_and_links(frame, kinds)[1]
        await to_links.send(keys_of(links["subject"]), encoders["link"].encode(links))
        for part, marks in _marked(frame, raised):
            await to_interactions.send(keys_of(part["subject"]), encoders["interaction"].encode(part), marks=marks)
        await to_links.flush()
        await to_interactions.flush()
        sent += frame.height
        progress(sent)
    return Restored(sent, {output.topic: output.acknowledged for output in (to_interactions, to_links)})


async def _close(producer: Any, settings: Settings, registry: Registry, alerts: pl.DataFrame) -> None:
    """Publish alerts, closed now."""
    if alerts.is_empty():
        return
    closed = alerts.with_columns(closed_at=pl.lit(now_ms(), pl.Int64), version=pl.lit(1, pl.Int64))
    output = BatchProducer(producer, settings.topic("alerts"))
    encoder = BatchEncoder("alert", registry, settings.wire)
    await output.send([one.encode() for one in closed["alert_id"].to_list()], encoder.encode(closed))
    await output.flush()


def _marked(
    frame: pl.DataFrame, raised: Mapping[str, Raised]
) -> Iterator[tuple[pl.DataFrame, list[tuple[str, bytes]]]]:
    """The rows of a chunk with their headers: those that open alerts tell of one by one, the others together."""
    told = frame["event_id"].is_in(list(raised))
    yield frame.filter(~told), [RESTORED]
    for row in told.arg_true().to_list():
        mark = msgspec.json.encode(raised[frame["event_id"][row]])
        yield frame[row : row + 1], [RESTORED, (RAISED, mark)]
