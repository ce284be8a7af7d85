"""The long form of tests/integration/test_exactness.py: one input in five orders, with one, two and three workers.

    python -m tests.faults.orders_trial --customers 2000 --work /tmp/orders

Prints a JSON summary; exit status 1 if any two runs differ, or one differs from the simulator's truth or from what
`rihla verify` works out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.exactness import against_truth, fingerprints, rihla, shuffled, tables


def trial(folder: Path, customers: int, seed: int, orders: int, workers: list[int], verify: bool) -> dict[str, Any]:
    """Run every order with every number of workers; the summary."""
    events, truth = folder / "events.jsonl", folder / "truth.jsonl"
    rihla("simulate", "--customers", str(customers), "--seed", str(seed), "--duplicates", "0.2", "--disorder", "1",
          "--late", "0.1", "--out", str(events), "--truth", str(truth))  # fmt: skip
    runs: list[dict[str, Any]] = []
    for order in range(orders):
        file = shuffled(events, folder / f"order-{order}.jsonl", order)
        for count in workers:
            data = folder / f"data-{order}-{count}"
            began = time.monotonic()
            rihla("run", str(file), "--data", str(data), "--workers", str(count), timeout=3600)
            seconds = round(time.monotonic() - began, 1)
            found = tables(data)
            wrong = {kind: lines[:5] for kind, lines in against_truth(found, truth).items() if lines}
            run: dict[str, Any] = {"order": order, "workers": count, "seconds": seconds, "truth": wrong or "agrees"}
            run["rows"] = {view: len(rows) for view, rows in found.items()}
            run["fingerprints"] = fingerprints(found)
            if verify:
                run["verify"] = rihla("verify", "--data", str(data), timeout=3600).decode().splitlines()[-1:]
            runs.append(run)
            print(json.dumps({key: run[key] for key in ("order", "workers", "seconds", "truth")}), file=sys.stderr)
            shutil.rmtree(data)
    first = runs[0]["fingerprints"]
    same = all(run["fingerprints"] == first for run in runs)
    agrees = all(run["truth"] == "agrees" for run in runs)
    different = [(run["order"], run["workers"]) for run in runs if run["fingerprints"] != first]
    return {
        "customers": customers, "seed": seed, "events": sum(1 for _ in events.open("rb")), "runs": len(runs),
        "rows": runs[0]["rows"], "fingerprints": first, "same": same, "different": different, "truth_agrees": agrees,
        "verify": [run.get("verify") for run in runs] if verify else None,
        "disagreements": [run["truth"] for run in runs if run["truth"] != "agrees"][:1],
        "seconds": [run["seconds"] for run in runs],
    }  # fmt: skip


def main() -> int:
    """Parse the command line, run, print; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--orders", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--no-verify", action="store_true", help="leave `rihla verify` out")
    parser.add_argument("--work", type=Path, default=None, help="folder to work in, kept; default: a temporary one")
    chosen = parser.parse_args()
    folder = chosen.work or Path(tempfile.mkdtemp(prefix="rihla-orders-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        summary = trial(folder, chosen.customers, chosen.seed, chosen.orders, chosen.workers, not chosen.no_verify)
    finally:
        if chosen.work is None:
            shutil.rmtree(folder)
    print(json.dumps(summary, indent=2, ensure_ascii=False))
    return 0 if summary["same"] and summary["truth_agrees"] else 1


if __name__ == "__main__":
    sys.exit(main())
