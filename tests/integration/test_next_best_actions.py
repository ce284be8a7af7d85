"""The view next_best_actions: of what may be done, what the clock and the model say is proposed now."""

from __future__ import annotations

import time
from typing import Any

from sinks.clickhouse import models
from streams.model.actions import of_form
from streams.model.company import built_in
from streams.model.forms import ActionForm, ActionsFile
from streams.serve.customer import to_do
from streams.serve.store import Memory
from streams.serve.view import APPLY
from tests.integration.test_clickhouse_queries import ask
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, frame

NOW = int(time.time() * 1000)


def may(action: str, evidence: str = "", begins: int | None = None, ends: int | None = None) -> dict[str, Any]:
    """An action. begins, ends: in days from now."""
    at = [None if days is None else NOW + days * DAY for days in (begins, ends)]
    return {"action": action, "reason": f"why {evidence}", "evidence": evidence, "begins_at": at[0], "ends_at": at[1]}


EVERY = [
    {"customer_id": "a", "version": 1, "actions": [may("manager_call", "of before")]},
    {"customer_id": "a", "version": 2, "actions": [
        may("call_about_case", "due", begins=-1), may("call_about_case", "later", begins=1),
        may("answer_alert", "grave"), may("manager_call", "over", ends=-1),
        may("follow_up_detractor", "still", ends=1)]},
    {"customer_id": "b", "version": 1, "actions": [may("ask_for_review", "b"), may("of_another_version", "b")]},
    {"customer_id": "c", "version": 1, "actions": [may("tell_improvement", "c")]},
    {"customer_id": "c", "version": 2, "actions": []},
]  # fmt: skip
"""Records of the topic, in their order."""


def test_the_clock_and_the_model_say_what_is_proposed_and_serve_says_the_same(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    rows = frame("next_action", *EVERY)
    clickhouse.write("next-actions", rows)
    found = ask(clickhouse, "next_best_actions", best="0")
    assert found == [
        ("a", 1, "answer_alert", "why grave", "grave"),
        ("a", 2, "call_about_case", "why due", "due"),
        ("a", 4, "follow_up_detractor", "why still", "still"),
        ("b", 7, "ask_for_review", "why b", "b"),
    ]
    assert [row[:3] for row in ask(clickhouse, "next_best_actions", customer="a")] == [("a", 1, "answer_alert")]
    view = Memory()
    for row in frame("customer", *({"customer_id": name, "value": name} for name in "abc")).to_dicts():
        APPLY["customer"](view, row)
    for row in rows.to_dicts():
        APPLY["next_action"](view, row)
    model = built_in()
    assert [(name, *one.values()) for name in "abc" for one in to_do(view, name, model.actions, NOW)] == found
    # What was measured is put into the model: it acts at once, on what is stored already.
    measured = of_form(
        ActionsFile(follow_up_detractor=ActionForm(uplift=0.2), call_about_case=ActionForm(propose=False))
    )
    models.record_actions(clickhouse.client, measured, NOW)
    found = ask(clickhouse, "next_best_actions", customer="a", best="0")
    assert [row[1:3] for row in found] == [(1, "answer_alert"), (2, "follow_up_detractor")]
    assert [one["action"] for one in to_do(view, "a", measured, NOW)] == ["answer_alert", "follow_up_detractor"]
