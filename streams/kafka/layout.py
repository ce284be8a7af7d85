"""Which topics must have the same number of partitions, and the error that stops workers otherwise.

Everything about a subject meets in one stitch worker: its interactions, the changes of its root and its parts are in
the partition of the same number, and so is its state in the changelog. A recall waits for the interactions of the
partition of its own number. When somebody adds partitions to one of these topics (Kafka does so without asking), new
records of a customer go to another partition than their state is in. So no worker begins on such topics, and one that
runs stops, before anything is written that would have to be taken back. `rihla repartition` mends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from streams.errors import RihlaError
from streams.kafka.partitioner import partitions_of
from streams.settings import Settings
from streams.topology import ORDERED, WITH_STATE, WORKERS

JOURNAL = "repartition"
"""Topic that is there while a repartitioning is under way, or was broken off."""
REBUILD = "rebuild"
"""Topic that is there while `rihla rebuild` is under way, or was broken off: what a worker stored meanwhile would be
deleted with what was stored before."""
REBUILDING = "a rebuild was begun and is not finished"
"""What everybody says who is kept away by it."""
COMMAND = "stop all workers, then: rihla repartition --to"
SAMPLE = 1000
"""Keys of a partition that are looked at."""
STRAYS = 0.25
"""Share of keys that may be in another partition than their hash says. Of a state that was written for another number
of partitions at least half are; of one that fits, only those that a foreign producer put elsewhere."""


class LayoutError(RihlaError):
    """Topics whose numbers of partitions do not fit each other: no worker may write before they do."""


def changelog(settings: Settings) -> str:
    """Full name of the changelog of stitch's state."""
    return f"{settings.group('stitch')}-state-changelog"


def changelogs(settings: Settings) -> list[str]:
    """Full names of the changelogs of all workers' states."""
    return [f"{settings.group(worker.name)}-{table}-changelog" for worker in WORKERS for table in worker.state]


def misfit(partitions: Mapping[str, int], settings: Settings) -> LayoutError | None:
    """What is wrong with topics (full name: number of partitions) that are there; None: nothing."""
    if settings.topic(JOURNAL) in partitions:
        return LayoutError(
            "a change of the number of partitions was begun and is not finished",
            "rihla repartition goes on where it stopped; until then no worker starts",
        )
    if settings.topic(REBUILD) in partitions:
        return LayoutError(
            REBUILDING,
            "wait for it, or call it again if it was broken off (rihla rebuild --again); until then no worker starts",
        )
    for name in ORDERED:
        topic = settings.topic(name)
        if partitions.get(topic, 1) != 1:
            return LayoutError(
                f"{topic} has {partitions[topic]} partitions and must have one, since the order of its records counts",
                "stop all workers and rebuild: docs/repartitioning.md, 'When there is no state to move'",
            )
    names = [*map(settings.topic, WITH_STATE), changelog(settings)]
    there = {name: partitions[name] for name in names if name in partitions}
    if len(set(there.values())) <= 1:
        return None
    counts = ", ".join(f"{name} {count}" for name, count in there.items())
    return LayoutError(
        f"these topics must have the same number of partitions and have not: {counts}",
        f"{COMMAND} {max(there.values())}",
    )


def changed(partitions: Mapping[str, int], settings: Settings) -> LayoutError | None:
    """What is wrong when topics that fit each other are no longer as they were when a worker started.

    settings: the worker's, whose number of partitions is that of the topics then.
    """
    topic = settings.topic("interactions")
    now = partitions.get(topic, settings.partitions)
    if now == settings.partitions:
        return None
    return LayoutError(
        f"{topic} had {settings.partitions} partitions when this worker started, and has {now}", f"{COMMAND} {now}"
    )


def sibling(partitions: Mapping[str, int], settings: Settings) -> int | None:
    """The number of partitions that topics of WITH_STATE have which are there already; None where none is."""
    found = [partitions[topic] for topic in map(settings.topic, WITH_STATE) if topic in partitions]
    return max(found) if found else None


def check_places(partition: int, count: int, keys: Iterable[bytes]) -> None:
    """Raise LayoutError when the keys of a partition's state were put there for another number of partitions."""
    some = list(islice(keys, SAMPLE))
    strays = strays_of(partition, count, some)
    if strays > max(1, STRAYS * len(some)):
        raise LayoutError(
            f"partition {partition} of the state was written for another number of partitions than {count}: "
            f"{strays} of {len(some)} customers looked at belong elsewhere",
            f"{COMMAND} {count}",
        )


def strays_of(partition: int, count: int, keys: Sequence[bytes]) -> int:
    """How many keys belong to another partition than this one, of `count`."""
    return sum(place != partition for place in partitions_of(keys, count))
