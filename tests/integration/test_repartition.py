"""Topics and states in another number of partitions: every record once, and everybody stands where they stood.

Without workers: what they would have left behind is made by hand, so that every case is there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete

from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.errors import RihlaError
from streams.kafka.batch_producer import BatchProducer, recalled_last
from streams.kafka.changelog import BARRIER, FENCING_EPOCH
from streams.kafka.layout import changelog, misfit
from streams.kafka.partitioner import partitions_of
from streams.kafka.topic_checks import strays
from streams.kafka.topics import ensure_changelogs, ensure_topics, layout_of
from streams.model.control import SUMMARY, nothing_stored
from streams.repartition import groups
from streams.repartition.reading import Reader
from streams.repartition.run import give_up, repartition
from streams.repartition.shift import applied_of
from streams.settings import Settings
from streams.stitch.encoding import decode, encode
from streams.stitch.subject import RECALLED, Subject
from streams.stitch.summary import Summary
from streams.topology import WITH_STATE
from tests.support.brokers import Broker, until
from tests.support.workers import administering, producing

pytestmark = pytest.mark.kafka

SUBJECTS = [f"customer:C{n}" for n in range(60)]
KEYS = [subject.encode() for subject in SUBJECTS]
ROUNDS = 6
"""Records of each subject in interactions: in round 3 the sink has come so far, in round 4 stitch, some to round 5."""
SINK, STITCH, SOME = 3, 4, 5
AWAY = 7
"""Number of a subject whose events are on their way back."""


class BrokenOffError(Exception):
    """In the place of a kill."""


class Found(NamedTuple):
    """A record as it was found."""

    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: dict[str, bytes]


async def read(settings: Settings, topic: str) -> list[Found]:
    """Every record of a topic, those of a partition in their order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.broker_list)
    await consumer.start()
    try:
        parts = await consumer._client._wait_on_metadata(topic) and consumer.partitions_for_topic(topic)
        left = [TopicPartition(topic, number) for number in sorted(parts or ())]
        ends = await consumer.end_offsets(left)
        consumer.assign(left)
        await consumer.seek_to_beginning(*left)
        found: list[Found] = []
        while left := [tp for tp in left if await consumer.position(tp) < ends[tp]]:
            for records in (await consumer.getmany(*left, timeout_ms=300)).values():
                found += [Found(r.partition, r.offset, r.key, r.value, dict(r.headers)) for r in records]
        return sorted(found)
    finally:
        await consumer.stop()


async def fill(settings: Settings, partitions: int) -> None:
    """What workers leave behind that were killed: see ROUNDS; states, a recall, and its answers on their way."""
    await ensure_topics(settings)
    await ensure_changelogs(settings, {changelog(settings): partitions})
    place = dict(zip(KEYS, partitions_of(KEYS, partitions), strict=True))
    ends: dict[int, int] = defaultdict(int)
    committed: dict[str, dict[int, int]] = {}
    applied = dict.fromkeys(KEYS, 0)
    async with producing(settings) as producer:
        output = BatchProducer(producer, settings.topic("interactions"))
        for round_ in range(1, ROUNDS + 1):
            for key in KEYS:
                ends[place[key]] += 1
                if round_ <= STITCH or (round_ == SOME and hash(place[key]) % 2 == 0 and key[-1] % 3):
                    applied[key] = ends[place[key]]
            marks = [recalled_last(3)] if round_ == ROUNDS else []
            await output.send(KEYS, [b"%s %d" % (key, round_) for key in KEYS], marks=marks)
            await output.flush()
            for worker, at in (("sink", SINK), ("stitch", STITCH)):
                if round_ == at:
                    committed[settings.group(worker)] = dict(ends)
        states = {
            key: Subject(applied[key], 3, 0, Summary(interactions=1), version_base=10, presence=RECALLED * (n == AWAY))
            for n, key in enumerate(KEYS)
        }
        log = BatchProducer(producer, changelog(settings))
        every = list(range(partitions))
        await log.send([BARRIER] * partitions, [b"somebody"] * partitions, None, every)
        values = [FENCING_EPOCH.pack(0) + encode(state) for state in states.values()]
        await log.send(KEYS, values)
        await log.send(KEYS[:5], values[:5])  # of each key the last one counts
        await log.flush()
        encoder = BatchEncoder("part", LocalRegistry())
        parts = BatchProducer(producer, settings.topic("parts"))
        rows = [(SUBJECTS[0], SUBJECTS[1], 5, b"x", SUMMARY), nothing_stored(SUBJECTS[AWAY], 3)]
        await parts.send([row[0].encode() for row in rows], encoder.encode(rows))
        recalls = BatchProducer(producer, settings.topic("recalls"))
        await recalls.send([KEYS[AWAY]], BatchEncoder("recall", LocalRegistry()).encode([(SUBJECTS[AWAY], 3)]))
        journeys = BatchProducer(producer, settings.topic("journeys"))
        await journeys.send(KEYS, [b"old"] * len(KEYS))
        await journeys.send(KEYS, [b"new"] * len(KEYS))
        await journeys.send(KEYS[:3], [None] * 3, headers=[("why", b"gone")])
        for one in (parts, recalls, journeys):
            await one.flush()
    topic = settings.topic("interactions")
    await groups.commit(settings, {group: {topic: offsets} for group, offsets in committed.items()})


