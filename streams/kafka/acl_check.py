"""Asks Kafka for our rights before anything is done, and reports all missing ones at once, each by name.

A broker says what a client may do with a topic or group that the client may see (KIP-430). Without this check a worker
would find missing rights one at a time, each by a stream that stops.
"""

from __future__ import annotations

import logging
from typing import Any

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    TopicAuthorizationFailedError,
)
from aiokafka.protocol.admin import DescribeGroupsRequest_v3, DescribeGroupsResponse_v3
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from streams.errors import RihlaError
from streams.kafka import clients
from streams.kafka.acls import CREATE, GROUP, TOPIC, Acl, acls, as_commands, is_known
from streams.settings import Settings

BITS = {"Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Describe": 8, "DescribeConfigs": 10, "AlterConfigs": 11}
"""Codes of Kafka's AclOperation: bit of each in `authorized_operations`."""
NOT_SAID = -(2**31)
_TEXT = String("utf-8")

log = logging.getLogger(__name__)


class AclError(RihlaError):
    """A right is missing; the message names user, operation and resource, the hint is the command that grants it."""


class _Answer(Response):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT))),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", _TEXT),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("authorized_operations", Int32),
    )


class _Question(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("topics", Array(_TEXT)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _Metadata(Request[_Question]):  # type: ignore[misc]
    """Metadata in the version whose answer has the client's rights."""

    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_Question]) -> _Question:
        return request_struct_class(self._topics, False, False, True)


class _GroupsQuestion(DescribeGroupsRequest_v3):  # type: ignore[misc]
    """aiokafka parses the answer to its own request as version 2, which has no rights."""

    RESPONSE_TYPE = DescribeGroupsResponse_v3


class _Groups(Request[_GroupsQuestion]):  # type: ignore[misc]
    """A group's description, in the version whose answer has the client's rights."""

    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[_GroupsQuestion]) -> _GroupsQuestion:
        return request_struct_class([self._group], True)


async def missing(settings: Settings, who: str, group: str | None = None) -> list[Acl]:
    """Rights of `who` (who, group: see streams.kafka.acls) to existing topics and groups that the broker does not
    grant. Empty where the broker cannot tell. Raises KafkaError.
    """
    rights = [right for right in acls(settings, who, group=group) if right.operation != CREATE and not right.prefixed]
    admin = clients.admin(settings)
    try:
        await admin.start()
        names = sorted({right.name for right in rights if right.resource == TOPIC})
        allowed = {(TOPIC, name): bits for name, bits in (await _topics(admin, names)).items()}
        for name in sorted({right.name for right in rights if right.resource == GROUP}):
            allowed[GROUP, name] = await _group(admin, name)
    except (IncompatibleBrokerVersion, NotImplementedError):
        return []
    finally:
        await admin.close()
    return [
        right
        for right in rights
        if (bits := allowed.get((right.resource, right.name), NOT_SAID)) != NOT_SAID
        and not bits >> BITS[right.operation] & 1
    ]


async def _topics(admin: Any, names: list[str]) -> dict[str, int]:
    """Name: what we may do, as bits; NOT_SAID for a topic that is not there."""
    if not names:
        return {}
    answer = await admin._send_request(_Metadata(names))
    found = {}
    for error, name, _, _, bits in answer.topics:
        found[name] = 0 if error == TopicAuthorizationFailedError.errno else NOT_SAID if error else bits
    return found


async def _group(admin: Any, group: str) -> int:
    try:
        answer = await admin._send_request(_Groups(group), await admin.find_coordinator(group))
    except GroupAuthorizationFailedError:
        return 0
    except KafkaError as error:  # the topic of the groups is being made
        log.info("the broker does not say who may join %s: %r", group, error)
        return NOT_SAID
    ((code, *_, bits),) = answer.groups
    return 0 if code == GroupAuthorizationFailedError.errno else NOT_SAID if code else int(bits)


async def require(settings: Settings, who: str, group: str | None = None) -> None:
    """Raise AclError where a right of `who` is missing, that names all of them. group: as for `missing`."""
    if settings.embedded:
        return
    lacking = await missing(settings, who, group)
    if lacking:
        raise denied(settings, who, lacking)


def denied(settings: Settings, who: str, lacking: list[Acl]) -> AclError:
    """The error that names rights that are missing, and how to grant them."""
    principal = f"User:{settings.sasl_username}" if settings.sasl_username else "User:NAME"
    user = f"user {settings.sasl_username}" if settings.sasl_username else "this user"
    rights = ", ".join(map(str, lacking))
    if is_known(who):
        rights += f" (for {who})"
    return AclError(f"{user} may not {rights}", "\n  ".join(as_commands(lacking, principal, settings.brokers)))


async def explained(settings: Settings, who: str, error: BaseException) -> BaseException:
    """The error that says which right is missing, where Kafka has refused something for that; else the same one."""
    from aiokafka.errors import ClusterAuthorizationFailedError, KafkaConnectionError

    from streams.kafka.refusals import BrokerRefusedError, explain

    refused = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)
    try:
        if isinstance(error, refused) and is_known(who):
            lacking = await missing(settings, who)
            if lacking:
                return denied(settings, who, lacking)
        elif isinstance(error, KafkaConnectionError) and not isinstance(error, BrokerRefusedError):
            return await explain(settings, clients.client_options(settings), error)
    except KafkaError as failed:
        log.info("why could not be found out: %r", failed)
    return error
