"""Deliveries against the alerts, moves, segments and next actions that they tell of.

What a target answered cannot be recomputed. What must hold whatever it answered can: nothing was delivered that does
not exist, and of the versions that reached a target, none came before an earlier one.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from streams.verify.compare import DIFFERENCE, WHOLE_ROW, Comparison

TABLE = "deliveries"

_NAMED = "concat(target, ' ', kind, ' ', thing_id, ' ', toString(thing_version))"
_RULES = (
    # What was delivered exists, in this version or a later one.
    f"""
    SELECT {_NAMED}, '{WHOLE_ROW}', concat('version ', toString(thing_version), ' of an ', kind),
        if(newest = 0, NULL, concat('version ', toString(newest)))
    FROM deliveries LEFT JOIN
    (
        SELECT 'alert' AS kind, alert_id AS thing_id, max(version) AS newest FROM alerts_store GROUP BY alert_id
        UNION ALL
        SELECT 'move' AS kind, move_id AS thing_id, max(version) AS newest FROM moves_store GROUP BY move_id
        UNION ALL
        SELECT 'segment' AS kind, concat(customer_id, '/', segment) AS thing_id, max(version) AS newest
        FROM segments_store GROUP BY customer_id, segment
        UNION ALL
        SELECT 'next_action' AS kind, customer_id AS thing_id, max(version) AS newest
        FROM next_actions_store GROUP BY customer_id
    ) AS told USING (kind, thing_id)
    WHERE kind IN ('alert', 'move', 'segment', 'next_action') AND thing_version > newest
    """,
    # Versions of a thing reached a target in their order.
    f"""
    SELECT {_NAMED}, 'changed_at', concat('not before ', toString(before)), toString(changed_at) FROM
    (
        SELECT target, kind, thing_id, thing_version, changed_at, max(changed_at) OVER (
            PARTITION BY target, kind, thing_id ORDER BY thing_version ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS before
        FROM deliveries WHERE status = 'delivered'
    )
    WHERE changed_at < before
    """,
    # What ended was tried, and what arrived has no error.
    f"""
    SELECT {_NAMED}, 'attempts', 'one at least', toString(attempts) FROM deliveries
    WHERE status IN ('delivered', 'dead') AND attempts < 1
    """,
    f"SELECT {_NAMED}, 'error', NULL, error FROM deliveries WHERE status = 'delivered' AND error IS NOT NULL",
)


def deliveries(client: Any) -> Comparison:
    """What does not hold of the deliveries. client: of clickhouse-connect, on the database of the tables."""
    count = int(client.command("SELECT count() FROM deliveries"))
    rows = [(TABLE, *map(_text, row)) for rule in _RULES for row in client.query(rule).result_rows]
    return Comparison(TABLE, count, pl.DataFrame(rows, schema=DIFFERENCE, orient="row").sort("key", "column"))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