async def check(settings: Settings, to: int) -> None:
    """Everything is there, in its place, and means what it meant."""
    topic = settings.topic("interactions")
    place = dict(zip(KEYS, partitions_of(KEYS, to), strict=True))
    found = await read(settings, topic)
    assert {(r.key, r.value) for r in found} == {
        (key, b"%s %d" % (key, n)) for key in KEYS for n in range(1, ROUNDS + 1)
    }
    assert len(found) == len(KEYS) * ROUNDS
    assert all(record.partition == place[record.key] for record in found)
    of_key: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
    for record in found:
        of_key[record.key].append((record.offset, int(record.value.rpartition(b" ")[2])))
        if record.value.endswith(b" %d" % ROUNDS):
            assert record.headers == {"recalled": b"1"}  # no longer an answer to what was asked before
    assert all([n for _, n in sorted(some)] == list(range(1, ROUNDS + 1)) for some in of_key.values())
    async with administering(settings) as admin:
        commits = await groups.commits(admin, [topic])
    for record in found:
        number = int(record.value.rpartition(b" ")[2])
        stitch = commits[settings.group("stitch")][topic][record.partition]
        assert (record.offset < stitch) == (number <= STITCH)
        if number > SINK:
            assert record.offset >= commits[settings.group("sink")][topic][record.partition]
    for partition, at in commits[settings.group("sink")][topic].items():
        assert at == sum(1 for r in found if r.partition == partition and int(r.value.rpartition(b" ")[2]) <= SINK)
    reader = Reader(settings)
    await reader.start()
    try:
        limits = await reader.limits(changelog(settings), to)
        states: dict[bytes, bytes] = {}
        for partition, (begin, end) in limits.items():
            some = await reader.table(changelog(settings), partition, begin, end)
            assert all(place[key] == partition for key in some)
            states |= some
    finally:
        await reader.stop()
    assert states.keys() == set(KEYS)
    for n, key in enumerate(KEYS):
        state, (behind, *rest) = decode(states[key]), [offset for offset, _ in sorted(of_key[key])][STITCH - 1 :]
        applied = applied_of(states[key]).interactions
        assert behind < applied
        seen = SOME if key[-1] % 3 and partitions_of([key], 4)[0] % 2 == 0 else STITCH
        assert [offset < applied for offset in (behind, *rest)] == [
            number <= seen for number in range(STITCH, ROUNDS + 1)
        ]
        if n == AWAY:
            assert state.presence == RECALLED
            assert state.recall_from == applied
    asked = await read(settings, settings.topic("recalls"))
    assert [record.key for record in asked] == [KEYS[AWAY]]
    assert [record.key for record in await read(settings, settings.topic("parts"))] == [KEYS[0]]
    journeys = await read(settings, settings.topic("journeys"))
    assert {record.key: record.value for record in journeys} == dict(
        zip(KEYS, [None] * 3 + [b"new"] * (len(KEYS) - 3), strict=True)
    )
    assert all(record.headers == {"why": b"gone"} for record in journeys if record.value is None)
    async with administering(settings) as admin:
        assert not [name for name in await admin.list_topics() if name.startswith(settings.topic("repartition"))]


async def versions(settings: Settings, partitions: int) -> Mapping[bytes, int]:
    reader = Reader(settings)
    await reader.start()
    try:
        limits = await reader.limits(changelog(settings), partitions)
        tables = [await reader.table(changelog(settings), p, begin, end) for p, (begin, end) in limits.items()]
    finally:
        await reader.stop()
    return {key: decode(value).version for table in tables for key, value in table.items()}


