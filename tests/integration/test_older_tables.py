"""Tables that an older version filled: after this version's migrations, `rihla verify` finds no difference in them,
but that next actions are still to be said.

data/tables-of-5924fd1.json.xz has the rows of every table after `rihla run` of 150 simulated customers (seed 7) by that
commit, whose last migration is named in it.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sinks.clickhouse import migrate as module
from sinks.clickhouse.migrate import migrations
from streams.errors import RihlaError
from streams.verify import store
from streams.verify.verify import verify
from tests.support.clickhouse import ClickHouse

ROWS = Path(__file__).parent / "data" / "tables-of-5924fd1.json.xz"


def test_tables_of_an_older_version(clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    older: dict[str, Any] = json.loads(lzma.decompress(ROWS.read_bytes()))
    known = [one for one in migrations() if one.name <= older["last_migration"]]
    assert 0 < len(known) < len(migrations())
    with monkeypatch.context() as patched:
        patched.setattr(module, "migrations", lambda: tuple(known))
        module.migrate(clickhouse.client, clickhouse.database)
    for table, rows in older["tables"].items():
        lines = "\n".join(map(json.dumps, rows)).encode()
        if rows:
            clickhouse.client.raw_insert(table, insert_block=lines, fmt="JSONEachRow")
    with pytest.raises(RihlaError, match="of an older version of Rihla, which lacks 0034_units"):
        store.check(clickhouse.client, clickhouse.database)
    store.bring_up_to_date(clickhouse.client, clickhouse.database)
    store.check(clickhouse.client, clickhouse.database)
    report = verify(clickhouse.client)
    assert report.events == len({(row["subject"], row["event_id"]) for row in older["tables"]["interactions_store"]})
    assert report.rows["journeys"] > 20
    # That version says nothing of next actions; a stitch of this one does, for all customers, as soon as it runs.
    unsaid = report.differences.filter(pl.col("table") == "next_actions")
    assert report.differences.height == unsaid.height, report.differences
