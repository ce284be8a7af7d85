"""Whose doing it was: by hand, and on random worlds against the plain way, with duplicates, disorder and merges."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from schemas.records import polars_schema
from sinks.clickhouse.attribution import agents_of, joined_staff, joined_units, served, unit_of, whose
from sinks.clickhouse.migrate import migrations
from streams.model.company import built_in
from streams.model.subjects import subjects
from streams.verify import store
from streams.verify.alerted import alerts
from streams.verify.compare import compare
from streams.verify.recompute import Expected, recompute
from streams.verify.store import SAID
from tests.integration.test_clickhouse_queries import ask
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, interaction

HOUR = DAY // 24
CHANNELS = {"booking": "booking.page_viewed", "check_in": "check_in.delayed", "stay": "stay.survey_answered",
            "post_travel": "post_travel.nps_answered"}  # fmt: skip


def event(who: str, at: int, channel: str, **given: Any) -> dict[str, Any]:
    """An event of customer:WHO."""
    return interaction(
        f"customer:{who}", at, ids=[{"kind": "customer", "value": who}], channel=channel,
        touchpoint=given.pop("touchpoint", CHANNELS[channel]), **given,
    )  # fmt: skip


def stored(clickhouse: ClickHouse, *rows: dict[str, Any]) -> Expected:
    """The tables that follow from some interactions, stored; what is expected of them."""
    log = frame("interaction", *rows)
    named = pl.DataFrame({"subject": subjects(log)}) if log.height else log.select("subject")
    log = log.with_columns(named["subject"])
    expected = recompute(log)
    clickhouse.write("interactions", log)
    version = pl.lit(1, dtype=pl.Int64)
    for topic, record, table in (("journeys", "journey", expected.journeys), ("cases", "case", expected.cases)):
        schema = polars_schema(record)
        unsaid = {name: pl.lit(None, dtype=schema[name]) for name in SAID if name in schema}
        rows = table.with_columns(version=version, withdrawn=pl.lit(False), **unsaid)
        clickhouse.write(topic, rows.select(list(schema)))
    who = expected.identities.with_columns(
        identifier=pl.format("{}:{}", "kind", "value"),
        root=pl.when(pl.col("customer_id").str.contains(":"))
        .then("customer_id")
        .otherwise(pl.format("customer:{}", "customer_id")),
        version=version,
        withdrawn=pl.lit(False),
    )
    clickhouse.write("identities", who.select(name for name in polars_schema("identity")))
    return expected


def differences(clickhouse: ClickHouse, expected: Expected) -> list[dict[str, Any]]:
    return [
        difference
        for name, key in store.ATTRIBUTED.items()
        for difference in compare(
            name, expected.attributed[name], store.attributed(clickhouse.client, name), key
        ).differences.to_dicts()
    ]


def test_each_basis(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    trip = {"booking_ref": "B1"}
    rows = [
        event("a", NOON - 9 * DAY, "booking", **trip),
        event("a", NOON - DAY, "check_in", unit="RH123", **trip),
        event("a", NOON - DAY + 1, "check_in", **trip),
        event("a", NOON, "stay", unit="HOTEL", agent_id="ali", touchpoint="stay.arrived", **trip),
        event("a", NOON + DAY, "stay", agent_id="", **trip),
        event("a", NOON + 2 * DAY, "stay", unit="HOTEL", agent_id="noor", touchpoint="stay.checked_out", **trip),
        event("a", NOON + 9 * DAY, "post_travel", survey={"instrument": "nps", "score": 10.0}),
        event("a", NOON + 10 * DAY, "post_travel", agent_id="omar", unit="CARE"),
        event("b", NOON, "post_travel", survey={"instrument": "nps", "score": 0.0}),
    ]
    expected = stored(clickhouse, *rows)
    found = clickhouse.rows(
        "SELECT attributed_unit, unit_basis, attributed_agents, agents_basis FROM interactions_attributed "
        "ORDER BY customer_id, occurred_at"
    )
    assert found == [
        (None, "none", [], "none"),  # CARE is a second place: nothing says which of them it was about
        ("RH123", "own", [], "none"),
        ("RH123", "only_unit", [], "none"),
        ("HOTEL", "own", ["ali"], "own"),
        ("HOTEL", "same_stay", ["ali", "noor"], "same_stay"),
        ("HOTEL", "own", ["noor"], "own"),
        ("HOTEL", "last_stay", ["ali", "noor"], "last_stay"),
        ("CARE", "own", ["omar"], "own"),
        (None, "none", [], "none"),
    ]
    assert differences(clickhouse, expected) == []
    assert clickhouse.rows(
        "SELECT journey_id, attributed_unit, unit_basis FROM journeys_attributed WHERE kind = 'booking'"
    ) == [("a/B1", "HOTEL", "last_stay")]
    assert {row[0]: row[5] for row in ask(clickhouse, "nps", by="unit")} == {"HOTEL": 100.0, "": -100.0}
    assert {row[0]: row[1] for row in ask(clickhouse, "nps", by="unit_basis")} == {"last_stay": 1, "none": 1}
    assert {row[0]: row[1] for row in ask(clickhouse, "nps", by="agent")} == {"ali": 1, "noor": 1, "": 1}
    alert = {
        "alert_id": "x",
        "event_id": rows[6]["event_id"],
        "occurred_at": rows[6]["occurred_at"],
        "customer_id": "a",
    }
    clickhouse.write(
        "alerts", frame("alert", alert, alert | {"alert_id": "y", "event_id": "gone", "journey_id": "a/B1"})
    )
    assert [(row[2], row[-1]) for row in ask(clickhouse, "alerts")] == [("HOTEL", "x"), ("HOTEL", "y")]
    assert [row[:2] for row in ask(clickhouse, "alert_response", by="unit")] == [("HOTEL", 2)]
    told = alert | {"alert_id": "z", "rule": "detractor", "unit": "HOTEL", "unit_basis": "last_stay", "owner": "HOTEL"}
    clickhouse.write("alerts", frame("alert", told))
    cared = "SELECT attributed_unit, unit_basis, owner, attributed_agents FROM alerts_attributed ORDER BY alert_id"
    assert clickhouse.rows(cared) == [("HOTEL", "last_stay", "HOTEL", ["ali", "noor"])] * 3
    log = frame("interaction", *rows)
    log = log.with_columns(subject=pl.Series(subjects(log)))
    judged = alerts(clickhouse.client, log, expected, built_in())
    assert (judged.rows, judged.differences.height) == (1, 0), "those without a basis are of an older version"
    clickhouse.write(
        "alerts", frame("alert", told | {"unit": "CARE", "unit_basis": "own", "owner": None, "version": 2})
    )
    differences_of = alerts(clickhouse.client, log, expected, built_in()).differences.rows()
    assert {row[2:] for row in differences_of} == {
        ("unit", "HOTEL", "CARE"), ("unit_basis", "last_stay", "own"), ("owner", "HOTEL", None)
    }  # fmt: skip
    clickhouse.write("moves", frame("move", {**alert, "move_id": "m", "journey_id": None}))
    assert clickhouse.rows("SELECT attributed_unit, attributed_agents FROM moves_attributed") == [
        ("HOTEL", ["ali", "noor"])
    ]


def world(chance: random.Random, units: Sequence[str]) -> list[dict[str, Any]]:
    """500 events of twelve people, some of whom turn out to be one; every third meets the first unit alone."""
    rows = []
    for _ in range(500):
        who = chance.randrange(12)
        names = chance.choice(([f"customer:{who}"], [f"device:{who}"], [f"customer:{who}", f"device:{who}"]))
        channel = chance.choice((*CHANNELS, "stay", "stay"))
        names = [f"device:{who}", f"email_sha256:{who // 3}"] if chance.random() < 0.03 else names
        met = units if who % 3 else units[:1]
        rows.append(
            {
                "event_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
                "occurred_at": NOON + chance.randrange(60 * 24) * HOUR,
                "ids": [dict(zip(("kind", "value"), name.split(":"), strict=True)) for name in names],
                "booking_ref": chance.choice((None, None, f"{who}-1", f"{who}-2")),
                "channel": channel,
                "touchpoint": chance.choice((CHANNELS[channel], "stay.complaint_made", "stay.complaint_resolved")),
                "case_id": chance.choice((None, f"{who}-K")),
                "unit": chance.choice((None, None, "", *met)),
                "agent_id": chance.choice((None, None, "", "ali", "noor", "omar")),
            }
        )
    return rows


@pytest.mark.parametrize("seed", [1, 2])
def test_the_views_are_what_the_plain_way_gives(clickhouse: ClickHouse, seed: int) -> None:
    """Copies, in any order, in two inserts."""
    clickhouse.migrated()
    chance = random.Random(seed)
    rows = world(chance, ("H1", "H2", "H3"))
    half = [*rows[:300], *chance.sample(rows[:300], 60)]
    chance.shuffle(half)
    stored(clickhouse, *half)
    for table in ("journeys_store", "cases_store", "identities_store"):  # what was so before the rest came
        clickhouse.client.command(f"TRUNCATE TABLE {table}")
    whole = [*rows[300:], *rows[:300]]
    expected = stored(clickhouse, *whole)
    bases = set(expected.attributed["interactions_attributed"]["unit_basis"])
    assert bases == {"own", "same_stay", "last_stay", "only_unit", "none"}
    assert differences(clickhouse, expected) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_asked_for_units_or_staff_alone_is_what_the_views_have(clickhouse: ClickHouse, seed: int) -> None:
    clickhouse.migrated()
    stored(clickhouse, *world(random.Random(seed), ("H1", "H2")))
    row = ("i.unit", "i.channel", "i.occurred_at")
    short = f"{unit_of(*row, 'pu')}, {agents_of('i.agent_id', *row, 'pa')}"
    found = clickhouse.rows(
        f"SELECT i.subject, i.event_id, {short} FROM interactions AS i {joined_units('pu')} {joined_staff('pa', '1')} "
        "ORDER BY i.subject, i.event_id"
    )
    whole = clickhouse.rows(
        "SELECT subject, event_id, ifNull(toString(attributed_unit), ''), attributed_agents "
        "FROM interactions_attributed ORDER BY subject, event_id"
    )
    assert len({tuple(agents) for _, _, _, agents in whole}) > 5
    assert found == whole


def test_queries_and_views_have_one_rule() -> None:
    text = max(migrations(), key=lambda one: ("VIEW {database}.interactions_attributed " in one.text, one.name)).text
    assert whose("i.unit", "i.channel", "i.occurred_at", "p") in text
    assert served("i.agent_id", "whose.1", "i.occurred_at", "p") in text
