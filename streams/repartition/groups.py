"""Consumer groups: checks that they are empty, reads what they have committed, and commits for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    for_code,
)
from aiokafka.protocol.admin import DescribeGroupsRequest_v0, DescribeGroupsRequest_v1, DescribeGroupsRequest_v2
from aiokafka.protocol.api import Request

from streams.errors import RihlaError
from streams.kafka import clients
from streams.kafka.topic_checks import OFFSETS
from streams.settings import Settings

WORKERS = ("enrich", "identity", "stitch", "sink")
"""All of these read or write topics that are moved."""
COORDINATOR_WITHIN = 60.0
"""Seconds within which a cluster must name the coordinator of a group."""
LOOK_EVERY = 0.2
NO_COORDINATOR = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)
"""What a cluster answers that has none for a group, or does not know it yet."""
NO_MEMBERS = ("Empty", "Dead")
"""States of a group without a member; Dead is also that of one which has never been."""

_Versions = DescribeGroupsRequest_v0 | DescribeGroupsRequest_v1 | DescribeGroupsRequest_v2


class _Describe(Request[_Versions]):  # type: ignore[misc]  # aiokafka is untyped
    """Asks for the members of groups. aiokafka's own request has version 3, whose answer it parses as version 2."""

    API_KEY = DescribeGroupsRequest_v0.API_KEY

    def __init__(self, groups: Sequence[str]) -> None:
        self._groups = list(groups)

    def build(self, request_struct_class: Any) -> Any:
        """In the form that aiokafka takes."""
        return request_struct_class(self._groups)


Commits = dict[str, dict[str, dict[int, int]]]
"""Group: topic: partition: offset."""


async def commits(admin: AIOKafkaAdminClient, topics: Collection[str]) -> Commits:
    """The offsets that all groups of the cluster have committed in some topics."""
    found: Commits = {}
    for group, _ in await admin.list_consumer_groups():
        for tp, committed in (await admin.list_consumer_group_offsets(group)).items():
            if tp.topic in topics and committed.offset >= 0:
                found.setdefault(group, {}).setdefault(tp.topic, {})[tp.partition] = committed.offset
    return found


async def refuse_members(admin: AIOKafkaAdminClient, settings: Settings, groups: Collection[str]) -> None:
    """Raise RihlaError while anybody is in the groups of the workers, or in one of `groups`; aiokafka's KafkaError."""
    there = await admin.list_topics()  # before groups are asked for, which makes the broker make the topic of commits
    names = sorted({*map(settings.group, WORKERS), *groups})
    alive = []
    for name in names:
        try:
            state, members = await _described(admin, name, COORDINATOR_WITHIN if OFFSETS in there else 0)
        except NO_COORDINATOR:
            if OFFSETS in there:
                raise
            return  # a new cluster: it has no groups
        if state not in NO_MEMBERS:
            who = sorted({f"{client} {host}" for _, client, host, *_ in members})
            alive.append(f"{name} ({len(members)}: {', '.join(who)})")
    if alive:
        raise RihlaError(
            f"these consumer groups have members: {'; '.join(alive)}",
            "stop every worker, and whoever else reads these topics; one that was killed stays for a session timeout",
        )


async def _described(admin: AIOKafkaAdminClient, group: str, patience: float) -> tuple[str, list[Any]]:
    """State and members of a group. patience: seconds to wait for a coordinator that is loading its groups.

    Raises aiokafka's KafkaError.
    """
    deadline = time.monotonic() + patience
    request = _Describe([group])
    while True:
        try:
            response = await admin._send_request(request, await admin.find_coordinator(group))
            ((code, _, state, _, _, members),) = response.groups
            if code:
                raise for_code(code)(f"group {group}")
        except NO_COORDINATOR:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(LOOK_EVERY)
        else:
            return str(state), list(members)


async def commit(settings: Settings, offsets: Mapping[str, Mapping[str, Mapping[int, int]]]) -> None:
    """Commit offsets (as Commits) for groups that nobody is in. Raises aiokafka's CommitFailedError where one is."""
    for group, topics in offsets.items():
        wanted = {TopicPartition(topic, p): at for topic, some in topics.items() for p, at in some.items()}
        if not wanted:
            continue
        consumer = clients.consumer(settings, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign(list(wanted))
            await consumer.commit(wanted)
        finally:
            await consumer.stop()
