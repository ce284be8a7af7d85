"""Decides when everything is stored: when every consumer group has processed every record known in its topics.

Known records: the feeder and each worker report the offset up to which the broker has acknowledged their records
(/progress of a worker), and the broker reports its end offset. On Apache Kafka the end offset alone would do. The
embedded broker's may lack all but one record of the last batch, so the writers' offsets count as well. Processed
records: the offset that a worker reports, and the one that its group has committed, which remains when a worker is
killed. All of these only grow, so the largest value ever seen is kept.

A worker acks input only after its output is durable. So if two looks find the same offsets and no group behind, all
records written before the second look had been processed before the first, and nothing is under way. On the embedded
broker nobody knows what a killed worker wrote after the last look at it until its reader has read it: then more than
two equal looks are needed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from streams.errors import RihlaError

Offsets = Mapping[str, Mapping[int, int]]
"""topic: {partition: next offset}."""


@dataclass(frozen=True)
class Lag:
    """How far one worker's group is on one topic: records done and records known, over all partitions."""

    worker: str
    topic: str
    done: int
    known: int

    @property
    def behind(self) -> int:
        """Records known and not yet done."""
        return self.known - self.done


@dataclass
class Ledger:
    """What is known to be written, and what each worker's group is known to have processed; both only grow."""

    topics: Mapping[str, Sequence[str]]
    """worker: full names of the topics that it reads."""
    _known: dict[str, dict[int, int]] = field(default_factory=dict)
    _done: dict[str, dict[str, dict[int, int]]] = field(default_factory=dict)
    _begin: dict[str, dict[int, int]] = field(default_factory=dict)

    def begins(self, offsets: Offsets) -> None:
        """The first offsets that the broker still holds: what it has deleted, nobody is waited for."""
        _raise(self._begin, offsets)

    def wrote(self, offsets: Offsets) -> None:
        """Records up to these offsets (exclusive) are in the topics."""
        _raise(self._known, offsets)

    def processed(self, worker: str, offsets: Offsets) -> None:
        """The worker's group has processed everything before these offsets."""
        _raise(self._done.setdefault(worker, {}), offsets)

    def known(self, topic: str) -> dict[int, int]:
        """Partition of a topic: the offset after its last known record."""
        return dict(self._known.get(topic, {}))

    def done(self, worker: str, topic: str) -> dict[int, int]:
        """Partition of a topic: the offset before which a worker's group has processed everything."""
        return dict(self._done.get(worker, {}).get(topic, {}))

    def begin(self, topic: str, partition: int) -> int:
        """The first offset that the broker still holds."""
        return self._begin.get(topic, {}).get(partition, 0)

    def lags(self) -> list[Lag]:
        """Every worker on every topic that it reads and that holds something, upstream first."""
        lags = []
        for worker, topics in self.topics.items():
            for topic in topics:
                done = known = 0
                for partition, end in self._known.get(topic, {}).items():
                    begin = self._begin.get(topic, {}).get(partition, 0)
                    position = self._done.get(worker, {}).get(topic, {}).get(partition, 0)
                    known += max(end - begin, 0)
                    done += max(min(position, end) - begin, 0)
                if known:
                    lags.append(Lag(worker, topic, done, known))
        return lags

    def state(self) -> object:
        """All that is known, for comparison: equal means that nothing has moved."""
        return {
            "known": {topic: dict(partitions) for topic, partitions in self._known.items()},
            "done": {
                worker: {topic: dict(partitions) for topic, partitions in topics.items()}
                for worker, topics in self._done.items()
            },
        }


def _raise(kept: dict[str, dict[int, int]], seen: Offsets) -> None:
    for topic, partitions in seen.items():
        mine = kept.setdefault(topic, {})
        for partition, offset in partitions.items():
            mine[partition] = max(offset, mine.get(partition, 0))


def behind(lags: Iterable[Lag]) -> str:
    """Who is behind, in words: "stitch has 12,000 of 430,000 records of cx.interactions to go"."""
    return "; ".join(
        f"{lag.worker} has {lag.behind:,} of {lag.known:,} records of {lag.topic} to go" for lag in lags if lag.behind
    )


class Stalled(RihlaError):
    """Nothing has moved for a while and not everything is done; the message names who is behind."""


STALL_SECONDS = 600.0
"""Nothing moves for so long only where something is broken: workers that start, or handle one large batch, on a machine
with ten times the work that it can do, take a minute or two."""


async def wait_until_drained(
    ledger: Ledger,
    look: Callable[[], Awaitable[bool]],
    *,
    looks: Callable[[], int] = lambda: 2,
    stall_seconds: float = STALL_SECONDS,
    pause_seconds: float = 0.5,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return once every worker has processed every known record, as seen in two looks between which nothing moved.

    look: brings the ledger up to date; False: not altogether; what it raises ends the wait.
    looks: how many equal ones are wanted, at least 2.
    Raises Stalled when nothing has moved for `stall_seconds`.
    """
    last: object = None
    moved, equal = clock(), 0
    while True:
        complete = await look()
        state, lags = ledger.state(), ledger.lags()
        equal = equal + 1 if complete else 0
        if state != last:
            last, moved, equal = state, clock(), min(equal, 1)
        elif equal >= looks() and not any(lag.behind for lag in lags):
            return
        elif clock() - moved > stall_seconds:
            who = behind(lags) or "the broker does not answer"
            raise Stalled(f"nothing has moved for {stall_seconds:.0f} s: {who}", "see the logs in the data folder")
        await asyncio.sleep(pause_seconds)
