"""The view alert_sla, and the storms of the view incidents, the plain way: row by row from the view of alerts."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

import polars as pl

from streams.model.company import Model
from streams.verify.compare import DIFFERENCE, Comparison

APART, CUSTOMERS = timedelta(minutes=30), 5
"""Of a storm: the longest pause between two causes, and the fewest customers."""


def sla(client: Any, model: Model) -> Comparison:
    """What is not as it should be of both views.

    client: of clickhouse-connect, on the database of the tables. model: which says how soon.
    """
    alerts = client.query(
        "SELECT alert_id, rule, severity, unit, brand, tier, customer_id, occurred_at, raised_at, acknowledged_at, "
        "closed_at FROM alerts ORDER BY occurred_at, alert_id"
    ).result_rows
    found = {
        alert: (responded, resolved)
        for alert, responded, resolved in client.query(
            "SELECT alert_id, responded_in_time, resolved_in_time FROM alert_sla"
        ).result_rows
    }
    differences: list[tuple[str, str, str, str | None, str | None]] = []
    places: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for alert, rule, severity, unit, brand, tier, customer, occurred, raised, acknowledged, closed in alerts:
        respond, resolve = (timedelta(milliseconds=one) for one in _promised(model, severity, brand, tier))
        reacted = acknowledged or closed
        expected = (
            None if reacted is None else int(reacted - raised <= respond),
            None if closed is None else int(closed - raised <= resolve),
        )
        if expected != found.get(alert):
            differences.append(("alert_sla", alert, "in time", str(expected), str(found.get(alert))))
        if unit is not None:
            places[rule, unit].append((occurred, alert, customer))
    storms = {
        (rule, unit, tuple(alert for _, alert, _ in run))
        for (rule, unit), some in places.items()
        for run in _runs(some)
    }
    shown = {(rule, unit, tuple(some)) for rule, unit, some in client.query(_INCIDENTS).result_rows}
    for rule, unit, some in sorted(storms ^ shown):
        both = [str(len(some)) if (rule, unit, some) in side else None for side in (storms, shown)]
        differences.append(("incidents", f"{rule} {unit} {some[0]}", "alerts", both[0], both[1]))
    return Comparison("alert_sla", len(alerts), pl.DataFrame(differences, schema=DIFFERENCE, orient="row"))


def _promised(model: Model, severity: str, brand: str | None, tier: str | None) -> tuple[int, int]:
    """Within what times, ms, somebody must react and settle it: of the entries that fit the first counts."""
    fitting = [
        (one.respond, one.resolve)
        for one in model.sla
        if severity in one.severities and brand in (one.brands or [brand]) and tier in (one.tiers or [tier])
    ]
    return fitting[0]


_INCIDENTS = "SELECT rule, unit, alerts FROM incidents"


def _runs(some: list[tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
    """The storms among alerts of one rule and unit, in order of time."""
    runs: list[list[tuple[Any, ...]]] = []
    for one in some:
        if runs and one[0] - runs[-1][-1][0] <= APART:
            runs[-1].append(one)
        else:
            runs.append([one])
    return [run for run in runs if len({customer for _, _, customer in run}) >= CUSTOMERS]
