"""Reads how targets are met (the named query targets), and writes down breaches."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sinks.clickhouse import named
from streams.targets.breaches import Breach


def judged(client: Any, given: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """The rows of the named query. client: of clickhouse-connect, on the database of the tables."""
    query = named.load()["targets"]
    values = query.bind(given)
    return [*client.query(query.text(values), parameters=values).named_results()]


def observed(client: Any, ids: Collection[str]) -> dict[str, int]:
    """When breaches were seen first, epoch ms, by id."""
    rows = client.query(
        "SELECT breach_id, toUnixTimestamp64Milli(observed_at) FROM target_breaches "
        "WHERE has({ids:Array(String)}, breach_id)",
        {"ids": [*ids]},
    )
    return {str(id_): int(at) for id_, at in rows.result_rows}


def observe(client: Any, found: Sequence[Breach], now_ms: int) -> list[Breach]:
    """Write down those that nobody has seen yet, and return them. now_ms: the clock.

    Several may do so at once: of one breach the first observation stays.
    """
    ids = [one.breach_id for one in found]
    rows = client.query("SELECT breach_id FROM target_breaches WHERE has({ids:Array(String)}, breach_id)", {"ids": ids})
    known = {str(row[0]) for row in rows.result_rows}
    new = [one for one in found if one.breach_id not in known]
    if new:
        at = datetime.fromtimestamp(now_ms / 1000, UTC)
        columns = [*Breach._fields, "observed_at", "version"]
        client.insert("target_breaches_store", [[*one, at, -now_ms] for one in new], column_names=columns)
    return new
