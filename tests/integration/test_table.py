"""A table whose changelog goes out in batches: what is flushed is recovered exactly. On every broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from streams.kafka import progress
from streams.kafka.app import App, build
from streams.kafka.batch_producer import Output
from streams.kafka.changelog import BARRIER, FENCING_EPOCH, RecoveryError
from streams.kafka.changelog_table import BatchTable
from streams.kafka.ownership import OwnershipLost
from streams.settings import Settings
from streams.worker import batching
from tests.faults.trial import read_all
from tests.support.brokers import Broker, until
from tests.support.workers import create_topic, produce, running

PARTITIONS = 2
MOVING = 0  # the partition that Faust's assignor gives to a second worker


async def noted(batch: progress.RecordBatch) -> None:
    """A handler that does nothing."""


async def table_of(settings: Settings, handle: Any = noted, **options: Any) -> tuple[App, BatchTable]:
    """An app that reads the topic "in", and its table."""
    app = build(settings, "w")
    options.setdefault("partitions", PARTITIONS)
    table = BatchTable(app, "state", **options)

    @app.agent(app.topic(settings.topic("in")))
    async def agent(stream: Any) -> None:
        await batching.consume(stream, handle)

    return app, table


def ready(app: App, table: BatchTable) -> Callable[[], bool]:
    """Whether a table holds all partitions and the input is being read."""
    return lambda: len(table.partitions_held) == PARTITIONS == len(progress.positions(app))


def contents(table: BatchTable) -> dict[int, dict[bytes, bytes]]:
    """Everything that a table holds."""
    return {partition: dict(table.items(partition)) for partition in sorted(table.partitions_held)}


async def test_what_is_flushed_is_recovered_and_what_is_not_is_not(any_broker: Broker, topic_prefix: str) -> None:
    settings = any_broker.settings(topic_prefix, sole=True)
    await create_topic(settings, "in", PARTITIONS)
    app, table = await table_of(settings)
    async with running(app):
        await until(ready(app, table))
        assert contents(table) == {0: {}, 1: {}}
        for n in range(5000):
            table.put(n % 2, b"k%d" % n, b"old %d" % n)
        await table.flush()
        for n in range(0, 5000, 10):
            table.put(n % 2, b"k%d" % n, b"new %d" % n)
            table.delete((n + 1) % 2, b"k%d" % (n + 1))
        table.put(0, b"empty", b"")
        await table.flush()
        await table.flush()
        wanted = contents(table)
        assert table.get(0, b"k0") == b"new 0"
        assert table.get(1, b"k1") is None
        table.put(0, b"never flushed", b"x")
    app, table = await table_of(settings)
    async with running(app):
        await until(ready(app, table))
        assert contents(table) == wanted
        assert table.recovered_keys == sum(map(len, wanted.values())) == 4501
        assert table.count(0) == len(wanted[0])


async def test_a_partition_not_held_is_not_answered_for(memory_broker: Broker, topic_prefix: str) -> None:
    settings = memory_broker.settings(topic_prefix)
    await create_topic(settings, "in", PARTITIONS)
    app, table = await table_of(settings)
    uses = (
        lambda: table.get(0, b"k"),
        lambda: table.put(0, b"k", b"v"),
        lambda: table.delete(0, b"k"),
        lambda: table.items(0),
    )
    for use in uses:
        with pytest.raises(OwnershipLost):
            use()
    async with running(app):
        await until(ready(app, table))
        for use in uses:
            use()
        with pytest.raises(OwnershipLost):
            table.get(PARTITIONS, b"k")


async def test_an_owner_who_may_have_lost_a_partition_writes_nothing_and_recovers(
    any_broker: Broker, topic_prefix: str
) -> None:
    settings = any_broker.settings(topic_prefix, sole=True)
    topic = await create_topic(settings, "in", PARTITIONS)
    handled: list[progress.RecordBatch] = []

    async def handle(batch: progress.RecordBatch) -> None:
        """Count the records of each batch; at the first, as if frozen for longer than a session meanwhile."""
        count = int(table.get(batch.partition, b"count") or b"0")
        table.put(batch.partition, b"count", b"%d" % (count + len(batch)))
        if not handled:
            app.consumer._thread.heartbeat_at = -1e9
        handled.append(batch)
        await table.flush()

    app, table = await table_of(settings, handle)
    async with running(app):
        await until(ready(app, table))
        ends = await produce(settings, topic, 1000)
        await until(lambda: progress.positions(app) == {(topic, p): end for p, end in ends.items()})
        await until(ready(app, table))
        assert {p: int(table.get(p, b"count") or b"0") for p in ends} == ends
        assert not app.crashed
        assert sum(map(len, handled)) > 1000  # the first batch came again


async def test_nothing_is_delivered_before_faust_has_emptied_its_queues(
    any_broker: Broker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = any_broker.settings(topic_prefix, sole=True)
    topic = await create_topic(settings, "in", PARTITIONS)
    sought = asyncio.Event()
    ends: dict[int, int] = {}

    async def handle(batch: progress.RecordBatch) -> None:
        """Let the second batch wait in the queue while the first is handled."""
        await sought.wait()

    async def slow_seek() -> None:
        ends.update(await produce(settings, topic, 1000))
        await seek()
        for _ in range(50):  # time enough to fetch: Faust is slow to go on from here to emptying the queues
            await asyncio.sleep(0.02)
        empty = app.flow_control.clear
        monkeypatch.setattr(app.flow_control, "clear", lambda: (empty(), sought.set()))

    app, table = await table_of(settings, handle)
    async with running(app):
        await until(ready(app, table))
        seek = app.consumer.perform_seek
        monkeypatch.setattr(app.consumer, "perform_seek", slow_seek)
        await app.consumer.rejoin()
        await until(sought.is_set)
        await until(lambda: progress.positions(app) == {(topic, p): end for p, end in ends.items()})


async def test_a_batch_that_outlasts_a_rebalance_changes_nothing(any_broker: Broker, topic_prefix: str) -> None:
    settings = any_broker.settings(topic_prefix)
    topic = await create_topic(settings, "in", PARTITIONS)
    begun, go_on = asyncio.Event(), asyncio.Event()

    def counting(table_of_app: Callable[[], BatchTable], pauses: bool) -> Any:
        async def handle(batch: progress.RecordBatch) -> None:
            """Count each offset of a partition once."""
            table = table_of_app()
            applied, count = map(int, (table.get(batch.partition, b"count") or b"-1 0").split())
            if pauses and batch.partition == MOVING and not begun.is_set():
                begun.set()
                await go_on.wait()
            new = [offset for offset in batch.offsets if offset > applied]
            if new:
                table.put(batch.partition, b"count", b"%d %d" % (new[-1], count + len(new)))
            await table.flush()

        return handle

    one_app, one = await table_of(settings, counting(lambda: one, True))
    one_app.conf.broker_rebalance_timeout = 4.0  # a batch in progress is waited for half of it
    async with running(one_app):
        await until(ready(one_app, one))
        ends = await produce(settings, topic, 500)
        await begun.wait()
        two_app, two = await table_of(settings, counting(lambda: two, False))
        async with running(two_app):
            await until(lambda: len(two.partitions_held) == 1 == len(one.partitions_held))
            ends |= await produce(settings, topic, 500, 500)
            assert two.partitions_held == {MOVING}
            await until(lambda: progress.positions(two_app) == {(topic, MOVING): ends[MOVING]})
        # Everything comes back to the first worker, which still has the state of before in its hands.
        await until(ready(one_app, one))
        go_on.set()
        await until(lambda: progress.positions(one_app) == {(topic, p): end for p, end in ends.items()})
        assert not one_app.crashed
        assert {p: int(state[b"count"].split()[1]) for p, state in contents(one).items()} == ends


async def test_what_a_former_owner_writes_late_is_not_recovered(any_broker: Broker, topic_prefix: str) -> None:
    settings = any_broker.settings(topic_prefix, sole=True)
    await create_topic(settings, "in", PARTITIONS)
    app, table = await table_of(settings)
    async with running(app):
        await until(ready(app, table))
        table.put(0, b"a", b"1")
        table.put(0, b"b", b"1")
        await table.flush()
        former = table._held[0].fencing_epoch
    app, table = await table_of(settings)
    async with running(app):
        await until(ready(app, table))
        table.put(0, b"a", b"2")
        await table.flush()
        # The former owner wakes up: its changes were on their way to the broker when it was frozen.
        late = Output(app, table.changelog_topic_name)
        stale = FENCING_EPOCH.pack(former)
        await late.send([b"a", b"b"], [stale + b"late", None], None, [0, 0], headers=[("term", stale)])
        await late.flush()
    app, table = await table_of(settings)
    async with running(app):
        await until(ready(app, table))
        assert contents(table)[0] == {b"a": b"2", b"b": b"1"}
    # What was skipped is written again, after the late records: now compaction keeps the right ones.
    latest = {record.key: record.value for record in await read_all(settings, table.changelog_topic_name)}
    assert latest[b"a"][FENCING_EPOCH.size :] == b"2"
    assert latest[b"b"][FENCING_EPOCH.size :] == b"1"


async def test_what_a_former_owner_writes_late_is_written_over(any_broker: Broker, topic_prefix: str) -> None:
    settings = any_broker.settings(topic_prefix, sole=True)
    await create_topic(settings, "in", PARTITIONS)
    app, table = await table_of(settings)
    async with running(app):
        await until(ready(app, table))
        former = table._held[0].fencing_epoch
        generation = app.consumer.generation
        table.put(0, b"a", b"1")
        await table.flush()
        await app.consumer.rejoin()
        await until(lambda: app.consumer.generation > generation and ready(app, table)())
        late = Output(app, table.changelog_topic_name)
        stale = FENCING_EPOCH.pack(former)
        await late.send([b"a", b"c"], [stale + b"late", stale + b"late"], None, [0, 0])
        await late.flush()
        generation = app.consumer.generation
        table.put(0, b"b", b"2")
        with pytest.raises(OwnershipLost):  # its offset tells that somebody else has written
            await table.flush()
        assert 0 not in table.partitions_held
        await until(lambda: app.consumer.generation > generation and ready(app, table)())
        assert contents(table)[0] == {b"a": b"1", b"b": b"2"}
        assert not app.crashed
    latest = {record.key: record.value for record in await read_all(settings, table.changelog_topic_name)}
    assert (latest[b"a"][FENCING_EPOCH.size :], latest[b"b"][FENCING_EPOCH.size :], latest[b"c"]) == (b"1", b"2", None)


async def test_a_former_owner_who_writes_late_learns_of_it_before_it_publishes(
    any_broker: Broker, topic_prefix: str
) -> None:
    settings = any_broker.settings(topic_prefix, sole=True)
    await create_topic(settings, "in", PARTITIONS)
    app, table = await table_of(settings)
    async with running(app):
        await until(ready(app, table))
        generation, held = app.consumer.generation, table._held[0]
        new_owner = Output(app, table.changelog_topic_name)
        await new_owner.send([BARRIER], [b"the new owner"], None, [0])
        await new_owner.flush()
        fencing_epoch = FENCING_EPOCH.pack(new_owner.acknowledged[0] - 1)
        await new_owner.send([b"a"], [fencing_epoch + b"2"], None, [0])
        await new_owner.flush()
        table.put(0, b"a", b"1")
        with pytest.raises(OwnershipLost):
            await table.flush()
        await until(lambda: app.consumer.generation > generation and ready(app, table)())
        assert table._held[0] is not held
        assert contents(table)[0] == {b"a": b"2"}
        assert not app.crashed


async def test_a_key_written_twice_is_merged_on_recovery(any_broker: Broker, topic_prefix: str) -> None:
    def larger(old: bytes, new: bytes) -> bytes:
        return max(old, new)

    settings = any_broker.settings(topic_prefix, sole=True)
    await create_topic(settings, "in", PARTITIONS)
    app, table = await table_of(settings, merge=larger)
    async with running(app):
        await until(ready(app, table))
        for value in (b"3", b"9", b"5"):
            table.put(0, b"k", value)
            await table.flush()
        assert table.get(0, b"k") == b"5"
    app, table = await table_of(settings, merge=larger)
    async with running(app):
        await until(ready(app, table))
        assert table.get(0, b"k") == b"9"


async def test_a_partition_that_stays_is_not_read_again_and_one_that_goes_is_dropped(
    any_broker: Broker, topic_prefix: str
) -> None:
    settings = any_broker.settings(topic_prefix)
    await create_topic(settings, "in", PARTITIONS)
    one_app, one = await table_of(settings)
    async with running(one_app):
        await until(ready(one_app, one))
        for n in range(1000):
            one.put(n % 2, b"k%d" % n, b"v")
        await one.flush()
        before = contents(one)
        two_app, two = await table_of(settings)
        async with running(two_app):
            await until(lambda: len(one.partitions_held) == len(two.partitions_held) == 1)
            assert {**contents(one), **contents(two)} == before
            assert one.recovered_records == 0
            (moved,) = two.partitions_held
            two.put(moved, b"from two", b"v")
            await two.flush()
            before[moved][b"from two"] = b"v"
        await until(ready(one_app, one))
        assert contents(one) == before


async def test_a_changelog_of_other_partitions_stops_the_worker(any_broker: Broker, topic_prefix: str) -> None:
    settings = any_broker.settings(topic_prefix, sole=True)
    await create_topic(settings, "in", PARTITIONS)
    app, table = await table_of(settings)
    async with running(app):
        await until(ready(app, table))
    app, table = await table_of(settings, partitions=PARTITIONS + 1)
    async with running(app):
        await until(lambda: app.crashed)
    assert isinstance(app.crash_reason, RecoveryError)
    assert "has 2 partitions, its input 3" in str(app.crash_reason)


async def test_large_values_and_many_records_come_back(any_broker: Broker, topic_prefix: str) -> None:
    settings = any_broker.settings(topic_prefix, sole=True)
    await create_topic(settings, "in", PARTITIONS)
    app, table = await table_of(settings)
    async with running(app):
        await until(ready(app, table))
        table.put(0, b"large", b"x" * 3_000_000)
        for n in range(100_000):
            table.put(n % 2, b"k%d" % n, b"v" * 50)
        await table.flush()
        wanted = contents(table)
    app, table = await table_of(settings)
    async with running(app):
        await until(ready(app, table))
        assert contents(table) == wanted
    barriers = [r for r in await read_all(settings, table.changelog_topic_name) if r.key == BARRIER]
    assert len(barriers) == 2 * PARTITIONS
