"""Every topic of the contract, and how to create them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from streams import kafka_clients
from streams.errors import RihlaError
from streams.settings import Settings

ANY_TIME = {"message.timestamp.after.max.ms": str(2**63 - 1)}
"""Kafka refuses records stamped more than an hour ahead of its own clock: a worker whose clock has jumped would stop.
No table depends on these stamps. (Not for the channels: there a producer with a wrong clock should be told.)"""
FOREVER = {"retention.ms": "-1", **ANY_TIME}
LATEST_BY_KEY = {"cleanup.policy": "compact", **ANY_TIME}
ROOMY = {"max.message.bytes": str(16 << 20)}
"""Of what workers write: an interaction, and a dead letter, is somewhat larger than the record that it is made of."""
CHANGELOG = {**LATEST_BY_KEY, **ROOMY, "min.cleanable.dirty.ratio": "0.3"}
DAYS_30 = {"retention.ms": str(30 * 24 * 3600 * 1000), **ANY_TIME}
_DENIED = (TopicAuthorizationFailedError.errno, ClusterAuthorizationFailedError.errno)
ATTEMPTS_WAIT = 0.2  # seconds between looks for a topic just created
VISIBLE_WITHIN = 30.0  # seconds


class TopicError(RihlaError):
    """A topic could not be created, or is not as the settings have it."""


class TopicDeniedError(TopicError):
    """The broker does not let us make a topic."""


@dataclass(frozen=True)
class Topic:
    """A topic's short name, its partitions (None: as the settings say) and its settings on the broker."""

    name: str
    partitions: int | None = None
    config: dict[str, str] = field(default_factory=dict)


TOPICS = (
    Topic("booking"),
    Topic("check-in"),
    Topic("stay"),
    Topic("post-travel"),
    Topic("interactions", None, ANY_TIME),
    Topic("links", 1, FOREVER),  # who is who is a function of all of them
    Topic("identities", None, LATEST_BY_KEY),
    Topic("parts", None, ANY_TIME),
    Topic("recalls", None, ANY_TIME),
    Topic("journeys", None, LATEST_BY_KEY),
    Topic("customers", None, LATEST_BY_KEY),
    Topic("cases", None, LATEST_BY_KEY),
    Topic("alerts", None, ANY_TIME),
    Topic("moves", None, ANY_TIME),
    Topic("dead-letters", None, DAYS_30),
    Topic("erasures", 1, LATEST_BY_KEY),
)
CHANNEL_TOPICS = ("booking", "check-in", "stay", "post-travel")
COMPACTED = frozenset(topic.name for topic in TOPICS if topic.config.get("cleanup.policy") == "compact")


async def ensure_topics(settings: Settings) -> dict[str, int]:
    """Create the topics that are missing; full name -> partitions of every topic of the contract.

    Returns when the broker shows them all. Topics that exist stay as they are. Raises TopicError when the broker
    refuses one or does not show it in time, and aiokafka's KafkaConnectionError when there is no broker.
    """
    admin = kafka_clients.admin(settings)
    try:
        await admin.start()
        names = [settings.topic(topic.name) for topic in TOPICS]
        there = set(await admin.list_topics())
        missing = [topic for topic in TOPICS if settings.topic(topic.name) not in there]
        if missing:
            await _create(admin, settings, missing)
        return await _shown(admin, names)
    finally:
        await admin.close()


async def ensure_changelogs(settings: Settings, changelogs: Mapping[str, int]) -> None:
    """Create the changelogs (full name: partitions) that are missing, and return when the broker shows them all.

    Faust would create them, too, but does not wait until they are seen: a group's first assignment then goes without
    the table, and the worker stands still until the broker is asked again, five minutes later. Raises like
    ensure_topics.
    """
    if not changelogs:
        return
    admin = kafka_clients.admin(settings)
    try:
        await admin.start()
        there = set(await admin.list_topics())
        config = {} if settings.embedded else CHANGELOG
        missing = [
            NewTopic(name, partitions, settings.replication, topic_configs=config)
            for name, partitions in changelogs.items()
            if name not in there
        ]
        if missing:
            await _request(admin, missing)
        await _shown(admin, list(changelogs))
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, settings: Settings, topics: list[Topic]) -> None:
    wanted = [
        NewTopic(
            settings.topic(topic.name),
            topic.partitions or settings.partitions,
            settings.replication,
            topic_configs={} if settings.embedded else _config(topic),
        )
        for topic in topics
    ]
    await _request(admin, wanted)


def _config(topic: Topic) -> dict[str, str]:
    return topic.config if topic.name in CHANNEL_TOPICS else {**ROOMY, **topic.config}


async def _request(admin: AIOKafkaAdminClient, wanted: list[NewTopic]) -> None:
    try:
        response = await admin.create_topics(wanted)
    except (KafkaConnectionError, TopicError):
        raise
    except KafkaError as exc:
        raise TopicError(f"topics could not be created: {exc!r}") from exc
    for name, code, *message in response.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            if code in _DENIED:
                raise TopicDeniedError(
                    f"we may not CREATE topic {name}", "let somebody who may make it, or grant it: see rihla acls"
                )
            why = " ".join([for_code(code).__name__, *map(str, message)])
            raise TopicError(f"topic {name} could not be created: {why}")


async def _shown(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    deadline = time.monotonic() + VISIBLE_WITHIN
    while True:
        described = await admin.describe_topics(names)
        partitions = {topic["topic"]: len(topic["partitions"]) for topic in described if not topic["error_code"]}
        if partitions.keys() >= set(names) and all(partitions.values()):
            return partitions
        if time.monotonic() > deadline:
            hidden = sorted(set(names) - partitions.keys())
            raise TopicError(f"not there {VISIBLE_WITHIN:.0f} s after creation: {hidden}")
        await asyncio.sleep(ATTEMPTS_WAIT)
