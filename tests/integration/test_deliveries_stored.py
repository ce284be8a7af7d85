"""Deliveries in ClickHouse: the view, the named query, what replay asks for, and what verify finds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sinks.clickhouse.named import load
from streams.deliver.drift import of_file, of_target
from streams.deliver.replay import replay
from streams.erasure.person import Person
from streams.erasure.store import Store
from streams.errors import RihlaError
from streams.settings import Settings
from streams.verify.deliveries import deliveries
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import NOON, frame

ALERTS = ("a1", "a2", "a3")


def delivery(target: str, thing: str, of: int, status: str, at: int, **given: Any) -> dict[str, Any]:
    return {
        "target": target,
        "kind": "alert",
        "thing_id": thing,
        "thing_version": of,
        "customer_id": "C-1",
        "status": status,
        "attempts": 1,
        "published_at": NOON,
        "changed_at": NOON + at,
        "version": 1,
        **given,
    }


@pytest.fixture
def filled(clickhouse: ClickHouse) -> ClickHouse:
    """Three alerts of version 3. desk has v1 and v2 of a1; v1 of a2 is dead, and v2 arrived; of a3 all is dead."""
    clickhouse.migrated()
    clickhouse.write(
        "alerts", frame("alert", *({"alert_id": one, "customer_id": "C-1", "version": 3} for one in ALERTS))
    )
    rows = [
        delivery("desk", "a1", 1, "waiting", 0, attempts=0),
        delivery("desk", "a1", 1, "delivered", 500, version=2, code=200),
        delivery("desk", "a1", 2, "delivered", 1_500, code=200),
        delivery("desk", "a2", 1, "dead", 900, code=422, error="answered 422"),
        delivery("desk", "a2", 2, "delivered", 1_000, code=200),
        delivery("mail", "a3", 1, "dead", 100, error="no answer"),
        delivery("mail", "a3", 2, "dead", 200, error="no answer at all"),
    ]
    for row in rows:
        clickhouse.write("deliveries", frame("delivery", row))
    return clickhouse


def test_the_query_counts_by_target_and_status(filled: ClickHouse) -> None:
    query = load()["deliveries"]
    result = filled.client.query(query.sql, parameters=query.bind({}))
    assert result.column_names == tuple(column for column, _ in query.columns)
    found = {(row[0], row[1]): row[2:5] for row in result.result_rows}
    assert found == {("desk", "dead"): (1, 1, None), ("desk", "delivered"): (3, 3, 1.5), ("mail", "dead"): (2, 2, None)}
    assert [row[6] for row in result.result_rows] == ["answered 422", None, "no answer at all"]


def test_replay_asks_for_what_is_dead_and_not_superseded(filled: ClickHouse) -> None:
    settings = replace(Settings(), clickhouse=filled.url, database=filled.database)
    asked = asyncio.run(replay(filled.client, settings, (), dry_run=True))
    assert (asked.deliveries, asked.superseded) == ({"mail": 2}, 1)
    asked = asyncio.run(replay(filled.client, settings, ("desk",), dry_run=True))
    assert (asked.deliveries, asked.superseded) == ({}, 1)


WRONG = [
    (delivery("desk", "a9", 1, "waiting", 0), "(row)"),  # of an alert that is not
    (delivery("desk", "a1", 4, "delivered", 2_000), "(row)"),  # of a version that is not
    (delivery("desk", "a2", 3, "delivered", 900), "changed_at"),  # before its predecessor
    (delivery("mail", "a1", 3, "delivered", 2_000, attempts=0), "attempts"),
    (delivery("mail", "a2", 3, "delivered", 2_000, error="no answer"), "error"),
]


def test_verify_finds_what_cannot_be(filled: ClickHouse) -> None:
    assert deliveries(filled.client).differences.is_empty()
    for wrong, _ in WRONG:
        filled.write("deliveries", frame("delivery", wrong))
    found = deliveries(filled.client).differences.select("table", "key", "column").rows()
    named = [(f"{row['target']} alert {row['thing_id']} {row['thing_version']}", column) for row, column in WRONG]
    assert found == sorted(("deliveries", key, column) for key, column in named)


def test_forget_takes_the_deliveries_along(filled: ClickHouse) -> None:
    person = Person(frozenset({"customer:C-1"}))
    store = Store(filled.client)
    assert "desk/alert/a1/2" in store.keys(person)["deliveries"]
    assert store.erase(person)["deliveries_store"] == 7
    assert filled.client.command("SELECT count() FROM deliveries") == 0


def test_drift_of_a_target_and_of_a_file(clickhouse: ClickHouse, tmp_path: Path) -> None:
    clickhouse.migrated()
    members = ("both", True), ("lost", True), ("dead", True), ("gone", False), ("never", True)
    rows = [
        {"customer_id": name, "segment": "vip", "member": member, "occurred_at": NOON, "version": 3}
        for name, member in members
    ]
    clickhouse.write("segments", frame("segment", *rows, {**rows[0], "segment": "other"}))

    def told(name: str, of: int, state: str, status: str, **more: Any) -> dict[str, Any]:
        return delivery("crm", f"{name}/vip", of, status, of, kind="segment", customer_id=name, state=state, **more)

    for row in (
        told("both", 1, "left", "delivered"),
        told("both", 3, "entered", "delivered"),
        told("lost", 3, "entered", "waiting"),
        told("dead", 3, "entered", "dead", error="answered 422"),
        told("gone", 2, "entered", "delivered"),
    ):
        clickhouse.write("deliveries", frame("delivery", row))
    with clickhouse.connect() as client:
        assert of_target(client, "crm") == [
            ("dead", "vip", False, "dead: answered 422"),
            ("gone", "vip", True, "not read by deliver yet"),
            ("lost", "vip", False, "waiting"),
            ("never", "vip", False, "never sent"),
        ]
        with pytest.raises(RihlaError, match="was ever told of a segment"):
            of_target(client, "desk")
        file = tmp_path / "contacts.csv"
        file.write_text("customer_id,segment,member\nboth,vip,yes\nlost,vip,1\ndead,vip,no\ngone,vip,true\n")
        assert of_file(client, file) == [
            ("dead", "vip", False, "the file says so"),
            ("gone", "vip", True, "the file says so"),
            ("never", "vip", False, "the file has no such row"),
        ]
        file.write_text("customer_id,segment,member\nboth,vip,maybe\n")
        with pytest.raises(RihlaError, match="line 2: member is 'maybe'"):
            of_file(client, file)
