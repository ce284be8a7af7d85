"""Whose alerts are: unit, basis, brand and owner of each, from the plain attribution of its cause.

An alert is an observation, so not all can be judged: not one whose cause belongs to another customer now, that a state
may have forgotten, that an older version raised, or that was raised under an older model.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import polars as pl

from streams.alerts.rules import of
from streams.model.brands import Brands
from streams.model.company import Model
from streams.verify.compare import Comparison, compare
from streams.verify.owners import who
from streams.verify.recompute import Expected

TABLE = "alerts"
KEPT_DAYS, MOST = 89, 64
"""Alerts of a customer that a state surely remembers: not so much older than the newest event, and not more of them."""

_SHOWN = ("unit", "unit_basis", "brand", "owner")
_ALERTS = """
SELECT alert_id, rule, event_id, customer_id, unit, unit_basis, brand, owner FROM alerts
WHERE unit_basis IS NOT NULL
    AND raised_at >=
    (
        SELECT min(recorded_at) FROM models
        WHERE hash = {hash:String} AND recorded_at > (SELECT max(recorded_at) FROM models WHERE hash != {hash:String})
    )
    AND customer_id IN (SELECT customer_id FROM alerts GROUP BY customer_id HAVING count() <= {most:UInt32})
"""
_SCHEMA = dict.fromkeys(("alert_id", "rule", "event_id", "customer_id", *_SHOWN), pl.String())


def alerts(
    client: Any, log: pl.DataFrame, expected: Expected, model: Model, unheard: Collection[str] = ()
) -> Comparison:
    """Compares them.

    Args:
        client: of clickhouse-connect, on the database of the tables.
        log: the interactions: `subject`, `event_id`, `occurred_at`, `unit`, `attributes`.
        expected: what follows from these.
        model: what events mean.
        unheard: customers that are not judged (streams.verify.unheard).
    """
    rows = client.query(_ALERTS, parameters={"most": MOST, "hash": model.hash}).result_rows
    found = pl.DataFrame(rows, _SCHEMA, orient="row")
    key = ["subject", "event_id"]
    causes = (
        log.select(*key, "occurred_at", "attributes", own="unit")
        .unique(key, keep="first")
        .join(expected.interactions.select(*key, "customer_id"), on=key)
        .join(expected.attributed["interactions_attributed"].select(*key, "attributed_unit", "unit_basis"), on=key)
        .join(expected.customers.select("customer_id", "last_event_at"), on="customer_id")
        .filter(pl.col("last_event_at") - pl.col("occurred_at") < KEPT_DAYS * 86_400_000)
        .filter(~pl.col("customer_id").is_in(list(unheard)))
    )
    rules = of(model)
    both = found.filter(pl.col("rule").is_in(list(rules))).select("alert_id", "rule", "event_id", "customer_id")
    both = both.join(causes, on=["event_id", "customer_id"])
    expect = [
        (one["alert_id"], *_owned(model.brands, rules[one["rule"]].unit or one["own"], one))
        for one in both.iter_rows(named=True)
    ]
    wanted = pl.DataFrame(expect, dict.fromkeys(("alert_id", *_SHOWN), pl.String()), orient="row")
    found = found.select("alert_id", *_SHOWN).join(wanted, on="alert_id", how="semi")
    return compare(TABLE, wanted, found, ("alert_id",))


def _owned(brands: Brands, own: str | None, cause: dict[str, Any]) -> tuple[str | None, str, str | None, str | None]:
    """Unit, basis, brand and owner. own: the unit that the rule or the event names."""
    unit, basis = (own, "own") if own else (cause["attributed_unit"], cause["unit_basis"])
    owner, brand = who(brands, unit, cause["attributes"])
    return unit, basis, brand, owner
