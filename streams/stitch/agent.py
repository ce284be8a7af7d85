"""The stitch worker: interactions, news of roots and parts in; journeys, customers, cases, alerts, moves, parts out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec
import polars as pl

from streams import metrics
from streams.alerts import match, rules, tally
from streams.alerts.ticker import EVERY, Ticker
from streams.edge import Edge, now_ms
from streams.enrich.validate import UUID
from streams.erasure.guard import NOW
from streams.output import RAISED, RECALLED, RECALLED_LAST, RESTORED
from streams.settings import Settings
from streams.stitch import rows
from streams.stitch.erase import erase
from streams.stitch.events import COLUMNS, Events
from streams.stitch.fold import Changes, Load, fold_due, fold_identities, fold_interactions, fold_parts
from streams.stitch.rows import Row
from streams.stitch.sweeper import Sweeper
from streams.stitch.watching import Watching
from streams.table import BatchTable
from streams.transport import OwnershipLost, RecordBatch, consume

_PUBLISHED: tuple[tuple[str, str, Callable[[Changes], list[Row]], Callable[[Row], str]], ...] = (
    # topic, record, rows, key of a row
    ("journeys", "journey", lambda changes: changes.journeys, lambda row: row[0]),
    ("customers", "customer", lambda changes: changes.customers, lambda row: row[0]),
    # A case's key names its customer too: who withdraws a case must not, under compaction, hide who has it now.
    ("cases", "case", lambda changes: changes.cases, lambda row: f"{row[1]}/{row[0]}"),
    ("parts", "part", lambda changes: changes.parts, lambda row: row[0]),
    ("alerts", "alert", lambda changes: changes.alerts, lambda row: row[0]),
    ("moves", "move", lambda changes: changes.moves, lambda row: row[1]),
    ("recalls", "recall", lambda changes: changes.recalls, lambda row: row[0]),
)
_raised = msgspec.json.Decoder(dict[str, tuple[int, str]]).decode
_READ = tuple(dict.fromkeys(("subject", *COLUMNS, *match.COLUMNS)))
_BECAME = {
    tally.RAISED: metrics.ALERTS_RAISED,
    tally.ACKNOWLEDGED: metrics.ALERTS_ACKNOWLEDGED,
    tally.CLOSED: metrics.ALERTS_CLOSED,
}

log = logging.getLogger(__name__)

MEASURE_EVERY = 15.0
"""Seconds between looks at the size of the state: each takes some 40 ms a million subjects."""


def create(app: Any, settings: Settings) -> Edge:
    """Register the agent, its timers and its table with the app. Raises RuleError for rules that cannot be used."""
    edge = Edge(app, settings, "stitch")
    table = BatchTable(app, "state", partitions=settings.partitions)
    events = Events()
    watching = Watching(rules.load(settings.alert_rules), now_ms())
    matcher = match.Matcher(watching.rules)
    working = asyncio.Lock()  # a batch or a turn of timers at a time: both write the same states and outputs

    def interactions(batch: RecordBatch, load: Load) -> tuple[Changes, list[tuple[int, str]]]:
        decoded = edge.decode("interaction", batch, _READ)
        frame, positions, errors = decoded.frame, decoded.rows.tolist(), decoded.errors
        named = frame["event_id"].str.contains(UUID)
        if not named.all():  # enrich writes none such; whatever else may write here must not stop the worker
            keep = named.to_list()
            errors += [(at, "event_id is not a UUID") for at, good in zip(positions, keep, strict=True) if not good]
            frame, positions = frame.filter(named), [at for at, good in zip(positions, keep, strict=True) if good]
        if not positions:
            return Changes(), errors
        subjects = frame["subject"].to_list()
        offsets = [batch[at].offset for at in positions]
        headed = {row: dict(batch[at].headers) for row, at in enumerate(positions) if batch[at].headers}
        restored = {row for row, headers in headed.items() if headers.get(RESTORED[0]) == RESTORED[1]}
        recalled = {row for row, headers in headed.items() if RECALLED[0] in headers}
        last = {row for row in recalled if headed[row][RECALLED[0]] == RECALLED_LAST[1]}
        raised = {row: _raised(headers[RAISED]) for row, headers in headed.items() if RAISED in headers}
        watched = matcher.watched(frame, watching.now, restored | recalled, raised)
        grouped = events.by_subject(frame, subjects, offsets, watched, restored | recalled, last)
        if restored:
            ticker.restoring()
        newest = frame["occurred_at"].max()
        assert isinstance(newest, int)
        ticker.read(batch.partition, newest)
        return fold_interactions(load, grouped, watching), errors

    def identities(batch: RecordBatch, load: Load) -> tuple[Changes, list[tuple[int, str]]]:
        decoded = edge.decode("identity", batch, ("kind", "value", "root", "version"))
        news: dict[str, list[tuple[int, str, int]]] = {}
        for at, (kind, value, root, version) in zip(decoded.rows.tolist(), decoded.frame.iter_rows(), strict=True):
            news.setdefault(f"{kind}:{value}", []).append((batch[at].offset, root, version))
        return fold_identities(load, news, watching), decoded.errors

    def parts(batch: RecordBatch, load: Load) -> tuple[Changes, list[tuple[int, str]]]:
        decoded = edge.decode("part", batch)
        marked = decoded.frame.filter(pl.col("version") == NOW)["target"]
        if len(marked):
            gone, changed = erase(table.items(batch.partition), set(marked.to_list()))
            for key in gone:
                table.delete(batch.partition, key)
            for key, state in changed.items():
                table.put(batch.partition, key, state)
            ticker.note(batch.partition, dict.fromkeys(gone, 0), dict.fromkeys(gone, ()))
        sent: dict[str, list[tuple[int, str, int, bytes | None]]] = {}
        for at, (target, part, version, state) in zip(decoded.rows.tolist(), decoded.frame.iter_rows(), strict=True):
            if version != NOW:
                sent.setdefault(target, []).append((batch[at].offset, part, version, state))
        return fold_parts(load, sent, watching), decoded.errors

    folds = {
        settings.topic("interactions"): interactions,
        settings.topic("identities"): identities,
        settings.topic("parts"): parts,
    }

    async def store(partition: int, changes: Changes) -> None:
        for key, state in changes.states.items():
            table.put(partition, key, state)
        await table.flush()  # before anything is published: what is published follows from durable state
        ticker.note(partition, changes.due, changes.opened)
        sweeper.note(changes.states)

    async def publish(changes: Changes, timestamp: int) -> None:
        for topic, record, rows_of, key_of in _PUBLISHED:
            published = rows_of(changes)
            if published:
                keys = [key_of(row).encode() for row in published]
                await edge.publish(topic, record, rows.frame(record, published), keys, timestamp)

    async def handle(batch: RecordBatch) -> None:
        async with working:
            began = time.perf_counter()
            partition, watching.now = batch.partition, now_ms()
            changes, errors = folds[batch.topic](batch, lambda key: table.get(partition, key))
            await store(partition, changes)
            await publish(changes, batch[0].timestamp)
            await edge.refuse(batch, [(at, "undecodable", detail) for at, detail in errors])
            await edge.flush()
            metrics.DUPLICATES.inc(changes.duplicates)
            count(changes.news)
            metrics.STATE_RECALLS.inc(len(changes.recalls))
            edge.observe(batch, time.perf_counter() - began)

    async def fire(partition: int, keys: list[bytes], until: int) -> None:
        async with working:
            watching.now = now_ms()
            names = [key.decode() for key in keys]
            changes = fold_due(lambda key: table.get(partition, key), names, watching, until)
            await store(partition, changes)
            await publish(changes, watching.now)
            await edge.flush()
            count(changes.news)
            for one in changes.news:
                if one.what == tally.RAISED:
                    late = now_ms() - one.latest - watching.rules[one.rule].after
                    metrics.TIMER_DELAY_SECONDS.observe(max(late, 0) / 1000)

    def count(news: list[tally.News]) -> None:
        for what, rule, severity, _ in news:
            _BECAME[what].labels(rule, severity).inc()

    ticker = Ticker(app, table, folds, fire)
    sweeper = Sweeper(table, settings.state_retention, settings.state_idle)

    @app.timer(interval=EVERY)  # type: ignore[untyped-decorator]
    async def timers() -> None:
        await ticker.tick()
        metrics.TIMERS_PENDING.set(ticker.pending)
        opened = ticker.open_alerts
        for rule in watching.rules.values():
            metrics.ALERTS_OPEN.labels(rule.name, rule.severity).set(opened[rule.name, rule.severity])

    @app.timer(interval=EVERY)  # type: ignore[untyped-decorator]
    async def sweep() -> None:
        try:
            async with working:
                await sweeper.sweep(now_ms())
        except OwnershipLost as exc:
            log.warning("no eviction while partitions move: %s", exc)
            await app.consumer.rejoin()
        except Exception as exc:
            await app.crash(exc)

    @app.timer(interval=MEASURE_EVERY)  # type: ignore[untyped-decorator]
    async def measure() -> None:
        states = [value for held in table.partitions_held for _, value in table.items(held)]
        metrics.STATE_SUBJECTS.set(len(states))
        metrics.STATE_BYTES.set(sum(map(len, states)))

    @app.agent(app.topic(*folds, key_serializer="raw", value_serializer="raw"))  # type: ignore[untyped-decorator]
    async def stitch(stream: Any) -> None:
        await consume(stream, handle)

    return edge
