"""Whether this worker still owns a partition: asked before a state is written or an answer is sent."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from aiokafka import TopicPartition

from streams.kafka.consumer_thread import now

handling: ContextVar[int | None] = ContextVar("handling", default=None)
"""Generation of the batch that the current task handles. A table refuses changes from an older generation."""


class OwnershipLost(Exception):
    """This worker may have lost the partition. It must not write what it was about to write."""


def still_owner(app: Any, tp: tuple[str, int], generation: int) -> bool:
    """Whether this worker still owns a partition that it got in `generation` (of app.consumer, or of a batch).

    Also False when it cannot know, as after SIGSTOP or sleep: if no heartbeat was answered within the session timeout,
    or if a revocation is older than the rebalance timeout, another worker may own the partition.
    """
    consumer = app.consumer
    try:
        kafka = consumer._thread._ensure_consumer()
    except Exception:  # not started, or stopped
        return False
    moment, conf = now(), app.conf
    return bool(
        consumer.generation == generation
        and app.consumer_generation_id == kafka._coordinator.generation
        and TopicPartition(*tp) in kafka.assignment()
        and moment - consumer._thread.heartbeat_at < conf.broker_session_timeout
        and (consumer.revoking_since is None or moment - consumer.revoking_since < conf.broker_rebalance_timeout)
    )


def owns(app: Any, tp: tuple[str, int]) -> bool:
    """Whether this worker owns a partition now, as far as it knows."""
    return still_owner(app, tp, getattr(app.consumer, "generation", -1))
