"""The largest record that a topic accepts, as its broker says."""

from __future__ import annotations

from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeConfigsRequest

TOPIC_RESOURCE = 2  # Kafka's ResourceType.TOPIC
MAX_MESSAGE_BYTES = "max.message.bytes"
DEFAULT_BYTES = 1_048_588
"""Kafka's own default for a topic's largest batch: what is taken where the broker may not be asked."""


class NotAllowedError(Exception):
    """The broker does not tell us a topic's settings."""


async def topic_setting(client: Any, topic: str, name: str) -> str | None:
    """A topic's setting; None where the broker does not answer (the embedded one), or there is no such setting.

    client: a started AIOKafkaClient. Raises NotAllowedError where the broker refuses to tell.
    """
    node = client.get_random_node()
    request = DescribeConfigsRequest([(TOPIC_RESOURCE, topic, [name])])
    try:
        response = await client.send(node, request)
    except KafkaError:
        return None
    for error, _message, _kind, resource, entries in response.resources:
        if resource == topic and error:
            raise NotAllowedError(topic)
        for entry in entries or ():
            if resource == topic and entry[0] == name:
                return entry[1] or None
    return None


async def largest_batch(client: Any, topic: str) -> int | None:
    """Bytes of the largest batch that a topic takes; None where that cannot be known."""
    try:
        found = await topic_setting(client, topic, MAX_MESSAGE_BYTES)
    except NotAllowedError:
        return DEFAULT_BYTES
    return int(found) if found is not None and found.isdigit() else None
