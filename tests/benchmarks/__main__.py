"""`python -m tests.benchmarks [NAME...]`: run the benchmarks; a line of JSON with what was measured comes last.

Exit status: 0; 1 where a stage has outgrown its limit, results do not match, or a benchmark could not be run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import (
    alerts,
    deliver,
    features,
    latency,
    pipeline,
    plot,
    queries,
    scaling,
    serve,
    sink,
    stages,
    start,
    state,
    stitch,
    transport,
    wire,
    workers,
)
from tests.benchmarks.report import Outcome, say

BENCHMARKS: dict[str, Callable[[int, argparse.Namespace], Outcome]] = {
    # First: where files are made on ext4, what others have just deleted nearby makes each insert dearer for minutes.
    "latency": lambda events, options: latency.measure(events, options.rate),
    "stages": lambda events, options: stages.measure(events, options.hotel),
    "start": lambda events, options: start.measure(events, fresh=not options.quick),
    "transport": lambda records, _: transport.measure(records),
    "pipeline": lambda events, _: pipeline.measure(events),
    "workers": lambda events, _: workers.measure(events),
    "stitch": lambda events, options: stitch.measure(events, options.peer),
    "scaling": lambda events, _: scaling.measure(events),
    "sink": lambda events, _: sink.measure(events),
    "wire": lambda events, _: wire.measure(events),
    "state": lambda customers, _: state.measure(customers),
    "alerts": lambda complaints, _: alerts.measure(complaints),
    "deliver": lambda told, _: deliver.measure(told),
    "features": lambda events, _: features.measure(events),
    "queries": lambda interactions, options: queries.measure(interactions, options.data),
    "serve": lambda requests, _: serve.measure(requests),
}
EVENTS = {
    "latency": 20_000,
    "stages": 60_000,
    "start": 500,
    "transport": 200_000,
    "pipeline": 200_000,
    "workers": 200_000,
    "stitch": 150_000,
    "scaling": 100_000,
    "sink": 120_000,
    "wire": 20_000,
    "state": 1_000_000,
    "alerts": 50,
    "deliver": 2_000,
    "features": 20_000,
    "queries": 1_000_000,
    "serve": 10_000,
}
"""How many events each takes by default; state: how many customers; alerts: how many complaints; serve: how many
requests."""
QUICK = {
    "latency": 2_000,
    "stages": 20_000,
    "start": 200,
    "transport": 20_000,
    "pipeline": 10_000,
    "workers": 10_000,
    "stitch": 3_000,
    "scaling": 10_000,
    "sink": 5_000,
    "wire": 2_000,
    "state": 50_000,
    "alerts": 3,
    "deliver": 100,
    "features": 2_000,
    "queries": 20_000,
    "serve": 1_000,
}
"""The same with --quick: enough to see that it works, too few for figures to quote."""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--events", type=int, metavar="N", help="so many events in each, instead of each one's own")
    parser.add_argument("--quick", action="store_true", help="few events: does it work?")
    parser.add_argument("--hotel", type=Path, metavar="FILE", help="a hotel-bookings CSV for the stages, instead")
    parser.add_argument(
        "--rate", type=int, action="append", metavar="N", help="latency at N events a second, not at shares of capacity"
    )
    peers = [name for name in stitch.WORKERS if name != stitch.OURS]
    parser.add_argument(
        "--peer",
        action="append",
        choices=peers,
        metavar="NAME",
        help=f"only this peer in stitch beside Rihla; may be repeated: {', '.join(peers)}",
    )
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="where the queries' data are made, and found again by the next run"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the results, too: a PNG file (needs matplotlib)"
    )
    options = parser.parse_args(arguments)
    if options.events is not None and options.events < 1:
        parser.error("--events must be at least 1")
    if options.rate is not None and min(options.rate) < latency.LEAST_RATE:
        parser.error(f"--rate must be at least {latency.LEAST_RATE}: there are so many probes a second")
    options.names = options.names or list(BENCHMARKS)
    return options


def events_of(options: argparse.Namespace, name: str) -> int:
    """How many events a benchmark is to take."""
    return int(options.events or (QUICK if options.quick else EVENTS)[name])


def run(options: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """Everything that was measured, and what is wrong."""
    figures: dict[str, Any] = {}
    problems: list[str] = []
    for name in options.names:
        say(f"{name}: {events_of(options, name):,} events")
        try:
            outcome = BENCHMARKS[name](events_of(options, name), options)
        except Exception as error:  # the others are still worth having
            problems.append(f"{name} could not be measured: {type(error).__name__}: {error}")
            continue
        print(outcome.table, end="\n\n", flush=True)
        figures |= outcome.figures
        problems += outcome.problems
    return figures, problems


def overall(figures: dict[str, Any]) -> dict[str, Any]:
    """What follows from the figures of several benchmarks, as far as they were run."""
    found: dict[str, Any] = {}
    rivals = figures.get("stitch_cpu_us_per_event", {})
    processes = figures.get("marginal_cpu_us_per_event_by_process", {})
    peers = [rivals[name] for name in stitch.RATIOS["stitch_vs_best_python_peer"] if name in rivals]
    if peers and all(name in processes for name in pipeline.WORKERS):
        found["pipeline_vs_best_python_peer_stitch"] = round(
            min(peers) / sum(processes[name] for name in pipeline.WORKERS), 2
        )
    if peers and "alone_cpu_us_per_event" in figures:
        found["workers_alone_vs_best_python_peer_stitch"] = round(min(peers) / figures["alone_cpu_us_per_event"], 2)
    clocks = figures.get("stitch_events_per_s", {})
    fastest = [clocks[name] for name in stitch.RATIOS["stitch_vs_best_python_peer"] if name in clocks]
    if fastest and "marginal_events_per_s" in figures:
        ratio = figures["marginal_events_per_s"] / max(fastest)
        found["pipeline_vs_best_python_peer_stitch_by_clock"] = round(ratio, 2)
    matches = [value for name, value in figures.items() if name.endswith("results_match")]
    if matches:
        found["results_match"] = all(matches)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, judge; the exit status."""
    options = parse(arguments)
    load = os.getloadavg()[0]
    figures, problems = run(options)
    for problem in problems:
        say(problem)
    figures |= overall(figures)
    if options.plot is not None:
        options.plot.parent.mkdir(parents=True, exist_ok=True)
        plot.draw(figures, options.plot)
        say(f"drawn: {options.plot}")
    machine = {"cores": os.cpu_count(), "load_before": round(load, 1)}
    print(json.dumps({**figures, "problems": problems, "machine": machine}))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
