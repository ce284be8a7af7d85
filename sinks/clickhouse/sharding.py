"""A cluster of several shards: the same migrations, over tables that are spread by customer.

Each shard has the tables of the migrations, replicated, in a database beside (`cx_shard` of `cx`). In `cx` itself a
Distributed table of the same name stands in front of each, so views, queries and the sink say the same names as on one
server. Where FINAL is asked for, each shard answers by itself, which is exact only if all versions of a key are on one
shard: a sharding key is a function of the table's own key (ORDER BY). That of everything keyed by a customer, or by one
of their identifiers, is the customer, or the identifier.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sinks.clickhouse.migrate import Migration, fill

SUFFIX = "_shard"
"""Of the database that holds a shard's own tables."""
_CREATE = re.compile(r"CREATE TABLE IF NOT EXISTS \w+\.(\w+)")
_ALTER = re.compile(r"ALTER TABLE \w+\.(\w+)")
_FILLED = re.compile(r"CREATE MATERIALIZED VIEW |ALTER TABLE \w+\.\w+ [^\n]*\s+MODIFY QUERY\b")
_COPY = re.compile(r"INSERT INTO (\w+)\.(\w+)\s.*?\bFROM \1\.(\w+) FINAL", re.DOTALL)
_KEY = re.compile(r"^ORDER BY (?:\(([\w, ]+)\)|(\w+))", re.MULTILINE)
_BY = {
    **dict.fromkeys(
        ("interactions_store", "interactions_by_time_store", "interactions_resolved_store"), "cityHash64(subject)"
    ),
    # A mark is on the shard of what left it, which the materialised views of that shard see.
    "unresolved_store": "cityHash64(if(subject = '', customer_id, subject))",
    "interaction_days_store": "owner",  # which is cityHash64(subject): beside the interactions
    "journeys_store": "cityHash64(customer_id)",  # a journey's id begins with its customer's
}
"""Sharding keys that do not follow from ORDER BY: a function of it all the same."""
_ASKED_BY_ROW = re.compile(
    r"\(SELECT w\.customer_id FROM (\w+\.identities_store) AS w FINAL WHERE w\.identifier = i\.subject\)(.*?)^WHERE ",
    re.DOTALL | re.MULTILINE,
)
"""A subquery that is asked for each row, which ClickHouse does not do over several shards (NOT_IMPLEMENTED)."""


def local(database: str) -> str:
    """The database of a shard's own tables."""
    return database + SUFFIX


def sharding_key(create: str) -> str:
    """By what the rows of a table are spread: an expression over columns of its key. create: its CREATE TABLE."""
    table, key = _CREATE.match(create), _KEY.search(create)
    if table is not None and table[1] in _BY:
        return _BY[table[1]]
    if table is None or key is None:
        raise ValueError(f"no table whose key can be read: {create[:80]}")
    columns = [column.strip() for column in (key[1] or key[2]).split(",")]
    return f"cityHash64({'customer_id' if 'customer_id' in columns else ', '.join(columns)})"


def statements(migration: Migration, database: str, cluster: str) -> Iterator[str]:
    """The statements of a migration for a cluster of shards, in order. Each is harmless when repeated.

    Raises ValueError for one of a kind that is not known here: nobody has thought about where it should run.
    """
    on_cluster = fill("{on_cluster}", database, cluster)
    pairs = zip(migration.statements(database, cluster), migration.statements(local(database), cluster), strict=True)
    for whole, on_shard in pairs:
        if _FILLED.match(on_shard):
            # What is inserted is seen where it is stored, and what is made of it is stored there, too.
            yield on_shard
        elif table := _CREATE.match(on_shard):
            yield on_shard
            front = _in_front(database, on_shard, cluster)
            yield f"CREATE TABLE IF NOT EXISTS {database}.{table[1]} {on_cluster} {front}"
        elif table := _ALTER.match(on_shard):
            yield on_shard
            # Made anew, as its columns are copied when it is made; it holds nothing: inserts wait for the shards.
            front = _in_front(database, create_of(table[1]), cluster)
            yield f"CREATE OR REPLACE TABLE {database}.{table[1]} {on_cluster} {front}"
        elif (copy := _COPY.match(whole)) and {copy[2], copy[3]} <= _BY.keys():
            # No INSERT runs on a cluster: through the tables in front, which send each row to the shard of its subject.
            yield whole
        elif whole.startswith("CREATE OR REPLACE VIEW"):
            yield _ASKED_BY_ROW.sub(_joined, whole)
        else:
            raise ValueError(f"{migration.name}: where does this run in a cluster of shards: {whole[:80]}")


def _joined(found: re.Match[str]) -> str:
    """The same as a join, which is made even where nobody reads the column."""
    identities = f"(SELECT identifier, customer_id FROM {found[1]} FINAL) AS w"
    return f"w.customer_id{found[2]}LEFT ANY JOIN {identities} ON w.identifier = i.subject\nWHERE "


def create_of(table: str) -> str:
    """The CREATE TABLE of a table, in the form for one server. Raises KeyError for a table that no migration makes."""
    from sinks.clickhouse.migrate import migrations

    for migration in migrations():
        for statement in migration.statements("cx"):
            found = _CREATE.match(statement)
            if found and found[1] == table:
                return statement
    raise KeyError(table)


def _in_front(database: str, create: str, cluster: str) -> str:
    """What makes the table in front of the shards, after its name. create: the CREATE TABLE of a table, anywhere."""
    table = _CREATE.match(create)
    assert table is not None
    name = cluster.replace("\\", "\\\\").replace("'", "\\'")
    shard = local(database)
    engine = f"Distributed('{name}', '{shard}', '{table[1]}', {sharding_key(create)})"
    return f"AS {shard}.{table[1]} ENGINE = {engine} COMMENT 'All shards of {shard}.{table[1]}'"
