"""The logged calls, decided again from all candidates of their day, unit by unit, in a plain way."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

import polars as pl

from streams.verify.compare import DIFFERENCE, Comparison

TABLE = "calls"
_ROWS = "SELECT day, unit, priority, customer_id, about, capacity, chosen, drawn, propensity FROM calls"


def calls(client: Any) -> Comparison:
    """What is not as the rules have it. client: of clickhouse-connect, on the database of the tables."""
    rows = client.query(_ROWS).result_rows
    lists: dict[tuple[Any, str], list[tuple[Any, ...]]] = defaultdict(list)
    for day, unit, *rest in rows:
        lists[day, unit].append(tuple(rest))
    differences = []
    for (day, unit), some in lists.items():
        for priority, customer, about, capacity, chosen, drawn, propensity in some:
            before = sum(other[0] < priority for other in some)
            tied = [other for other in some if other[0] == priority]
            room = max(0, min(capacity - before, len(tied)))
            ahead = sum(_dice(other[2], day) < _dice(about, day) for other in tied)
            expected = (ahead < room, 0 < room < len(tied), round(room / len(tied), 9))
            found = (bool(chosen), bool(drawn), round(propensity, 9))
            if expected != found:
                differences.append((TABLE, f"{day} {unit} {customer}", "chosen", str(expected), str(found)))
    return Comparison(TABLE, len(rows), pl.DataFrame(differences, schema=DIFFERENCE, orient="row"))


def _dice(about: str, day: Any) -> tuple[str, str]:
    return hashlib.blake2b((about + chr(0) + day.isoformat()).encode(), digest_size=8).hexdigest(), about
