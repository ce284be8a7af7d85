"""CPU time and memory of processes, from Linux's /proc; a process that collects garbage as a worker does."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from streams.embedded.memory import tree_memory
from streams.worker.process import GC_THRESHOLDS

T = TypeVar("T")

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def afresh(function: Callable[..., T], *args: Any) -> T:
    """What a function of a module returns in a new process: where its growth is not hidden by memory that is free."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *args).result()


@contextlib.contextmanager
def collecting_as_a_worker() -> Iterator[None]:
    """This process's cycle collector set as `rihla worker` sets it: it leaves alone what is there, and runs seldom."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its threads included (proc(5), fields 14 and 15 of stat).

    Raises OSError when there is no such process.
    """
    return parse_stat(Path(f"/proc/{pid}/stat").read_text())


def parse_stat(stat: str) -> float:
    """CPU seconds that a line of /proc/PID/stat tells. A command in it may hold spaces and brackets."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def role(command: str) -> str:
    """What a process of the embedded pipeline is, by its command line."""
    words = command.split()
    for word, following in pairwise(words):
        if word == "worker":
            return following
    if "broker" in words:
        return "broker"
    # The third: a process that `afresh` has made.
    return "parent: engine, feeding" if {"run", "tests.benchmarks", "multiprocessing.spawn"} & set(words) else "others"


@dataclass
class Tree:
    """A process and its descendants, looked at again and again: CPU by role, and the peak of memory."""

    pid: int
    peak_memory: int = 0
    """Bytes: proportional set sizes, all processes together."""
    _cpu: dict[str, tuple[str, float]] = field(default_factory=dict)

    def look(self) -> Tree:
        """Take the figures now; what has ended keeps its last ones. Returns itself."""
        memory = tree_memory(self.pid)
        self.peak_memory = max(self.peak_memory, sum(memory.values()))
        for process in memory:
            pid, _, command = process.partition(" ")
            try:
                known = self._cpu.get(pid)
                # A process that is ending has no command line any more.
                name = role(command) if command or known is None else known[0]
                self._cpu[pid] = (name, cpu_seconds(int(pid)))
            except OSError:
                continue
        return self

    @property
    def cpu(self) -> dict[str, float]:
        """CPU seconds by role, up to the last look."""
        found: dict[str, float] = {}
        for name, seconds in self._cpu.values():
            found[name] = found.get(name, 0.0) + seconds
        return found
