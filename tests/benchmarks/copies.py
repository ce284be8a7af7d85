"""Many customers in ClickHouse soon: what the pipeline made of some, copied under other names.

A copy fits together as the original does: of each identifier, reference and id the same other one is made in every
table, so that nobody is anybody else. (The name of a visit holds a part of its first event's id: that of the original.)
"""

from __future__ import annotations

import time

from streams.embedded.clickhouse.engine import Engine

_ID = "toString(UUIDNumToString(MD5(concat({column}, '~{copy}'))))"
_NAME = "concat({column}, '~{copy}')"
_JOURNEY = (
    "if({column} IS NULL, NULL, concat(customer_id, '~{copy}', substring({column}, length(customer_id) + 1), "
    "if(startsWith({column}, concat(customer_id, '/visit/')), '', '~{copy}')))"
)
"""customer_id/booking_ref, or customer_id/visit/START-EVENT."""

CHANGED = {
    "interactions_store": {
        "subject": _NAME,
        "event_id": _ID,
        "ids": "arrayMap(one -> (one.1, concat(one.2, '~{copy}')), ids)",
        "booking_ref": _NAME,
        "case_id": _NAME,
    },
    "identities_store": {"value": _NAME, "root": _NAME, "customer_id": _NAME},
    "journeys_store": {
        "journey_id": f"assumeNotNull({_JOURNEY})",
        "customer_id": _NAME,
        "booking_ref": _NAME,
    },
    "customers_store": {"customer_id": _NAME, "value": _NAME},
    "cases_store": {"case_id": _NAME, "journey_id": _JOURNEY, "customer_id": _NAME},
    "alerts_store": {
        "alert_id": _NAME,
        "journey_id": _JOURNEY,
        "customer_id": _NAME,
        "event_id": _ID,
        "case_id": _NAME,
    },
    "moves_store": {"move_id": _NAME, "journey_id": _JOURNEY, "customer_id": _NAME, "event_id": _ID},
    "segments_store": {"customer_id": _NAME},
}
"""Of each table the columns that name somebody or something, and what they become in a copy."""


def multiply(engine: Engine, database: str, times: int) -> None:
    """Copy customers, journeys and interactions until there are `times` as many, the originals included."""
    for copy in range(1, times):
        for table, columns in CHANGED.items():
            replaced = ", ".join(
                f"{what.format(column=column, copy=copy)} AS {column}" for column, what in columns.items()
            )
            engine.query(
                f"INSERT INTO {database}.{table} SELECT * REPLACE ({replaced}) FROM originals.{table}",
                settings={"prefer_column_name_to_alias": "1"},
            )


def set_aside(engine: Engine, database: str) -> None:
    """Keep the rows that are there now as the originals of copies."""
    engine.query("CREATE DATABASE originals")
    for table in CHANGED:
        engine.query(
            f"CREATE TABLE originals.{table} ENGINE = MergeTree ORDER BY tuple() "
            f"AS SELECT * FROM {database}.{table} FINAL"
        )


def settle(engine: Engine, seconds: float = 900.0) -> None:
    """Wait until no parts are being merged, for so long at most."""
    until = time.monotonic() + seconds
    quiet = 0
    while quiet < 3 and time.monotonic() < until:
        running = int(engine.query("SELECT count() FROM system.merges").data)
        quiet = 0 if running else quiet + 1
        time.sleep(1.0)
