"""Three Apache Kafka brokers on this machine, each broker and controller in one: replication 3, two in sync."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from aiokafka.errors import KafkaError

from streams.embedded import kafka
from streams.embedded.broker import BrokerError
from streams.embedded.ports import HOST, free_ports
from streams.kafka import clients
from streams.settings import Settings
from tests.support.waiting import HUNG, until

SIZE = 3

# Of two lines with one name Kafka takes the last, so these follow those of the broker that stands alone.
PROPERTIES = """\
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
unclean.leader.election.enable=false
"""


class Member(kafka.Kafka):
    """One broker of a cluster."""

    heap = "256m"

    def __init__(self, folder: Path, cluster: Cluster, node: int) -> None:
        """node: its id, from 1."""
        super().__init__(folder)
        self.name = f"broker {node}"
        self.node = node
        self.controller_port = free_ports(1)[0]
        self._cluster = cluster

    @property
    def data(self) -> Path:
        """Its disk."""
        return self.folder / "data"

    def _configure(self) -> Path:
        file = super()._configure()
        own = PROPERTIES.format(
            node=self.node,
            voters=self._cluster.voters(),
            host=HOST,
            port=self.port,
            controller_port=self.controller_port,
        )
        file.write_text(file.read_text() + own)
        return file

    def _format(self, properties: Path) -> None:
        command = [*self._java(), "kafka.tools.StorageTool", "format", "-t", self._cluster.id, "-c", str(properties)]
        code, said = kafka._run(command, kafka.FORMAT_SECONDS)
        if code:
            raise BrokerError(f"{self.name} could not be formatted: {said}")

    async def end(self, signum: int = signal.SIGKILL) -> None:
        """Send it a signal, and return when it is gone."""
        assert self._process is not None
        self._process.send_signal(signum)
        await until(lambda: self.pid is None, HUNG, f"{self.name} to end")
        self._process = None

    def lose_disk(self) -> None:
        """Delete everything that it has stored; it must not run."""
        assert self.pid is None
        shutil.rmtree(self.data)

    def leader(self) -> tuple[int, int]:
        """Epoch, and node id, of the controller that leads, as this one has noted it last; (-1, -1): of none."""
        try:
            noted = json.loads((self.data / "__cluster_metadata-0" / "quorum-state").read_text())
        except (OSError, ValueError):  # not there yet, or just being written
            return -1, -1
        return noted["leaderEpoch"], noted["leaderId"]


class Cluster:
    """Three members; `start` first."""

    def __init__(self, folder: Path) -> None:
        self.id = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=").replace("-", "x")
        self.members = [Member(folder / f"broker-{node}", self, node) for node in range(1, SIZE + 1)]

    def voters(self) -> str:
        """As `controller.quorum.voters` has them."""
        return ",".join(f"{each.node}@{HOST}:{each.controller_port}" for each in self.members)

    @property
    def address(self) -> str:
        """All brokers, as RIHLA_BROKERS has them."""
        return ",".join(each.address for each in self.members)

    async def start(self) -> None:
        """Start all; return when each answers."""
        await asyncio.gather(*(each.start() for each in self.members))

    async def stop(self) -> None:
        """Stop all at once: one that is left alone has no quorum in which to leave in order."""
        for each in self.members:
            if each.pid is not None:
                await each.end()

    async def controller(self) -> Member:
        """The member that leads the quorum."""

        def found() -> Member | None:
            _epoch, node = max(each.leader() for each in self.members if each.pid is not None)
            return next((each for each in self.members if each.node == node and each.pid is not None), None)

        member: Member = await until(found, what="the quorum to have a leader")
        return member

    async def in_sync(self, count: int = SIZE) -> None:
        """Return when every partition has at least this many replicas in sync."""
        await self._every(lambda isr: len(isr) >= count, f"{count} replicas of every partition to be in sync")

    async def without(self, member: Member) -> None:
        """Return when the others have noticed that a member is gone: no partition counts it as in sync."""
        await self._every(lambda isr: member.node not in isr, f"{member.name} to be out of sync")

    async def _every(self, right: Callable[[list[int]], bool], what: str) -> None:
        """Return when the replicas in sync of every partition are right."""

        async def complete() -> bool:
            admin = clients.admin(Settings(brokers=self.address), request_timeout_ms=5000)
            try:
                await admin.start()
                topics = await admin.describe_topics()
            except (KafkaError, OSError, TimeoutError):
                return False
            finally:
                await admin.close()
            return all(right(one["isr"]) for topic in topics for one in topic["partitions"])

        await until(complete, HUNG, what)
