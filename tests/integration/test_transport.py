"""Batches through Faust: order, commits that follow acks, rebalances, nothing lost on the way. On every broker."""

from __future__ import annotations

import asyncio
import collections
from typing import Any

import pytest
from faust.types import TP

from streams.kafka.app import QUEUED_BATCHES, build
from streams.kafka.gaps import GapError
from streams.kafka.ownership import OwnershipLost, still_owner
from streams.kafka.progress import RecordBatch, lags, positions
from streams.kafka.record_batch import RecordColumns
from streams.worker import batching
from tests.support.brokers import Broker, until
from tests.support.workers import committed, create_topic, produce, running, worker

EVENTS = 6000


class Seen:
    """What a handler was given."""

    def __init__(self) -> None:
        self.batches: list[RecordBatch] = []
        self.values: collections.Counter[bytes] = collections.Counter()

    async def handle(self, batch: RecordBatch) -> None:
        """Note a batch."""
        self.batches.append(batch)
        self.values.update(batch.values)

    def offsets(self, partition: int) -> list[int]:
        """Offsets of a partition, in the order in which they came."""
        return [offset for batch in self.batches if batch.partition == partition for offset in batch.offsets]


def numbered(count: int, first: int = 0) -> collections.Counter[bytes]:
    """What `produce` sends."""
    return collections.Counter(b"%d" % n for n in range(first, first + count))


async def test_batches_are_whole_in_order_and_committed_when_acked(any_broker: Broker, topic_prefix: str) -> None:
    settings = any_broker.settings(topic_prefix, sole=True, max_poll_records=700)
    topic = await create_topic(settings, "in")
    ends = await produce(settings, topic, EVENTS)
    seen = Seen()
    async with running(worker(settings, [topic], seen.handle)) as app:
        await until(lambda: sum(seen.values.values()) >= EVENTS)
        await until(lambda: positions(app) == {(topic, p): end for p, end in ends.items()})
        await until(lambda: lags(app) == {(topic, p): 0 for p in ends})
    assert seen.values == numbered(EVENTS)
    for partition, end in ends.items():
        assert seen.offsets(partition) == list(range(end))
    assert max(map(len, seen.batches)) <= 700
    assert await committed(settings, f"{topic_prefix}-w", topic) == ends

    again = Seen()
    async with running(worker(settings, [topic], again.handle)):
        await produce(settings, topic, 10, EVENTS)
        await until(lambda: sum(again.values.values()) >= 10)
    assert again.values == numbered(10, EVENTS)


async def test_what_is_acked_last_is_committed_without_waiting_for_the_interval(
    any_broker: Broker, topic_prefix: str
) -> None:
    settings = any_broker.settings(topic_prefix, sole=True)
    topic = await create_topic(settings, "in", 1)
    seen = Seen()
    finish = asyncio.Event()

    async def handle(batch: RecordBatch) -> None:
        await seen.handle(batch)
        await finish.wait()

    app = worker(settings, [topic], handle)
    app.conf.broker_commit_interval = 3600.0
    calls: list[dict[TP, int]] = []
    async with running(app):
        commit = app.consumer._commit

        async def counted(offsets: dict[TP, int]) -> bool:
            calls.append(offsets)
            return bool(await commit(offsets))

        app.consumer._commit = counted
        # Nothing to commit yet, and that is known: what comes now is not held up by it.
        await until(lambda: app.consumer.progress and not app.consumer._to_commit.is_set())
        ends = await produce(settings, topic, 1)
        await until(lambda: seen.batches)
        assert not calls  # there is something in progress, and nothing acked
        finish.set()

        async def all_committed() -> bool:
            return await committed(settings, f"{topic_prefix}-w", topic, 1) == ends

        await until(all_committed)
        assert len(calls) == 1
        assert not app.crashed


