"""A cluster of several shards: the statements that make it, and that two shards answer what one server answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sinks.clickhouse import sharding
from sinks.clickhouse.migrate import Migration, migrations
from sinks.clickhouse.named import load
from streams.embedded.clickhouse.engine import Engine
from streams.erasure.shards import rows_of

ROOT = Path(__file__).parents[2]
CREATES = {
    found[1]: statement
    for migration in migrations()
    for statement in migration.statements("cx")
    if (found := re.match(r"CREATE TABLE IF NOT EXISTS cx\.(\w+)", statement))
}
BAD_ARGUMENTS = 395  # "by is one of ...": a grouping that the query does not have


def test_clickhouse_can_read_every_statement(engine: Engine) -> None:
    """Its parser takes them as they are sent, ON CLUSTER and Replicated included, which chDB cannot run: no Keeper."""
    looked_at = 0
    for migration in migrations():
        for statement in sharding.statements(migration, "cx", "the 'cluster'"):
            engine.query(f"EXPLAIN AST {statement}")
            assert "ON CLUSTER 'the \\'cluster\\''" in statement or statement.startswith("INSERT INTO cx.")
            engines = re.findall(r"^ENGINE = (\w+)", statement, re.MULTILINE)
            kinds = ("ReplicatedReplacingMergeTree", "ReplicatedCollapsingMergeTree", "ReplicatedMergeTree")
            assert engines == [] or (len(engines) == 1 and engines[0] in kinds), statement[:80]
            assert "= i.subject)" not in statement, "a subquery by row, which no Distributed table answers"
            looked_at += 1
    assert looked_at > 100


@pytest.mark.parametrize("table", CREATES)
def test_all_versions_of_a_key_are_on_one_shard(table: str) -> None:
    """What rows are spread by is part of what makes two rows the same."""
    key = re.search(r"^ORDER BY \(?([\w, ()]+?)\)?$", CREATES[table], re.MULTILINE)
    assert key is not None
    if table == "interaction_days_store":
        assert (key[1].split(",")[0], sharding.sharding_key(CREATES[table])) == ("owner", "owner"), "a hash already"
        return
    if table == "unresolved_store":
        assert sharding.sharding_key(CREATES[table]) == "cityHash64(if(subject = '', customer_id, subject))"
        return
    by = re.fullmatch(r"cityHash64\(([\w, ]+)\)", sharding.sharding_key(CREATES[table]))
    assert by is not None
    columns = {column.strip() for column in key[1].split(",")}
    if table == "journeys_store":
        assert (columns, by[1]) == ({"journey_id"}, "customer_id"), "a journey's id begins with its customer's"
        return
    if table == "interactions_resolved_store":
        assert by[1] == "subject", "beside the interactions that fill it"
        return
    assert {column.strip() for column in by[1].split(",")} <= columns
    if "customer_id" in columns:
        assert by[1] == "customer_id"


def test_a_statement_of_another_kind_is_refused_before_anything_is_sent() -> None:
    other = Migration("9999_other", "INSERT INTO {database}.units_store VALUES (1);\n", "c")
    with pytest.raises(ValueError, match="9999_other: where does this run in a cluster of shards: INSERT INTO"):
        list(sharding.statements(other, "cx", "c"))


@pytest.mark.long
def test_two_shards_answer_what_one_server_answers(tmp_path: Path) -> None:
    """Every named query and every view, on simulated travellers and on rows at random: see tests.support.two_shards."""
    command = [sys.executable, "-m", "tests.support.two_shards", str(tmp_path / "engine")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["differ"] == {}
    assert set(found["refused"].values()) <= {BAD_ARGUMENTS}, found["refused"]
    assert not {name for name in found["refused"] if " by " not in name}
    named = [name for name in found["answered"] if not name.startswith("view ")]
    assert len(named) > len(load()), "most have rows, with and without a grouping"
    assert len(found["answered"]) > 100
    assert all(min(halves) > 0 for halves in found["spread"].values()), "each shard has rows of each table"

    def query(sql: str, parameters: dict[str, str]) -> Any:
        return SimpleNamespace(result_rows=[(found["engines"][parameters["table"]],)])

    client = SimpleNamespace(query=query)
    assert rows_of(client, "cases_store") == "cx_shard.cases_store ON CLUSTER 'rihla'"
