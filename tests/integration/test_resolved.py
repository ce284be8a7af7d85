"""Customer and journey stand in the rows of interactions: right after any inserts, in any order, after any crash."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import pytest
from clickhouse_connect.driver.client import Client

from sinks.clickhouse.resolved import Resolver, mark_all
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, interaction, journey

SUBJECTS = ("customer:1", "customer:2", "loyalty:1", "email_sha256:a", "device:d", "booking_ref:B1")
ROOTS = {"customer:1": "1", "customer:2": "2", "loyalty:1": "loyalty:1", "device:d": "device:d"}

PLAIN = """
WITH
    arrayFilter(
        trip -> trip.1 - INTERVAL 30 DAY <= e.occurred_at AND e.occurred_at <= trip.3 + INTERVAL 30 DAY, j.bookings
    ) AS around,
    arraySort(
        trip -> (trip.1 > e.occurred_at, if(trip.1 > e.occurred_at, 1, -1) * toUnixTimestamp64Milli(trip.1), trip.2),
        around
    ) AS candidates
SELECT
    e.subject, e.event_id, e.occurred_at, e.touchpoint, e.customer_id,
    multiIf(
        e.booking_ref IS NOT NULL, concat(e.customer_id, '/', e.booking_ref),
        notEmpty(around), candidates[1].2,
        nullIf(arrayFirst(visit -> visit.1 <= e.occurred_at AND e.occurred_at <= visit.3, j.visits).2, '')
    )
FROM
(
    SELECT i.*, coalesce(nullIf(who.customer_id, ''),
        if(startsWith(i.subject, 'customer:'), substring(i.subject, 10), i.subject)) AS customer_id
    FROM interactions_store AS i FINAL
    LEFT ANY JOIN (SELECT identifier, customer_id FROM identities_store FINAL) AS who ON who.identifier = i.subject
    WHERE i.touchpoint != 'identity.linked'
) AS e
LEFT ANY JOIN
(
    SELECT customer_id,
        groupArrayIf((assumeNotNull(span_start), journey_id, assumeNotNull(span_end)), kind = 'booking') AS bookings,
        groupArrayIf((started_at, journey_id, last_event_at), kind = 'visit') AS visits
    FROM journeys_store FINAL GROUP BY customer_id
) AS j ON j.customer_id = e.customer_id
ORDER BY ALL
"""
"""The view interactions as it was before migration 0067: everything joined when it is asked for."""
SHOWN = "SELECT subject, event_id, occurred_at, touchpoint, customer_id, journey_id FROM interactions ORDER BY ALL"


class Breaking(Resolver):
    """A pass that is killed before the statement of that number, counted from 0."""

    def __init__(self, client: Client, database: str, before: int) -> None:
        super().__init__(client, database)
        self._left = before

    def _command(self, sql: str) -> Any:
        if self._left == 0:
            raise ConnectionError("killed")
        self._left -= 1
        return super()._command(sql)


def events(chance: random.Random) -> list[dict[str, Any]]:
    """Some interactions of few events, whose copies may disagree about everything but their key."""
    return [
        interaction(
            chance.choice(SUBJECTS),
            NOON + chance.randrange(80) * DAY,
            event_id=str(UUID(int=chance.randrange(40))),
            touchpoint=chance.choice(("stay.arrived", "stay.checked_out", "identity.linked")),
            booking_ref=chance.choice((None, None, "B1", "B2")),
        )
        for _ in range(chance.randrange(1, 9))
    ]


def identity(chance: random.Random, version: int) -> dict[str, Any]:
    """What is known of an identifier now."""
    kind, _, value = chance.choice(SUBJECTS).partition(":")
    root = chance.choice(tuple(ROOTS))
    return {"kind": kind, "value": value, "root": root, "customer_id": ROOTS[root], "version": version}


def trip(chance: random.Random, version: int) -> dict[str, Any]:
    """A journey of a customer, as it is now, or that it has ceased to exist. Visits do not overlap."""
    customer, which = chance.choice(tuple(ROOTS.values())), chance.randrange(2)
    key = chance.choice(("B1", "B2", f"visit/{which}"))
    began = NOON + (which * 40 + chance.randrange(20)) * DAY
    ended = began + chance.randrange(20) * DAY
    return journey(customer, key, began, ended, version=version, withdrawn=chance.random() < 0.2)


@pytest.mark.parametrize("seed", range(2))
def test_the_rows_are_those_of_all_joins(clickhouse: ClickHouse, seed: int) -> None:
    """Interactions, identities and journeys at random; passes in between, of which some are killed at a statement."""
    clickhouse.migrated()
    chance, moved = random.Random(seed), 0
    for turn in range(20):
        for _ in range(chance.randrange(1, 4)):
            match chance.randrange(3):
                case 0:
                    clickhouse.write("interactions", frame("interaction", *events(chance)), settle=False)
                case 1:
                    clickhouse.write("identities", frame("identity", identity(chance, turn)), settle=False)
                case _:
                    clickhouse.write("journeys", frame("journey", trip(chance, turn)), settle=False)
        if chance.random() < 0.4:
            try:
                Breaking(clickhouse.client, clickhouse.database, chance.randrange(14)).settle()
            except ConnectionError:
                continue
        if chance.random() < 0.2:
            clickhouse.client.command("OPTIMIZE TABLE interactions_resolved_store FINAL")
        moved += Resolver(clickhouse.client, clickhouse.database).settle()
        assert clickhouse.rows(SHOWN) == clickhouse.rows(PLAIN), turn
    Resolver(clickhouse.client, clickhouse.database).settle()
    assert clickhouse.rows(SHOWN) == clickhouse.rows(PLAIN)
    assert moved > 30


def test_an_event_is_seen_before_any_pass(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    clickhouse.write(
        "interactions", frame("interaction", interaction("customer:1", NOON, booking_ref="B1")), settle=False
    )
    assert clickhouse.rows("SELECT customer_id, journey_id FROM interactions") == [("1", "1/B1")]
    assert Resolver(clickhouse.client, clickhouse.database).marks() == 1


def test_a_pass_over_rows_that_are_right_writes_nothing(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    chance = random.Random(1)
    for turn in range(5):
        clickhouse.write("interactions", frame("interaction", *events(chance)))
        clickhouse.write("identities", frame("identity", identity(chance, turn)))
        clickhouse.write("journeys", frame("journey", trip(chance, turn)))
    mark_all(clickhouse.client, clickhouse.database)
    assert Resolver(clickhouse.client, clickhouse.database).marks() > 3
    assert Resolver(clickhouse.client, clickhouse.database).settle() == 0
