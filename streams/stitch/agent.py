"""The stitch worker: interactions, news of roots and parts in; journeys, customers, cases, alerts, moves, parts out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from streams import metrics
from streams.alerts import rules, tally
from streams.alerts.ticker import EVERY, Ticker
from streams.clock import now_ms
from streams.kafka.batch_producer import RECORD_OVERHEAD, REQUEST_BYTES, check_sizes
from streams.kafka.changelog_table import BatchTable
from streams.kafka.layout import check_places
from streams.kafka.transport import OwnershipLost, RecordBatch
from streams.settings import Settings
from streams.stitch.changes import Changes
from streams.stitch.erase import erase
from streams.stitch.fold import fold_due, fold_messages
from streams.stitch.messages import Messages
from streams.stitch.observer import Watching
from streams.stitch.peek import watch_of
from streams.stitch.reading import Group, Reader
from streams.stitch.rows import Row
from streams.stitch.sweeper import Sweeper
from streams.topology import WORKERS_BY_NAME
from streams.worker.batching import gather
from streams.worker.io import Edge
from streams.worker.sift import Fault, is_of_record, sift

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
"""Polls that one group takes while the worker is behind. A subject with several events in a group is folded, stored and
published once, so large groups are cheaper."""
BYTES_AT_ONCE = 16 << 20
LINGER_SECONDS = 0.1
"""Longest pause between two groups: a group costs some 10 ms a topic, however few records it has."""
SPACING_SECONDS = 0.15
"""The pause after a group ends at the latest this many seconds after the group began; a longer group has no pause."""
READ_AHEAD = 32
"""Batches: a poll brings one of each topic and partition."""

SUBJECTS_AT_ONCE = 200
"""Subjects that are folded and encoded at a time. What they publish is then still in the processor's caches: encoding
it after the whole group was folded costs more than twice as much."""

MEASURE_EVERY = 15.0
"""Seconds between looks at the size of the state."""
SWEEP_EVERY = 0.25
"""Seconds between slices of the search for states past their retention."""


class Turn(NamedTuple):
    """The effects of messages, or of timers, on some subjects of a partition; publications are in Outgoing."""

    partition: int
    states: Collection[bytes]
    """Keys of the states that were put."""
    due: Mapping[bytes, int]
    opened: Mapping[bytes, tuple[tuple[str, str], ...]]
    news: Sequence[tally.News]
    duplicates: int
    recalls: int


Encoded = tuple[str, list[bytes], list[bytes]]
"""Records to publish: topic, keys, values."""


class Outgoing:
    """Encoded records to publish: keys and values by topic."""

    def __init__(self, encode: Callable[[str, list[Row]], list[bytes]]) -> None:
        """encode: as of Edge."""
        self._encode = encode
        self.topics: dict[str, tuple[list[bytes], list[bytes]]] = {}
        self.since: int | None = None
        """Arrival of the oldest raw event that caused any of it, epoch ms."""

    def encoded(self, changes: Changes) -> list[Encoded]:
        """The records to publish for some changes. Raises what `encode` does, and RecordTooLarge."""
        found: list[Encoded] = []
        for topic, record, rows_of, key_of in _PUBLISHED:
            if rows := rows_of(changes):
                found.append((topic, [key_of(row).encode() for row in rows], self._encode(record, rows)))
                check_sizes(*found[-1][1:], REQUEST_BYTES)
        return found

    def add(self, encoded: Sequence[Encoded], since: int) -> None:
        """Add encoded records. since: arrival of the oldest raw event that caused them (of a timer: now), epoch ms."""
        self.since = since if self.since is None else min(since, self.since)
        for topic, some_keys, some_values in encoded:
            keys, values = self.topics.setdefault(topic, ([], []))
            keys += some_keys
            values += some_values


def create(app: Any, settings: Settings) -> Edge:
    """Register the agent, its timers and its table with the app. Raises RuleError for rules that cannot be used."""
    edge = Edge(app, settings, "stitch")
    table = BatchTable(app, "state", partitions=settings.partitions, check=check_places)
    watching = Watching(rules.load(settings.alert_rules), now_ms())
    alerts = [(rule.name, rule.severity) for rule in watching.rules.values()]
    edge.count_from_zero({"rule severity": alerts})
    topics = [settings.topic(name) for name in WORKERS_BY_NAME["stitch"].reads]
    reader = Reader(edge, topics, watching)
    working = asyncio.Lock()  # a batch or a turn of timers at a time: both write the same states and outputs

    limit = REQUEST_BYTES

    async def look_at_room() -> None:
        """Note how large a state may be; the broker is asked once."""
        nonlocal limit
        limit = await table.room() + RECORD_OVERHEAD

    def fold_in(group: Group, partition: int, messages: Messages, outgoing: Outgoing) -> list[Turn]:
        load, published = partial(table.get, partition), table.written(partition)
        since = group.since[partition]

        def turn(some: Messages) -> Turn:
            return put(partition, fold_messages(load, some, watching, published), since, outgoing)

        turns: list[Turn] = []
        for some in messages.taken(SUBJECTS_AT_ONCE):
            try:
                turns.append(turn(some))
            except BaseException as error:
                if not is_of_record(error):
                    raise
                turns += one_by_one(group, partition, some, turn)
        return turns

    def one_by_one(group: Group, partition: int, messages: Messages, turn: Callable[[Messages], Turn]) -> list[Turn]:
        """The turns of messages of which some make the fold raise; these are refused.

        None of the messages has changed the table yet. Halves are folded as if they had come in several groups.
        """
        each = messages.each()
        sifted = sift(len(each), lambda some: turn(Messages.of(each[some.start : some.stop])))
        for at, error in sifted.faults:
            records, position = group.record_of(partition, each[at])
            group.refused += edge.unprocessable("fold", records, [Fault(position, error)])
        return [done for _, done in sifted.done]

    def put(partition: int, changes: Changes, since: int, outgoing: Outgoing) -> Turn:
        """Put changes into the table and into `outgoing`. Where it raises, it has put none."""
        encoded, states = outgoing.encoded(changes), changes.states
        check_sizes(states.keys(), states.values(), limit)
        for key, state in states.items():
            table.put(partition, key, state)
        outgoing.add(encoded, since)
        recalls = len(changes.recalls)
        return Turn(partition, states.keys(), changes.due, changes.opened, changes.news, changes.duplicates, recalls)

    def forget(partition: int, subjects: set[str]) -> None:
        gone, changed = erase(table.items(partition), subjects, unreadable)
        for key in gone:
            table.delete(partition, key)
        for key, state in changed.items():
            table.put(partition, key, state)
        ticker.note(partition, dict.fromkeys(gone, 0), dict.fromkeys(gone, ()))

    def fold(group: Group, outgoing: Outgoing) -> list[Turn]:
        turns: list[Turn] = []
        for partition in group.since:
            messages = group.of(partition)
            if subjects := group.erased.get(partition):  # folded first, so they go, too; parts may be newer
                before = Messages(messages.interactions, messages.identities)
                turns += fold_in(group, partition, before, outgoing)
                forget(partition, subjects)
                messages = Messages(parts=messages.parts)
            turns += fold_in(group, partition, messages, outgoing)
        return turns

    def unreadable(error: BaseException) -> None:
        edge.note("state", error)

    async def store(turns: Sequence[Turn]) -> None:
        await table.flush()  # before anything is published: what is published follows from durable state
        for turn in turns:
            ticker.note(turn.partition, turn.due, turn.opened)
            sweeper.note(turn.states)

    @contextlib.contextmanager
    def seen_again(turns: Sequence[Turn]) -> Iterator[None]:
        """If the block raises, the publications of these turns may be incomplete: look their timers up again."""
        try:
            yield
        except BaseException:
            for turn in turns:
                ticker.look_again(turn.partition, turn.states)
            raise

    async def publish(outgoing: Outgoing) -> None:
        for topic, *_ in _PUBLISHED:
            if topic in outgoing.topics:
                await edge.send(topic, *outgoing.topics[topic], outgoing.since)

    async def handle(batches: list[RecordBatch]) -> None:
        async with working:
            began = time.perf_counter()
            watching.now = now_ms()
            await look_at_room()
            group = reader.read(batches)
            if group.restored:
                ticker.restoring()
            for partition, at in group.newest.items():
                ticker.read(partition, at)
            outgoing = Outgoing(edge.encode)
            turns = fold(group, outgoing)
            if group.refused:  # before the states, whose applied offsets may be past these records
                await edge.refuse(group.refused)
                await edge.flush()
            with seen_again(turns):
                await store(turns)
                await publish(outgoing)
                await edge.flush()
            for turn in turns:
                metrics.DUPLICATES.inc(turn.duplicates)
                metrics.STATE_RECALLS.inc(turn.recalls)
                count(turn.news)
            edge.observe(batches, time.perf_counter() - began)

    async def fire(partition: int, keys: list[bytes], until: int) -> None:
        async with working:
            watching.now = now_ms()
            await look_at_room()
            outgoing = Outgoing(edge.encode)

            def work(some: range) -> Turn:
                names = [key.decode() for key in keys[some.start : some.stop]]
                changes = fold_due(partial(table.get, partition), names, watching, until)
                return put(partition, changes, watching.now, outgoing)

            sifted = sift(len(keys), work)
            for _, error in sifted.faults:
                edge.note("timer", error)  # its timer is out until its state is read, or changed, again
            turns = [turn for _, turn in sifted.done]
            with seen_again(turns):
                await store(turns)
                await publish(outgoing)
                await edge.flush()
            for turn in turns:
                count(turn.news)
                for one in turn.news:
                    if one.what == tally.RAISED:
                        late = now_ms() - one.latest - watching.rules[one.rule].after
                        metrics.TIMER_DELAY_SECONDS.observe(max(late, 0) / 1000)

    def count(news: Sequence[tally.News]) -> None:
        for what, rule, severity, _ in news:
            _BECAME[what].labels(rule, severity).inc()

    ticker = Ticker(app, table, topics, fire, unreadable, watch_of, anything=bool(watching.rules), busy=working.locked)
    sweeper = Sweeper(table, settings.state_retention, settings.state_idle, unreadable=unreadable)

    @app.timer(interval=EVERY)  # type: ignore[untyped-decorator]
    async def timers() -> None:
        await ticker.tick()
        metrics.TIMERS_PENDING.set(ticker.pending)
        opened = ticker.open_alerts
        for rule in watching.rules.values():
            metrics.ALERTS_OPEN.labels(rule.name, rule.severity).set(opened[rule.name, rule.severity])

    @app.timer(interval=SWEEP_EVERY)  # type: ignore[untyped-decorator]
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
        metrics.STATE_SUBJECTS.set(sum(map(table.count, table.partitions_held)))
        metrics.STATE_BYTES.set(sum(map(table.size, table.partitions_held)))

    @app.agent(app.topic(*topics, key_serializer="raw", value_serializer="raw"))  # type: ignore[untyped-decorator]
    async def stitch(stream: Any) -> None:
        records = POLLS_AT_ONCE * settings.max_poll_records
        await gather(stream, handle, records, BYTES_AT_ONCE, LINGER_SECONDS, READ_AHEAD, spacing=SPACING_SECONDS)

    return edge
