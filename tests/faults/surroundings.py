"""Faults of what the workers stand on: the broker stops, its disk is full, the network is slow or cut."""

from __future__ import annotations

import asyncio
import random
import resource
import signal
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from streams.embedded.kafka import Kafka
from streams.embedded.ports import HOST, free_ports
from tests.faults.account import differences
from tests.faults.proxy import Proxy, proxy
from tests.faults.suite import TRIAL_SECONDS, Outcome, OwnBrokerFault
from tests.faults.world import PATIENCE, World, world
from tests.support.brokers import until


class TwoDoors(Kafka):
    """An Apache Kafka with a second listener, which tells its clients to come to `advertised`: a proxy in front."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.second_port = free_ports(1)[0]
        self.advertised = 0

    def _configure(self) -> Path:
        file = super()._configure()
        first, second = f"PLAINTEXT://{HOST}:{self.port}", f"PROXIED://{HOST}:{self.second_port}"
        text = file.read_text().replace(f"listeners={first},", f"listeners={first},{second},", 1)
        text = text.replace(
            f"advertised.listeners={first}", f"advertised.listeners={first},PROXIED://{HOST}:{self.advertised}"
        )
        text = text.replace("map=PLAINTEXT:PLAINTEXT,", "map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,")
        file.write_text(text)
        return file


@dataclass(frozen=True)
class Surroundings:
    """What a trial may do things to: the broker, and the way that the workers take to it."""

    world: World
    broker: TwoDoors
    way: Proxy


Trial = Callable[[Surroundings, random.Random], Awaitable[None]]


class SurroundingsFault(OwnBrokerFault):
    """A fault of the surroundings; each run has a broker of its own. Workers may stop with an error meanwhile: whoever
    started them starts them again."""

    def __init__(self, name: str, trial: Trial) -> None:
        super().__init__(name)
        self._trial = trial

    async def _run(self, seed: int) -> Outcome:
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rihla-fault-broker-"))
            kafka = TwoDoors(Path(folder) / "kafka")
            way = await stack.enter_async_context(proxy(kafka.second_port))
            kafka.advertised = way.port
            await kafka.start()
            stack.push_async_callback(kafka.stop)
            made = await stack.enter_async_context(
                world(kafka.address, seed, extra={"RIHLA_BROKERS": f"{HOST}:{way.port}"})
            )
            async with asyncio.timeout(TRIAL_SECONDS):
                await self._trial(Surroundings(made, kafka, way), random.Random(seed))
                way.delay, way.rate, way.refusing = 0.0, None, False
                await made.settled()
                return Outcome(made.records, await differences(made))


async def broker_stops(tried: Surroundings, rng: random.Random) -> None:
    """The broker stops, by SIGTERM or SIGKILL, and starts again on its log, twice."""
    await tried.world.start_all()
    await tried.world.reading()
    for upto in (0.35, 0.7):
        await tried.world.feed(upto, pause=0.2)
        await asyncio.sleep(rng.uniform(0.0, 1.0))
        await restart(tried.broker, rng.choice((signal.SIGTERM, signal.SIGKILL)), rng.uniform(0.0, 8.0))
    await tried.world.feed(pause=0.2)


async def restart(kafka: Kafka, signum: int, pause: float) -> None:
    assert kafka.pid is not None
    _signal(kafka, signum)
    await until(lambda: kafka.pid is None, PATIENCE, "the broker to end")
    await kafka.stop()
    await asyncio.sleep(pause)
    await kafka.start()


def _signal(kafka: Kafka, signum: int) -> None:
    assert kafka._process is not None
    kafka._process.send_signal(signum)


async def broker_disk_full(tried: Surroundings, rng: random.Random) -> None:
    """No file of the broker may grow any more, as on a full disk (the kernel's limit on file sizes, set on the running
    process): it cannot write, gives up, and is started again when there is room."""
    await tried.world.start_all()
    await tried.world.reading()
    await tried.world.feed(0.4, pause=0.1)
    pid = tried.broker.pid
    assert pid is not None
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
    feeding = asyncio.create_task(tried.world.feed(pause=0.2))  # the producer tries until there is room
    await until(lambda: tried.broker.pid is None, PATIENCE, "the broker to give up")
    await tried.broker.stop()
    await asyncio.sleep(rng.uniform(0.0, 5.0))
    await tried.broker.start()
    await feeding


async def slow_connections(tried: Surroundings, rng: random.Random) -> None:
    """Between workers and broker every block of bytes is late, by up to half a second, and the bandwidth small."""
    await tried.world.start_all({"stitch": 2})
    await tried.world.reading()
    feeding = asyncio.create_task(tried.world.feed(pause=0.5))
    while not feeding.done():
        tried.way.delay = rng.choice((0.0, 0.02, 0.1, 0.5))
        tried.way.rate = rng.choice((None, 2e6, 2e5))
        await asyncio.sleep(rng.uniform(1.0, 3.0))
    await feeding


async def cut_connections(tried: Surroundings, rng: random.Random) -> None:
    """Connections are broken off in mid-message, some or all; at times nobody gets through for some seconds."""
    await tried.world.start_all({"stitch": 2})
    await tried.world.reading()
    feeding = asyncio.create_task(tried.world.feed(pause=0.7))
    while not feeding.done():
        tried.way.refusing = rng.random() < 0.3
        tried.way.cut(rng.choice((0.3, 1.0)))
        await asyncio.sleep(rng.uniform(0.2, 4.0))
    await feeding


FAULTS = (
    SurroundingsFault("broker-stops", broker_stops),
    SurroundingsFault("broker-disk-full", broker_disk_full),
    SurroundingsFault("slow-connections", slow_connections),
    SurroundingsFault("cut-connections", cut_connections),
)
