"""Where rows are deleted: in a cluster of several shards not in the table that is asked, but behind it."""

from __future__ import annotations

import re
from typing import Any

_ENGINE = re.compile(r"Distributed\('((?:[^'\\]|\\.)*)', '(\w+)', '(\w+)'")


def rows_of(client: Any, table: str) -> str:
    """What to write after ALTER TABLE or TRUNCATE TABLE to change the stored rows of a table of the client's database.

    That is the table itself, or, where it stands in front of shards (sinks.clickhouse.sharding), theirs on each.
    A Distributed table refuses the one, and does nothing at the other.
    """
    rows = client.query(
        "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {table:String} "
        "AND engine = 'Distributed'",
        parameters={"table": table},
    ).result_rows
    found = _ENGINE.match(str(rows[0][0])) if rows else None
    return table if found is None else f"{found[2]}.{found[3]} ON CLUSTER '{found[1]}'"
