"""How long a run takes to begin: `rihla run` over a few events, as a user runs it, several times; and the first one.

Joining is what the summary says of itself: from the first event fed to the first one handled, while four workers start,
import and join their groups. The rest of a short run is the parent's own start, the engine, and stopping.

The first run is `make run` in a fresh clone of what is committed: to install what it needs, with whatever cache and
network this machine has, to simulate, and to run to the summary.
"""

from __future__ import annotations

import re
import shutil
import subprocess
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
FRESH_LIMIT = 90.0
"""Seconds of `make run` in a fresh clone."""
TOLERATED = 2.0
ROUNDS = 3
ROOT = Path(__file__).resolve().parents[2]

_JOINED = re.compile(r"([\d.]+) s until workers had joined, ([\d.]+) s all in all")


def measure(events: int, fresh: bool) -> Outcome:
    """Run over so many events, some times; and, if `fresh`, once in a fresh clone."""
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
        table = [
            ["joining", joining, slower * LIMIT],
            ["the whole run", total, "-"],
            ["CPU of all processes", cpu, "-"],
        ]
        problems = outgrown("joining", joining, slower * LIMIT)
        if fresh and is_checkout(ROOT) and shutil.which("make") and shutil.which("git"):
            say("start: make run in a fresh clone")
            first, first_cpu = _fresh(Path(folder) / "clone")
            figures |= {"start_fresh_clone_s": round(first, 1), "start_fresh_clone_cpu_s": round(first_cpu, 1)}
            table += [["make run in a fresh clone", first, slower * FRESH_LIMIT], ["its CPU", first_cpu, "-"]]
            problems += outgrown("make run in a fresh clone", first, slower * FRESH_LIMIT)
    return Outcome(tabulate(["start, median", "seconds", "limit"], table), figures, problems)


def outgrown(what: str, took: float, limit: float) -> list[str]:
    """A sentence if something takes more seconds than it may; limit: on this machine."""
    if took <= TOLERATED * limit:
        return []
    return [f"start: {what} takes {took:.1f} s, more than {TOLERATED:g} times its limit of {limit:.1f} s"]


def is_checkout(folder: Path) -> bool:
    """Whether a folder can be cloned: an archive of the sources cannot."""
    return (folder / ".git").exists()


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


def _fresh(clone: Path) -> tuple[float, float]:
    """Seconds and CPU seconds of `make run` in a clone of this checkout."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    began = time.monotonic()
    _, cpu, output = watched(["make", "--directory", str(clone), "run"], clone.with_suffix(".out"))
    took = time.monotonic() - began
    joined(output)  # or there is no summary
    return took, cpu
