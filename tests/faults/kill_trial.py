"""Many fault trials in a row: `python tests/faults/kill_trial.py --broker embedded|kafka --runs 30`.

Prints a line of JSON for each run and one for all of them; exit status 1 unless every run was good.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from streams.embedded.kafka import Kafka
from streams.embedded.tansu import Tansu
from tests.faults.trial import FAULTS, Result, trial
from tests.support.brokers import Broker


async def trials(kind: str, fault: str, runs: int, events: int, seed: int, folder: Path) -> list[Result]:
    """Run them one after the other on one broker."""
    process = Tansu(folder / "broker.log") if kind == "embedded" else Kafka(folder / "kafka")
    await process.start()
    broker = Broker(process.address, kind == "embedded", process)
    results = []
    try:
        for run in range(runs):
            place = folder / f"run-{run}"
            place.mkdir()
            results.append(await trial(broker, f"k{run}", place, fault, events, seed + run))
            print(results[-1].line(), flush=True)
            process.check()
    finally:
        await process.stop()
    return results


def main() -> int:
    """Parse the command line, run, sum up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--broker", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--fault", choices=FAULTS, default="kill")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep reports and logs here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rihla-trials-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        results = asyncio.run(trials(options.broker, options.fault, options.runs, options.events, options.seed, folder))
    totals = collections.Counter(good=sum(result.good for result in results), runs=len(results))
    for result in results:
        totals.update(events=result.events, outputs_repeated=max(result.outputs_repeated, 0))
        totals.update(wrong_keys=max(result.wrong_keys, 0), outputs_missing=max(result.outputs_missing, 0))
    print(json.dumps({"broker": options.broker, "fault": options.fault, **totals}), flush=True)
    return 0 if totals["good"] == totals["runs"] else 1


if __name__ == "__main__":
    sys.exit(main())
