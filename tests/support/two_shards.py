"""Two shards in one process: ClickHouse's own Distributed engine over two halves, as chDB can have it.

chDB listens nowhere, has no Keeper and no other server. But a cluster whose two shards are both this server needs none:
the engine asks itself, once as each shard. That each time another half answers is done by a row filter: what a shard
holds is a Merge table over `half_0` and `half_1`, of which shardNum() shows one. So FINAL, joins and aggregation go the
way that they go on two servers; what is not seen here is the network, replication and ON CLUSTER.

    python -m tests.support.two_shards FOLDER      prints, as JSON, what differs between one server and two shards
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sinks.clickhouse import sharding
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import migrations
from sinks.clickhouse.named import load
from streams.embedded.clickhouse import access
from streams.embedded.clickhouse import engine as engine_module
from streams.embedded.clickhouse.access import OWNER, Tokens
from streams.embedded.clickhouse.engine import Engine, EngineError
from streams.embedded.clickhouse.http_interface import serve
from tests.support.clickhouse import TOKENS, ClickHouse, url_as
from tests.support.loop_thread import LoopThread

CLUSTER, WHOLE, SHARDED, HALVES = "rihla", "whole", "cx", ("half_0", "half_1")
LOCAL = sharding.local(SHARDED)
GLOBAL = {"distributed_product_mode": "global"}
ROWS = 60
"""Rows at random of each table that the simulated world leaves empty, each in two versions."""
_SHARD = "<shard><replica><host>localhost</host><port>9000</port></replica></shard>"
_ON_CLUSTER = f" ON CLUSTER '{CLUSTER}'"
DIGITS = 6
"""In which figures agree: sums of floats are added in another order."""


def tables() -> dict[str, str]:
    """Each stored table with the statement that makes it, for one server. Not those of marks, which no view reads: they
    are empty once all is resolved (sinks.clickhouse.resolved)."""
    made = {}
    for migration in migrations():
        for statement in migration.statements(WHOLE):
            found = re.match(r"CREATE TABLE IF NOT EXISTS \w+\.(\w+)", statement)
            if found and "ReplacingMergeTree" in statement:
                made[found[1]] = statement
    return made


def engine(folder: Path) -> Engine:
    """An engine that is both shards of a cluster, and shows as each what is in its half."""
    configured, users = engine_module._configuration, access.users_configuration
    filters = "".join(
        f"<{table}><filter>_database = concat('half_', toString(shardNum() - 1))</filter></{table}>"
        for table in tables()
    )
    cluster = f"<tcp_port>9000</tcp_port><remote_servers><{CLUSTER}>{_SHARD}{_SHARD}</{CLUSTER}></remote_servers>"

    def configuration(*given: Any) -> bytes:
        return configured(*given).replace(b"<clickhouse>", b"<clickhouse>" + cluster.encode(), 1)

    def users_configuration(*given: Any) -> bytes:
        shown = f"<databases><{LOCAL}>{filters}</{LOCAL}></databases></default></users>"
        return users(*given).replace(b"</default></users>", shown.encode(), 1)

    vars(engine_module).update(_configuration=configuration, users_configuration=users_configuration)
    return Engine(folder)


def here(statement: str) -> str:
    """A statement for a cluster, as it can be run without Keeper and other servers."""
    return statement.replace(_ON_CLUSTER, "").replace("ENGINE = Replicated", "ENGINE = ")


def lay_out(on: Engine) -> None:
    """Run what `rihla migrate --cluster NAME --sharded` sends: a shard's own statements in both halves."""
    for name in (SHARDED, LOCAL, *HALVES):
        on.query(f"CREATE DATABASE {name}")
    for migration in migrations():
        for statement in map(here, sharding.statements(migration, SHARDED, CLUSTER)):
            if statement.startswith(
                "INSERT INTO"
            ):  # copies what was stored before: nothing; a Merge table takes no rows
                continue
            if statement.startswith("CREATE MATERIALIZED VIEW"):
                for half in HALVES:
                    on.query(statement.replace(f"{LOCAL}.", f"{half}."))
                continue
            found = re.match(rf"(?:CREATE TABLE IF NOT EXISTS|ALTER TABLE) {LOCAL}\.(\w+)", statement)
            if found is None:
                on.query(statement)
                continue
            for half in HALVES:
                on.query(statement.replace(f"{LOCAL}.", f"{half}."))
            on.query(f"CREATE OR REPLACE TABLE {LOCAL}.{found[1]} AS {HALVES[0]}.{found[1]} "
                     f"ENGINE = Merge(REGEXP('^half_[01]$'), '^{found[1]}$')")  # fmt: skip


def stop_views(on: Engine) -> None:
    """Drop the materialized views of both halves: each table gets its rows by `split`, as they are on one server."""
    made = json_rows(on, "SELECT database, name FROM system.tables WHERE engine = 'MaterializedView' "
                         f"AND database IN {HALVES}")  # fmt: skip
    for half, name in made:
        on.query(f"DROP VIEW {half}.{name} SYNC")


