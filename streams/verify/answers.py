"""What people answered against the alerts: who has each, and whether it was acknowledged and settled.

Recomputed row by row from the view of answers. Not judged: an alert of a customer who has another id now (its answers
count for its successor), and customers with more answers than a state surely remembers.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from streams.verify.compare import DIFFERENCE, Comparison

TABLE = "answers"
MOST = 32
"""Answers of a customer that are judged: a state keeps sixty-four, those of customers' own cases included."""

_ALERTS = "SELECT alert_id, customer_id, case_id, handler, acknowledged_at, closed_at, occurred_at FROM alerts"
_ANSWERS = """
SELECT alert_id, case_id, customer_id, answer, person, assigned_to, occurred_at FROM answers
WHERE customer_id IN
(
    SELECT customer_id FROM answers GROUP BY customer_id
    HAVING count() <= {most:UInt32} AND min(occurred_at) > max(occurred_at) - INTERVAL 89 DAY
)
ORDER BY occurred_at, event_id
"""


def answers(client: Any) -> Comparison:
    """What does not hold of the answers. client: of clickhouse-connect, on the database of the tables."""
    count = int(client.command("SELECT count() FROM answers"))
    given = client.query(_ANSWERS, parameters={"most": MOST}).result_rows if count else []
    if not given:
        return Comparison(TABLE, count, pl.DataFrame(schema=DIFFERENCE))
    told = client.query(f"{_ALERTS} WHERE customer_id IN (SELECT customer_id FROM answers)").result_rows
    differences = []
    for alert_id, customer_id, case_id, handler, acknowledged, closed, occurred in told:
        holder, reacted, concerned = None, False, False
        for of_alert, of_case, of_customer, answer, person, assigned_to, at in given:
            is_about = of_alert == alert_id if of_alert is not None else case_id is not None and of_case == case_id
            if not is_about or of_customer != customer_id or at < occurred:
                continue
            concerned = True
            if answer == "assigned":
                holder, reacted = assigned_to, True
            elif answer == "declined":
                if holder is None or holder == person:
                    holder, reacted = None, False
            elif answer != "snoozed":
                holder, reacted = holder or person, True
        if not concerned:
            continue
        if handler != holder:
            differences.append((TABLE, alert_id, "handler", holder, handler))
        if reacted and acknowledged is None:
            differences.append((TABLE, alert_id, "acknowledged_at", "a time", None))
        if closed is not None and acknowledged is None:
            differences.append((TABLE, alert_id, "acknowledged_at", "no later than closed_at", None))
    return Comparison(TABLE, count, pl.DataFrame(differences, schema=DIFFERENCE, orient="row"))
