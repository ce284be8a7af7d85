"""The fault suite: every fault, some runs of each, on Apache Kafka and ClickHouse's engine.

    python -m tests.faults                                       # make faults
    python -m tests.faults --only freeze rebalances --runs 5 --seed 100
    python -m tests.faults --break no-fence --runs 1             # the suite's own check: must find differences
    python -m tests.faults --list

A line a run goes to stderr. Stdout gets one line of JSON: faults, runs, events, differences, and the same of each
fault. Exit status 1 if anything is not as it must be, or a run could not be held.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from streams.embedded.kafka import Kafka
from tests.faults import runbook, world
from tests.faults.broken import BREAKS, SHOWN_BY, VARIABLE
from tests.faults.suite import Fault, Outcome, faults
from tests.support.brokers import Broker

RUNS = 3
SHOWN = 5  # differences of a run that are told; all are counted


def main() -> int:
    """Parse the command line, run, print; the exit status."""
    every = faults()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=sorted(every), metavar="FAULT", help="these faults, not all")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of each fault, with a seed each (default {RUNS})")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the next have the following ones")
    parser.add_argument("--break", dest="broken", choices=sorted(BREAKS), help="break the workers so on purpose")
    parser.add_argument("--customers", type=int, default=world.CUSTOMERS, help="in the stream; some eight events each")
    parser.add_argument("--letters", type=int, default=runbook.LETTERS, help="of runbook-dead-letters")
    parser.add_argument("--list", action="store_true", help="say which faults there are")
    chosen = parser.parse_args()
    if chosen.list:
        print("\n".join(every))
        return 0
    selected = [every[name] for name in chosen.only or every]
    world.CUSTOMERS, runbook.LETTERS = chosen.customers, chosen.letters
    if chosen.broken:
        os.environ[VARIABLE] = chosen.broken
        selected = selected if chosen.only else [every[SHOWN_BY[chosen.broken]]]
    with tempfile.TemporaryDirectory(prefix="rihla-faults-") as folder:
        process = Kafka(Path(folder) / "kafka")
        if not all(getattr(fault, "own_broker", False) for fault in selected):
            asyncio.run(process.start())
        try:
            table = {
                fault.name: trials(
                    fault, range(chosen.seed, chosen.seed + chosen.runs), Broker(process.address, False, process)
                )
                for fault in selected
            }
        finally:
            asyncio.run(process.stop())
    runs, events, differences, errors = (sum(row[name] for row in table.values()) for name in COLUMNS)
    print(json.dumps({"faults": len(table), "runs": runs, "events": events, "differences": differences,
                      "errors": errors, "by_fault": table}))  # fmt: skip
    return 1 if differences or errors else 0


COLUMNS = ("runs", "events", "differences", "errors")


def trials(fault: Fault, seeds: range, broker: Broker) -> dict[str, int]:
    """Run a fault once a seed; its row of the table."""
    row = dict.fromkeys(COLUMNS, 0)
    for seed in seeds:
        began = time.monotonic()
        try:
            outcome = fault.run(seed, broker)
        except Exception:  # the other faults are tried all the same
            traceback.print_exc()
            row["errors"] += 1
            outcome = Outcome(0)
        row["runs"] += 1
        row["events"] += outcome.events
        row["differences"] += len(outcome.differences)
        told = "; ".join(outcome.differences[:SHOWN]) or "none"
        seconds = time.monotonic() - began
        line = f"{fault.name} seed {seed}: {outcome.events:,} events, {seconds:.0f} s, differences: {told}"
        print(line, file=sys.stderr, flush=True)
    return row


if __name__ == "__main__":
    sys.exit(main())