def fill_at_random(on: Engine, table: str, create: str) -> None:
    """Rows of a table, each in two versions, of which the later may be a withdrawal."""
    columns = json_rows(on, f"SELECT name, type, default_kind FROM system.columns WHERE database = '{WHOLE}' "
                            f"AND table = '{table}' ORDER BY position")  # fmt: skip
    own = [(name, kind) for name, kind, default in columns if default not in ("MATERIALIZED", "ALIAS")]
    structure = ", ".join(f"{name} {kind}" for name, kind in own).replace("\\", "\\\\").replace("'", "\\'")
    names = ", ".join(name for name, _ in own)
    version = re.search(r"ReplacingMergeTree\((\w+)", create)
    assert version is not None
    random = {"withdrawn": "withdrawn % 2 AS withdrawn", version[1]: f"{version[1]} % 1000 AS {version[1]}"}
    first = ", ".join(random.get(name, name) if "Date" not in kind else name for name, kind in own)
    later = ", ".join(f"{name} + 1 AS {name}" if name == version[1] else name for name, _ in own)
    into = f"INSERT INTO {WHOLE}.{table} ({names})"
    on.query(f"{into} SELECT {first} FROM generateRandom('{structure}', 1, 6, 2) LIMIT {ROWS}")
    on.query(f"{into} SELECT {later} FROM {WHOLE}.{table}")


def split(on: Engine, table: str, create: str) -> list[int]:
    """Give each half its rows; how many that are."""
    key = sharding.sharding_key(create)
    columns = json_rows(on, f"SELECT name FROM system.columns WHERE database = '{WHOLE}' AND table = '{table}' "
                            "AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') ORDER BY position")  # fmt: skip
    names = ", ".join(name for (name,) in columns)
    for number, half in enumerate(HALVES):
        on.query(f"INSERT INTO {half}.{table} ({names}) SELECT {names} FROM {WHOLE}.{table} WHERE {key} % 2 = {number}")
    return [int(json_rows(on, f"SELECT count() FROM {half}.{table}")[0][0]) for half in HALVES]


def json_rows(on: Engine, sql: str, database: str | None = None, **given: Any) -> list[list[Any]]:
    """The rows of an answer."""
    answer = on.query(sql, "JSONCompactEachRow", database=database, settings=GLOBAL, **given)
    return [json.loads(line) for line in answer.data.splitlines()]


def order(value: Any) -> str:
    """What rows are sorted by: figures roughly, lists in order (an aggregate's own order is nobody's promise)."""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return repr(sorted(map(order, value)))
    return repr(value)


def same(one: Any, other: Any) -> bool:
    """Whether values agree, figures to DIGITS."""
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=10**-DIGITS, abs_tol=1e-9)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, sorted(one, key=order), sorted(other, key=order)))
    return bool(one == other)


def questions(on: Engine) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(name, statement, parameters): every named query, with each grouping that it has, and every view."""
    for name, query in load().items():
        given: dict[str, str] = {}
        if any(parameter.name == "id" for parameter in query.parameters):
            given["id"] = str(
                json_rows(on, f"SELECT customer_id FROM {WHOLE}.customers ORDER BY interactions DESC LIMIT 1")[0][0]
            )
        yield name, query.sql, query.bind(given)
        if any(parameter.name == "by" for parameter in query.parameters):
            yield f"{name} by unit", query.sql, query.bind({**given, "by": "unit"})
    for (view,) in json_rows(
        on, f"SELECT name FROM system.tables WHERE database = '{WHOLE}' AND engine = 'View' ORDER BY name"
    ):
        yield f"view {view}", f"SELECT * FROM {view}", {}


def ask(on: Engine, database: str, sql: str, given: dict[str, str]) -> list[list[Any]] | int:
    """The rows of an answer, or the code of the refusal."""
    try:
        return json_rows(on, sql, database, params=given)
    except EngineError as error:
        found = re.match(r"Code: (\d+)", str(error))
        return int(found[1]) if found else -1


def compare(on: Engine) -> dict[str, Any]:
    """What differs, how much was asked, what had rows, and what both refuse."""
    answered: list[str] = []
    refused: dict[str, int] = {}
    differ: dict[str, list[str]] = {}
    for name, sql, given in questions(on):
        one, two = ask(on, WHOLE, sql, given), ask(on, SHARDED, sql, given)
        if not same(one, two):
            differ[name] = [str(one)[:1500], str(two)[:1500]]
        elif isinstance(one, int):
            refused[name] = one
        elif one:
            answered.append(name)
    return {"answered": answered, "refused": refused, "differ": differ}


def main(folder: Path) -> dict[str, Any]:
    """Lay out and fill one server and two shards, and compare what they answer."""
    from tests.support.simulated_world import World

    with engine(folder) as on:
        on.query(f"CREATE DATABASE {WHOLE}")
        loop = LoopThread()
        served = loop.run(serve(on, Tokens(TOKENS)))
        url = url_as(OWNER, served.url)
        World(ClickHouse(served.url, url, WHOLE, on, connect(url, WHOLE)).migrated())
        lay_out(on)
        stop_views(on)
        spread = {}
        for table, create in tables().items():
            if not json_rows(on, f"SELECT count() FROM {WHOLE}.{table}")[0][0] or table.endswith("units_store"):
                fill_at_random(on, table, create)
            spread[table] = split(on, table, create)
        found = compare(on)
        there = f"FROM system.tables WHERE database = '{SHARDED}' AND engine = 'Distributed'"
        engines = json_rows(on, f"SELECT name, engine_full {there}")
        loop.run(served.close())
        loop.close()
    return {**found, "spread": spread, "engines": dict(engines)}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
