"""Every topic of the contract, and how to create them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from streams.errors import RihlaError
from streams.kafka import clients, layout
from streams.kafka.limits import MAX_MESSAGE_BYTES
from streams.settings import Settings
from streams.topology import CHANNEL_TOPICS, ORDERED, TOPICS, WITH_STATE, Retention, Topic

APPENDED = {"message.timestamp.type": "LogAppendTime"}
"""The broker stamps records when it appends them, and retention counts from then. By a producer's stamp, which may be
the time of the event (Connect, MirrorMaker, a backfill) or of a clock that is wrong, a record could be deleted as soon
as it is written, or refused as one of the future. No table depends on stamps."""
HORIZON_DAYS = 30
"""Retention: a worker that is away for less loses nothing."""
FOR_HORIZON = {
    "cleanup.policy": "delete",
    "retention.ms": str(HORIZON_DAYS * 24 * 3600 * 1000),
    "retention.bytes": "-1",
    **APPENDED,
}
FOREVER = {**FOR_HORIZON, "retention.ms": "-1"}
LATEST_BY_KEY = {"cleanup.policy": "compact", **APPENDED}
_KEPT: dict[Retention, dict[str, str]] = {
    "30 days": FOR_HORIZON,
    "for ever": FOREVER,
    "latest by key": LATEST_BY_KEY,
}
ROOMY = {MAX_MESSAGE_BYTES: str(16 << 20)}
"""For topics that workers write: an interaction or dead letter is somewhat larger than the record it is made of.
"""
AS_PRODUCED = {"compression.type": "producer"}
"""Set whatever the broker's default is: recompressing costs the broker time, and every reader knows every codec.
"""
CHANGELOG = {**LATEST_BY_KEY, **ROOMY, **AS_PRODUCED, "min.cleanable.dirty.ratio": "0.3"}
MIN_INSYNC = "min.insync.replicas"
_DENIED = (TopicAuthorizationFailedError.errno, ClusterAuthorizationFailedError.errno)
ATTEMPTS_WAIT = 0.2  # seconds between looks for a topic just created
VISIBLE_WITHIN = 300.0  # seconds


class TopicError(RihlaError):
    """A topic could not be created, or is not as the settings have it."""


class TopicDeniedError(TopicError):
    """The broker does not let us make a topic."""


async def ensure_topics(settings: Settings) -> dict[str, int]:
    """Create the topics that are missing; full name -> partitions of every topic of the contract.

    Returns when the broker shows them all. Topics that exist stay as they are. Raises TopicError when the broker
    refuses one or does not show it in time, LayoutError while a change of partitions is unfinished, and aiokafka's
    KafkaConnectionError when there is no broker. A topic that is missing gets as many partitions as those that it must
    agree with, if these are there, and else as many as the settings say.
    """
    admin = clients.admin(settings)
    try:
        await admin.start()
        names = [settings.topic(topic.name) for topic in TOPICS]
        there = set(await admin.list_topics())
        if settings.topic(layout.JOURNAL) in there:
            raise layout.misfit({settings.topic(layout.JOURNAL): 1}, settings) or TopicError(layout.JOURNAL)
        missing = [topic for topic in TOPICS if settings.topic(topic.name) not in there]
        if missing:
            existing = await shown(admin, [name for name in names if name in there])
            await _create(admin, settings, missing, layout.sibling(existing, settings) or settings.partitions)
        return await shown(admin, names)
    finally:
        await admin.close()


async def layout_of(settings: Settings) -> dict[str, int]:
    """Full name -> partitions of every topic that streams.kafka.layout judges by, of those that are there.

    Raises aiokafka's KafkaError.
    """
    admin = clients.admin(settings)
    try:
        await admin.start()
        there = set(await admin.list_topics())  # to ask about one that is missing may make it
        names = [
            *map(settings.topic, (*WITH_STATE, *ORDERED, layout.JOURNAL, layout.REBUILD)),
            layout.changelog(settings),
        ]
        return await shown(admin, [name for name in names if name in there])
    finally:
        await admin.close()


async def ensure_changelogs(settings: Settings, changelogs: Mapping[str, int]) -> None:
    """Create the changelogs (full name: partitions) that are missing, and return when the broker shows them all.

    Faust would create them, too, but does not wait until they are seen: a group's first assignment then goes without
    the table, and the worker stands still until the broker is asked again, five minutes later. Raises like
    ensure_topics, and TopicError for a changelog that does not take the largest state.
    """
    if not changelogs:
        return
    admin = clients.admin(settings)
    try:
        await admin.start()
        there = set(await admin.list_topics())
        config = {} if settings.embedded else {**in_sync(settings.replication), **CHANGELOG}
        missing = [
            NewTopic(name, partitions, settings.replication, topic_configs=config)
            for name, partitions in changelogs.items()
            if name not in there
        ]
        if missing:
            await _request(admin, missing)
        await shown(admin, list(changelogs))
        for name in changelogs:
            await _check_room(admin, settings, name)
    finally:
        await admin.close()


async def _check_room(admin: AIOKafkaAdminClient, settings: Settings, changelog: str) -> None:
    """Raise TopicError where a changelog that others have made does not take the largest state."""
    if settings.embedded:  # which has no settings
        return
    # Where the broker does not tell, a state that turns out too large costs the record that makes it so.
    taken = None
    for response in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, changelog)]):
        for _error, _message, _kind, _name, entries in response.resources:
            taken = next((entry[1] for entry in entries or () if entry[0] == MAX_MESSAGE_BYTES), taken)
    if taken is not None and taken.isdigit() and int(taken) < int(ROOMY[MAX_MESSAGE_BYTES]):
        raise TopicError(
            f"{changelog} takes records of {taken} bytes, and a state may have {ROOMY[MAX_MESSAGE_BYTES]}: it could "
            "not be kept",
            alter(settings, changelog, ROOMY),
        )


async def _create(admin: AIOKafkaAdminClient, settings: Settings, topics: list[Topic], partitions: int) -> None:
    wanted = [
        NewTopic(
            settings.topic(topic.name),
            topic.partitions or partitions,
            settings.replication,
            topic_configs={} if settings.embedded else {**in_sync(settings.replication), **config_of(topic)},
        )
        for topic in topics
    ]
    await _request(admin, wanted)


def config_of(topic: Topic) -> dict[str, str]:
    """The settings with which a topic is made."""
    return {**AS_PRODUCED, **({} if topic.name in CHANNEL_TOPICS else ROOMY), **_KEPT[topic.retention]}


def in_sync(replication: int) -> dict[str, str]:
    """The setting by which a record that was acknowledged outlives the loss of any one broker: with Kafka's default of
    1 it may be on the leader alone. With fewer than three replicas it would stop all writing when one broker stops."""
    return {MIN_INSYNC: "2"} if replication >= 3 else {}


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


def alter(settings: Settings, name: str, config: Mapping[str, str]) -> str:
    """The command that sets a topic's settings."""
    added = ",".join(f"{key}={value}" for key, value in config.items())
    return (
        f"kafka-configs.sh --bootstrap-server {settings.broker_list[0]} --alter --entity-type topics "
        f"--entity-name {name} --add-config {added}"
    )


async def shown(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    """Full name -> partitions, once the broker shows all of these topics. Raises TopicError when it does not."""
    if not names:
        return {}
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
