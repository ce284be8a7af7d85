"""Groups of the embedded broker: one whose leader is gone for good is led by somebody else in the end; one of a single
member does not wait for others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import RebalanceInProgressError
from aiokafka.protocol.group import JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest

from streams.kafka import leader
from streams.kafka.leader import SOLE_SESSION_MS, join_at_once, replace_dead_leaders
from streams.settings import Settings
from tests.support.brokers import Broker, until
from tests.support.waiting import HUNG
from tests.support.workers import create_topic

ROUNDS = 4  # three who leave at once leave a dead leader behind about every other time
SESSION = 2.0


@contextmanager
def polled(consumer: AIOKafkaConsumer) -> Iterator[None]:
    """Poll a consumer meanwhile, as an application does."""

    async def poll() -> None:
        while True:
            await consumer.getmany(timeout_ms=50)

    polling = asyncio.ensure_future(poll())
    try:
        yield
    finally:
        polling.cancel()


def member(settings: Settings, topic: str, group: str) -> AIOKafkaConsumer:
    """A member with a short session."""
    session = int(SESSION * 1000)
    times = {"session_timeout_ms": session, "rebalance_timeout_ms": session, "heartbeat_interval_ms": 300}
    return AIOKafkaConsumer(topic, bootstrap_servers=settings.brokers, group_id=group, **times)


async def leave_at_once_and_join(settings: Settings, topic: str, group: str) -> None:
    """Three members leave a group at the same time; another one joins, and must get every partition."""
    members: list[AIOKafkaConsumer] = []

    def shared() -> bool:
        return sum(len(each.assignment()) for each in members) == 4 and bool(members[-1].assignment())

    for _ in range(3):
        members.append(member(settings, topic, group))
        await members[-1].start()
        with polled(members[0]), polled(members[-1]):
            await until(shared)
    await asyncio.gather(*(each.stop() for each in members))
    last = member(settings, topic, group)
    starting = asyncio.ensure_future(last.start())
    try:
        await until(lambda: last._coordinator is not None)
        replace_dead_leaders(last._coordinator, SESSION)
        await asyncio.wait_for(starting, HUNG)
        with polled(last):
            await until(lambda: len(last.assignment()) == 4)
    finally:
        await last.stop()


async def test_a_group_that_everybody_left_at_once_can_be_joined(embedded_broker: Broker, topic_prefix: str) -> None:
    settings = embedded_broker.settings(topic_prefix)
    topic = await create_topic(settings, "in", 4)
    for number in range(ROUNDS):
        await leave_at_once_and_join(settings, topic, f"{topic_prefix}-{number}")


class Coordinator:
    """As much of aiokafka's as the watch touches: answers joins with a leader, syncs with an error code."""

    group_id = "g"

    def __init__(self) -> None:
        self.member_id, self.leader_id, self.error_code = "me", "dead", RebalanceInProgressError.errno
        self.sent: list[Any] = []

    async def _send_req(self, request: Any) -> Any:
        self.sent.append(request)
        return SimpleNamespace(leader_id=self.leader_id, error_code=self.error_code)

    async def round(self) -> None:
        """Join and sync once."""
        for kind in (JoinGroupRequest, SyncGroupRequest):
            await self._send_req(kind.__new__(kind))


async def test_only_a_leader_who_is_silent_for_sessions_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr(leader.time, "monotonic", lambda: clock)

    coordinator = Coordinator()
    replace_dead_leaders(coordinator, SESSION)
    await coordinator.round()
    clock = 2.9 * SESSION
    await coordinator.round()
    assert coordinator.member_id == "me"
    coordinator.leader_id = "other"  # somebody else leads: the wait begins anew
    clock = 3.1 * SESSION
    await coordinator.round()
    coordinator.error_code = 0  # and now it has worked
    clock = 10 * SESSION
    await coordinator.round()
    coordinator.error_code = RebalanceInProgressError.errno
    await coordinator.round()
    assert coordinator.member_id == "me"
    assert not any(isinstance(request, LeaveGroupRequest) for request in coordinator.sent)
    clock = 13.1 * SESSION
    await coordinator.round()
    assert coordinator.member_id == "other"
    assert isinstance(coordinator.sent[-1], LeaveGroupRequest)
    clock = 20 * SESSION  # as the leader itself it waits for nobody
    await coordinator.round()
    clock = 30 * SESSION
    await coordinator.round()
    assert sum(isinstance(request, LeaveGroupRequest) for request in coordinator.sent) == 1


async def test_the_only_member_asks_for_a_short_session_and_keeps_its_own() -> None:
    sent: list[Any] = []

    async def send(request: Any) -> str:
        sent.append(request)
        return "answer"

    coordinator = SimpleNamespace(_send_req=send, _session_timeout_ms=10_000)
    join_at_once(coordinator)
    others = LeaveGroupRequest("group", "me")
    for session in (10_000, SOLE_SESSION_MS // 2):
        join = JoinGroupRequest("group", session, 6000, "me", None, "consumer", [("range", b"")])
        assert await coordinator._send_req(join) == "answer"
    assert await coordinator._send_req(others) == "answer"
    assert [request._session_timeout for request in sent[:2]] == [SOLE_SESSION_MS, SOLE_SESSION_MS // 2]
    assert sent[2] is others
    assert coordinator._session_timeout_ms == 10_000


async def test_the_only_member_stays_one_though_its_heartbeats_come_late(
    embedded_broker: Broker, topic_prefix: str
) -> None:
    """The broker looks for silent members when one of them asks for something, and does not take that one for silent:
    a machine that is busy for longer than the short session costs nothing."""

    settings = embedded_broker.settings(topic_prefix)
    topic = await create_topic(settings, "in", 1)
    alone = AIOKafkaConsumer(
        bootstrap_servers=settings.brokers,
        group_id=topic_prefix,
        session_timeout_ms=60_000,
        rebalance_timeout_ms=60_000,
        heartbeat_interval_ms=2 * SOLE_SESSION_MS,
    )
    await alone.start()
    alone.subscribe([topic])
    await until(lambda: alone._coordinator is not None)
    join_at_once(alone._coordinator)
    try:
        with polled(alone):
            await until(alone.assignment)
            generation = alone._coordinator.generation
            beats = 0
            heartbeat = alone._coordinator._do_heartbeat

            async def counted() -> bool:
                nonlocal beats
                known = bool(await heartbeat())
                beats += known
                return known

            alone._coordinator._do_heartbeat = counted
            await until(lambda: beats >= 2)
            assert (alone._coordinator.generation, len(alone.assignment())) == (generation, 1)
    finally:
        await alone.stop()
