"""Topics with three replicas: a record that was acknowledged outlives the loss of any one broker."""

from __future__ import annotations

import pytest

from streams.doctor.topics import _settings
from streams.kafka.layout import changelog
from streams.kafka.topics import MIN_INSYNC, ensure_changelogs, ensure_topics
from streams.repartition.writing import describe
from streams.settings import Settings
from streams.topology import TOPICS
from tests.support.brokers import Broker
from tests.support.workers import administering


@pytest.mark.parametrize(("replication", "asked"), [(1, None), (2, None), (3, "2"), (5, "2")])
async def test_topics_ask_for_two_replicas_in_sync_where_they_have_three(
    memory_broker: Broker, topic_prefix: str, replication: int, asked: str | None
) -> None:
    settings = memory_broker.settings(topic_prefix, replication=replication)
    await ensure_topics(settings)
    await ensure_changelogs(settings, {changelog(settings): settings.partitions})
    names = [*(settings.topic(topic.name) for topic in TOPICS), changelog(settings)]
    async with administering(settings) as admin:
        made = await describe(admin, names)
    assert {made[name].config.get(MIN_INSYNC) for name in names} == {asked}


@pytest.mark.parametrize(
    ("least", "replicas", "said"),
    [
        ("1", 3, "min.insync.replicas is 1: a record that was acknowledged may be on one broker, and be lost with it"),
        ("2", 1, "min.insync.replicas is 2, with 1 replica: no write is taken"),
        ("2", 3, None),
        ("1", 1, None),
        ("1", 2, None),
    ],
)
def test_the_doctor_tells_what_one_broker_could_take_with_it(least: str, replicas: int, said: str | None) -> None:
    settings = Settings(brokers="broker:9092")
    found = list(_settings(settings, "cx.booking", {MIN_INSYNC: least}, replicas))
    assert [finding.detail for finding in found] == ([] if said is None else [said])
    assert all(MIN_INSYNC in str(finding.remedy) for finding in found)
