"""ClickHouse is cut off while a day passes on the workers' clock, and most of the events come in; then it is let in.

A day of the clock that workers read: an hour goes by with every twenty-fourth of the events (tests.faults.clock). The
broker's clock, and all that goes by a monotonic one (the pauses between attempts, sessions), have only the minutes that
it took; the scene says how many.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sinks.clickhouse.client import connect
from streams.embedded.clickhouse.access import OWNER
from streams.kafka.observer import Observer
from tests.faults.account import read_topic
from tests.faults.clock import VARIABLE, set_ahead
from tests.faults.served import Published
from tests.faults.serving import Readers
from tests.faults.world import KINDS, database
from tests.support.brokers import until

if TYPE_CHECKING:
    from tests.faults.runbook import Scene

BEFORE, AFTER = 0.05, 0.95
"""Shares of the events that are stored before, and are in Kafka when ClickHouse is let in."""
HOURS = 24
LOOK = 5.0
"""Seconds between two looks while the sink catches up."""
GROWING = 600.0
"""Seconds for the other workers to be done with what came in."""


async def cut_off(scene: Scene) -> None:
    """Nobody reaches ClickHouse for a day of the workers' clock, while events come in, and everybody else goes on."""
    world, clock = scene.world, scene.folder / "clock"
    set_ahead(clock, 0.0)
    for kind in KINDS:
        await world.start(kind, supervised=False, **{VARIABLE: str(clock)})
    await world.reading()
    readers = Readers(world, random.Random(world.seed), Published(), servers=1)
    await readers.start()
    await world.feed(BEFORE)
    await world.settled()
    alerts = len(await read_topic(world, world.settings.topic("alerts")))
    scene.way.refusing = True
    scene.way.cut(1.0)
    began, before = time.monotonic(), world.records
    for hour in range(1, HOURS + 1):
        await world.feed(BEFORE + (AFTER - BEFORE) * hour / HOURS, pause=0.0)
        set_ahead(clock, hour * 3600.0)
    async with Observer(world.settings, world.addresses) as observer:

        async def others_done() -> bool:
            await observer.look()
            return not any(lag.behind for lag in observer.ledger.lags() if lag.worker != "sink")

        await until(others_done, GROWING + world.records / 500, "the others to be done")
    raised = len(await read_topic(world, world.settings.topic("alerts"))) - alerts
    known = await readers.known()
    stored = await asyncio.to_thread(_stored, list(known))
    scene.say(
        f"# away for {time.monotonic() - began:.0f} s, {HOURS} h of the workers' clock: {world.records - before:,} "
        f"records came in, and enrich, identity and stitch are done with them; {raised:,} alerts raised meanwhile; of "
        f"{len(known)} customers Customer 360 knows {sum(known.values()):,} interactions, and ClickHouse {stored:,}"
    )
    if not raised or sum(known.values()) <= stored:
        scene.wrong.append("alerts or Customer 360 waited for ClickHouse")


def _stored(customers: list[str]) -> int:
    """Interactions of some customers that the tables count; asked past the way that is closed."""
    with closing(connect(database().url_of(OWNER), "cx")) as client:
        asked = client.query(
            "SELECT sum(interactions) FROM customers WHERE customer_id IN {some:Array(String)}", {"some": customers}
        )
        return int(asked.result_rows[0][0])


async def let_in(scene: Scene) -> None:
    """ClickHouse is back; from now on it is watched how the sink catches up."""
    scene.way.refusing = False
    scene.flowing = asyncio.create_task(_watch(scene))


async def _watch(scene: Scene) -> None:
    """Say how far the sink is, until it is done."""
    began, shown = time.monotonic(), 0.0
    (sink,) = scene.world.workers["sink"]
    first: int | None = None
    async with Observer(scene.world.settings, scene.world.addresses) as observer:
        while True:
            await observer.look()
            waits = sum(lag.behind for lag in observer.ledger.lags() if lag.worker == "sink")
            first = waits if first is None else first
            seconds = time.monotonic() - began
            if seconds >= shown or not waits:
                shown = max(2 * shown, shown + LOOK)
                scene.say(f"# {seconds:4.0f} s: {waits:>10,} records wait; sink {peak_mib(sink.pid)} MiB at most")
            if not waits:
                scene.say(f"# caught up: {first:,} records in {seconds:.0f} s, {first / seconds:,.0f} a second")
                return
            await asyncio.sleep(LOOK / 5)


def peak_mib(pid: int | None) -> int:
    """The most memory that a process has had at a time, MiB; of one that has ended 0."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) // 1024 if found else 0
