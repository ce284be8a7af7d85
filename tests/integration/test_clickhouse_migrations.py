"""Bringing a database to this version's schema, on the real engine."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from sinks.clickhouse import migrate as module
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import Migration, MigrationError, migrate, migrations, pending
from sinks.clickhouse.tables import TABLES
from tests.support.clickhouse import ClickHouse

NAMES = [migration.name for migration in migrations()]


def test_creates_the_database_and_runs_once(clickhouse: ClickHouse) -> None:
    clickhouse.client.command(f"DROP DATABASE {clickhouse.database}")
    client = connect(clickhouse.url, None)
    assert [migration.name for migration in pending(client, clickhouse.database)] == NAMES
    assert migrate(client, clickhouse.database) == NAMES
    assert pending(client, clickhouse.database) == []
    assert migrate(client, clickhouse.database) == []
    assert clickhouse.rows("SELECT count(), uniqExact(name) FROM schema_migrations") == [(len(NAMES), len(NAMES))]


def test_two_runs_at_once(clickhouse: ClickHouse) -> None:
    errors: list[BaseException] = []
    barrier = threading.Barrier(4)

    def run() -> None:
        client = connect(clickhouse.url, None)
        barrier.wait()
        try:
            migrate(client, clickhouse.database)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert pending(clickhouse.client, clickhouse.database) == []
    assert clickhouse.rows("SELECT count() FROM interactions") == [(0,)]


def test_an_interrupted_run_is_taken_up(clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Migration("0002_broken", "CREATE TABLE {database}.half (a UInt8) ENGINE = Log;\nnonsense;\n", "c")
    monkeypatch.setattr(module, "migrations", lambda: (migrations()[0], broken))
    with pytest.raises(Exception, match="SYNTAX_ERROR"):
        migrate(clickhouse.client, clickhouse.database)
    monkeypatch.undo()
    assert migrate(clickhouse.client, clickhouse.database) == NAMES[1:]


def test_a_changed_migration_is_refused(clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    clickhouse.migrated()
    changed = Migration(NAMES[0], migrations()[0].text + "-- changed\n", "other")
    monkeypatch.setattr(module, "migrations", lambda: (changed, *migrations()[1:]))
    with pytest.raises(MigrationError, match=f"migration {NAMES[0]} was applied to {clickhouse.database} with another"):
        migrate(clickhouse.client, clickhouse.database)


@pytest.mark.parametrize("end", ["analyst", "shard", "manager", "manager_makkah"])
def test_a_company_takes_no_name_of_what_belongs_to_another(clickhouse: ClickHouse, end: str) -> None:
    """Whichever comes first: the views of one would take the place of the other's tables."""
    assert migrate(clickhouse.client, clickhouse.database) == NAMES
    other = f"{clickhouse.database}_{end}"
    with closing(connect(clickhouse.url, None)) as client:
        with pytest.raises(MigrationError, match=f"{other} is a name for views, roles or shards of"):
            migrate(client, other)
        client.command(f"DROP DATABASE {clickhouse.database} SYNC")
        try:
            assert migrate(client, other) == NAMES
            assert migrate(client, other) == []
            with pytest.raises(MigrationError, match=f"{other} is a name for"):
                migrate(client, clickhouse.database)
        finally:
            client.command(f"DROP DATABASE IF EXISTS {other} SYNC")
            client.command(f"CREATE DATABASE {clickhouse.database}")


def test_everything_is_documented_in_the_database(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    here = "database = currentDatabase()"
    # A materialized view holds no rows: its table's columns say what it writes.
    holds = f"{here} AND engine != 'MaterializedView'"
    columns = f"{here} AND table IN (SELECT name FROM system.tables WHERE {holds}) AND comment = ''"
    assert clickhouse.rows(f"SELECT table, name FROM system.columns WHERE {columns}") == []
    assert clickhouse.rows(f"SELECT name FROM system.tables WHERE {holds} AND comment = ''") == []


def test_each_topic_has_its_store_and_its_view(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    objects = dict(clickhouse.rows("SELECT name, engine FROM system.tables WHERE database = currentDatabase()"))
    for table in TABLES.values():
        assert (objects[table.store], objects[table.view]) == ("ReplacingMergeTree", "View")


def test_a_key_never_leaves_its_partition(clickhouse: ClickHouse) -> None:
    """FINAL is exact only where all versions of a key are in one partition; the stores have but one. A pass of
    the sink keeps what it works on in a partition of its own, which it drops, and which nothing reads with FINAL."""
    clickhouse.migrated()
    stores = "database = currentDatabase() AND engine LIKE '%MergeTree'"
    found = clickhouse.rows(f"SELECT name FROM system.tables WHERE {stores} AND partition_key != '' ORDER BY name")
    assert found == [("resolution_store",), ("resolving_store",)]
