"""Faults under the collector: it, or its broker, is killed while many send. Whatever it answered with 202 counts once.

Senders do what docs/collector.md asks of them: a request without an answer, or with 503, is sent again, whole.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import Awaitable, Callable

import aiohttp

from streams.embedded.ports import HOST, free_ports
from streams.embedded.supervisor import Child, ChildSpec
from streams.settings import environment
from tests.faults.processes import ProcessFault
from tests.faults.surroundings import Surroundings, SurroundingsFault, restart
from tests.faults.world import ROOT, World
from tests.support.brokers import until
from tests.support.waiting import PATIENCE

SENDERS = 4
EVENTS = 50
"""Of one request."""
TOKEN = "a-token-for-trials-only"


class Senders:
    """Send the events of a world to a collector. sent: requests that were answered with 202. again: those that were
    not, and so were sent again. waiting: those without an answer yet. held: those that waited for the broker."""

    def __init__(self, tried: World) -> None:
        self._tried = tried
        lines = (tried.folder / "events.jsonl").read_bytes().splitlines()
        self._left = [b"\n".join(lines[at : at + EVENTS]) for at in range(0, len(lines), EVENTS)]
        self.requests, self.events = len(self._left), len(lines)
        self.sent = self.again = self.waiting = self.held = 0
        self._port = free_ports(1)[0]

    async def start(self) -> Child:
        """Start the collector, and start it again whenever it dies."""
        command = [sys.executable, "-m", "streams.cli", "worker", "collect", "--metrics-port", "0"]
        told = {
            **environment(self._tried.settings),
            **self._tried._extra,
            "PYTHONPATH": str(ROOT),
            "RIHLA_COLLECT_TOKEN": TOKEN,
            "RIHLA_COLLECT_PORT": str(self._port),
        }
        child = await self._tried.supervisor.start(ChildSpec("collect", command, told))
        await until(child.find_address, PATIENCE, "the collector to listen")
        return child

    async def send(self, pause: float) -> None:
        """Return when every event has been answered with 202. pause: seconds after each request, of each sender."""
        self._left.reverse()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as http:
            await asyncio.gather(*(self._sender(http, pause) for _ in range(SENDERS)))
        self._tried.records += self.events

    async def _sender(self, http: aiohttp.ClientSession, pause: float) -> None:
        while self._left:
            body = self._left.pop()
            while not await self._taken(http, body):
                self.again += 1
                await asyncio.sleep(0.2)
            self.sent += 1
            await asyncio.sleep(pause)

    async def _taken(self, http: aiohttp.ClientSession, body: bytes) -> bool:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/x-ndjson"}
        self.waiting += 1
        try:
            async with http.post(f"http://{HOST}:{self._port}/v1/events", data=body, headers=headers) as answer:
                if answer.status == 503:
                    return False
                told = await answer.json()
        except (aiohttp.ClientError, TimeoutError):
            return False
        finally:
            self.waiting -= 1
        if answer.status != 202 or told["refused"]:
            raise AssertionError(f"the collector answered {answer.status}: {told}")
        return True

    async def during(self, share: float) -> None:
        """Return when such a share of the requests has been taken."""
        await until(lambda: self.sent >= share * self.requests, PATIENCE, f"{share:.0%} of the events to be taken")


async def _collect(tried: World, disturb: Callable[[Senders, Child], Awaitable[None]]) -> None:
    """Send everything while something is disturbed; somebody must have noticed."""
    await tried.start_all()
    senders = Senders(tried)
    collector = await senders.start()
    sending = asyncio.create_task(senders.send(pause=0.05))
    disturbing = asyncio.create_task(disturb(senders, collector))
    await asyncio.gather(sending, disturbing)
    if not senders.again and not senders.held:
        raise AssertionError("no request was disturbed: nothing has been tried")
    print(
        f"{senders.requests} requests were taken, {senders.again} were sent again, {senders.held} waited",
        file=sys.stderr,
    )


async def collector_dies(tried: World, rng: random.Random) -> None:
    """The collector is killed in mid-load, four times, and started again."""

    async def disturb(senders: Senders, collector: Child) -> None:
        for share in (0.15, 0.35, 0.55, 0.75):
            await senders.during(share)
            await asyncio.sleep(rng.uniform(0.0, 0.1))
            tried.kill(collector)

    await _collect(tried, disturb)


async def broker_dies(tried: Surroundings, rng: random.Random) -> None:
    """The broker is killed under the collector in mid-load, twice, and started again on its log."""

    async def disturb(senders: Senders, collector: Child) -> None:
        for share in (0.3, 0.6):
            await senders.during(share)
            await restart(tried.broker, signal.SIGKILL, rng.uniform(0.0, 4.0))
            senders.held += senders.waiting  # the collector has its brokers asked again for a while, before it says 503

    await _collect(tried.world, disturb)


FAULTS = (ProcessFault("collector-dies", collector_dies), SurroundingsFault("collector-s-broker-dies", broker_dies))
