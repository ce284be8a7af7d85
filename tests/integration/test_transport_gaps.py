"""Offsets that a partition skips for good reasons: transactions, compaction, retention. Apache Kafka only."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from streams.kafka.missed import Missed
from streams.kafka.progress import lags, positions
from tests.integration.test_transport import Seen, numbered
from tests.support.brokers import Broker, until
from tests.support.workers import administering, create_topic, produce, producing, running, worker

pytestmark = pytest.mark.kafka


async def test_aborted_transactions_are_no_input_and_their_marks_no_hole(
    kafka_broker: Broker, topic_prefix: str
) -> None:
    settings = kafka_broker.settings(topic_prefix, max_poll_records=50)
    topic = await create_topic(settings, "in", 1)
    wanted = 0
    async with producing(settings, transactional_id=topic_prefix) as producer:
        for round_ in range(12):
            await producer.begin_transaction()
            for n in range(20):
                value = b"%d" % (wanted + n) if round_ % 3 else b"aborted"
                await producer.send(topic, value, partition=0)
            if round_ % 3:
                await producer.commit_transaction()
                wanted += 20
            else:
                await producer.abort_transaction()
    await produce(settings, topic, 100, wanted)
    seen = Seen()
    app = worker(settings, [topic], seen.handle)
    async with running(app):
        await until(lambda: sum(seen.values.values()) >= wanted + 100 or app.crashed)
        await until(lambda: lags(app) == {(topic, 0): 0})
        async with producing(settings, transactional_id=topic_prefix) as producer, producer.transaction():
            await producer.send(topic, b"%d" % (wanted + 100), partition=0)
        # The last offset is a mark, which nobody delivers: it is read past all the same.
        await until(lambda: sum(seen.values.values()) >= wanted + 101 and lags(app) == {(topic, 0): 0})
        assert not app.crashed
    assert seen.values == numbered(wanted + 101)


async def test_a_compacted_topic_is_read_although_the_settings_do_not_know_it(
    kafka_broker: Broker, topic_prefix: str
) -> None:
    settings = kafka_broker.settings(topic_prefix)
    compaction = {
        "cleanup.policy": "compact",
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.01",
        "max.compaction.lag.ms": "100",
        "delete.retention.ms": "100",
    }
    topic = await create_topic(settings, "in", 1, compaction)
    await produce(settings, topic, 5000)  # 997 keys

    async def compacted() -> bool:
        await produce(settings, topic, 5)  # makes the broker roll its segment
        found = Seen()
        async with running(app := worker(settings, [topic], found.handle, f"look-{len(looks)}")):
            await until(lambda: positions(app) and found.batches and lags(app) == {(topic, 0): 0})
            looks.append(found)
            assert not app.crashed
        return found.offsets(0)[0] > 0 or len(found.offsets(0)) < 3000

    looks: list[Seen] = []
    await until(compacted)
    latest = {key: value for batch in looks[0].batches for key, value in zip(batch.keys, batch.values, strict=True)}
    assert len(latest) == 997
    assert {key for batch in looks[-1].batches for key in batch.keys} == latest.keys()


async def test_records_deleted_by_retention_are_told_and_passed(
    kafka_broker: Broker, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = kafka_broker.settings(topic_prefix)
    topic = await create_topic(settings, "in", 1)
    await produce(settings, topic, 100)
    seen = Seen()
    async with running(app := worker(settings, [topic], seen.handle)):
        await until(lambda: positions(app) == {(topic, 0): 100})
    await produce(settings, topic, 100, 100)
    async with administering(settings) as admin:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=150)})
    async with running(app := worker(settings, [topic], seen.handle)):
        await until(lambda: positions(app) == {(topic, 0): 200})
        assert not app.crashed
        assert app.consumer.missed == [Missed(topic, 0, 100, 150, committed=True)]
    async with running(app := worker(settings, [topic], Seen().handle, "late")):
        await until(lambda: positions(app) == {(topic, 0): 200})
        assert app.consumer.missed == [Missed(topic, 0, 0, 150, committed=False)]
    assert seen.offsets(0) == [*range(100), *range(150, 200)]
    assert f"{topic}[0]: offsets 0 to 149 were deleted, and late has no commit" in caplog.text
    assert f"{topic}[0]: offsets 100 to 149 were deleted by retention before w read them" in caplog.text
