"""What ClickHouse holds, back into empty topics: every interaction once, as it was, and the links that follow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import polars as pl
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from polars.testing import assert_frame_equal

from schemas.decode import BatchDecoder
from schemas.registry import LocalRegistry
from sinks.clickhouse import models
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.stored import interactions
from sinks.clickhouse.tables import TABLES
from sinks.clickhouse.writer import Writer
from streams.errors import RihlaError
from streams.kafka.batch_producer import RAISED, RESTORED
from streams.kafka.layout import LayoutError, misfit
from streams.kafka.partitioner import partitions_of
from streams.kafka.topics import ensure_topics, layout_of
from streams.model.company import built_in
from streams.model.subjects import LINK_SCHEMA, subjects_and_links
from streams.repartition import groups
from streams.restore import events as restore
from streams.restore.events import largest_epoch
from streams.restore.rebuild import rebuild
from streams.restore.topics import restore_anew
from streams.settings import Settings
from streams.sources import jsonl
from streams.sources.feeder import producing
from streams.sources.simulate import Options, write
from streams.worker import process
from tests.support.brokers import Broker
from tests.support.by_columns import Enricher
from tests.support.clickhouse import ClickHouse
from tests.support.waiting import HUNG
from tests.support.workers import administering

KEY = ["subject", "event_id"]
NOW = 1_900_000_000_000  # later than anything simulated, epoch milliseconds
EPOCH = 3
Record = tuple[int, bytes, bytes, dict[str, bytes]]
"""Partition, key, value, headers."""


@pytest.fixture(scope="module")
def enriched(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Simulated interactions of every kind, as enrich writes them, duplicates included."""
    events = tmp_path_factory.mktemp("simulated") / "events.jsonl"
    write(Options(customers=150, duplicates=0.05, seed=5), events)
    enricher = Enricher()
    batches = jsonl.read(str(events), batch_size=2000)
    return pl.concat(enricher.enrich({batch.channel: batch.frame}, NOW).interactions for batch in batches)


