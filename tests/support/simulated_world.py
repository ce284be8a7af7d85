"""Simulated travellers on the real engine and as plain rows, to hold the named queries to a second computation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from statistics import stdev
from typing import Any

import polars as pl
import pytest

from sinks.clickhouse.client import connect
from sinks.clickhouse.named import load
from streams.embedded.clickhouse.access import OWNER
from streams.embedded.clickhouse.engine import Engine
from streams.embedded.clickhouse.http_interface import Served
from streams.sources.simulate import Options, batches
from streams.verify.recompute import Expected, recompute
from tests.integration.test_verify_store import fill
from tests.support.by_columns import Enricher
from tests.support.clickhouse import ClickHouse, url_as
from tests.support.sink_rows import DAY

Row = dict[str, Any]
HOUR = DAY // 24
NOW = 1_900_000_000_000  # later than anything simulated, epoch milliseconds


class World:
    """Simulated travellers: stored on the engine, and as plain rows."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        enricher = Enricher()
        options = Options(customers=500, seed=7, trips=2.5, duplicates=0)
        pieces = (enricher.enrich({b.channel: b.frame}, NOW).interactions for b in batches(options))
        log = pl.concat(pieces).unique(["subject", "event_id"], keep="first", maintain_order=True)
        fill(clickhouse, log)
        self.clickhouse = clickhouse
        self.truth: Expected = recompute(log)
        key = ["subject", "event_id"]
        whose = self.truth.interactions.join(self.truth.attributed["interactions_attributed"], on=key)
        self.events: list[Row] = log.join(whose, on=key).sort("occurred_at", "event_id").to_dicts()
        self.journeys: dict[str, Row] = {row["journey_id"]: row for row in self.truth.journeys.to_dicts()}
        self.by_journey: dict[str, list[Row]] = defaultdict(list)
        for event in self.events:
            self.by_journey[event["journey_id"]].append(event)

    def ask(self, name: str, **given: str) -> list[Row]:
        """The answer of a named query."""
        query = load()[name]
        values = query.bind(given)
        result = self.clickhouse.client.query(query.text(values), parameters=values)
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]

    def answers(self, instrument: str) -> list[Row]:
        """The events that answer a survey."""
        return [event for event in self.events if (event["survey"] or {}).get("instrument") == instrument]

    def lost(self, journey: Row) -> bool:
        """Whether a journey stands ended without a trip, or was given up before it was booked."""
        if journey["status"] in ("cancelled", "no_show"):
            return True
        quiet = journey["last_event_at"] < self.events[-1]["occurred_at"] - 30 * DAY
        return quiet and journey["status"] == "exploring" and journey["booking_interactions"] > 0


@pytest.fixture(scope="module")
def world(engine: Engine, served: Served) -> Iterator[World]:
    """A database for all tests of this module, which only read."""
    engine.query("CREATE DATABASE test_simulated_truth")
    url = url_as(OWNER, served.url)
    client = connect(url, "test_simulated_truth")
    yield World(ClickHouse(served.url, url, "test_simulated_truth", engine, client).migrated())
    client.close()
    engine.query("DROP DATABASE test_simulated_truth")


def same(found: list[Row], expected: Mapping[Any, Row], *keys: str, digits: int = 1) -> None:
    """Rows by their keys, numbers within the rounding of the query (`digits`); there must be some, and no other."""
    assert found
    assert {tuple(row[key] for key in keys) for row in found} == {
        key if isinstance(key, tuple) else (key,) for key in expected
    }
    for row in found:
        key = tuple(row[name] for name in keys)
        for name, value in expected[key if len(keys) > 1 else key[0]].items():
            tolerance = 0 if isinstance(value, int) else 0.5 * 10**-digits + 1e-9
            assert row[name] == (value if value is None else pytest.approx(value, abs=tolerance)), (key, name)


def grouped(rows: list[Row], key: str) -> dict[Any, list[Row]]:
    """Rows by a field, empty where it is null."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key] or ""].append(row)
    return groups


def margin(values: list[float]) -> float | None:
    """Of a mean at 95 %; null where all are alike."""
    return 1.96 * stdev(values) / len(values) ** 0.5 if len(set(values)) > 1 else None
