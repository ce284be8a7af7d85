"""The migration files as text: what they say for one server and for a cluster, and that they cover the schemas."""

from __future__ import annotations

import re

import pytest

from schemas import records
from sinks.clickhouse.migrate import fill, migrations
from sinks.clickhouse.tables import TABLES


def test_names_are_numbered_without_gaps() -> None:
    assert [int(migration.name[:4]) for migration in migrations()] == list(range(1, len(migrations()) + 1))


def test_statements_for_one_server() -> None:
    for migration in migrations():
        for statement in migration.statements("analytics"):
            assert re.match(r"(CREATE (TABLE IF NOT EXISTS|OR REPLACE VIEW)|ALTER TABLE) analytics\.\w+ ", statement), (
                statement[:80]
            )
            assert "CLUSTER" not in statement
            assert "Replicated" not in statement
            assert not re.search(r"\{\w+\}", statement)


def test_statements_for_a_cluster() -> None:
    statements = [statement for migration in migrations() for statement in migration.statements("cx", "it's")]
    assert all("ON CLUSTER 'it\\'s'" in statement for statement in statements)
    tables = [statement for statement in statements if statement.startswith("CREATE TABLE")]
    assert all("ENGINE = ReplicatedReplacingMergeTree(" in statement for statement in tables)
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
