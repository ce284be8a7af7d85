"""A Kafka broker in this process: topics in memory, consumer groups without delays, over a socket.

It speaks Kafka's protocol, so that clients and workers need nothing made for it, in one version of each request (those
of SERVED). A worker joins in milliseconds, where the embedded broker takes a second to five and Kafka takes a JVM. What
it does not have: settings that change anything but the largest batch, stamps of its own, compaction, retention,
transactions, rights. tests/integration/test_transport.py, test_table.py and test_output.py hold it, the embedded broker
and Apache Kafka to the same contract.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import struct
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from aiokafka.errors import (
    InvalidPartitionsError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.admin import (
    ApiVersionRequest_v0,
    CreateTopicsRequest_v3,
    DeleteRecordsRequest_v1,
    DeleteTopicsRequest_v3,
    DescribeConfigsRequest_v2,
    ListGroupsRequest_v1,
)
from aiokafka.protocol.api import RequestHeader_v1, RequestStruct, ResponseHeader_v0
from aiokafka.protocol.commit import OffsetCommitRequest_v3, OffsetFetchRequest_v3
from aiokafka.protocol.coordination import FindCoordinatorRequest_v1
from aiokafka.protocol.fetch import FetchRequest_v4
from aiokafka.protocol.group import HeartbeatRequest_v1, JoinGroupRequest_v2, LeaveGroupRequest_v1, SyncGroupRequest_v1
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.offset import OffsetRequest_v3
from aiokafka.protocol.produce import ProduceRequest_v3
from aiokafka.protocol.transaction import InitProducerIdRequest_v0

from tests.support.loop_thread import LoopThread
from tests.support.memory_groups import Group
from tests.support.memory_log import SETTINGS, Log, Refused, Topic

HOST = "127.0.0.1"
NODE = 1
LATEST, EARLIEST = -1, -2
TOPIC_RESOURCE = 2
DEFAULT_SOURCE, TOPIC_SOURCE = 5, 1  # of a setting

SERVED: tuple[type[RequestStruct], ...] = (
    ApiVersionRequest_v0,
    CreateTopicsRequest_v3,
    DeleteRecordsRequest_v1,
    DeleteTopicsRequest_v3,
    DescribeConfigsRequest_v2,
    FetchRequest_v4,
    FindCoordinatorRequest_v1,
    HeartbeatRequest_v1,
    InitProducerIdRequest_v0,
    JoinGroupRequest_v2,
    LeaveGroupRequest_v1,
    ListGroupsRequest_v1,
    MetadataRequest_v5,
    OffsetCommitRequest_v3,
    OffsetFetchRequest_v3,
    OffsetRequest_v3,
    ProduceRequest_v3,
    SyncGroupRequest_v1,
)


class MemoryBroker:
    """Start it, use its address, stop it; the same words as streams.embedded.broker.BrokerProcess."""

    name = "the broker in memory"

    def __init__(self) -> None:
        self.topics: dict[str, Topic] = {}
        self.groups: defaultdict[str, Group] = defaultdict(Group)
        self.port = 0
        self._thread: LoopThread | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._grown: asyncio.Event | None = None
        self._producers = itertools.count(1)
        self._answers: dict[int, tuple[type[RequestStruct], Callable[[Any], Any]]] = {
            kind.API_KEY: (kind, getattr(self, f"_{kind.__name__.partition('Request')[0]}")) for kind in SERVED
        }

    @property
    def address(self) -> str:
        """Where clients find it: `host:port`."""
        return f"{HOST}:{self.port}"

    async def start(self) -> None:
        """Listen on a free port."""
        self._thread = LoopThread()
        self._thread.run(self._listen())

    async def stop(self) -> None:
        """End all connections."""
        assert self._thread is not None
        self._thread.run(self._close())
        self._thread.close()

    def check(self) -> None:
        """Nothing: what is in this process has not died."""

    async def _listen(self) -> None:
        self._grown = asyncio.Event()
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection, one after the other, as Kafka does."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while True:
                    (size,) = struct.unpack(">i", await reader.readexactly(4))
                    answer = await self._answer(await reader.readexactly(size))
                    if answer is not None:
                        writer.write(struct.pack(">i", len(answer)) + answer)
                        await writer.drain()
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, message: bytes) -> bytes | None:
        data = io.BytesIO(message)
        header = RequestHeader_v1.SCHEMA.decode(data)
        key, version, correlation, _client = header
        kind, handle = self._answers[key]
        if version != kind.API_VERSION:
            raise AssertionError(f"{kind.__name__} was promised, version {version} was sent")
        request = kind.decode(data)
        answer = handle(request)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer is None:
            return None
        response = kind.RESPONSE_TYPE(*answer)
        return ResponseHeader_v0(correlation).encode() + response.encode()

    # -- topics -----------------------------------------------------------------------------------------------

    def _ApiVersion(self, _request: Any) -> tuple[Any, ...]:
        return 0, [(kind.API_KEY, kind.API_VERSION, kind.API_VERSION) for kind in SERVED]

    def _Metadata(self, request: Any) -> tuple[Any, ...]:
        names = self.topics if request.topics is None else request.topics
        return 0, [(NODE, HOST, self.port, None)], "memory", NODE, [self._described(name) for name in names]

    def _described(self, name: str) -> tuple[Any, ...]:
        if name not in self.topics:
            return UnknownTopicOrPartitionError.errno, name, False, []
        return 0, name, False, [(0, at, NODE, [NODE], [NODE], []) for at in range(len(self.topics[name].logs))]

    def _CreateTopics(self, request: Any) -> tuple[Any, ...]:
        return 0, [self._create(*wanted, dry=request.validate_only) for wanted in request.create_topic_requests]

    def _create(
        self, name: str, partitions: int, _replicas: int, _placed: Any, settings: Any, *, dry: bool
    ) -> tuple[Any, ...]:
        if name in self.topics:
            return name, TopicAlreadyExistsError.errno, f"Topic '{name}' already exists."
        if partitions == 0:
            return name, InvalidPartitionsError.errno, "Number of partitions must be larger than 0."
        if not dry:
            self.topics[name] = Topic([Log() for _ in range(max(partitions, 1))], dict(settings))
        return name, 0, None

    def _DeleteTopics(self, request: Any) -> tuple[Any, ...]:
        unknown = UnknownTopicOrPartitionError.errno
        return 0, [(name, unknown if self.topics.pop(name, None) is None else 0) for name in request.topics]

    def _DescribeConfigs(self, request: Any) -> tuple[Any, ...]:
        return 0, [self._settings(*resource) for resource in request.resources]

    def _settings(self, kind: int, name: str, wanted: list[str] | None) -> tuple[Any, ...]:
        if kind != TOPIC_RESOURCE:
            return 0, None, kind, name, []
        if name not in self.topics:
            return UnknownTopicOrPartitionError.errno, None, kind, name, []
        topic = self.topics[name]
        names = [one for one in {**SETTINGS, **topic.settings} if wanted is None or one in wanted]
        return 0, None, kind, name, [
            (one, topic.setting(one), False, TOPIC_SOURCE if one in topic.settings else DEFAULT_SOURCE, False, [])
            for one in names
        ]  # fmt: skip

    def _log(self, topic: str, partition: int) -> Log:
        if topic not in self.topics or partition >= len(self.topics[topic].logs):
            raise Refused(UnknownTopicOrPartitionError.errno)
        return self.topics[topic].logs[partition]

    # -- records ----------------------------------------------------------------------------------------------

    def _InitProducerId(self, _request: Any) -> tuple[Any, ...]:
        return 0, 0, next(self._producers), 0

    def _Produce(self, request: Any) -> tuple[Any, ...] | None:
        told = [
            (topic, [self._append(topic, partition, data) for partition, data in partitions])
            for topic, partitions in request.topics
        ]
        assert self._grown is not None
        self._grown.set()
        self._grown = asyncio.Event()
        return (told, 0) if request.required_acks else None

    def _append(self, topic: str, partition: int, data: bytes) -> tuple[int, int, int, int]:
        try:
            log = self._log(topic, partition)
            return partition, 0, log.append(data, int(self.topics[topic].setting("max.message.bytes"))), -1
        except Refused as refused:
            return partition, refused.code, -1, -1

    async def _Fetch(self, request: Any) -> tuple[Any, ...]:
        """Records, as soon as there are `min_bytes` of them, or an error, or the time is up."""
        loop = asyncio.get_running_loop()
        until = loop.time() + request.max_wait_time / 1000
        while True:
            assert self._grown is not None
            grown = self._grown
            told, size, failed = self._fetched(request)
            left = until - loop.time()
            if failed or size >= request.min_bytes or left <= 0:
                return 0, told
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(grown.wait(), left)

    def _fetched(self, request: Any) -> tuple[list[Any], int, bool]:
        told, size, failed = [], 0, False
        for topic, partitions in request.topics:
            answers = []
            for partition, offset, room in partitions:
                try:
                    log = self._log(topic, partition)
                    data = log.read(offset, min(room, request.max_bytes - size)) if size < request.max_bytes else b""
                    answers.append((partition, 0, log.end, log.end, [], data))
                    size += len(data)
                except Refused as refused:
                    answers.append((partition, refused.code, -1, -1, [], b""))
                    failed = True
            told.append((topic, answers))
        return told, size, failed

    def _Offset(self, request: Any) -> tuple[Any, ...]:
        return 0, [
            (topic, [self._offset(topic, partition, at) for partition, at in partitions])
            for topic, partitions in request.topics
        ]

    def _offset(self, topic: str, partition: int, at: int) -> tuple[int, int, int, int]:
        try:
            log = self._log(topic, partition)
        except Refused as refused:
            return partition, refused.code, -1, -1
        stamp, offset = {LATEST: (-1, log.end), EARLIEST: (-1, log.start)}.get(at) or log.offset_at(at)
        return partition, 0, stamp, offset

    def _DeleteRecords(self, request: Any) -> tuple[Any, ...]:
        told = []
        for topic, partitions in request.topics:
            for partition, offset in partitions:
                self._log(topic, partition).delete_before(offset)
            told.append((topic, [(partition, self._log(topic, partition).start, 0) for partition, _ in partitions]))
        return 0, told

    # -- groups -----------------------------------------------------------------------------------------------

    def _FindCoordinator(self, _request: Any) -> tuple[Any, ...]:
        return 0, 0, None, NODE, HOST, self.port

    def _ListGroups(self, _request: Any) -> tuple[Any, ...]:
        return 0, 0, [(name, "consumer") for name in self.groups]

    async def _JoinGroup(self, request: Any) -> tuple[Any, ...]:
        session, rebalance = request.session_timeout / 1000, request.rebalance_timeout / 1000
        group = self.groups[request.group]
        return 0, *await group.join(request.member_id, request.group_protocols, session, rebalance)

    async def _SyncGroup(self, request: Any) -> tuple[Any, ...]:
        group = self.groups[request.group]
        return 0, *await group.sync(request.member_id, request.generation_id, request.group_assignment)

    def _Heartbeat(self, request: Any) -> tuple[Any, ...]:
        return 0, self.groups[request.group].heartbeat(request.member_id, request.generation_id)

    def _LeaveGroup(self, request: Any) -> tuple[Any, ...]:
        return 0, self.groups[request.group].leave(request.member_id)

    def _OffsetCommit(self, request: Any) -> tuple[Any, ...]:
        group = self.groups[request.consumer_group]
        error = group.may_commit(request.consumer_id, request.consumer_group_generation_id)
        told = []
        for topic, partitions in request.topics:
            for partition, offset, metadata in partitions:
                if not error:
                    group.offsets[topic, partition] = offset, metadata
            told.append((topic, [(partition, error) for partition, *_ in partitions]))
        return 0, told

    def _OffsetFetch(self, request: Any) -> tuple[Any, ...]:
        offsets = self.groups[request.consumer_group].offsets
        wanted: list[tuple[str, list[int]]] = request.topics
        if wanted is None:
            by_topic: defaultdict[str, list[int]] = defaultdict(list)
            for topic, partition in offsets:
                by_topic[topic].append(partition)
            wanted = list(by_topic.items())
        told = [
            (topic, [(p, *offsets.get((topic, p), (-1, "")), 0) for p in partitions]) for topic, partitions in wanted
        ]
        return 0, told, 0
