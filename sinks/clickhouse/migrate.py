"""Brings a ClickHouse database to this version's schema: the files of `migrations/`, each applied once, in order.

A file holds statements that end with a semicolon at the end of a line, every one harmless when repeated (IF NOT
EXISTS, OR REPLACE), so two runs at once, or one that was interrupted, do no harm. Three things are filled in:

    {database}    the name of the database
    {on_cluster}  nothing, or ON CLUSTER 'name'
    {replicated}  nothing, or Replicated: the prefix of the engine (paths and replica names are the server's defaults)

What was applied is recorded in `schema_migrations` with a checksum of the file. A file that was applied is never
edited; what has to change becomes a new one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files

from clickhouse_connect.driver.client import Client

from sinks.clickhouse.resolved import Resolver

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COMMENT_LINE = re.compile(r"^\s*--.*\n", re.MULTILINE)
_STATEMENT_END = re.compile(r";\s*$", re.MULTILINE)

_OWNED = re.compile(r"_(?:analyst|shard|manager(?:_\w+)?)")
"""With what a database's name goes on in the names of databases and roles that are its own (roles, sharding)."""

BACKFILLED = "0067_interactions_resolved"
"""The migration after which what was stored before it is resolved, since the views of the next one read that."""

_LEDGER = """
CREATE TABLE IF NOT EXISTS {database}.schema_migrations {on_cluster}
(
    name String COMMENT 'File name without .sql',
    checksum String COMMENT 'SHA-256 of the file, before anything is filled in',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was applied'
)
ENGINE = {replicated}ReplacingMergeTree(applied_at)
ORDER BY name
COMMENT 'Migrations that were applied to this database'
"""


class MigrationError(RuntimeError):
    """The database cannot be brought to this version: a migration that was applied there is different here, or its name
    is that of views, roles or shards of another database of Rihla.
    """


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name without .sql, its text, and the SHA-256 of the text."""

    name: str
    text: str
    checksum: str

    def statements(self, database: str, cluster: str | None = None) -> list[str]:
        """The statements, filled in for a database and, if it is one, a cluster."""
        text = fill(_COMMENT_LINE.sub("", self.text), database, cluster)
        return [statement.strip() for statement in _STATEMENT_END.split(text) if statement.strip()]


@cache
def migrations() -> tuple[Migration, ...]:
    """All migrations of this version, in order."""
    texts = sorted(
        (entry.name.removesuffix(".sql"), entry.read_text("utf-8"))
        for entry in files("sinks.clickhouse.migrations").iterdir()
        if entry.name.endswith(".sql")
    )
    return tuple(Migration(name, text, hashlib.sha256(text.encode()).hexdigest()) for name, text in texts)


def fill(template: str, database: str, cluster: str | None = None) -> str:
    """The template with {database}, {on_cluster} and {replicated} filled in; other braces stay.

    Raises ValueError when the database is not a plain identifier.
    """
    if not _IDENTIFIER.fullmatch(database):
        raise ValueError(f"not a database name: {database!r}")
    on_cluster = "ON CLUSTER '" + cluster.replace("\\", "\\\\").replace("'", "\\'") + "'" if cluster else ""
    return (
        template.replace("{database}", database)
        .replace("{on_cluster}", on_cluster)
        .replace("{replicated}", "Replicated" if cluster else "")
    )


def migrate(client: Client, database: str, cluster: str | None = None, *, sharded: bool = False) -> list[str]:
    """Apply what is pending and return the names; creates the database if there is none. Also resolves what no sink
    has come to, such as what one of 0.2.0 stores after an upgrade was rolled back.

    client: connected with database=None, since the database may not exist yet.
    cluster: name of a cluster of replicas (ON CLUSTER), whose servers define the macros {shard} and {replica}.
    sharded: it has several shards, over which tables are spread (see sinks.clickhouse.sharding); needs `cluster`.
    Raises MigrationError when an applied migration was changed, or the name of a new database is not free;
    clickhouse_connect's errors as they come.
    """
    if not _applied(client, database):
        _refuse_shared(client, database)
    ledger = Migration("schema_migrations", _LEDGER, "")
    made = [database]
    of: Callable[[Migration], Iterable[str]] = partial(Migration.statements, database=database, cluster=cluster)
    if sharded and cluster:
        from sinks.clickhouse import sharding  # which knows migrations

        made.append(sharding.local(database))
        of = partial(sharding.statements, database=database, cluster=cluster)
    for one in made:
        client.command(fill("CREATE DATABASE IF NOT EXISTS {database} {on_cluster}", one, cluster), use_database=False)
    for statement in of(ledger):
        client.command(statement, use_database=False)
    names = []
    for migration in pending(client, database):
        for statement in of(migration):
            client.command(statement, use_database=False)
        if migration.name == BACKFILLED:
            Resolver(client, database).backfill()
        client.command(
            f"INSERT INTO {database}.schema_migrations (name, checksum) "
            f"VALUES ('{migration.name}', '{migration.checksum}')",
            use_database=False,
        )
        names.append(migration.name)
    if any(migration.name == BACKFILLED for migration in migrations()):
        Resolver(client, database).settle()
    return names


def pending(client: Client, database: str) -> list[Migration]:
    """The migrations that `migrate` would apply, in order; all of them where there is no such database.

    Raises MigrationError when an applied migration was changed.
    """
    applied = _applied(client, database)
    for migration in migrations():
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationError(
                f"migration {migration.name} was applied to {database} with another content; "
                "restore the file and put the change into a new migration"
            )
    return [migration for migration in migrations() if migration.name not in applied]


def _refuse_shared(client: Client, database: str) -> None:
    """Raise MigrationError where a database's name is one that another makes for itself, or the other way around.

    cx makes cx_analyst of views alone, and drops whatever else is in it: it cannot be another company's.
    """
    ledgers = client.query("SELECT database FROM system.tables WHERE name = 'schema_migrations'").result_rows
    for other in sorted({str(row[0]) for row in ledgers} - {database}):
        first, second = sorted((database, other), key=len)
        if second.startswith(first) and _OWNED.fullmatch(second, len(first)):
            raise MigrationError(
                f"{second} is a name for views, roles or shards of {first}: take another for one of them"
            )


def _applied(client: Client, database: str) -> dict[str, str]:
    """Name and checksum of each applied migration."""
    exists = client.command(fill("EXISTS TABLE {database}.schema_migrations", database), use_database=False)
    if not exists:
        return {}
    rows = client.query(fill("SELECT name, checksum FROM {database}.schema_migrations FINAL", database)).result_rows
    return {str(name): str(checksum) for name, checksum in rows}
