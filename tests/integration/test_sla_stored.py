"""SLA and storms in ClickHouse: the views, the named query, and what verify finds."""

from __future__ import annotations

from sinks.clickhouse.named import load
from streams.model.company import built_in
from streams.verify.sla import sla
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import NOON, frame

MINUTE, HOUR = 60_000, 3_600_000


def test_sla_and_storms(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    rows = [
        {"alert_id": "1", "unit": "H1", "severity": "critical", "handler": "Omar",
         "acknowledged_at": NOON + 15 * MINUTE},
        {"alert_id": "2", "unit": "H1", "severity": "critical", "handler": "Omar",
         "acknowledged_at": NOON + 15 * MINUTE + 1, "closed_at": NOON + 4 * HOUR + 1},
        {"alert_id": "3", "unit": "H2", "severity": "high", "closed_at": NOON + HOUR},
        {"alert_id": "4", "unit": "H2", "severity": "low"},
    ]  # fmt: skip
    bus = [
        {
            "alert_id": f"b{n:02}",
            "unit": "BUS",
            "rule": "storm",
            "customer_id": f"p{n}",
            "occurred_at": NOON + n * MINUTE,
        }
        for n in range(43)
    ]
    few = [
        {"alert_id": f"f{n}", "unit": "H3", "rule": "storm", "customer_id": "p", "occurred_at": NOON} for n in range(9)
    ]
    given = {"rule": "detractor", "customer_id": "C", "occurred_at": NOON, "raised_at": NOON}
    clickhouse.write("alerts", frame("alert", *({**given, **row} for row in (*rows, *bus, *few))))
    query = load()["sla"]
    asked = clickhouse.client.query(query.sql, parameters=query.bind({"by": "person"})).result_rows
    assert ("Omar", 2, 50.0, 0.0, 0) in asked
    assert clickhouse.rows("SELECT unit, customers, open, length(alerts), alerts[1] FROM incidents") == [
        ("BUS", 43, 43, 43, "b00")
    ]
    with clickhouse.connect() as client:
        assert sla(client, built_in()).differences.height == 0
