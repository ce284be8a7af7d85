"""Faults of a cluster of three brokers: replication 3, two replicas have to have a record before it is acknowledged."""

from __future__ import annotations

import asyncio
import random
import signal
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.kafka import clients
from streams.kafka.topics import MIN_INSYNC
from streams.repartition.writing import describe
from tests.faults.account import differences
from tests.faults.suite import TRIAL_SECONDS, Outcome, OwnBrokerFault
from tests.faults.world import World, world
from tests.support.brokers import until
from tests.support.kafka_cluster import SIZE, Cluster, Member


@dataclass(frozen=True)
class Clustered:
    """What a trial may do things to."""

    world: World
    cluster: Cluster


Trial = Callable[[Clustered, random.Random], Awaitable[None]]


class ClusterFault(OwnBrokerFault):
    """A fault of the cluster; each run has one of its own. Workers may stop with an error, and are started again."""

    def __init__(self, name: str, trial: Trial) -> None:
        super().__init__(name)
        self._trial = trial

    async def _run(self, seed: int) -> Outcome:
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="rihla-fault-cluster-", ignore_cleanup_errors=True)
            )
            cluster = Cluster(Path(folder))
            stack.push_async_callback(cluster.stop)
            await cluster.start()
            made = await stack.enter_async_context(world(cluster.address, seed, replication=SIZE))
            async with asyncio.timeout(TRIAL_SECONDS):
                await made.start_all({"stitch": 2})
                await made.reading()
                await self._trial(Clustered(made, cluster), random.Random(seed))
                await cluster.in_sync()
                await made.settled()
                return Outcome(made.records, await differences(made))


async def broker_killed(tried: Clustered, rng: random.Random) -> None:
    """SIGKILL to a broker that is not the controller, twice; it is away while events flow, and comes back."""
    for upto in (0.5, 1.0):
        controller = await tried.cluster.controller()
        victim = rng.choice([each for each in tried.cluster.members if each is not controller])
        await _away(tried, victim, upto)


async def controller_killed(tried: Clustered, rng: random.Random) -> None:
    """SIGKILL to the controller, twice; another leads before it comes back."""
    for upto in (0.5, 1.0):
        victim = await tried.cluster.controller()
        await _away(tried, victim, upto)


async def _away(tried: Clustered, victim: Member, upto: float) -> None:
    feeding = asyncio.create_task(tried.world.feed(upto, pause=0.3))
    await _some_fed(tried)
    await victim.end()
    await feeding
    await victim.start()
    await tried.cluster.in_sync()


async def _some_fed(tried: Clustered) -> None:
    """Return when something has been sent since."""
    before = tried.world.records
    await until(lambda: tried.world.records > before, what="events to flow")


async def rolling_restart(tried: Clustered, rng: random.Random) -> None:
    """Every broker is stopped in order (SIGTERM) and started again, one after the other, while events flow."""
    feeding = asyncio.create_task(tried.world.feed(pause=1.0))
    for member in rng.sample(tried.cluster.members, SIZE):
        await member.end(signal.SIGTERM)
        await member.start()
        await tried.cluster.in_sync()
    await feeding


async def disk_gone(tried: Clustered, rng: random.Random) -> None:
    """A broker dies, and its disk with it: it comes back with an empty one, and copies all from the others. Then the
    two others are killed, one after the other, so that what it copied has to be right."""
    victim, *others = rng.sample(tried.cluster.members, SIZE)
    await tried.world.feed(0.4, pause=0.2)
    feeding = asyncio.create_task(tried.world.feed(0.7, pause=0.3))
    await _some_fed(tried)
    await victim.end()
    victim.lose_disk()
    await victim.start()
    await tried.cluster.in_sync()
    await feeding
    for number, other in enumerate(others, 1):
        await _away(tried, other, 0.7 + 0.15 * number)


async def below_min_insync(tried: Clustered, rng: random.Random) -> None:
    """One broker is killed while every topic asks for three replicas in sync: nothing is acknowledged for a while, to
    producers, workers, or commits of offsets. Then two suffice again."""
    await tried.world.feed(0.4, pause=0.2)
    await _ask_for(tried, SIZE)
    victim = rng.choice(tried.cluster.members)
    await victim.end()
    await tried.cluster.without(victim)
    sent = tried.world.records
    feeding = asyncio.create_task(tried.world.feed(pause=0.3))
    await asyncio.sleep(rng.uniform(10.0, 30.0))
    acknowledged = tried.world.records - sent
    await _ask_for(tried, SIZE - 1)
    await feeding
    await victim.start()
    if acknowledged:
        raise AssertionError(f"{acknowledged} records are acknowledged although too few replicas are in sync")


async def _ask_for(tried: Clustered, replicas: int) -> None:
    """Set min.insync.replicas of every topic there is, and leave its other settings as they are."""
    admin = clients.admin(tried.world.settings)
    await admin.start()
    try:
        for name, topic in (await describe(admin, await admin.list_topics())).items():
            config = {**topic.config, MIN_INSYNC: str(replicas)}
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, config)])
    finally:
        await admin.close()


async def quorum_lost(tried: Clustered, rng: random.Random) -> None:
    """Two of three brokers are killed: neither records nor elections go on until one of them is back."""
    first, second = rng.sample(tried.cluster.members, 2)
    await tried.world.feed(0.4, pause=0.2)
    feeding = asyncio.create_task(tried.world.feed(pause=0.3))
    await _some_fed(tried)
    await asyncio.gather(first.end(), second.end())
    await asyncio.sleep(rng.uniform(10.0, 30.0))
    await second.start()
    await feeding
    await first.start()


FAULTS = (
    ClusterFault("cluster-broker-killed", broker_killed),
    ClusterFault("cluster-controller-killed", controller_killed),
    ClusterFault("cluster-rolling-restart", rolling_restart),
    ClusterFault("cluster-disk-gone", disk_gone),
    ClusterFault("cluster-below-min-insync", below_min_insync),
    ClusterFault("cluster-quorum-lost", quorum_lost),
)