async def test_more_partitions_and_fewer_broken_off_after_every_step(kafka_broker: Broker, topic_prefix: str) -> None:
    settings = kafka_broker.settings(topic_prefix, partitions=4)

    await fill(settings, 4)
    before = await versions(settings, 4)
    steps: set[str] = set()

    def reached(step: str) -> None:
        if step not in steps:
            steps.add(step)
            raise BrokenOffError(step)

    while True:
        try:
            done = await repartition(settings, 6, lambda text: None, reached)
        except BrokenOffError:
            with pytest.raises(RihlaError, match="not finished"):
                await ensure_topics(settings)
            continue
        break
    assert done is not None
    assert {"to", "copied", "switch", "committed"} < steps
    assert len([step for step in steps if step.startswith(("made ", "filled "))]) == 36  # two of each keyed topic
    await check(settings, 6)
    assert await repartition(settings, 6, lambda text: None) is None
    assert await versions(settings, 6) == before


async def test_what_was_begun_can_be_given_up_until_a_topic_is_deleted(kafka_broker: Broker, topic_prefix: str) -> None:
    settings = kafka_broker.settings(topic_prefix, partitions=4)

    def stop_at(wanted: str) -> object:
        def reached(step: str) -> None:
            if step == wanted:
                raise BrokenOffError(step)

        return reached

    await fill(settings, 4)
    before = await read(settings, settings.topic("interactions"))
    with pytest.raises(BrokenOffError):
        await repartition(settings, 3, lambda text: None, stop_at("copied"))
    with pytest.raises(RihlaError, match="a change to 3 partitions is under way"):
        await repartition(settings, 5, lambda text: None)
    await give_up(settings, lambda text: None)
    assert await read(settings, settings.topic("interactions")) == before
    assert (await ensure_topics(settings))[settings.topic("interactions")] == 4
    with pytest.raises(BrokenOffError):
        await repartition(settings, 3, lambda text: None, stop_at("switch"))
    with pytest.raises(RihlaError, match="can only be finished"):
        await give_up(settings, lambda text: None)
    await repartition(settings, None, lambda text: None)
    assert (await ensure_topics(settings))[settings.topic("interactions")] == 3


async def test_a_log_whose_beginning_is_gone_says_so_afterwards_too(kafka_broker: Broker, topic_prefix: str) -> None:
    settings = kafka_broker.settings(topic_prefix, partitions=4)

    await fill(settings, 4)
    topic = settings.topic("interactions")
    async with administering(settings) as admin:
        await admin.delete_records({TopicPartition(topic, 2): RecordsToDelete(5)})
    left = {(record.key, record.value) for record in await read(settings, topic)}
    await repartition(settings, 3, lambda text: None)
    found = await read(settings, topic)
    assert {(record.key, record.value) for record in found} == left
    assert min(record.offset for record in found) == 1


async def test_a_state_that_is_not_where_its_topics_say_stops_every_worker_and_is_moved(
    kafka_broker: Broker, topic_prefix: str
) -> None:
    """Partitions were added to all topics and to the changelog: the numbers fit each other."""
    settings = kafka_broker.settings(topic_prefix, partitions=4)

    await fill(settings, 4)
    assert await strays(settings, await layout_of(settings)) is None
    names = [*map(settings.topic, WITH_STATE), changelog(settings)]
    async with administering(settings) as admin:
        await admin.create_partitions({name: NewPartitions(6) for name in names})

    async def added() -> bool:
        return set((await layout_of(settings)).values()) == {1, 6}

    await until(added, what="partitions to be added")
    partitions = await layout_of(settings)
    assert misfit(partitions, settings) is None
    wrong = await strays(settings, partitions)
    assert "written for another number of partitions than 6" in str(wrong)
    await repartition(settings, 6, lambda text: None)
    await check(settings, 6)
    assert await strays(settings, await layout_of(settings)) is None


async def test_nobody_may_be_in_the_groups(kafka_broker: Broker, topic_prefix: str) -> None:
    settings = kafka_broker.settings(topic_prefix, partitions=2)

    await ensure_topics(settings)
    member = AIOKafkaConsumer(
        settings.topic("moves"), bootstrap_servers=settings.broker_list, group_id=settings.group("sink")
    )
    await member.start()
    try:
        with pytest.raises(RihlaError, match=rf"{settings.group('sink')} \(1: aiokafka"):
            await repartition(settings, 3, lambda text: None)
    finally:
        await member.stop()
    async with administering(settings) as admin:
        assert settings.topic("repartition") not in await admin.list_topics()
