"""`rihla run` over simulated events on the embedded broker, as a user runs it, and `rihla verify` afterwards.

Starting broker, engine and four workers costs CPU, too. A run over few events tells how much: the difference of the two
runs over the difference of their events is what one more event costs.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.embedded.pipeline import Pipeline
from streams.embedded.tether import tethered
from streams.topology import WORKERS_BY_NAME
from tests.benchmarks import sample
from tests.benchmarks.processes import Tree
from tests.benchmarks.report import Outcome, say, tabulate

RIHLA = [sys.executable, "-m", "streams.cli"]
WORKERS = tuple(WORKERS_BY_NAME)
"""Roles of the processes that are Rihla's own: all but the broker, and the parent, which is the engine and feeds."""
FEW = 500
"""Events of the run that tells what starting costs."""
LOOK_EVERY = 0.25
WITHIN = 1800.0
"""Seconds after which a run is given up."""


@dataclass(frozen=True)
class Run:
    """What one run took."""

    events: int
    cpu: float
    """Seconds of all processes, to their ends."""
    by_role: dict[str, float]
    """The same by role, as sampled: a little less."""
    peak_memory: int
    rate: float
    """Events a second from the first one fed to the last one stored, as `rihla run` tells."""
    seconds: float
    """From the first event fed to the last one stored: workers join their groups meanwhile."""
    total_seconds: float
    matches: bool
    """Whether verify found every different event, and no difference."""


def measure(events: int) -> Outcome:
    """Run over so many events, and over few."""
    few, many = run(min(FEW, max(1, events // 2))), run(events)
    more = many.events - few.events
    marginal = (many.cpu - few.cpu) / more * 1e6
    longer = many.seconds - few.seconds
    roles = {
        name: (many.by_role[name] - few.by_role.get(name, 0.0)) / more * 1e6
        for name in sorted(many.by_role, key=lambda name: -many.by_role[name])
    }
    table = [
        *([name, cost] for name, cost in roles.items()),
        ["all processes", marginal],
        ["the same, start and stop included", many.cpu / many.events * 1e6],
    ]
    text = (
        tabulate(["process", "us CPU an event"], table)
        + f"\n{many.rate:,.0f} events a second by the clock; {many.peak_memory / 2**20:,.0f} MiB at the peak; "
        + f"starting and stopping: {few.cpu:.1f} s of CPU; "
        + ("verify finds no difference" if many.matches else "verify finds DIFFERENCES")
    )
    figures: dict[str, Any] = {
        "pipeline_events": many.events,
        "pipeline_events_per_s": round(many.rate),
        "cpu_us_per_event": round(many.cpu / many.events * 1e6, 1),
        "marginal_cpu_us_per_event": round(marginal, 1),
        "marginal_cpu_us_per_event_by_process": {name: round(cost, 1) for name, cost in roles.items()},
        "start_cpu_s": round(few.cpu, 1),
        "pipeline_total_s": round(many.total_seconds, 1),
        "peak_memory_mib": round(many.peak_memory / 2**20),
        "pipeline_results_match": few.matches and many.matches,
    }
    workers = sum(roles.get(name, 0.0) for name in WORKERS)
    if workers > 0:
        figures["events_per_core_hour"] = round(3600e6 / workers)
        text += f"\nfour workers: {workers:,.1f} us CPU an event, {3600 / workers:,.0f} million events a core-hour"
    if longer > 0:  # else the clock says nothing: too few events, or too much else to do for the machine
        figures["marginal_events_per_s"] = round(more / longer)
        text += f"\nonce the workers have joined their groups: {more / longer:,.0f} events a second"
    return Outcome(text, figures, [] if few.matches and many.matches else ["pipeline: the tables are not as verified"])


def run(events: int) -> Run:
    """`rihla run` and `rihla verify` over so many simulated events, in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="rihla-benchmark-") as folder:
        file, data = Path(folder) / "events.jsonl", str(Path(folder) / "data")
        different = sample.write(events, file)
        say(f"pipeline: rihla run over {events:,} events")
        began = time.monotonic()
        tree, cpu, output = watched([*RIHLA, "run", str(file), "--data", data], Path(folder) / "out")
        seconds = time.monotonic() - began
        say(f"pipeline: {seconds:.0f} s; rihla verify")
        verified = subprocess.run(
            [*RIHLA, "verify", "--data", data, "--format", "json"], stdout=subprocess.PIPE, check=False, timeout=WITHIN
        )
        return Run(
            events,
            cpu,
            tree.cpu,
            tree.peak_memory,
            figure(output, "rate"),
            figure(output, "time"),
            seconds,
            matches(json.loads(verified.stdout), different),
        )


def figure(summary: str, label: str) -> float:
    """The number that `rihla run` prints beside a label. Raises ValueError without one."""
    for line in summary.splitlines():
        if line.startswith(f"{label} "):
            return float(line.removeprefix(label).split()[0].replace(",", ""))
    raise ValueError(f"rihla run says nothing of {label!r}: {summary}")


def matches(report: dict[str, Any], events: int) -> bool:
    """Whether a report of verify is about so many interactions, and finds all as it should be."""
    return report["differences"] == 0 and report["moving"] == 0 and report["interactions"] == events


async def verified(pipeline: Pipeline) -> dict[str, Any]:
    """The report of `rihla verify` on a pipeline that runs in this process, whose engine it asks."""
    pipeline.publish()
    command = [*RIHLA, "verify", "--data", str(pipeline.directory.path), "--format", "json"]
    verify = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    printed, _ = await verify.communicate()
    return dict(json.loads(printed))


def watched(command: list[str], out: Path) -> tuple[Tree, float, str]:
    """Run a command to its end: its tree, the CPU seconds of it and all it waited for, and what it printed."""
    with out.open("wb") as stdout:
        process = subprocess.Popen(tethered(command), stdin=subprocess.DEVNULL, stdout=stdout)
    tree, deadline = Tree(process.pid), time.monotonic() + WITHIN
    try:
        while True:
            tree.look()
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                process.returncode = os.waitstatus_to_exitcode(status)
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"{command} took more than {WITHIN:.0f} s")
            time.sleep(LOOK_EVERY)
    finally:
        if process.returncode is None:
            process.terminate()
            process.wait()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:5])} ended with status {process.returncode}: {out.read_text()}")
    return tree, usage.ru_utime + usage.ru_stime, out.read_text()
