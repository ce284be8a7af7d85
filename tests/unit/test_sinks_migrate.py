"""The migration files as text: what they say for one server and for a cluster, and that they cover the schemas."""

from __future__ import annotations

import re

import pytest

from schemas import records
from sinks.clickhouse.migrate import fill, migrations
from sinks.clickhouse.tables import TABLES

APPLIED = {
    "0001_interactions_store": "7a6855bc55e2f092",
    "0002_identities_store": "b777508f8b8ab747",
    "0003_journeys_store": "075ebc4d7a176069",
    "0004_customers_store": "7acde247f4b8c2db",
    "0005_cases_store": "92f6a89ff19a674f",
    "0006_alerts_store": "9af7411d545cc30c",
    "0007_dead_letters_store": "90e2aeab63e241e0",
    "0008_interactions": "d51a911a7cc79646",
    "0009_journeys": "1a66cd7aa074984a",
    "0010_customers": "580a2e8abd556252",
    "0011_cases": "097f10f4bc79c582",
    "0012_alerts": "35ad968643998d31",
    "0013_identities": "37e54c0edc5156b9",
    "0014_dead_letters": "d071a55cbdb3bc34",
    "0015_alerts_acknowledged": "85d2ea7c014a9e92",
    "0016_moves_store": "d0f2156e0bb95cfb",
    "0017_moves": "0e7c6639c7d220a7",
    "0018_hijri": "6601b8bb5164310b",
    "0019_weekends": "9b7f494bccbe040f",
    "0020_milestones": "46093149721d3618",
    "0021_erasures": "01b5f4a28f935127",
    "0022_next_best_actions": "4082ae571675a3c8",
    "0023_churn_models_store": "b299733eda2a927e",
    "0024_churn_risk_store": "f92036fedb724213",
    "0025_churn": "c6ee9be3871d2262",
    "0026_replays_store": "72dc3047301e46c2",
    "0027_dead_letter_reasons": "8e42268b0e3a06d3",
    "0028_churn_risk": "c1457f8a59d5f26b",
    "0029_left_out": "cd254dc40f2329c5",
    "0030_customers_now": "c5595d216a0cbf60",
    "0031_improvements_told": "e56cf53ac64674f9",
    "0032_next_best_actions": "4e5f6597c26b249c",
    "0033_profile_flow": "2526774684abe3ff",
    "0034_units": "0a564eecfa27e548",
    "0035_attribution": "fa606f1662d5a0a1",
    "0036_spend": "90e8724b5653f321",
    "0037_rates": "13818de1a9b47b0b",
    "0038_deliveries_store": "e7104e1b38ff2308",
    "0039_deliveries": "28791b468975cf52",
    "0040_lookups": "854c32d9f6b4ac4a",
    "0041_alerts_handled": "a35e8329697d4f8c",
    "0042_identity_linked": "433b10a74b095ae4",
    "0043_alert_sla": "57ffa68ba4a4e52d",
    "0044_journeys_now": "7921b5a124623c90",
    "0045_next_best_actions": "f9d883b338f3a950",
    "0046_sla_targets": "cfb91f27324395d7",
    "0047_consents": "8c25adc32541f460",
    "0048_prayer_times": "54d037f95b9b4dad",
    "0049_journeys_now": "a5e924968d907ef5",
    "0050_groups": "34f456de4b5e6834",
    "0051_segments": "98617cb5007b7526",
    "0052_calls": "6c2d37b06bf486d6",
    "0053_guests": "deec009993e6be1c",
    "0054_journeys_now": "96443bf70fd9513c",
    "0055_found_sooner": "0e1606186e58a3c2",
    "0056_targets": "3169ce7d33c2b11e",
    "0057_drivers": "0a3638c8a910ae4c",
    "0058_alert_owners": "fe197ee957f4fed6",
    "0059_action_effects": "d16d8c748a9ea0b6",
    "0060_interactions_by_time": "cf2002d154a3e14a",
    "0061_anomalies": "df9cc559d36dd956",
    "0062_first_copies": "1696e1b61c8a4f2c",
    "0064_case_owners": "d759ab6a2d4cf1c3",
    "0065_narrower_joins": "01177e0f3cbb410f",
    "0063_next_actions": "831e7fbc72ac20ed",
    "0066_left_out": "aa4e75aea7a7adae",
    "0067_interactions_resolved": "a57afe3388e728a6",
    "0068_resolved_views": "2032ee8dd3a7ac5c",
    "0069_customers_consents": "7814d87766f582fd",
    "0070_spend_of_stays": "2c8ee01cc72f2c21",
    "0071_brand_of_what": "59e2ee6ba8770652",
}
"""Beginnings of the SHA-256 of migrations that databases have applied. Their files, comments included, never change."""


def test_names_are_numbered_without_gaps() -> None:
    assert [int(migration.name[:4]) for migration in migrations()] == list(range(1, len(migrations()) + 1))


def test_what_was_applied_is_never_edited() -> None:
    """A database refuses a version whose file of an applied migration differs in a byte. Add a line for a new file."""
    assert {migration.name: migration.checksum[:16] for migration in migrations()} == APPLIED


def test_statements_for_one_server() -> None:
    for migration in migrations():
        for statement in migration.statements("analytics"):
            made = r"CREATE ((TABLE|MATERIALIZED VIEW) IF NOT EXISTS|OR REPLACE VIEW)"
            assert re.match(rf"({made}|ALTER TABLE|INSERT INTO) analytics\.\w+\s", statement), statement[:80]
            assert "CLUSTER" not in statement
            assert "Replicated" not in statement
            assert not re.search(r"\{\w+\}", statement)


def test_statements_for_a_cluster() -> None:
    statements = [statement for migration in migrations() for statement in migration.statements("cx", "it's")]
    # An INSERT runs on one replica, which sends the others what it stored.
    assert all("ON CLUSTER 'it\\'s'" in one or one.startswith("INSERT INTO cx.") for one in statements)
    tables = [statement for statement in statements if statement.startswith("CREATE TABLE")]
    assert all(re.search(r"ENGINE = Replicated(Replacing|Collapsing|)MergeTree", statement) for statement in tables)
    assert {table.store for table in TABLES.values()} <= {
        statement.split()[5].removeprefix("cx.") for statement in tables
    }


def test_fill_leaves_other_braces_and_refuses_what_is_no_name() -> None:
    assert fill("{database} {x:String} {}", "cx") == "cx {x:String} {}"
    with pytest.raises(ValueError, match="not a database name"):
        fill("{database}", "cx; DROP DATABASE cx")


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.topic)
def test_every_field_of_the_record_has_a_column_in_the_store(table: object) -> None:
    from sinks.clickhouse.tables import Table

    assert isinstance(table, Table)
    text = "".join(m.text for m in migrations() if f"{table.store} " in m.text)
    columns = set(re.findall(r"^    (?:ADD COLUMN IF NOT EXISTS )?(\w+) ", text, re.MULTILINE))
    assert set(records.fields(table.schema)) <= columns
