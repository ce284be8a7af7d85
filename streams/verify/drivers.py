"""The view drivers: what must hold of each run, whatever has been heard since.

The answers that a run was of may have been restated by later events, so it is not computed again: its shares sum to
what it says is explained, and its back-test says of itself whether it is useful.
"""

from __future__ import annotations

from collections import defaultdict
from math import isclose
from typing import Any

import polars as pl

from streams.verify.compare import DIFFERENCE, Comparison

TABLE = "drivers"
_ROWS = (
    "SELECT run_id, driver, share, r2, r2_controls, tested, tested_r2, tested_r2_controls, useful, n FROM drivers "
    "ORDER BY run_id, driver"
)


def drivers(client: Any) -> Comparison:
    """What is not as it must be. client: of clickhouse-connect, on the database of the tables."""
    runs: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    rows = client.query(_ROWS).result_rows
    for run, *rest in rows:
        runs[run].append(tuple(rest))
    differences = []
    for run, some in runs.items():
        _, _, r2, r2_controls, tested, tested_r2, tested_r2_controls, useful, n = some[0]
        total = sum(row[1] for row in some)
        if not isclose(total, r2 - r2_controls, abs_tol=1e-6):
            differences.append((TABLE, run, "sum of shares", str(r2 - r2_controls), str(total)))
        told = (tested_r2 > max(tested_r2_controls, 0.0), 0 < tested < n)
        if told != (bool(useful), True):
            differences.append((TABLE, run, "back-test", str(told), str((bool(useful), True))))
    return Comparison(TABLE, len(rows), pl.DataFrame(differences, schema=DIFFERENCE, orient="row"))