async def test_a_batch_that_fails_stops_the_worker_and_stays_uncommitted(any_broker: Broker, topic_prefix: str) -> None:
    settings = any_broker.settings(topic_prefix, sole=True, max_poll_records=500)
    topic = await create_topic(settings, "in", 1)
    await produce(settings, topic, EVENTS)
    seen = Seen()

    async def fail_at_third(batch: RecordBatch) -> None:
        if len(seen.batches) == 2:
            raise ArithmeticError("no more")
        await seen.handle(batch)

    app = worker(settings, [topic], fail_at_third)
    async with running(app):
        await until(lambda: app.crashed)
    assert isinstance(app.crash_reason, ArithmeticError)
    done = seen.batches[-1].next_offset
    # What was acked need not be committed by a worker that crashes, but nothing beyond it may be.
    assert (await committed(settings, f"{topic_prefix}-w", topic, 1)).get(0, 0) <= done

    again = Seen()
    async with running(worker(settings, [topic], again.handle)):
        await until(lambda: (seen.values + again.values).keys() == numbered(EVENTS).keys())
    assert again.batches[0].first_offset <= done


async def test_workers_that_join_and_leave_share_every_record_once(any_broker: Broker, topic_prefix: str) -> None:
    settings = any_broker.settings(topic_prefix, max_poll_records=100)
    topic = await create_topic(settings, "in", 4)
    await produce(settings, topic, EVENTS)
    one, two = Seen(), Seen()

    async def slowly(batch: RecordBatch) -> None:
        await asyncio.sleep(0.05)
        await one.handle(batch)

    first = worker(settings, [topic], slowly)
    async with running(first):
        await until(lambda: one.batches)
        async with running(worker(settings, [topic], two.handle)):
            await until(lambda: len(positions(first)) == 2)
            await produce(settings, topic, EVENTS, EVENTS)
            await until(lambda: two.batches)
        await until(lambda: len(positions(first)) == 4)
        await until(lambda: sum((one.values + two.values).values()) >= 2 * EVENTS)
    assert one.values + two.values == numbered(2 * EVENTS)


async def test_what_is_lost_between_fetch_and_delivery_is_read_again(any_broker: Broker, topic_prefix: str) -> None:
    settings = any_broker.settings(topic_prefix, sole=True, max_poll_records=300)
    topic = await create_topic(settings, "in")
    await produce(settings, topic, EVENTS)
    seen = Seen()
    app = worker(settings, [topic], seen.handle)
    fetches = 0
    getmany = app.consumer._getmany

    async def losing(*args: Any) -> Any:
        nonlocal fetches
        fetches += 1
        found = await getmany(*args)
        return {} if fetches % 3 == 0 else found

    app.consumer._getmany = losing
    async with running(app):
        await until(lambda: sum(seen.values.values()) >= EVENTS)
        assert not app.crashed
    assert fetches > 10
    assert seen.values == numbered(EVENTS)
    for partition in range(2):
        assert seen.offsets(partition) == sorted(seen.offsets(partition))


@pytest.mark.parametrize("position", ["inside", "before"])
async def test_a_hole_that_nothing_explains_stops_the_worker(
    any_broker: Broker, topic_prefix: str, position: str
) -> None:
    settings = any_broker.settings(topic_prefix, sole=True, max_poll_records=300)
    topic = await create_topic(settings, "in", 1)
    await produce(settings, topic, EVENTS)
    seen = Seen()
    app = worker(settings, [topic], seen.handle)
    getmany = app.consumer._getmany

    missed = range(1000, 1001) if position == "inside" else range(900, 1000)

    def without(chunk: RecordColumns) -> RecordColumns:
        return chunk.take([at for at, offset in enumerate(chunk.offsets) if offset not in missed])

    async def missing(*args: Any) -> Any:
        found = {tp: without(chunk) for tp, chunk in (await getmany(*args)).items()}
        return {tp: chunk for tp, chunk in found.items() if chunk}

    app.consumer._getmany = missing
    async with running(app):
        await until(lambda: app.crashed)
    error = app.crash_reason
    assert isinstance(error, GapError)
    assert (error.topic, error.partition) == (topic, 0)
    assert (error.expected, error.got) == ((1000, 1001) if position == "inside" else (900, 1000))
    assert (await committed(settings, f"{topic_prefix}-w", topic, 1)).get(0, 0) <= error.expected


