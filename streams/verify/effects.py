"""The view action_effects: the verdict of each action, judged again from its figures."""

from __future__ import annotations

from math import comb
from typing import Any

import polars as pl

from streams.verify.compare import DIFFERENCE, Comparison

TABLE = "action_effects"
_ROWS = "SELECT action_name, metric, verdict, effect, low, high, placebos, covered, p, comparable FROM action_effects"


def effects(client: Any) -> Comparison:
    """What is not as it must be. client: of clickhouse-connect, on the database of the tables."""
    differences = []
    rows = client.query(_ROWS).result_rows
    for name, metric, verdict, effect, low, high, placebos, covered, p, comparable in rows:
        # So many misses or more, of dates of which each misses with a chance of 5 %.
        more = range(placebos - covered, placebos + 1)
        chance = sum(comb(placebos, missed) * 0.05**missed * 0.95 ** (placebos - missed) for missed in more)
        if placebos < 2 or chance < 0.05:
            expected = "untrusted"
        else:
            expected = "better" if low > 0 else "worse" if high < 0 else "unclear"
        if verdict != expected:
            differences.append((TABLE, f"{name} {metric}", "verdict", expected, str(verdict)))
        if not (low < effect < high and covered <= placebos and 1 / (comparable + 1) - 1e-9 <= p <= 1):
            differences.append((TABLE, f"{name} {metric}", "figures", "in order", f"{low} {effect} {high} {p}"))
    return Comparison(TABLE, len(rows), pl.DataFrame(differences, schema=DIFFERENCE, orient="row"))
