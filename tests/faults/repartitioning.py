"""Partitions are added to a keyed topic while workers run; then all is moved to 6 partitions, and later to 3.

Workers are killed before each move, so that states are ahead of what is committed, and each move is broken off several
times. Events go on coming to the channels meanwhile, duplicates of earlier ones among them.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from streams.embedded.supervisor import Child
from streams.errors import RihlaError
from streams.kafka.layout import changelog
from streams.repartition.run import repartition
from streams.topology import WITH_STATE
from tests.faults.processes import ProcessFault
from tests.faults.world import KINDS, PATIENCE, World
from tests.support.brokers import until

ADDED = "rihla repartition"
SECONDS = 1500.0
"""Workers start four times, and topics are made anew twice: at a load of 30 that took five minutes."""


class BrokenOffError(Exception):
    """In the place of a kill: nothing is cleaned up on the broker."""


async def add_partitions(tried: World, counts: Mapping[str, int]) -> None:
    """What `kafka-topics --alter --partitions` does. counts: by full name of the topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=tried.settings.broker_list)
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(count) for topic, count in counts.items()})

        async def there() -> bool:
            found = await admin.describe_topics(list(counts))
            return all(len(topic["partitions"]) == counts[topic["topic"]] for topic in found)

        await until(there, what="partitions to be added")
    finally:
        await admin.close()


async def move(tried: World, to: int, rng: random.Random) -> int:
    """Move everything, broken off after some of its steps; how often it was."""
    breaks = 0

    def reached(step: str) -> None:
        if rng.random() < 0.2:
            raise BrokenOffError(step)

    async def done() -> bool:
        nonlocal breaks
        try:
            await repartition(tried.settings, None if breaks else to, lambda text: None, reached)
        except BrokenOffError:
            breaks += 1
            return False
        except RihlaError as error:
            if "have members" not in str(error):  # who was killed is a member until its session ends
                raise
            await asyncio.sleep(0.5)
            return False
        return True

    await until(done, PATIENCE, f"everything to be in {to} partitions")
    return breaks


async def start(tried: World) -> list[Child]:
    """One worker of each kind, which nobody starts again."""
    started = [child for kind in KINDS for child in await tried.start(kind, supervised=False)]
    await tried.reading()
    return started


async def stopped_with_a_sentence(tried: World, child: Child) -> None:
    """Wait until a worker has stopped by itself, and look at what it says."""
    await until(lambda: child.pid is None, PATIENCE, f"{child.spec.name} to stop")
    said = child.log.read_text()
    if ADDED not in said or "Traceback" in said:
        tried.deaths.append(f"{child.spec.name} does not say what to do, or says too much: {said[-1500:]}")
    code = await child.wait()
    if code != 1:
        tried.deaths.append(f"{child.spec.name} ended with {code}")


async def partitions_added(tried: World, rng: random.Random) -> None:
    """From 4 to 6 partitions because somebody has added some, to one topic or to all; then to 3."""
    started = await start(tried)
    await tried.feed(0.4)
    await tried.stored(rng.randint(50, 400))
    every = rng.random() < 0.5
    names = (*WITH_STATE, "journeys") if every else ("interactions",)
    topics = [tried.settings.topic(name) for name in names]
    await add_partitions(tried, dict.fromkeys([*topics, changelog(tried.settings)] if every else topics, 6))
    feeding = asyncio.create_task(tried.feed(0.6))
    for child in started:
        await stopped_with_a_sentence(tried, child)
    (again,) = await tried.start(rng.choice(KINDS), supervised=False)
    await stopped_with_a_sentence(tried, again)
    await feeding
    breaks = await move(tried, 6, rng)
    started = await start(tried)
    await tried.feed(0.8, pause=0.2)
    for child in started:
        tried.kill(child)
    await asyncio.gather(*(child.wait() for child in started))
    breaks += await move(tried, 3, rng)
    await start(tried)
    await tried.feed()
    print(f"moves were broken off {breaks} times", file=sys.stderr)


FAULTS = (ProcessFault("partitions-added", partitions_added, SECONDS),)