async def test_a_worker_that_has_not_been_heard_for_a_session_is_no_owner(
    any_broker: Broker, topic_prefix: str
) -> None:
    settings = any_broker.settings(topic_prefix)
    topic = await create_topic(settings, "in", 1)
    app = worker(settings, [topic], Seen().handle)
    async with running(app):
        await until(lambda: positions(app))
        generation = app.consumer.generation
        assert still_owner(app, (topic, 0), generation)
        assert not still_owner(app, (topic, 1), generation)
        assert not still_owner(app, (topic, 0), generation - 1)
        thread = app.consumer._thread
        last, thread.heartbeat_at = thread.heartbeat_at, -1e9
        assert not still_owner(app, (topic, 0), generation)
        await until(lambda: thread.heartbeat_at > last)
        assert still_owner(app, (topic, 0), generation)
        app.consumer.revoking_since = -1e9
        assert not still_owner(app, (topic, 0), generation)
    assert not still_owner(app, (topic, 0), generation)


async def test_a_slow_handler_holds_the_reading_back(any_broker: Broker, topic_prefix: str) -> None:
    settings = any_broker.settings(topic_prefix, sole=True, max_poll_records=100)
    topic = await create_topic(settings, "in", 4)
    await produce(settings, topic, 20_000)
    seen, go_on = Seen(), asyncio.Event()

    async def wait(batch: RecordBatch) -> None:
        await go_on.wait()
        await seen.handle(batch)

    async with running(app := worker(settings, [topic], wait)):
        await until(lambda: sum(found.outstanding for found in app.consumer.progress.values()) >= 2)
        before = -1
        while before != (now := sum(found.outstanding for found in app.consumer.progress.values())):
            before = now
            await asyncio.sleep(1.0)
        assert 2 <= now <= QUEUED_BATCHES + 4 + 1  # in the queue, one more of each partition, one in the handler
        go_on.set()
        await until(lambda: sum(seen.values.values()) >= 20_000)
    assert seen.values == numbered(20_000)


async def test_groups_of_batches_are_acked_together_and_given_up_together(
    any_broker: Broker, topic_prefix: str
) -> None:
    settings = any_broker.settings(topic_prefix, sole=True, max_poll_records=100)
    topic = await create_topic(settings, "in")
    ends = await produce(settings, topic, EVENTS)
    groups: list[list[RecordBatch]] = []
    seen = Seen()
    app = build(settings, "w")

    async def handle(batches: list[RecordBatch]) -> None:
        groups.append(batches)
        if len(groups) == 1:  # meanwhile others come, which are then handled together
            await until(lambda: sum(found.outstanding for found in app.consumer.progress.values()) >= 4)
        if len(groups) == 3:
            raise OwnershipLost("for a test")
        for batch in batches:
            await seen.handle(batch)

    @app.agent(app.topic(topic))
    async def agent(stream: Any) -> None:
        await batching.consume_groups(stream, handle, max_records=300, max_bytes=1 << 20, linger=0.0)

    async with running(app):
        await until(lambda: positions(app) == {(topic, p): end for p, end in ends.items()})
        assert not app.crashed
    assert seen.values.keys() == numbered(EVENTS).keys()
    assert max(map(len, groups)) > 1
    assert max(sum(map(len, group)) for group in groups) < 300 + 100
    assert all(len({batch.generation for batch in group}) == 1 for group in groups)
    # What was given up comes again, in the next generation; with it what had been read behind it.
    for lost in groups[2]:
        again = [offset for batch in seen.batches if batch.generation > lost.generation
                 and batch.partition == lost.partition for offset in batch.offsets]  # fmt: skip
        assert again == list(range(again[0], ends[lost.partition]))
        assert again[0] <= lost.first_offset
    assert await committed(settings, f"{topic_prefix}-w", topic) == ends
