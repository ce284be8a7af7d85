"""Who is in the groups of the workers: nobody on a cluster so new that it has no topic of commits yet."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import GroupCoordinatorNotAvailableError

from streams.repartition import groups
from streams.repartition.groups import refuse_members
from streams.settings import Settings


class WithoutCoordinator:
    """An Apache Kafka that cannot say who coordinates a group: so does a new one at the first question."""

    def __init__(self, *topics: str) -> None:
        self.topics = list(topics)

    async def list_topics(self) -> list[str]:
        return list(self.topics)

    async def _send_request(self, request: object, node: int) -> None:
        raise AssertionError("there is nobody to ask")

    async def find_coordinator(self, group: str) -> int:
        self.topics.append("__consumer_offsets")  # which the question makes the broker make
        raise GroupCoordinatorNotAvailableError(f"no coordinator of {group}")


async def test_a_new_cluster_has_no_members() -> None:
    broker: Any = WithoutCoordinator("cx.booking")
    await refuse_members(broker, Settings(), ())


async def test_a_coordinator_that_is_away_is_no_proof_that_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "COORDINATOR_WITHIN", 0.0)
    broker: Any = WithoutCoordinator("cx.booking", "__consumer_offsets")
    with pytest.raises(GroupCoordinatorNotAvailableError):
        await refuse_members(broker, Settings(), ())
