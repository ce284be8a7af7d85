"""The stitch worker: interactions, news of roots and parts in; journeys, customers, cases, alerts, moves, parts out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from streams import metrics
from streams.alerts import rules, tally
from streams.alerts.ticker import EVERY, Ticker
from streams.clock import now_ms
from streams.edge import Edge
from streams.gather import gather
from streams.settings import Settings
from streams.stitch.changes import Changes
from streams.stitch.erase import erase
from streams.stitch.fold import fold_due, fold_messages
from streams.stitch.messages import Messages
from streams.stitch.reading import Group, Reader
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
_BECAME = {
    tally.RAISED: metrics.ALERTS_RAISED,
    tally.ACKNOWLEDGED: metrics.ALERTS_ACKNOWLEDGED,
    tally.CLOSED: metrics.ALERTS_CLOSED,
}

log = logging.getLogger(__name__)

POLLS_AT_ONCE = 6
"""When it is behind: a subject that has several events in a group is folded, stored and published once."""
BYTES_AT_ONCE = 16 << 20
LINGER_SECONDS = 0.1
"""Between two groups of batches at most: a group costs some 10 ms a topic, however few records it has."""
SPACING_SECONDS = 0.15
"""From the beginning of a group to that of the next, while none is full: after a longer one there is no pause."""
READ_AHEAD = 32
"""Batches: a poll brings one of each topic and partition."""

SUBJECTS_AT_ONCE = 200
"""What they publish is encoded while it is still in the processor's caches: less than half of what it costs once all of
a group are folded."""

MEASURE_EVERY = 15.0
"""Seconds between looks at the size of the state: each takes some 40 ms a million subjects."""


class Turn(NamedTuple):
    """What messages for some subjects of a partition, or its timers, bring about, but for what is published."""

    partition: int
    states: Collection[bytes]
    """Keys of the states that were put."""
    due: Mapping[bytes, int]
    opened: Mapping[bytes, tuple[tuple[str, str], ...]]
    news: Sequence[tally.News]
    duplicates: int
    recalls: int


class Outgoing:
    """What is to be published, encoded: keys, values and timestamps of each topic."""

    def __init__(self, encode: Callable[[str, list[Row]], list[bytes]]) -> None:
        """encode: as of Edge."""
        self._encode = encode
        self.topics: dict[str, tuple[list[bytes], list[bytes], list[int]]] = {}

    def add(self, changes: Changes, timestamp: int) -> None:
        """Encode what follows from changes. timestamp: that of the oldest record, or the worker's clock, epoch ms."""
        for topic, record, rows_of, key_of in _PUBLISHED:
            if rows := rows_of(changes):
                keys, values, timestamps = self.topics.setdefault(topic, ([], [], []))
                keys += [key_of(row).encode() for row in rows]
                values += self._encode(record, rows)
                timestamps += [timestamp] * len(rows)


def create(app: Any, settings: Settings) -> Edge:
    """Register the agent, its timers and its table with the app. Raises RuleError for rules that cannot be used."""
    edge = Edge(app, settings, "stitch")
    table = BatchTable(app, "state", partitions=settings.partitions)
    watching = Watching(rules.load(settings.alert_rules), now_ms())
    topics = [settings.topic(name) for name in ("interactions", "identities", "parts")]
    reader = Reader(edge.decode, topics, watching)
    working = asyncio.Lock()  # a batch or a turn of timers at a time: both write the same states and outputs

    def fold_in(partition: int, messages: Messages, timestamp: int, outgoing: Outgoing) -> list[Turn]:
        load, published = partial(table.get, partition), table.written(partition)
        return [
            put(partition, fold_messages(load, some, watching, published), timestamp, outgoing)
            for some in messages.taken(SUBJECTS_AT_ONCE)
        ]

    def put(partition: int, changes: Changes, timestamp: int, outgoing: Outgoing) -> Turn:
        for key, state in changes.states.items():
            table.put(partition, key, state)
        outgoing.add(changes, timestamp)
        keys = changes.states.keys()
        recalls = len(changes.recalls)
        return Turn(partition, keys, changes.due, changes.opened, changes.news, changes.duplicates, recalls)

    def forget(partition: int, subjects: set[str]) -> None:
        gone, changed = erase(table.items(partition), subjects)
        for key in gone:
            table.delete(partition, key)
        for key, state in changed.items():
            table.put(partition, key, state)
        ticker.note(partition, dict.fromkeys(gone, 0), dict.fromkeys(gone, ()))

    def fold(group: Group, outgoing: Outgoing) -> list[Turn]:
        turns: list[Turn] = []
        for partition, at in group.timestamps.items():
            messages = group.of(partition)
            if subjects := group.erased.get(partition):  # with what came of them; but parts may be of afterwards
                before = Messages(messages.interactions, messages.identities)
                turns += fold_in(partition, before, at, outgoing)
                forget(partition, subjects)
                messages = Messages(parts=messages.parts)
            turns += fold_in(partition, messages, at, outgoing)
        return turns

    async def store(turns: Sequence[Turn]) -> None:
        await table.flush()  # before anything is published: what is published follows from durable state
        for turn in turns:
            ticker.note(turn.partition, turn.due, turn.opened)
            sweeper.note(turn.states)

    async def publish(outgoing: Outgoing) -> None:
        for topic, *_ in _PUBLISHED:
            if topic in outgoing.topics:
                await edge.send(topic, *outgoing.topics[topic])

    async def handle(batches: list[RecordBatch]) -> None:
        async with working:
            began = time.perf_counter()
            watching.now = now_ms()
            group = reader.read(batches)
            if group.restored:
                ticker.restoring()
            for partition, at in group.newest.items():
                ticker.read(partition, at)
            outgoing = Outgoing(edge.encode)
            turns = fold(group, outgoing)
            await store(turns)
            await publish(outgoing)
            await edge.refuse(group.refused)
            await edge.flush()
            for turn in turns:
                metrics.DUPLICATES.inc(turn.duplicates)
                metrics.STATE_RECALLS.inc(turn.recalls)
                count(turn.news)
            edge.observe(batches, time.perf_counter() - began)

    async def fire(partition: int, keys: list[bytes], until: int) -> None:
        async with working:
            watching.now = now_ms()
            names = [key.decode() for key in keys]
            changes = fold_due(partial(table.get, partition), names, watching, until)
            outgoing = Outgoing(edge.encode)
            await store([put(partition, changes, watching.now, outgoing)])
            await publish(outgoing)
            await edge.flush()
            count(changes.news)
            for one in changes.news:
                if one.what == tally.RAISED:
                    late = now_ms() - one.latest - watching.rules[one.rule].after
                    metrics.TIMER_DELAY_SECONDS.observe(max(late, 0) / 1000)

    def count(news: Sequence[tally.News]) -> None:
        for what, rule, severity, _ in news:
            _BECAME[what].labels(rule, severity).inc()

    ticker = Ticker(app, table, topics, fire)
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

    @app.agent(app.topic(*topics, key_serializer="raw", value_serializer="raw"))  # type: ignore[untyped-decorator]
    async def stitch(stream: Any) -> None:
        records = POLLS_AT_ONCE * settings.max_poll_records
        await gather(stream, handle, records, BYTES_AT_ONCE, LINGER_SECONDS, READ_AHEAD, spacing=SPACING_SECONDS)

    return edge
