"""Faults of the workers themselves: killed, frozen, coming and going, with a clock that jumps, or fed with poison."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from streams.embedded.supervisor import Child
from tests.faults import clock, failpoints
from tests.faults.account import differences
from tests.faults.poison import Poison
from tests.faults.suite import TRIAL_SECONDS, Outcome
from tests.faults.world import KINDS, PATIENCE, SESSION, World, world
from tests.support.brokers import Broker, until

Trial = Callable[[World, random.Random], Awaitable[None]]
"""What happens in a world whose workers have not been started; returns when everything has been fed."""


class ProcessFault:
    """A fault of the workers. seconds: after which a trial has come to a standstill."""

    def __init__(self, name: str, trial: Trial, seconds: float = TRIAL_SECONDS) -> None:
        self.name = name
        self._trial = trial
        self._seconds = seconds

    def run(self, seed: int, broker: Broker) -> Outcome:
        """See Fault.run."""
        return asyncio.run(self._run(seed, world(broker.address, seed)))

    async def _run(self, seed: int, made: AbstractAsyncContextManager[World]) -> Outcome:
        async with made as tried, asyncio.timeout(self._seconds):
            await self._trial(tried, random.Random(seed))
            await tried.settled()
            found = await differences(tried)
            return Outcome(tried.records, found + [f"a worker died: {said}" for said in tried.deaths])


async def kill_at_random(tried: World, rng: random.Random) -> None:
    """Any worker, at any moment, six times."""
    await tried.start_all({"stitch": 2, "sink": 2})
    await tried.reading()
    feeding = asyncio.create_task(tried.feed(pause=0.5))
    for _ in range(6):
        await asyncio.sleep(rng.uniform(0.2, 2.0))
        tried.kill(rng.choice([child for child in tried.children() if child.pid is not None]))
    await feeding


async def kill_at_points(tried: World, rng: random.Random) -> None:
    """One worker of each kind at a point of its own, early in its life; eight seeds in a row come by every point."""
    for kind in KINDS:
        points = failpoints.POINTS[kind]
        point = points[tried.seed % len(points)]
        await tried.start(kind, **tried.failpoint(point, rng.randint(1, 3), "kill"))
    await tried.feed(pause=0.3)


async def kill_all_of_a_kind(tried: World, rng: random.Random) -> None:
    """All workers of one kind at once, then those of another."""
    await tried.start_all({"enrich": 2, "stitch": 2, "sink": 2})
    await tried.reading()
    for upto, kind in zip((0.3, 0.6, 0.9), rng.sample(KINDS, 3), strict=True):
        await tried.feed(upto, pause=0.1)
        for child in tried.workers[kind]:
            tried.kill(child)
    await tried.feed()


async def freeze(tried: World, rng: random.Random) -> None:
    """A worker stops in the middle of a batch, loses its partitions to another, and wakes up when that one has gone on.

    Then all of its kind are killed, so that what is in the changelog counts and not what the new owner remembers. Four
    seeds in a row freeze every kind, twelve every kind at every point within a batch.
    """
    turn, number = divmod(tried.seed, len(KINDS))
    kind = KINDS[number]
    points = [point for point in failpoints.POINTS[kind] if point.startswith("before") and "commit" not in point]
    await freeze_at(tried, kind, points[turn % len(points)])


async def freeze_at(tried: World, kind: str, point: str) -> None:
    """Freeze the first worker of a kind at a point."""
    for other in KINDS:
        if other != kind:
            await tried.start(other)
    (sleeper,) = await tried.start(kind, supervised=False, **tried.failpoint(point, 3, "freeze"))
    await tried.reading()
    feeding = asyncio.create_task(tried.feed(0.5, pause=0.2))
    await until(lambda: state_of(sleeper) == "T", PATIENCE, f"{kind} to freeze at {point}")
    await tried.start(kind)
    await feeding
    await tried.settled()
    await tried.feed(0.7)
    await tried.settled()
    tried.kill(sleeper, signal.SIGCONT)
    await asyncio.sleep(SESSION)  # it may do its worst
    for child in tried.workers[kind]:
        tried.kill(child)
    await tried.feed()


def state_of(child: Child) -> str:
    """The kernel's letter for the state of a worker: T is stopped; "" when it does not run."""
    try:
        return Path(f"/proc/{child.pid}/stat").read_text().rpartition(") ")[2][:1]
    except FileNotFoundError:
        return ""


async def rebalances(tried: World, rng: random.Random) -> None:
    """Workers join and leave without pause while events flow."""
    await tried.start_all()
    await tried.reading()
    feeding = asyncio.create_task(tried.feed(pause=1.5))
    while not feeding.done():
        kind = rng.choice(KINDS)
        (guest,) = await tried.start(kind, supervised=False)
        await until(lambda guest=guest: guest.find_address(), PATIENCE, f"another {kind}")
        await asyncio.sleep(rng.uniform(0.0, 3.0))
        if rng.random() < 0.3:
            tried.kill(guest)
        await guest.stop()
    await feeding


async def clock_jumps(tried: World, rng: random.Random) -> None:
    """The wall clock of all workers goes hours forward and back, twice by days forward."""
    file = tried.folder / "clock"
    clock.set_ahead(file, 0)
    for kind in KINDS:
        await tried.start(kind, **{clock.VARIABLE: str(file)})
    await tried.reading()
    feeding = asyncio.create_task(tried.feed(pause=0.5))
    while not feeding.done():
        clock.set_ahead(file, rng.choice((-7 * 3600.0, -61.0, 0.0, 3600.0, 26 * 3600.0, 40 * 86400.0)))
        await asyncio.sleep(rng.uniform(0.5, 2.0))
    await feeding


async def poison(tried: World, rng: random.Random) -> None:
    """Every twentieth record is none that can be used, of every kind."""
    maker = Poison(tried, rng)
    events = sum(batch.frame.height for batch in tried.batches)
    await tried.start_all()
    for share in range(1, 21):
        await tried.feed(share / 20)
        await maker.send(round(0.05 * events / 20))


async def backlog(tried: World, rng: random.Random) -> None:
    """One kind of worker is away while all the others go on; hours later it comes back and catches up."""
    kind = rng.choice(KINDS)
    for other in KINDS:
        if other != kind:
            await tried.start(other)
    await tried.reading(*(other for other in KINDS if other != kind))
    await tried.feed(timestamp=time.time_ns() // 1_000_000 - 9 * 3600 * 1000)
    await tried.start(kind)


async def sink_killed_before_insert(tried: World, rng: random.Random) -> None:
    """The sink dies when it is about to insert, once it has read for a while."""
    for kind in KINDS:
        await tried.start(kind, **(tried.failpoint("before-insert", 3, "kill") if kind == "sink" else {}))
    await tried.feed(pause=0.3)


async def freeze_in_changelog(tried: World, rng: random.Random) -> None:
    """Stitch freezes after it has asked whether it still owns its partition, and before it writes."""
    await freeze_at(tried, "stitch", "before-changelog")


FAULTS = (
    ProcessFault("kill-at-random", kill_at_random),
    ProcessFault("kill-at-points", kill_at_points),
    ProcessFault("kill-all-of-a-kind", kill_all_of_a_kind),
    ProcessFault("freeze", freeze),
    ProcessFault("freeze-in-changelog", freeze_in_changelog),
    ProcessFault("sink-killed-before-insert", sink_killed_before_insert),
    ProcessFault("rebalances", rebalances),
    ProcessFault("clock-jumps", clock_jumps),
    ProcessFault("poison", poison),
    ProcessFault("backlog", backlog),
)
