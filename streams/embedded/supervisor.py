"""Keeps child processes running: each has a log, is restarted with back-off when it dies, and all are stopped
together.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streams.embedded.prepared import as_line
from streams.embedded.tether import tethered
from streams.errors import RihlaError

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
HEALTHY_AFTER_SECONDS = 60.0
"""A child that lived this long before it died starts again without waiting long."""
STOP_SECONDS = 90.0
"""Longer than a worker itself takes at most to stop (streams.kafka.app.STOP_WITHIN), as with every other supervisor."""

_LISTENING = re.compile(rb"listening (http://[^\s\"]+)")


class ChildFailed(RihlaError):
    """A child process died and is not started again; the message says which, how, and where its log is."""


@dataclass(frozen=True)
class ChildSpec:
    """What to run: a name for people and for the log file, the command, and the environment beside our own.

    awaits: the program reads that environment from its standard input (streams.embedded.prepared), so that it may be
    started before this is known, and no other program of this machine can read it.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    awaits: bool = False


class Child:
    """One running process of a spec; its stdout and stderr go to `log`."""

    def __init__(self, spec: ChildSpec, log: Path) -> None:
        self.spec = spec
        self.log = log
        self.address: str | None = None
        """The address of its HTTP page, once it has said so in its log ("listening http://...")."""
        self._process: asyncio.subprocess.Process | None = None
        self._log_start = 0
        self._started = 0.0

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    @property
    def lifetime(self) -> float:
        """Seconds since its last start."""
        return time.monotonic() - self._started

    async def launch(self) -> None:
        """Start the process, tethered to this one. Raises OSError where it or its log cannot be opened."""
        self.address = None
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *tethered(self.spec.command),
                stdin=asyncio.subprocess.PIPE if self.spec.awaits else asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **({} if self.spec.awaits else self.spec.environment)},
                start_new_session=True,  # an interrupt at the terminal is the parent's to handle, in its order
            )
        self._started = time.monotonic()

    async def start(self) -> None:
        """Start the process if it does not run yet, and give it its environment. Raises like launch."""
        if self.pid is None:
            await self.launch()
        assert self._process is not None
        if (entrance := self._process.stdin) is not None:
            with contextlib.suppress(ConnectionError):  # it has died already: `wait` returns its status
                entrance.write(as_line(self.spec.environment))
                await entrance.drain()
            entrance.close()

    async def wait(self) -> int:
        """Wait for its end: the exit status, negative for a signal."""
        assert self._process is not None
        return await self._process.wait()

    def find_address(self) -> str | None:
        """Its HTTP address if it has logged one since its last start; remembered once found."""
        if self.address is None and self.log.exists():
            with self.log.open("rb") as log:
                log.seek(self._log_start)
                found = _LISTENING.search(log.read())
            if found:
                self.address = found[1].decode().rstrip("/")
        return self.address

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Ask it to end (SIGTERM), wait, and end it (SIGKILL) if it has not done so in time."""
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def last_lines(self, lines: int = 5) -> str:
        """The end of its log, for an error message."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(self._log_start, self.log.stat().st_size - 4096))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])


class Supervisor:
    """Keeps children running. `max_restarts` in a row (None: for ever) without HEALTHY_AFTER_SECONDS of life in between
    and the child counts as failed: `check()` raises from then on."""

    def __init__(self, logs: Path, say: Callable[[str], None], max_restarts: int | None = None) -> None:
        """logs: folder for one log a child. say: called with a sentence for people at each death and restart."""
        self._logs = logs
        self._say = say
        self._max_restarts = max_restarts
        self._keepers: list[asyncio.Task[None]] = []
        self._prepared: dict[str, Child] = {}
        self._failure: ChildFailed | None = None
        self.children: dict[str, Child] = {}
        self.restarts: dict[str, int] = {}

    async def prepare(self, spec: ChildSpec) -> None:
        """Start a child that awaits its environment: the spec of the same name that `start` is called with has it."""
        child = self._prepared[spec.name] = self._child(spec)
        await child.launch()

    async def start(self, spec: ChildSpec) -> Child:
        """Start a child, or go on with the one that was prepared under its name; keep it running until `stop()`."""
        child = self._prepared.pop(spec.name, None) or self._child(spec)
        child.spec = spec
        await child.start()
        self.children[spec.name] = child
        self._keepers.append(asyncio.create_task(self._keep(child), name=f"keep {spec.name}"))
        return child

    def check(self) -> None:
        """Raises ChildFailed if a child has died too often."""
        if self._failure is not None:
            raise self._failure

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop all children at once; returns when the last one is gone."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(child.stop(seconds) for child in (*self.children.values(), *self._prepared.values())))

    def _child(self, spec: ChildSpec) -> Child:
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{spec.name}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        return Child(spec, log)

    async def _keep(self, child: Child) -> None:
        failures = 0
        while True:
            status = await child.wait()
            failures = 1 if child.lifetime >= HEALTHY_AFTER_SECONDS else failures + 1
            died = f"{child.spec.name} {_ending(status)}"
            if self._max_restarts is not None and failures > self._max_restarts:
                self._failure = ChildFailed(
                    f"{died}, {failures} times in a row", f"its log is {child.log}, and ends:\n{child.last_lines()}"
                )
                return
            pause = min(FIRST_BACKOFF_SECONDS * 2 ** (failures - 1), LONGEST_BACKOFF_SECONDS)
            self._say(f"{died}; starting it again in {pause:g} s (log: {child.log})")
            await asyncio.sleep(pause)
            self.restarts[child.spec.name] = self.restarts.get(child.spec.name, 0) + 1
            await child.start()


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
