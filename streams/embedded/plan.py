"""What the embedded pipeline is to start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams import topology
from streams.settings import ENVIRONMENT_PREFIX

SCALED = tuple(worker.name for worker in topology.WORKERS if not worker.single)
"""Workers of which there may be several; identity's input has one partition."""

TANSU, KAFKA = "tansu", "kafka"


@dataclass(frozen=True)
class Plan:
    """What to start.

    data: the data folder. broker: "tansu", "kafka" or host:port. workers: processes of each of SCALED.
    http_port, broker_port: None takes the usual one where it is free, 0 any free one.
    max_restarts: how often in a row a worker may die before all is given up; None: no limit.
    kinds: of the workers, in the order of streams.topology.
    collects: whether the collector runs, too; collect_port: as the other ports.
    serves, serve_port: the same of Customer 360.
    rebuild: make all that is stored anew by the model, even where it is the one that made it.
    """

    data: Path
    broker: str = TANSU
    workers: int = 1
    http_port: int | None = 0
    broker_port: int | None = 0
    max_restarts: int | None = None
    kinds: Sequence[str] = topology.REQUIRED
    collect_port: int | None = 0
    collects: bool = False
    serve_port: int | None = 0
    serves: bool = False
    rebuild: bool = False

    def processes(self, kind: str) -> list[str]:
        """Names of the processes of a kind of worker."""
        return [kind] if kind not in SCALED else [f"{kind}-{n + 1}" for n in range(self.workers)]


def partitions_for(plan: Plan, environment: Mapping[str, str]) -> int | None:
    """Number of partitions for the topics of a plan; None: that of the settings.

    On the embedded broker, whose topics are new at each start, one for each worker of a kind, unless the environment
    sets another number. More would cost: each partition gets batches of its own, and that broker searches all batches.
    """
    said = ENVIRONMENT_PREFIX + "PARTITIONS" in environment
    return None if said or plan.broker != TANSU else plan.workers


def is_sole(plan: Plan, kind: str) -> bool:
    """Whether a worker of a kind is always the only member of its group.

    The supervisor starts a worker again only after its process has ended. The embedded broker serves no other workers;
    another broker may.
    """
    return plan.broker == TANSU and (kind not in SCALED or plan.workers == 1)