@pytest.fixture
def stored(clickhouse: ClickHouse, enriched: pl.DataFrame) -> Iterator[ClickHouse]:
    """A database that holds them, in several parts, some rows several times and in an earlier epoch, too."""
    migrate(clickhouse.client, clickhouse.database)
    writer = Writer(clickhouse.connect, TABLES["interactions"])

    async def fill() -> None:
        await writer.write(enriched.head(300), EPOCH - 1)
        await writer.write(enriched.head(enriched.height // 2), EPOCH)
        await writer.write(enriched.tail(enriched.height - enriched.height // 2), EPOCH)

    asyncio.run(fill())
    yield clickhouse
    writer.close()


def as_stored(frame: pl.DataFrame) -> pl.DataFrame:
    """Each event once, sorted; attributes sorted by key, since the database keeps them as a map."""
    attributes = pl.col("attributes").list.sort()
    return frame.unique(KEY, keep="first").sort(KEY).with_columns(attributes)


@pytest.mark.parametrize("chunk", [100, 1_000_000])
def test_interactions_come_back_as_they_were_each_once(stored: ClickHouse, enriched: pl.DataFrame, chunk: int) -> None:
    frames = list(interactions(stored.client, chunk))
    assert max(frame.height for frame in frames) <= chunk
    assert_frame_equal(as_stored(pl.concat(frames)), as_stored(enriched))
    assert sum(frame.height for frame in frames) == enriched.n_unique(KEY)


def test_the_largest_epoch_is_that_of_any_table(stored: ClickHouse, clickhouse: ClickHouse) -> None:
    assert largest_epoch(stored.client) == EPOCH
    stored.client.command(
        f"INSERT INTO cases_store (case_id, version) VALUES ('C1', bitShiftLeft(toUInt64({9}), 44) + 5)"
    )
    assert largest_epoch(stored.client) == 9


def test_nothing_stored_has_no_epoch(clickhouse: ClickHouse) -> None:
    migrate(clickhouse.client, clickhouse.database)
    assert largest_epoch(clickhouse.client) is None
    assert list(interactions(clickhouse.client)) == []


def test_topics_are_filled_by_key_and_with_the_links(
    stored: ClickHouse, enriched: pl.DataFrame, broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = broker.settings(topic_prefix)
    told: list[int] = []

    async def main() -> tuple[restore.Restored, dict[str, list[Record]]]:
        await ensure_topics(settings)
        async with producing(settings) as producer:
            sent = await restore.restore(stored.client, producer, settings, LocalRegistry(), told.append)
        return sent, await records(settings, sent)

    sent, found = asyncio.run(main())
    assert sent.events == enriched.n_unique(KEY)
    assert told[-1] == sent.events
    restored = decoded("interaction", found[settings.topic("interactions")])
    assert_frame_equal(as_stored(restored), as_stored(enriched))
    links = decoded("link", found[settings.topic("links")])
    pairs = ["subject", "identifier"]
    expected = subjects_and_links(enriched)[1]
    assert_frame_equal(
        links.group_by(pairs).agg(pl.col("occurred_at").min()).select(LINK_SCHEMA.keys()).sort(pairs),
        expected.group_by(pairs).agg(pl.col("occurred_at").min()).select(LINK_SCHEMA.keys()).sort(pairs),
    )
    for partition, key, _, _ in found[settings.topic("interactions")]:
        assert partition == partitions_of([key], settings.partitions)[0]


def test_what_is_open_of_the_alerts_goes_with_the_events_that_they_tell_of(
    stored: ClickHouse, enriched: pl.DataFrame, embedded_broker: Broker, topic_prefix: str
) -> None:
    settings = embedded_broker.settings(topic_prefix)
    opened, closed, old = enriched["event_id"].unique(maintain_order=True).to_list()[:3]
    stored.client.command(
        "INSERT INTO alerts_store "
        "(alert_id, rule, event_id, reason, occurred_at, raised_at, closed_at, version) VALUES "
        f"('a', 'detractor', '{opened}', 'was 3', now64(3), '2026-01-02 03:04:05.678', NULL, 1), "
        f"('b', 'halal_breach', '{opened}', 'no meal', now64(3), '2026-01-02 03:04:06.000', NULL, 1), "
        f"('c', 'detractor', '{closed}', 'was 2', now64(3), now64(3), now64(3), 1), "
        f"('d', 'detractor', '{old}', 'was 1', '2001-01-01 00:00:00.000', now64(3), NULL, 1)"
    )

    async def main() -> dict[str, dict[str, bytes]]:
        await ensure_topics(settings)
        async with producing(settings) as producer:
            sent = await restore.restore(stored.client, producer, settings, LocalRegistry(), lambda count: None)
        found = (await records(settings, sent))[settings.topic("interactions")]
        events = decoded("interaction", found)["event_id"].to_list()
        return {event: headers for event, (*_, headers) in zip(events, found, strict=True)}

    headers = asyncio.run(main())
    assert headers.keys() == {*enriched["event_id"]}
    assert {event for event, said in headers.items() if RAISED in said} == {opened}
    assert msgspec.json.decode(headers[opened][RAISED]) == {
        "detractor": [1767323045678, "was 3"],
        "halal_breach": [1767323046000, "no meal"],
    }
    assert all(RESTORED in said.items() for said in headers.values())


async def records(settings: Settings, sent: restore.Restored) -> dict[str, list[Record]]:
    """Topic: every record up to the offsets that were acknowledged."""
    ends = {
        TopicPartition(topic, partition): end
        for topic, partitions in sent.acknowledged.items()
        for partition, end in partitions.items()
    }
    found: dict[str, list[Record]] = {topic: [] for topic in sent.acknowledged}
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.broker_list, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(list(ends))
        await consumer.seek_to_beginning()
        async with asyncio.timeout(HUNG):
            while sum(map(len, found.values())) < sum(ends.values()):
                for tp, batch in (await consumer.getmany(timeout_ms=1000)).items():
                    found[tp.topic] += [(tp.partition, r.key, r.value, dict(r.headers)) for r in batch]
    finally:
        await consumer.stop()
    return found


def decoded(name: str, values: list[Record]) -> pl.DataFrame:
    result = BatchDecoder(name, LocalRegistry()).decode([value for _, _, value, _ in values])
    assert result.errors == []
    return result.frame


async def test_a_cluster_is_rebuilt_by_another_model(
    stored: ClickHouse, enriched: pl.DataFrame, kafka_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    head = "name,channel,milestone,prior,effort,case_role,aspect,doc"
    (tmp_path / "touchpoints.csv").write_text(f"{head}\ncheck_in.queue_waited,check_in,,-0.9,4,,,Queue\n", "utf-8")
    settings = kafka_broker.settings(topic_prefix, model=str(tmp_path))
    models.record(stored.client, built_in(), NOW, EPOCH)
    stored.client.command("INSERT INTO identities_store (kind, value, version) VALUES ('device', 'gone', 1)")
    sent, epoch = await restore_anew(stored.client, settings, lambda events: None)
    with pytest.raises(RihlaError, match=f"has not stored {sent:,} interactions"):
        await rebuild(stored.client, settings, lambda events: None)
    topic, group = settings.topic("interactions"), settings.group("sink")
    async with administering(settings) as admin:
        partitions = len((await admin.describe_topics([topic]))[0]["partitions"])
    await groups.commit(settings, {group: {topic: dict.fromkeys(range(partitions), sent)}})  # as if all were stored
    told: list[int] = []
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "touchpoints.csv").write_text(f"{head}\nstay.arrived,stay,no_such_milestone,,,,,\n", "utf-8")
    with pytest.raises(RihlaError, match=r"touchpoints\.csv"):
        await rebuild(stored.client, replace(settings, model=str(broken)), told.append)

    def dies(events: int) -> None:
        """Looks at what is kept away while a rebuild is under way; then the command dies."""
        with pytest.raises(RihlaError, match="a rebuild was begun and is not finished"):
            asyncio.run(rebuild(stored.client, settings, told.append))
        with pytest.raises(LayoutError, match="a rebuild was begun and is not finished"):
            process.run("sink", settings, "127.0.0.1", 0)
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        await rebuild(stored.client, settings, dies)
    with pytest.raises(RihlaError, match="a rebuild was begun and is not finished"):
        await rebuild(stored.client, settings, told.append)
    # How many partitions there are the topics say, not who rebuilds.
    done = await rebuild(stored.client, replace(settings, partitions=partitions + 3), told.append, again=True)
    assert misfit(await layout_of(settings), settings) is None
    assert (await layout_of(settings))[topic] == partitions
    assert done.events == done.rewritten.events == sent == told[-1]
    assert done.epoch > epoch
    async with administering(settings) as admin:
        commits = await groups.commits(admin, [topic])
    assert commits[group][topic] == dict.fromkeys(range(partitions), 0)
    places = [TopicPartition(topic, number) for number in range(partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.broker_list)
    await consumer.start()
    ends = {topic: {place.partition: end for place, end in (await consumer.end_offsets(places)).items()}}
    await consumer.stop()
    found = decoded("interaction", (await records(settings, restore.Restored(sent, ends)))[topic])
    assert found.height == sent
    queued = found.filter(pl.col("touchpoint") == "check_in.queue_waited", pl.col("score_source") == "implicit")
    assert queued.height
    assert {*queued["score"]} == {-0.9}
    assert stored.rows("SELECT count() FROM identities_store") == [(0,)]
    assert stored.rows("SELECT DISTINCT epoch FROM interactions_store") == [(done.epoch - 1,)]
