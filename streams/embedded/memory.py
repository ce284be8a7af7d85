"""How much memory a process and all its descendants take, sampled while they run."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

SAMPLE_SECONDS = 1.0


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
        while True:
            now = tree_memory(os.getpid())
            total = sum(now.values())
            if total > self.peak:
                self.peak, self.at_peak = total, now
            if self._end.wait(SAMPLE_SECONDS):
                return


def tree_memory(pid: int) -> dict[str, int]:
    """Bytes (PSS) of a process and each of its descendants, by "PID COMMAND"; what ends meanwhile is left out."""
    found: dict[str, int] = {}
    waiting = [pid]
    while waiting:
        process = Path("/proc") / str(waiting.pop())
        try:
            for line in (process / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                    found[f"{process.name} {command}"] = int(line.split()[1]) * 1024
                    break
            for children in process.glob("task/*/children"):
                waiting.extend(int(child) for child in children.read_text().split())
        except OSError:
            continue
    return found
