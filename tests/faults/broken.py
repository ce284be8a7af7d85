"""Workers broken on purpose: the suite must find differences with each of them, or it proves nothing.

RIHLA_BROKEN names what is broken in a worker of tests.faults.worker.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from streams.kafka.progress import RecordBatch

VARIABLE = "RIHLA_BROKEN"


def ack_before_insert() -> None:
    """The sink acks its batches, and lets their offsets be committed, before it inserts them."""
    import streams.worker.agent
    from streams.kafka.app import COMMIT_EVERY

    async def consume_groups(
        stream: Any, handle: Callable[[list[RecordBatch]], Awaitable[None]], *limits: float, **rhythm: float
    ) -> None:
        async for event in stream.noack().events():
            event.ack()
            await asyncio.sleep(1.5 * COMMIT_EVERY)
            await handle([event.value])

    streams.worker.agent.consume_groups = consume_groups


def no_dedup() -> None:
    """Stitch knows no event id again."""
    import streams.stitch.agent as agent

    fold = agent.fold_messages

    def forgetful(load: Any, messages: Any, *others: Any) -> Any:
        messages.interactions = {
            subject: [(offset, os.urandom(8), event) for offset, _, event in records]
            for subject, records in messages.interactions.items()
        }
        return fold(load, messages, *others)

    agent.fold_messages = forgetful


def no_fence() -> None:
    """A worker never doubts that it owns its partitions, and recovery does not look at fencing epochs."""
    import streams.kafka.changelog as changelog
    import streams.kafka.changelog_table as table

    apply = changelog.apply

    def believing(state: Any, records: Any, barrier: int, merge: Any) -> set[bytes]:
        ignored: set[bytes] = set()
        for at, key in enumerate(records.keys):
            state.top = -1
            if key != changelog.BARRIER:
                ignored |= apply(state, records.take([at]), barrier, merge)
        state.position = records.offsets[-1] + 1
        return ignored

    changelog.apply = believing
    table.still_owner = lambda app, tp, generation: True
    table.handling = _Nothing()  # type: ignore[assignment]


class _Nothing:
    """Stands where the generation of the batch in hand is asked for."""

    def get(self) -> None:
        """No generation: nothing to compare."""


BREAKS: dict[str, Callable[[], None]] = {
    "ack-before-insert": ack_before_insert,
    "no-dedup": no_dedup,
    "no-fence": no_fence,
}

SHOWN_BY = {"ack-before-insert": "sink-killed-before-insert", "no-dedup": "backlog", "no-fence": "freeze-in-changelog"}
"""What is broken: a fault that shows it in every run."""


def break_(environment: Mapping[str, str]) -> None:
    """Break what the environment names, if anything."""
    if name := environment.get(VARIABLE):
        BREAKS[name]()
