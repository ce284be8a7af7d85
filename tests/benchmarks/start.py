"""How long a run takes to begin: `rihla run` over a few events, as a user runs it, several times.

Joining is what the summary says of itself: from the first event fed to the first one handled, while four workers start,
import and join their groups. The rest of a short run is the parent's own start, the engine, and stopping.
"""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks import calibration, sample
from tests.benchmarks.pipeline import RIHLA, watched
from tests.benchmarks.report import Outcome, say, tabulate

LIMIT = 5.0
"""Seconds of joining, on the machine of the limits."""
TOLERATED = 2.0
ROUNDS = 3

_JOINED = re.compile(r"([\d.]+) s until workers had joined, ([\d.]+) s all in all")


def measure(events: int) -> Outcome:
    """Run over so many events, some times."""
    slower = calibration.slower(time.perf_counter)
    with tempfile.TemporaryDirectory(prefix="rihla-benchmark-") as folder:
        file = Path(folder) / "events.jsonl"
        sample.write(events, file)
        runs = []
        for number in range(ROUNDS):
            say(f"start: run {number + 1} of {ROUNDS}")
            runs.append(_run(file, Path(folder) / str(number)))
    joining, total, cpu = (median(figures) for figures in zip(*runs, strict=True))
    figures: dict[str, Any] = {
        "start_joining_s": round(joining, 1),
        "start_run_s": round(total, 1),
        "start_run_cpu_s": round(cpu, 1),
        "start_times_slower": round(slower, 2),
    }
    table = [["joining", joining, slower * LIMIT], ["the whole run", total, "-"], ["CPU of all processes", cpu, "-"]]
    return Outcome(tabulate(["start, median", "seconds", "limit"], table), figures, outgrown(joining, slower))


def outgrown(joining: float, slower: float) -> list[str]:
    """A sentence if joining takes more than it may; slower: see calibration."""
    if joining <= TOLERATED * slower * LIMIT:
        return []
    return [f"start: joining takes {joining:.1f} s, more than {TOLERATED:g} times its limit of {slower * LIMIT:.1f} s"]


def joined(summary: str) -> tuple[float, float]:
    """Seconds of joining and of the whole run, as a summary says. Raises ValueError where it does not."""
    found = _JOINED.search(summary)
    if not found:
        raise ValueError(f"rihla run says nothing of joining: {summary}")
    return float(found[1]), float(found[2])


def _run(file: Path, data: Path) -> tuple[float, float, float]:
    """Seconds of joining and of the whole run, CPU seconds of all its processes."""
    _, cpu, output = watched([*RIHLA, "run", str(file), "--data", str(data)], data.with_suffix(".out"))
    return *joined(output), cpu
