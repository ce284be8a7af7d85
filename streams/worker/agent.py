"""The base class of a worker's agents: what happens to the batches of some topics.

A worker (streams.topology) is a process with a Faust app. It has one agent, or, as the sink, several. An agent's module
is named by the topology; its `create(app, settings)` makes the agents, registers them and returns the worker's io.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streams.kafka.progress import RecordBatch
from streams.worker.batching import PATIENCE, READ_AHEAD, consume, consume_groups
from streams.worker.io import WorkerIO
from streams.worker.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Grouping:
    """How batches are joined into groups: the arguments of `consume_groups`, which explains them."""

    max_records: int
    max_bytes: int
    linger: float
    read_ahead: int = READ_AHEAD
    patience: float = PATIENCE
    spacing: float = math.inf


class Agent(ABC):
    """Handles groups of batches of records. The contract of `handle`, which a subclass writes:

    **What is durable when it returns.** Everything that the batches caused: what was published and the changes of state
    are acknowledged by Kafka, rows by ClickHouse, dead letters included. The batches are acked then, and their offsets
    may be committed at any moment. What is only in memory is lost in a crash; whatever depends on it must be found
    again from Kafka or ClickHouse. State is flushed before anything that follows from it is published.

    **What may come again.** Any batch, in whole or in part, joined with others: after a crash, a rebalance, a replay.
    To handle it again must change nothing in what the tables finally hold.

    **May it block?** It runs on the event loop of the app, beside timers, the HTTP page and the agents of other topics.
    Computing may hold the loop for as long as the group takes (heartbeats have a thread of their own), so `Grouping`
    bounds the group. Waiting may not: what waits for a broker is awaited, what waits for a database or a disk in some
    other way goes to a thread. A group that takes longer than half of the rebalance timeout may lose its partitions; it
    then ends in OwnershipLost.

    **What it may raise.** OwnershipLost: another worker may have the partition; the group is given up, nothing of it is
    committed, and the partition's owner reads it again. RihlaError: somebody has to mend something; the worker stops
    and says what. Anything else, CancelledError aside, is a defect or an outage that lasts: the worker crashes, and
    nothing of the group is committed. Never for what a record holds: such a record is refused, and the others go on
    (streams.worker.sift).

    **How often at once.** Once: the next group of this agent is handled when this one has ended. Agents of one worker
    share the io, whose outputs are for one task at a time, so they take turns by a lock.
    """

    begins_traces = False
    """Whether records that come without a trace are sampled (streams.tracing)."""

    def __init__(self, io: WorkerIO, grouping: Grouping | None) -> None:
        """grouping: None handles each batch by itself."""
        self.io, self.settings, self.grouping = io, io.settings, grouping

    @abstractmethod
    async def handle(self, batches: list[RecordBatch]) -> Verdict:
        """Handle batches of one assignment, in the order in which they came; see the contract of the class."""

    def register(self, name: str, topics: Sequence[str]) -> None:
        """Have the app run this agent on topics (full names)."""
        app, grouping = self.io.app, self.grouping

        async def run(stream: Any) -> None:
            if grouping is None:
                await consume(stream, lambda batch: self._handle([batch]))
                return
            await consume_groups(
                stream,
                self._handle,
                grouping.max_records,
                grouping.max_bytes,
                grouping.linger,
                grouping.read_ahead,
                grouping.patience,
                grouping.spacing,
            )

        app.agent(app.topic(*topics, key_serializer="raw", value_serializer="raw"), name=name)(run)

    async def _handle(self, batches: list[RecordBatch]) -> None:
        began = time.perf_counter()
        tracing = self.io.tracing
        spans = None if tracing is None else tracing.group(batches, begins=self.begins_traces)
        if spans is None:
            verdict = await self.handle(batches)
        else:
            with spans.handling():
                verdict = await self.handle(batches)
                for records, at, reason, _ in verdict.refused:
                    spans.refuse((records.topic, records.partitions[at], records.offsets[at]), reason)
        self.io.count(verdict)
        self.io.observe(batches, time.perf_counter() - began)
