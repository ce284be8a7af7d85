"""The whole pipeline, from file to table: `python tests/benchmarks/end_to_end.py [CUSTOMERS | FILE ADAPTER] [BROKER]`.

Runs `rihla run` over simulated travellers (60,000 by default, some 434,000 events) or over a file, twice: first into
new tables, then again, when everything is a duplicate and state is rebuilt first. Says how many events went through in
a second, and the memory of each process when that of all was highest. The machine should have nothing else to do.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import uvloop

from streams.commands.display import show_summary
from streams.embedded.pipeline import TANSU, Plan
from streams.embedded.run import MAX_RESTARTS, Progress, Summary, run_files
from streams.sources.simulate import Options, write


def measure(data: Path, file: str, adapter: str | None, broker: str) -> Summary:
    """One run, told on stdout."""
    plan = Plan(data, broker=broker, max_restarts=MAX_RESTARTS)
    summary = uvloop.run(run_files(plan, [file], adapter, Progress(), print))
    show_summary(summary, data)
    for process, size in sorted(summary.memory_at_peak.items(), key=lambda item: -item[1]):
        print(f"{size / 2**20:8.0f} MiB  {process[-90:]}")
    return summary


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="rihla-benchmark-") as folder:
        if arguments and Path(arguments[0]).exists():
            file, adapter, rest = arguments[0], arguments[1], arguments[2:]
        else:
            customers = int(arguments[0]) if arguments else 60_000
            file, adapter, rest = f"{folder}/events.jsonl", None, arguments[1:]
            write(Options(customers=customers), Path(file))
        broker = rest[0] if rest else TANSU
        for title in ("into new tables", "the same once more"):
            print(f"\n{title}\n")
            measure(Path(folder) / "data", file, adapter, broker)


if __name__ == "__main__":
    main(sys.argv[1:])
