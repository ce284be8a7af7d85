"""The memory of a process and all its descendants, sampled while they run."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from types import TracebackType

SAMPLE_SECONDS = 1.0
NOTICED_GROWTH = 1.02
"""PSS is read again when the resident size is this many times its highest so far: the kernel takes milliseconds a
process to add PSS up."""


class TreeMemory:
    """The peak of this process's tree: proportional set sizes (PSS, a shared page counted once over all who share it).

    `with TreeMemory() as memory:` samples in a thread; `memory.peak` is in bytes, 0 where /proc has no such figures.
    """

    def __init__(self) -> None:
        self.peak = 0
        self.at_peak: dict[str, int] = {}
        """Command of each process at the peak: bytes."""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)

    def __enter__(self) -> TreeMemory:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _sample(self) -> None:
        highest = 0.0
        while not self._end.wait(SAMPLE_SECONDS):
            resident = sum(map(_resident, _tree(os.getpid())))
            if resident > highest * NOTICED_GROWTH:
                highest = resident
                now = tree_memory(os.getpid())
                if sum(now.values()) > self.peak:
                    self.peak, self.at_peak = sum(now.values()), now


def tree_memory(pid: int) -> dict[str, int]:
    """Bytes (PSS) of a process and each of its descendants, by "PID COMMAND"; what ends meanwhile is left out."""
    found: dict[str, int] = {}
    for process in _tree(pid):
        try:
            rollup = (process / "smaps_rollup").read_text()
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        for line in rollup.splitlines():
            if line.startswith("Pss:"):
                found[f"{process.name} {command}"] = int(line.split()[1]) * 1024
    return found


def _tree(pid: int) -> list[Path]:
    """The folders in /proc of a process and its descendants."""
    found = []
    waiting = [str(pid)]
    while waiting:
        process = Path("/proc") / waiting.pop()
        found.append(process)
        for children in process.glob("task/*/children"):
            with contextlib.suppress(OSError):
                waiting.extend(children.read_text().split())
    return found


def _resident(process: Path) -> int:
    """Resident pages of a process, shared ones included: cheap, and too high for a tree."""
    try:
        return int((process / "statm").read_text().split()[1])
    except OSError:
        return 0
