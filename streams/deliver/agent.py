"""The deliver worker: takes in alerts, cases, next actions and more, and sends them on by the routes.

A batch is acked once its deliveries are durable in the worker's state. Sending follows from the state, not from the
batch, so a target that does not answer holds up neither the input nor another target. The outcome of a delivery is made
durable in the state, then published to `deliveries`. A worker that takes over a partition finds in its state what is
left to send and to publish; what was being sent is sent again, with the same idempotency key.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from streams import metrics
from streams.clock import now_ms
from streams.deliver import guests, proposals, routes, schedule, scheduled, state
from streams.deliver.courier import Courier
from streams.deliver.due import Due
from streams.deliver.escalation import escalate
from streams.deliver.gatherings import Gatherings, Told
from streams.deliver.intake import targets_for, with_version
from streams.deliver.lane import Item, Lane
from streams.deliver.linking import Links
from streams.deliver.maker import Maker
from streams.deliver.message import Message, message
from streams.deliver.rows import delivery_key, delivery_row, name_of
from streams.deliver.scheduled import Made, Scheduled, Wanted
from streams.deliver.senders import Senders
from streams.deliver.state import Delivery, Entry, Place
from streams.deliver.storms import KEY, key_of
from streams.deliver.traces import Traces
from streams.kafka.changelog_table import BatchTable
from streams.kafka.ownership import OwnershipLost
from streams.kafka.progress import RecordBatch, Records
from streams.model import company
from streams.settings import Settings
from streams.sources.lines import frame_of
from streams.topology import WORKERS_BY_NAME
from streams.worker.batching import consume_groups
from streams.worker.io import WorkerIO
from streams.worker.sift import Fault, is_of_record
from streams.worker.verdict import Refusal

RECORDS_AT_ONCE, BYTES_AT_ONCE, LINGER_SECONDS = 5_000, 8 << 20, 0.02
TICK_SECONDS = 0.25
"""Seconds between checks for partitions that came or went, and for people who were erased."""
SWEEP_SECONDS = 3600.0
"""Seconds between checks for states that can be forgotten."""

KINDS = {
    "alerts": "alert",
    "cases": "case",
    "moves": "move",
    "segments": "segment",
    "next-actions": "next_action",
    "invitations": "invitation",
    "messages": "message",
}
"""Topic: kind of thing, and name of its record."""
KEPT_BY_TARGETS = state.key_of("segment", ""), state.key_of(proposals.KIND, "")
"""Prefixes of the keys of things that targets keep for as long as they last."""
REPORTS = state.key_of(schedule.KIND, "")
GATHERINGS, DELIVERIES = "gatherings", "deliveries"

log = logging.getLogger(__name__)


def create(app: Any, settings: Settings) -> WorkerIO:
    """Register the agent, its table and its tasks with the app. Raises RihlaError for routes that cannot be used."""
    io = WorkerIO(app, settings, "deliver")
    book = routes.load(settings.routes)
    io.count_from_zero({"target": [*book.routes.targets], "outcome": state.STATUSES[1:], "thing": [*KINDS.values()]})
    table = BatchTable(app, "things", partitions=settings.partitions)
    desk = _Desk(app, io, table, book)
    topics = [settings.topic(name) for name in WORKERS_BY_NAME["deliver"].reads]

    @app.agent(app.topic(*topics, key_serializer="raw", value_serializer="raw"))  # type: ignore[untyped-decorator]
    async def deliver(stream: Any) -> None:
        await consume_groups(stream, desk.handle, RECORDS_AT_ONCE, BYTES_AT_ONCE, LINGER_SECONDS)

    @app.task  # type: ignore[untyped-decorator]
    async def send() -> None:
        await desk.run()

    return io


class _Desk:
    """State, lanes and topics of one worker."""

    def __init__(
        self, app: Any, io: WorkerIO, table: BatchTable, book: routes.Book, clock: Callable[[], int] = now_ms
    ) -> None:
        self._clock = clock
        self._due = Due()
        self._app, self._io, self._table, self._book = app, io, table, book
        self._gatherings = Gatherings(table, book.routes)
        self._gathered: list[tuple[Place, dict[str, Any]]] = []
        """Alerts of this group of batches that are to be gathered by rule and unit, each with its own place."""
        self._traces = Traces(io.tracing)
        self._epoch = io.settings.epoch
        self._links = Links(io.settings, book.routes)
        self._scheduled = Scheduled(book.routes, Maker(io.settings), io.settings.partitions, clock)
        self._actions = company.load(io.settings.model).actions
        self._writing = guests.Writing(io.settings, book.routes)
        self._senders = Senders(book, app, io.settings.prefix)
        lanes = {
            name: Lane(book.schedule(name), one.together, spacing=1000 / one.per_second if one.per_second else 0.0)
            for name, one in book.routes.targets.items()
        }
        timeouts = {name: book.timeout(name) for name in lanes}
        self._courier = Courier(lanes, self._senders.ways, timeouts, self._look, self._done)
        self._working = asyncio.Lock()  # batches and outcomes write the same states and outputs
        self._takes = {"redelivery": self._again}
        self._read: dict[int, object] = {}
        """Partitions whose states are in the lanes, each with the value that `reading` had then."""
        self._outcomes: list[tuple[Item, str, str, int | None, str | None]] = []
        self._settled = asyncio.Event()
        self._erasures = 0
        self._swept = time.monotonic()

    # -- intake -----------------------------------------------------------------------------------------------

    async def handle(self, batches: list[RecordBatch]) -> None:
        """Take in some batches."""
        try:
            with self._traces.group(batches) as refused:
                await self._take_in(batches, refused)
        except OwnershipLost:
            self._begin_anew()
            raise

    async def _take_in(self, batches: list[RecordBatch], refused: list[Refusal]) -> None:
        async with self._working:
            began = time.perf_counter()
            await self._catch_up()
            changed: dict[Place, Entry] = {}
            fresh: list[tuple[int, bytes, Delivery]] = []
            by_topic: dict[str, list[RecordBatch]] = {}
            for batch in batches:
                by_topic.setdefault(batch.topic, []).append(batch)
            for topic, some in by_topic.items():
                name, records = topic.removeprefix(self._io.settings.topic("")), Records(some)
                record = "alert" if name == GATHERINGS else KINDS.get(name, "redelivery")
                decoded, bad = self._io.read(record, records)
                refused += bad
                traced = self._traces.passed_on(records)
                for at, row in zip(decoded.rows.tolist(), decoded.frame.iter_rows(named=True), strict=True):
                    if traced is not None and record != "redelivery":
                        self._traces.note(record, row, records.partitions[at], traced.get(at))
                    try:
                        take = self._gather if name == GATHERINGS else self._takes.get(record, self._take)
                        fresh += take(record, row, records, at, changed)
                    except Exception as error:
                        if not is_of_record(error):
                            raise
                        refused += self._io.unprocessable("route", records, [Fault(at, error)])
            if refused:
                await self._io.refuse(refused)
                await self._io.flush()
            if self._gathered:
                gathered, self._gathered = self._gathered, []
                keys = [key_of(row).encode() for _, row in gathered]
                rows = [tuple(row.values()) for _, row in gathered]
                on = self._traces.of([place for place, _ in gathered])
                await self._io.publish(GATHERINGS, "alert", rows, keys, traced=on)
                await self._io.flush()
            await self._store_all(changed, fresh)
            self._io.observe(batches, time.perf_counter() - began)

    def _take(
        self, kind: str, row: dict[str, Any], records: Records, at: int, changed: dict[Place, Entry]
    ) -> list[tuple[int, bytes, Delivery]]:
        partition, key = records.partitions[at], state.key_of(kind, name_of(kind, row))
        is_known = (partition, key) in changed or self._table.get(partition, key) is not None
        if kind == "alert" and not is_known and self._gatherings.are_meant(row):
            self._gathered.append(((partition, key), row))
            return []
        version = state.full_version(self._epoch, row["version"])
        if kind == proposals.KIND:
            row = proposals.thing_of(row, self._actions, records.timestamps[at])
        return self._tell(Told(partition, kind, version, row), records.timestamps[at], changed)

    def _gather(
        self, kind: str, row: dict[str, Any], records: Records, at: int, changed: dict[Place, Entry]
    ) -> list[tuple[int, bytes, Delivery]]:
        """Take in an alert that may become part of an incident."""
        version, published = state.full_version(self._epoch, row["version"]), records.timestamps[at]
        told = [*self._gatherings.offer(records.partitions[at], version, row, self._clock())]
        return [one for each in told for one in self._tell(each, published, changed)]

    def _tell(self, version: Told, published: int, changed: dict[Place, Entry]) -> list[tuple[int, bytes, Delivery]]:
        """Note which targets get a version. published: epoch ms; 0: now."""
        partition, kind, now = version.partition, version.kind, self._clock()
        key = state.key_of(kind, name_of(kind, version.thing))
        entry = changed.get((partition, key)) or self._entry(partition, key)
        before = 0 if entry is None else len(entry.deliveries)
        targets = targets_for(self._book.routes, entry, version, now)
        if targets is None:
            metrics.DELIVERIES_UNROUTED.labels(kind).inc()
            return []
        since = published if published > 0 else now
        entry = with_version(self._book.routes, entry, version, targets, since, now)
        if entry is None:
            return []
        changed[partition, key] = entry
        if proposals.supersede(entry, now):
            self._courier.drop(partition, key)
            before = 0
        return [(partition, key, one) for one in entry.deliveries[before:] if one.status in state.OPEN]

    def _again(
        self, kind: str, row: dict[str, Any], records: Records, at: int, changed: dict[Place, Entry]
    ) -> list[tuple[int, bytes, Delivery]]:
        """Take in requests to send dead deliveries again."""
        partition, key = records.partitions[at], state.key_of(row["kind"], row["thing_id"])
        entry = changed.get((partition, key)) or self._entry(partition, key)
        if entry is None:
            return []
        found = entry.revive(row["target"], row["requested_at"], self._clock())
        if found:
            changed[partition, key] = entry
        return [(partition, key, one) for one in found]

    def _enqueue(self, partition: int, key: bytes, one: Delivery) -> None:
        due = self._clock() if one.status == state.RETRYING else 0
        self._courier.add(one.target, Item(partition, key, one.version, one.since, one.attempts, due))

    # -- sending ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send, and note outcomes, until cancelled."""
        await self._senders.start()
        work = [*map(self._courier.serve, self._courier.lanes), self._note(), self._tick(), self._keep_time()]
        tasks = [asyncio.ensure_future(one) for one in work]
        try:
            await asyncio.gather(*tasks)
        except Exception as error:
            await self._app.crash(error)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._courier.stop()
            await self._senders.stop()

    def _look(self, item: Item, target: str) -> Message | None:
        entry = self._entry(item.partition, item.key)
        one = None if entry is None else entry.of(target, item.version)
        if (
            entry is None
            or one is None
            or one.status not in state.OPEN
            or (self._io.erased.customer_for_ever(entry.customer_id) and not entry.erased)
        ):
            return None
        thing = entry.things[one.version]
        self._writing.check(target, thing, self._clock())
        proposals.check(entry, one, self._clock())
        scheduled.check(thing, self._clock())
        self._traces.begin(item, target)
        link = self._links.of(entry, one, thing, target)
        told = message(entry.kind, entry.id, one.version, thing, one.clear, link, one.level)
        return self._writing.letter(target, told, entry, thing)

    def _done(self, item: Item, target: str, status: str, code: int | None, error: str | None) -> None:
        self._traces.end(item, target, status, code)
        self._outcomes.append((item, target, status, code, error))
        self._settled.set()

    async def _note(self) -> None:
        """Store and publish outcomes: each time all that have accumulated."""
        while True:
            await self._settled.wait()
            await self._in_order(self._note_some)

    async def _note_some(self) -> None:
        self._settled.clear()
        outcomes, self._outcomes = self._outcomes, []
        changed: dict[Place, Entry] = {}
        now = self._clock()
        for item, target, status, code, error in outcomes:
            at = item.partition, item.key
            entry = None if item.dropped else changed.get(at) or self._entry(*at)
            one = None if entry is None else entry.of(target, item.version)
            if entry is not None and one is not None:
                one.changed(status, now, item.attempts, code, error)
                if status == state.DELIVERED:
                    entry.delivered(one)
                entry.at = now
                changed[at] = entry
        await self._store(changed)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self._in_order(self._look_around)
            self._courier.export()

    async def _look_around(self) -> None:
        await self._catch_up()
        if len(self._io.erased) != self._erasures:
            self._erasures = len(self._io.erased)
            erased = self._io.erased.customer_for_ever
            for partition in self._table.partitions_held:
                for key, data in [one for one in self._table.items(partition) if one[0].startswith(KEY)]:
                    self._gatherings.forget(partition, key, data, erased)
            await self._withdraw(erased)
            self._forget(lambda entry: erased(entry.customer_id) and not any(entry.unsent()))
            await self._table.flush()
        await self._gathered_long_enough()
        await self._escalate()
        if time.monotonic() - self._swept > SWEEP_SECONDS:
            self._swept, now = time.monotonic(), self._clock()
            self._forget(lambda entry: entry.is_over(now) or (entry.erased and not any(entry.unsent())))
            await self._table.flush()

    async def _in_order(self, work: Any) -> None:
        """Do some work while no batch is handled; errors are handled as in streams.worker.batching."""
        try:
            async with self._working:
                await work()
        except OwnershipLost as error:
            log.warning("deliveries wait for their partitions: %s", error)
            self._begin_anew()
            await self._app.consumer.rejoin()

    async def _withdraw(self, erased: Callable[[str], bool]) -> None:
        """Tell the targets that an erased customer has left their segments, and has no next actions."""
        now, changed = self._clock(), dict[Place, Entry]()
        for partition in self._table.partitions_held:
            for key, data in self._table.items(partition):
                if key.startswith(REPORTS) and (report := state.decode(data)).blank(now):
                    changed[partition, key] = report
                    self._scheduled.anew()
                if key.startswith(KEPT_BY_TARGETS) and erased((entry := state.decode(data)).customer_id):
                    self._courier.drop(partition, key)
                    entry.withdraw(now)
                    changed[partition, key] = entry
        await self._store(changed)
        for (partition, key), entry in changed.items():
            for one in entry.unsent() if entry.erased else ():
                self._enqueue(partition, key, one)

    async def _keep_time(self) -> None:
        """Tell of what the routes schedule, when it is due."""
        while self._scheduled.has_work:
            await asyncio.sleep(TICK_SECONDS)
            wanted: list[Wanted] = []
            await self._in_order(partial(self._look_what_is_due, wanted))
            if made := await self._scheduled.made(wanted, self._table.partitions_held):
                await self._in_order(partial(self._take_made, made))

    async def _look_what_is_due(self, found: list[Wanted]) -> None:
        await self._catch_up()
        found += self._scheduled.wanted(self._table.partitions_held, self._entry)

    async def _take_made(self, made: list[Made]) -> None:
        await self._catch_up()
        changed: dict[Place, Entry] = {}
        fresh: list[tuple[int, bytes, Delivery]] = []
        for one in made:
            if one.place[0] not in self._table.partitions_held:
                continue
            entry = changed.get(one.place) or self._entry(*one.place)
            before = 0 if entry is None else len(entry.deliveries)
            entry = scheduled.taken(self._book.routes, entry, one, self._clock())
            if entry is not None:
                changed[one.place] = entry
                fresh += [(*one.place, each) for each in entry.deliveries[before:]]
        await self._store_all(changed, fresh)

    async def _gathered_long_enough(self) -> None:
        """Send alerts whose wait is over, and updates of incidents."""
        changed: dict[Place, Entry] = {}
        due = [*self._gatherings.take(self._clock(), lambda version: state.full_version(self._epoch, version))]
        fresh = [one for each in due for one in self._tell(each, 0, changed)]
        await self._store_all(changed, fresh)

    # -- state ------------------------------------------------------------------------------------------------

    async def _store_all(self, changed: Mapping[Place, Entry], fresh: Iterable[tuple[int, bytes, Delivery]]) -> None:
        """Make entries durable, then the gatherings that they came from, and queue the new deliveries."""
        await self._store(changed)
        if self._gatherings.store():
            await self._table.flush()
        for partition, key, one in fresh:
            self._enqueue(partition, key, one)

    def _entry(self, partition: int, key: bytes) -> Entry | None:
        data = self._table.get(partition, key)
        return None if data is None else state.decode(data)

    async def _store(self, changed: Mapping[Place, Entry]) -> None:
        """Make entries durable, publish the status of their deliveries, and forget those that are done and
        published."""
        if not changed:
            return
        for (partition, key), entry in changed.items():
            self._table.put(partition, key, state.encode(entry))
        await self._table.flush()
        traced = self._traces.of_deliveries(changed)
        rows = [delivery_row(entry, one) for entry in changed.values() for one in entry.deliveries]
        await self._io.publish(DELIVERIES, "delivery", rows, [delivery_key(row) for row in rows], traced=traced)
        if lines := guests.sent(self._book.routes, changed.values()):
            await self._io.publish("post-travel", "post_travel", *frame_of("post_travel", lines))
        await self._io.flush()
        for (partition, key), entry in changed.items():
            self._due.note((partition, key), entry)
            entry.settle()
            self._table.put(partition, key, state.encode(entry))  # with the next flush; else it is published again

    async def _catch_up(self) -> None:
        """Bring the lanes up to date with the partitions held."""
        for partition in [one for one, read in self._read.items() if self._table.reading(one) is not read]:
            self._drop(partition)
        left: dict[Place, Entry] = {}
        for partition in sorted(self._table.partitions_held - self._read.keys()):
            self._read[partition] = self._table.reading(partition) or object()
            for key, data in self._table.items(partition):
                if key.startswith(KEY):
                    self._gatherings.read(partition, key, data)
                    continue
                entry = state.decode(data)
                for one in entry.unsent():
                    self._enqueue(partition, key, one)
                self._due.note((partition, key), entry)
                if entry.deliveries:
                    left[partition, key] = entry
        await self._store(left)

    def _begin_anew(self) -> None:
        """Read all states again before anything else is sent: the lanes may have been filled from older ones."""
        for partition in [*self._read]:
            self._drop(partition)

    def _drop(self, partition: int) -> None:
        del self._read[partition]
        self._courier.drop(partition)
        self._due.drop(partition)
        self._gatherings.drop(partition)

    async def _escalate(self) -> None:
        """Take the steps that are due."""
        now = self._clock()
        changed: dict[Place, Entry] = {}
        fresh: list[tuple[int, bytes, Delivery]] = []
        for partition, key in self._due.until(now):
            entry = self._entry(partition, key)
            if entry is None:
                self._due.forget((partition, key))
                continue
            fresh += [(partition, key, one) for one in escalate(entry, now)]
            changed[partition, key] = entry
        if changed:
            with self._traces.escalating([*changed]):
                await self._store_all(changed, fresh)

    def _forget(self, which: Any) -> None:
        for partition in self._table.partitions_held:
            every = self._table.items(partition)
            gone = [key for key, data in every if not key.startswith(KEY) and which(state.decode(data))]
            for key in gone:
                self._table.delete(partition, key)
                self._due.forget((partition, key))
                self._courier.drop(partition, key)
