"""The stitch worker: interactions, identities and parts in; journeys, customers, cases, alerts, moves, segments and
parts out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from streams import metrics
from streams.alerts import rules, tally
from streams.alerts.ticker import EVERY, Ticker
from streams.clock import now_ms
from streams.kafka.batch_producer import RECORD_OVERHEAD, REQUEST_BYTES, check_sizes
from streams.kafka.changelog_table import BatchTable
from streams.kafka.layout import check_places
from streams.kafka.ownership import OwnershipLost
from streams.kafka.progress import RecordBatch
from streams.model import company
from streams.model.identifiers import customer_id
from streams.segments import rules as segments
from streams.settings import Settings
from streams.spans import Headers, Remembered, passed_on
from streams.stitch.catch_up import EVERY as CATCH_UP_EVERY
from streams.stitch.catch_up import CatchUp
from streams.stitch.changes import Changes
from streams.stitch.erase import erase
from streams.stitch.fold import fold_due, fold_messages, fold_unsaid
from streams.stitch.messages import IDENTITY, INTERACTION, PART, Messages
from streams.stitch.observer import RuleContext
from streams.stitch.outgoing import PUBLISHED, Outgoing
from streams.stitch.peek import watch_of
from streams.stitch.reading import Group, Reader
from streams.stitch.sweeper import Sweeper
from streams.topology import WORKERS_BY_NAME
from streams.worker.agent import Agent, Grouping
from streams.worker.io import WorkerIO
from streams.worker.sift import Fault, is_of_record, sift
from streams.worker.verdict import Verdict

_BECAME = {
    tally.RAISED: metrics.ALERTS_RAISED,
    tally.ACKNOWLEDGED: metrics.ALERTS_ACKNOWLEDGED,
    tally.CLOSED: metrics.ALERTS_CLOSED,
}

log = logging.getLogger(__name__)

POLLS_AT_ONCE = 6
"""Polls joined into one group while the worker is behind. A subject with several events in a group is folded, stored
and published once, so large groups are cheaper.
"""
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
    """What messages, or timers, have done to some subjects of a partition; their publications are in Outgoing."""

    partition: int
    states: Collection[bytes]
    """Keys of the states that were put."""
    due: Mapping[bytes, int]
    opened: Mapping[bytes, tuple[tuple[str, str], ...]]
    transitions: Sequence[tally.Transition]
    duplicates: int
    """Events whose id the subject had seen."""
    replayed: int
    """Messages that had been applied before."""
    recalls: int


def create(app: Any, settings: Settings) -> WorkerIO:
    """Register the agent, its timers and its table with the app. Raises RuleError for rules that cannot be used."""
    io = WorkerIO(app, settings, "stitch")
    table = BatchTable(app, "state", partitions=settings.partitions, check=check_places)
    agent = StitchAgent(io, table)
    agent.register("stitch", agent.topics)
    app.timer(interval=EVERY)(agent.tick)
    app.timer(interval=SWEEP_EVERY)(agent.sweep)
    app.timer(interval=CATCH_UP_EVERY)(agent.catch_up)
    app.timer(interval=MEASURE_EVERY)(agent.measure)
    return io


class StitchAgent(Agent):
    """Folds messages into the states of subjects, and publishes what has changed.

    A group's states are acknowledged before anything is published that follows from them; when `handle` returns, both
    are. Messages, timers and evictions write the same states and outputs, so one of them works at a time.
    """

    def __init__(self, io: WorkerIO, table: BatchTable) -> None:
        """table: keys are subjects, values their encoded states."""
        settings = io.settings
        most = POLLS_AT_ONCE * settings.max_poll_records
        super().__init__(io, Grouping(most, BYTES_AT_ONCE, LINGER_SECONDS, READ_AHEAD, spacing=SPACING_SECONDS))
        self.topics = [settings.topic(name) for name in WORKERS_BY_NAME["stitch"].reads]
        """Full names of those that it reads."""
        self._table, self._working = table, asyncio.Lock()
        self._limit = REQUEST_BYTES
        model = company.load(settings.model, settings.alert_rules)
        self._context = RuleContext(rules.of(model), now_ms(), segments.of(model), model.guests, model.brands)
        self._reader = Reader(io, self.topics, self._context, model)
        self._ticker = Ticker(
            io.app,
            table,
            self.topics,
            self._fire,
            self._unreadable,
            watch_of,
            anything=bool(self._context.rules or model.guests.surveys),
            busy=self._working.locked,
        )
        self._sweeper = Sweeper(table, settings.state_retention, settings.state_idle, unreadable=self._unreadable)
        self._catching_up = CatchUp(table, self._say, self._unreadable)
        self._set_by = Remembered[tuple[int, bytes]]()
        """By partition and key of a state that has a timer: the trace of the last traced event that changed it."""
        io.count_from_zero({"rule severity": [(rule.name, rule.severity) for rule in self._context.rules.values()]})

    # -- messages ---------------------------------------------------------------------------------------------

    async def handle(self, batches: list[RecordBatch]) -> Verdict:
        """States, then what follows from them, are acknowledged when it returns."""
        async with self._working:
            self._context.now = now_ms()
            await self._look_at_room()
            if self.io.settings.deep:  # the second reader takes seconds for many texts: heartbeats go on meanwhile
                group = await asyncio.to_thread(self._reader.read, batches)
            else:
                group = self._reader.read(batches)
            if group.restored:
                self._ticker.restoring()
            for partition, at in group.newest.items():
                self._ticker.read(partition, at)
            outgoing = Outgoing(self.io.encode)
            if self.io.tracing is not None:
                outgoing.whose = _whose(group)
            turns = self._fold(group, outgoing)
            if group.refused:  # before the states, whose applied offsets may be past these records
                await self.io.refuse(group.refused)
                await self.io.flush()
            await self._settle(turns, outgoing)
            self._remember(turns, outgoing.whose)
            for turn in turns:
                metrics.DUPLICATES.inc(turn.duplicates)
                metrics.STATE_RECALLS.inc(turn.recalls)
                _count(turn.transitions)
            duplicates = sum(turn.duplicates + turn.replayed for turn in turns)
            return Verdict.of(sum(map(len, batches)), group.refused, duplicates, group.dropped)

    def _fold(self, group: Group, outgoing: Outgoing) -> list[Turn]:
        """Fold all messages of a group."""
        turns: list[Turn] = []
        for partition in group.since:
            messages = group.of(partition)
            if subjects := group.erased.get(partition):  # folded first, then erased with them; parts may be newer
                before = Messages(messages.interactions, messages.identities)
                turns += self._fold_in(group, partition, before, outgoing)
                self._forget(partition, subjects)
                messages = Messages(parts=messages.parts)
            turns += self._fold_in(group, partition, messages, outgoing)
        return turns

    def _fold_in(self, group: Group, partition: int, messages: Messages, outgoing: Outgoing) -> list[Turn]:
        """Fold messages of a partition, some subjects at a time."""
        load, published = partial(self._table.get, partition), self._table.written(partition)
        since = group.since[partition]

        def turn(some: Messages) -> Turn:
            return self._put(partition, fold_messages(load, some, self._context, published), since, outgoing)

        turns: list[Turn] = []
        for some in messages.taken(SUBJECTS_AT_ONCE):
            try:
                turns.append(turn(some))
            except BaseException as error:
                if not is_of_record(error):
                    raise
                turns += self._one_by_one(group, partition, some, turn)
        return turns

    def _one_by_one(
        self, group: Group, partition: int, messages: Messages, turn: Callable[[Messages], Turn]
    ) -> list[Turn]:
        """The turns of messages of which some make the fold raise; these are refused.

        None of the messages has changed the table yet. Halves are folded as if they had come in several groups.
        """
        each = messages.each()
        sifted = sift(len(each), lambda some: turn(Messages.of(each[some.start : some.stop])))
        for at, error in sifted.faults:
            records, position = group.record_of(partition, each[at])
            group.refused += self.io.unprocessable("fold", records, [Fault(position, error)])
        return [done for _, done in sifted.done]

    async def _look_at_room(self) -> None:
        """Note how large a state may be. The table asks the broker once."""
        self._limit = await self._table.room() + RECORD_OVERHEAD

    def _put(self, partition: int, changes: Changes, since: int, outgoing: Outgoing) -> Turn:
        """Put changes into the table and into `outgoing`. Where it raises, it has put none."""
        encoded, states = outgoing.encoded(changes), changes.states
        check_sizes(states.keys(), states.values(), self._limit)
        for key, state in states.items():
            self._table.put(partition, key, state)
        outgoing.add(encoded, since)
        return Turn(
            partition,
            states.keys(),
            changes.due,
            changes.opened,
            changes.transitions,
            changes.duplicates,
            changes.replayed,
            len(changes.recalls),
        )

    def _forget(self, partition: int, subjects: set[str]) -> None:
        """Take erased subjects out of the states of a partition."""
        gone, changed = erase(self._table.items(partition), subjects, self._unreadable)
        for key in gone:
            self._table.delete(partition, key)
        for key, state in changed.items():
            self._table.put(partition, key, state)
        self._ticker.note(partition, dict.fromkeys(gone, 0), dict.fromkeys(gone, ()))

    def _unreadable(self, error: BaseException) -> None:
        self.io.note("state", error)

    # -- what follows -----------------------------------------------------------------------------------------

    async def _settle(self, turns: Sequence[Turn], outgoing: Outgoing) -> None:
        """Make the states of turns durable, then publish what follows from them."""
        with self._looked_up_again(turns):
            await self._table.flush()
            for turn in turns:
                self._ticker.note(turn.partition, turn.due, turn.opened)
                self._sweeper.note(turn.states)
            await self._publish(outgoing)

    async def _publish(self, outgoing: Outgoing) -> None:
        """Send it; acknowledged when this returns."""
        for topic, *_ in PUBLISHED:
            if topic in outgoing.topics:
                await self.io.send(topic, *outgoing.topics[topic], outgoing.since, traced=outgoing.traced.get(topic))
        await self.io.flush()

    @contextlib.contextmanager
    def _looked_up_again(self, turns: Sequence[Turn]) -> Iterator[None]:
        """If the block raises, look up the timers of these turns again: their publications may be incomplete."""
        try:
            yield
        except BaseException:
            for turn in turns:
                self._ticker.look_again(turn.partition, turn.states)
            raise

    # -- timers -----------------------------------------------------------------------------------------------

    async def _fire(self, partition: int, keys: list[bytes], until: int) -> None:
        """Raise the alerts of subjects that are due by `until` (epoch ms), and publish them."""
        async with self._working:
            self._context.now = now_ms()
            with self._timers(partition, keys) as whose:
                await self._fire_due(partition, [key.decode() for key in keys], until, whose)

    @contextlib.contextmanager
    def _timers(self, partition: int, keys: Sequence[bytes]) -> Iterator[Mapping[str, Headers]]:
        """The spans of timers that go off, while the block runs: yields, by subject and customer id, the headers by
        which each trace goes on."""
        tracing = self.io.tracing
        if tracing is None:
            yield {}
            return
        spans = tracing.timers("timer stitch", [self._set_by.pop((partition, key)) for key in keys])
        if spans is None:
            yield {}
            return
        with spans.handling():
            yield _by_subject((keys[row], headers) for row, headers in spans.headers().items())

    def _remember(self, turns: Sequence[Turn], whose: Mapping[str, Headers]) -> None:
        """Note which traced events have set timers."""
        for subject, headers in whose.items():
            key = subject.encode()
            for turn in turns:
                if turn.due.get(key):
                    self._set_by.keep((turn.partition, key), headers)

    async def _fire_due(self, partition: int, keys: Sequence[str], until: int, whose: Mapping[str, Headers]) -> None:
        """Raise, store and publish the alerts of subjects that are due by `until`, epoch ms; `_working` is held."""
        await self._look_at_room()
        outgoing = Outgoing(self.io.encode)
        outgoing.whose = whose

        def work(some: range) -> Turn:
            names = keys[some.start : some.stop]
            changes = fold_due(partial(self._table.get, partition), names, self._context, until)
            return self._put(partition, changes, self._context.now, outgoing)

        sifted = sift(len(keys), work)
        for _, error in sifted.faults:
            self.io.note("timer", error)  # it has no timer until its state is read or changed again
        turns = [turn for _, turn in sifted.done]
        await self._settle(turns, outgoing)
        for turn in turns:
            _count(turn.transitions)
            for one in turn.transitions:
                if one.what == tally.RAISED:
                    late = now_ms() - one.latest - self._context.rules[one.rule].after
                    metrics.TIMER_DELAY_SECONDS.observe(max(late, 0) / 1000)

    async def tick(self) -> None:
        """Fire the timers that are due, and bring their gauges up to date."""
        await self._ticker.tick()
        metrics.TIMERS_PENDING.set(self._ticker.pending)
        opened = self._ticker.open_alerts
        for rule in self._context.rules.values():
            metrics.ALERTS_OPEN.labels(rule.name, rule.severity).set(opened[rule.name, rule.severity])

    async def sweep(self) -> None:
        """Evict some of the states that are past their retention."""
        async with self._beside("eviction"), self._working:
            await self._sweeper.sweep(now_ms())

    async def catch_up(self) -> None:
        """Say what may be done for some of the customers of whom an earlier version has not said it."""
        async with self._beside("next actions"):
            await self._catching_up.step()
        metrics.STATES_TO_CATCH_UP.set(self._catching_up.pending)

    async def _say(self, partition: int, keys: list[bytes]) -> None:
        """The turn of subjects whose states an earlier version wrote: publications first, see `fold_unsaid`."""
        async with self._working:
            await self._look_at_room()
            outgoing, names, now = Outgoing(self.io.encode), [key.decode() for key in keys], now_ms()

            def work(some: range) -> Turn:
                changes = fold_unsaid(
                    partial(self._table.get, partition), names[some.start : some.stop], self._context.guests
                )
                return self._put(partition, changes, now, outgoing)

            for _, error in sift(len(names), work).faults:
                self._unreadable(error)
            await self._publish(outgoing)
            await self._table.flush()

    @contextlib.asynccontextmanager
    async def _beside(self, what: str) -> AsyncIterator[None]:
        """Work beside the messages: none while partitions move, and any other error ends the worker."""
        try:
            yield
        except OwnershipLost as exc:
            log.warning("no %s while partitions move: %s", what, exc)
            await self.io.app.consumer.rejoin()
        except Exception as exc:
            await self.io.app.crash(exc)

    async def measure(self) -> None:
        """Bring the gauges of the state's size up to date."""
        metrics.STATE_SUBJECTS.set(sum(map(self._table.count, self._table.partitions_held)))
        metrics.STATE_BYTES.set(sum(map(self._table.size, self._table.partitions_held)))


def _count(transitions: Sequence[tally.Transition]) -> None:
    for what, rule, severity, _ in transitions:
        _BECAME[what].labels(rule, severity).inc()


def _whose(group: Group) -> dict[str, Headers]:
    """By subject, and by the customer id that it stands for: the headers by which the trace of one of its records goes
    on; of the last, where several are traced, and of an interaction rather than of the news that it makes."""
    return _by_subject(
        (records.keys[at] or b"", headers)
        for kind in (IDENTITY, PART, INTERACTION)
        if (records := group.records.get(kind)) is not None
        for at, headers in passed_on(records).items()
    )


def _by_subject(traced: Iterable[tuple[bytes, Headers]]) -> dict[str, Headers]:
    found: dict[str, Headers] = {}
    for key, headers in traced:
        subject = key.decode("utf-8", "replace")
        found[subject] = found[customer_id(subject)] = headers
    return found
