"""The stitch worker: interactions, news of roots and parts in; journeys, customers, cases, alerts, moves, parts out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec
import polars as pl

from streams import metrics
from streams.alerts import match, rules, tally
from streams.alerts.ticker import EVERY, Ticker
from streams.edge import Edge, now_ms
from streams.enrich.validate import UUID
from streams.erasure.guard import NOW
from streams.gather import gather
from streams.output import RAISED, RECALLED, RECALLED_LAST, RESTORED
from streams.progress import Records
from streams.settings import Settings
from streams.stitch.erase import erase
from streams.stitch.events import COLUMNS, Events
from streams.stitch.fold import Changes, fold_due, fold_identities, fold_interactions, fold_parts
from streams.stitch.rows import Row
from streams.stitch.sweeper import Sweeper
from streams.stitch.watching import Watching
from streams.table import BatchTable
from streams.transport import OwnershipLost, RecordBatch

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

POLLS_AT_ONCE = 3
"""When it is behind: a subject that has several events in a group is folded, stored and published once."""
BYTES_AT_ONCE = 16 << 20
LINGER_SECONDS = 0.1
"""Between two groups of batches at most: a group costs some 10 ms a topic, however few records it has."""
READ_AHEAD = 32
"""Batches: a poll brings one of each topic and partition."""

MEASURE_EVERY = 15.0
"""Seconds between looks at the size of the state: each takes some 40 ms a million subjects."""


class Turn(NamedTuple):
    """What records of one topic and partition, or timers of a partition, bring about."""

    partition: int
    changes: Changes
    timestamp: int
    """Of what is published: that of the first record, in epoch ms."""


Folded = tuple[list[Turn], list[tuple[int, str]]]
"""Of the records of a topic: the turn of each partition; (position, what is wrong) of those left out."""


def create(app: Any, settings: Settings) -> Edge:
    """Register the agent, its timers and its table with the app. Raises RuleError for rules that cannot be used."""
    edge = Edge(app, settings, "stitch")
    table = BatchTable(app, "state", partitions=settings.partitions)
    events = Events()
    watching = Watching(rules.load(settings.alert_rules), now_ms())
    matcher = match.Matcher(watching.rules)
    working = asyncio.Lock()  # a batch or a turn of timers at a time: both write the same states and outputs

    def interactions(records: Records) -> Folded:
        decoded = edge.decode("interaction", records, _READ)
        frame, positions, errors = decoded.frame, decoded.rows.tolist(), decoded.errors
        named = frame["event_id"].str.contains(UUID)
        if not named.all():  # enrich writes none such; whatever else may write here must not stop the worker
            keep = named.to_list()
            errors += [(at, "event_id is not a UUID") for at, good in zip(positions, keep, strict=True) if not good]
            frame, positions = frame.filter(named), [at for at, good in zip(positions, keep, strict=True) if good]
        if not positions:
            return [], errors
        taken = [records[at] for at in positions]
        headed = {row: dict(record.headers) for row, record in enumerate(taken) if record.headers}
        restored = {row for row, headers in headed.items() if headers.get(RESTORED[0]) == RESTORED[1]}
        recalled = {row for row, headers in headed.items() if RECALLED[0] in headers}
        last = {row for row in recalled if headed[row][RECALLED[0]] == RECALLED_LAST[1]}
        raised = {row: _raised(headers[RAISED]) for row, headers in headed.items() if RAISED in headers}
        watched = matcher.watched(frame, watching.now, restored | recalled, raised)
        # A subject in two partitions, as a foreign producer may have it, is two subjects.
        partitions = [records.partitions[at] for at in positions]
        keys = list(zip(partitions, frame["subject"].to_list(), strict=True))
        offsets = [record.offset for record in taken]
        grouped = events.by_subject(frame, keys, offsets, watched, restored | recalled, last)
        if restored:
            ticker.restoring()
        newest = frame.group_by(pl.Series("partition", partitions)).agg(pl.col("occurred_at").max())
        for partition, at in newest.iter_rows():
            ticker.read(partition, at)
        return _fold(fold_interactions, grouped, records), errors

    def identities(records: Records) -> Folded:
        decoded = edge.decode("identity", records, ("kind", "value", "root", "version"))
        news: dict[tuple[int, str], list[tuple[int, str, int]]] = {}
        for at, (kind, value, root, version) in zip(decoded.rows.tolist(), decoded.frame.iter_rows(), strict=True):
            key = (records.partitions[at], f"{kind}:{value}")
            news.setdefault(key, []).append((records[at].offset, root, version))
        return _fold(fold_identities, news, records), decoded.errors

    def parts(records: Records) -> Folded:
        decoded = edge.decode("part", records)
        erased: dict[int, set[str]] = {}
        sent: dict[tuple[int, str], list[tuple[int, str, int, bytes | None]]] = {}
        for at, (target, part, version, state) in zip(decoded.rows.tolist(), decoded.frame.iter_rows(), strict=True):
            partition = records.partitions[at]
            if version == NOW:
                erased.setdefault(partition, set()).add(target)
            else:
                sent.setdefault((partition, target), []).append((records[at].offset, part, version, state))
        for partition, subjects in erased.items():
            gone, changed = erase(table.items(partition), subjects)
            for key in gone:
                table.delete(partition, key)
            for key, state in changed.items():
                table.put(partition, key, state)
            ticker.note(partition, dict.fromkeys(gone, 0), dict.fromkeys(gone, ()))
        return _fold(fold_parts, sent, records), decoded.errors

    def _fold(fold: Callable[..., Changes], messages: Mapping[tuple[int, str], Any], records: Records) -> list[Turn]:
        by_partition: dict[int, dict[str, Any]] = {}
        for (partition, subject), some in messages.items():
            by_partition.setdefault(partition, {})[subject] = some
        return [
            Turn(
                partition,
                fold(partial(table.get, partition), subjects, watching, table.written(partition)),
                records[records.partitions.index(partition)].timestamp,
            )
            for partition, subjects in by_partition.items()
        ]

    folds = {
        settings.topic("interactions"): interactions,
        settings.topic("identities"): identities,
        settings.topic("parts"): parts,
    }

    def put(turns: Sequence[Turn]) -> None:
        for turn in turns:
            for key, state in turn.changes.states.items():
                table.put(turn.partition, key, state)

    async def store(turns: Sequence[Turn]) -> None:
        await table.flush()  # before anything is published: what is published follows from durable state
        for turn in turns:
            ticker.note(turn.partition, turn.changes.due, turn.changes.opened)
            sweeper.note(turn.changes.states)

    async def publish(turns: Sequence[Turn]) -> None:
        for topic, record, rows_of, key_of in _PUBLISHED:
            published: list[Row] = []
            timestamps: list[int] = []
            for turn in turns:
                of_turn = rows_of(turn.changes)
                published += of_turn
                timestamps += [turn.timestamp] * len(of_turn)
            if published:
                keys = [key_of(row).encode() for row in published]
                await edge.publish(topic, record, published, keys, timestamps)

    async def handle(batches: list[RecordBatch]) -> None:
        async with working:
            began = time.perf_counter()
            watching.now = now_ms()
            turns: list[Turn] = []
            refused: list[tuple[Records, int, str, str]] = []
            for topic, fold in folds.items():
                records = Records(batch for batch in batches if batch.topic == topic)
                if not records:
                    continue
                folded, errors = fold(records)
                put(folded)  # what the next topic's messages begin from
                turns += folded
                refused += [(records, at, "undecodable", detail) for at, detail in errors]
            await store(turns)
            await publish(turns)
            await edge.refuse(refused)
            await edge.flush()
            for turn in turns:
                metrics.DUPLICATES.inc(turn.changes.duplicates)
                metrics.STATE_RECALLS.inc(len(turn.changes.recalls))
                count(turn.changes.news)
            edge.observe(batches, time.perf_counter() - began)

    async def fire(partition: int, keys: list[bytes], until: int) -> None:
        async with working:
            watching.now = now_ms()
            names = [key.decode() for key in keys]
            changes = fold_due(partial(table.get, partition), names, watching, until)
            turns = [Turn(partition, changes, watching.now)]
            put(turns)
            await store(turns)
            await publish(turns)
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
        await gather(
            stream, handle, POLLS_AT_ONCE * settings.max_poll_records, BYTES_AT_ONCE, LINGER_SECONDS, READ_AHEAD
        )

    return edge
