"""Points at which a worker under test dies, freezes or dawdles. Only workers of tests.faults.worker have them.

RIHLA_FAILPOINT says which, as POINT:HIT:ACTION: at the HIT-th time (from 1) that POINT is passed. ACTION is `kill`
(SIGKILL to itself), `freeze` (SIGSTOP to itself; whoever watches wakes it) or a number of seconds to wait there, at
this and every later passing. RIHLA_FAILPOINT_DONE names a file that is made when it has happened, so that the worker
that is started in its place goes on.

The points surround what makes a batch durable: `produce` (the outputs of a batch), `changelog` (states), `insert` (rows
to ClickHouse) and `commit` (offsets); each `before-` and `after-`. `between-produce` comes when a part of the outputs
is on its way; `before-fence` before a worker asks whether it still owns what it is about to write, `before-changelog`
after that.

RIHLA_RAISE names a worker whose stages are to raise (tests.faults.raising).
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from tests.faults import raising

POINT, DONE = "RIHLA_FAILPOINT", "RIHLA_FAILPOINT_DONE"
POINTS = {
    "enrich": ("before-produce", "between-produce", "after-produce", "before-commit", "after-commit"),
    "identity": ("before-fence", "before-changelog", "after-changelog", "before-produce", "after-produce",
                 "before-commit", "after-commit"),
    "stitch": ("before-fence", "before-changelog", "after-changelog", "before-produce", "between-produce",
               "after-produce", "before-commit", "after-commit"),
    "sink": ("before-insert", "after-insert", "before-commit", "after-commit"),
}  # fmt: skip
"""Worker: the points that it passes."""


class Failpoint:
    """The one point that is armed."""

    def __init__(self, point: str, hit: int, action: str, done: Path) -> None:
        self._point, self._hit, self._action, self._done = point, hit, action, done
        self._passed = itertools.count(1)

    def pass_by(self, point: str) -> float:
        """Note that a point is passed; what is due happens. Returns seconds to wait there."""
        if point != self._point or next(self._passed) < self._hit:
            return 0.0
        if self._action not in ("kill", "freeze"):
            self._done.touch()
            return float(self._action)
        if not self._done.exists():
            self._done.touch()
            os.kill(os.getpid(), signal.SIGKILL if self._action == "kill" else signal.SIGSTOP)
        return 0.0


def arm(environment: Mapping[str, str]) -> None:
    """Set the point that the environment names, if any, and the stages that raise."""
    if raising.VARIABLE in environment:
        raising.hook(environment[raising.VARIABLE])
    if POINT not in environment:
        return
    point, hit, action = environment[POINT].split(":")
    _hook(Failpoint(point, int(hit), action, Path(environment[DONE])))


def _hook(failpoint: Failpoint) -> None:
    from sinks.clickhouse.writer import Writer
    from streams.kafka.batch_producer import BatchProducer
    from streams.kafka.changelog_table import BatchTable
    from streams.kafka.transport import Consumer
    from streams.worker.io import WorkerIO

    _around(WorkerIO, "flush", "produce", failpoint, lambda io: bool(io._unflushed))
    _around(BatchTable, "flush", "fence", failpoint, lambda table: any(held.changed for held in table._held.values()))
    _around(BatchTable, "_write", "changelog", failpoint, lambda table, changed: bool(changed))
    _around(Consumer, "_commit_offsets", "commit", failpoint, lambda consumer, offsets, **named: bool(offsets))

    insert, send = Writer._insert, BatchProducer.send

    @functools.wraps(insert)
    def inserting(writer: Writer, *arguments: Any) -> int:
        time.sleep(failpoint.pass_by("before-insert"))
        rows = insert(writer, *arguments)
        time.sleep(failpoint.pass_by("after-insert"))
        return rows

    @functools.wraps(send)
    async def sending(producer: BatchProducer, *arguments: Any, **named: Any) -> None:
        await send(producer, *arguments, **named)
        await asyncio.sleep(failpoint.pass_by("between-produce"))

    Writer._insert = inserting  # type: ignore[method-assign]
    BatchProducer.send = sending  # type: ignore[method-assign]


def _around(owner: type, name: str, step: str, failpoint: Failpoint, counts: Callable[..., bool]) -> None:
    """Pass by `before-` and `after-` a step wherever a coroutine method runs with something to do."""
    method: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(method)
    async def surrounded(*arguments: Any, **named: Any) -> Any:
        if not counts(*arguments, **named):
            return await method(*arguments, **named)
        await asyncio.sleep(failpoint.pass_by(f"before-{step}"))
        result = await method(*arguments, **named)
        await asyncio.sleep(failpoint.pass_by(f"after-{step}"))
        return result

    setattr(owner, name, surrounded)
