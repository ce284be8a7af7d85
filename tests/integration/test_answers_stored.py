"""People's answers in ClickHouse: the view, and what verify finds."""

from __future__ import annotations

from typing import Any

from streams.loop.answers import answer_event
from streams.verify.answers import answers
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import NOON, frame

ALERT: dict[str, Any] = {
    "alert_id": "0123456789abcdef0123456789abcdef",
    "rule": "halal_breach",
    "customer_id": "C-1",
    "journey_id": "C-1/R1",
    "event_id": "11111111-2222-4333-8444-555555555555",
    "unit": "HTL",
    "touchpoint": "stay.halal_meal_missing",
    "case_id": None,
    "occurred_at": NOON,
    "version": 1,
}


def stored(clickhouse: ClickHouse, verb: Any, person: str, at: int, note: str | None = None, **more: Any) -> None:
    said = answer_event("alert", ALERT, verb, person, NOON + at, note, **more)
    clickhouse.write("interactions", frame("interaction", {**said, "subject": "customer:C-1"}))
    who = {"kind": "customer", "value": "C-1", "root": "customer:C-1", "customer_id": "C-1"}
    clickhouse.write("identities", frame("identity", who))


def test_the_view_and_what_verify_holds_it_to(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    stored(clickhouse, "take", "Omar", 1)
    stored(clickhouse, "decline", "Omar", 2)
    stored(clickhouse, "assign", "Omar", 3, "she knows the kitchen", to="Fatima")
    stored(clickhouse, "snooze", "Fatima", 4, until=NOON + 3_600_000)
    rows = clickhouse.rows(
        "SELECT answer, person, customer_id, alert_id, rule, assigned_to, toUnixTimestamp64Milli(snoozed_until), note "
        "FROM answers ORDER BY occurred_at"
    )
    about = ("C-1", ALERT["alert_id"], "halal_breach")
    assert rows == [
        ("taken", "Omar", *about, None, None, None),
        ("declined", "Omar", *about, None, None, None),
        ("assigned", "Omar", *about, "Fatima", None, "she knows the kitchen"),
        ("snoozed", "Fatima", *about, None, NOON + 3_600_000, None),
    ]
    clickhouse.write("alerts", frame("alert", {**ALERT, "handler": "Fatima", "acknowledged_at": NOON + 3}))
    with clickhouse.connect() as client:
        sound = answers(client)
        assert (sound.rows, sound.differences.height) == (4, 0)
        clickhouse.write("alerts", frame("alert", {**ALERT, "handler": "Omar", "version": 2}))
        wrong = answers(client).differences
        assert wrong.select("column", "expected", "found").rows() == [
            ("handler", "Fatima", "Omar"),
            ("acknowledged_at", "a time", None),
        ]
