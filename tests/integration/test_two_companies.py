"""Two companies on one Kafka and one ClickHouse, by prefix and database: no trace of one in the other.

And the brands of one company, by its model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.embedded.clickhouse.access import OWNER
from streams.embedded.clickhouse.http_interface import Served
from streams.model.company import Model, load
from streams.sources import jsonl
from streams.verify.topics import read
from streams.verify.verify import verify
from tests.faults.world import World, world
from tests.support.brokers import Broker
from tests.support.clickhouse import url_as
from tests.unit.test_model import BRANDS

pytestmark = pytest.mark.slow


def made(company: int, number: int, unit: str, *more: tuple[str, str]) -> dict[str, Any]:
    """An event of customer 1001, whom both companies have, and say something of that nobody else says."""
    return {
        "channel": "stay",
        "event_id": f"00000000-0000-4000-800{company}-{number:012}",
        "occurred_at": f"2025-03-{number + 1:02}T10:00:00Z",
        "ids": [{"kind": kind, "value": value} for kind, value in (("customer", "1001"), *more)],
        "booking_ref": f"B-{number}",
        "touchpoint": "stay.complaint_made",
        "medium": "web",
        "unit": unit,
        "text": f"The secret-{company} room was dirty",
    }


async def send(here: World, events: list[dict[str, Any]]) -> None:
    (batch,) = jsonl.parse([(0, [json.dumps(event).encode() for event in events])], "test")
    await here.send("stay", [None] * len(events), BatchEncoder("stay", LocalRegistry()).encode(batch.frame))


def said(here: World) -> str:
    """All that the tables of a company say, as text."""
    tables = [name for (name,) in here.client.query(
        f"SELECT name FROM system.tables WHERE database = '{here.settings.database}' AND engine != 'View'"
    ).result_rows]  # fmt: skip
    assert {"interactions_store", "journeys_store", "alerts_store", "models_store"} <= {*tables}
    return "\n".join(str(row) for table in tables for row in here.client.query(f"SELECT * FROM {table}").result_rows)


async def shows_nothing_of_the_other(here: World, model: Model | None, number: int) -> None:
    """Tables and topics of a company hold its own events and no other, and are what these make of them."""
    text = said(here)
    assert f"secret-{number}" in text
    assert f"secret-{3 - number}" not in text
    log = await read(here.settings)
    assert {event[:24] for event in log.interactions["event_id"]} == {f"00000000-0000-4000-800{number}-"}
    assert verify(here.client, model=model).differences.rows() == []
    assert verify(here.client, lambda: log, model=model).differences.rows() == []


async def test_two_at_once(embedded_broker: Broker, served: Served, tmp_path: Path) -> None:
    (tmp_path / "identifiers.toml").write_text(BRANDS, "utf-8")
    common: dict[str, Any] = {"clickhouse": url_as(OWNER, served.url), "embedded": True, "partitions": 1}
    async with (
        world(embedded_broker.address, 1, **common) as one,
        world(embedded_broker.address, 2, model=str(tmp_path), **common) as two,
    ):
        # Company 1 has no brands. Company 2 has two: its customers 1001 are two people, one of whom is 2002, too.
        await one.start_all()
        await two.start_all()
        await one.reading()
        await two.reading()
        await send(one, [made(1, 0, "MAK-1"), made(1, 1, "JED-1")])
        card = ("loyalty", "L7")
        other = made(2, 3, "MAK-1") | {
            "ids": [{"kind": "customer", "value": "2002"}, {"kind": card[0], "value": card[1]}]
        }
        events = [made(2, 0, "MAK-1"), made(2, 1, "JED-1"), made(2, 2, "JED-2", card), other]
        await send(two, events)
        await one.settled()
        await two.settled()
        assert one.deaths == two.deaths == []

        rows = "SELECT customer_id, interactions FROM customers ORDER BY 1"
        assert one.client.query(rows).result_rows == [("1001", 2)]
        # safa/1001 and noor/2002 have a loyalty number in common; noor/1001 is somebody else
        assert two.client.query(rows).result_rows == [("noor/1001", 1), ("noor/2002", 3)]

        await shows_nothing_of_the_other(one, None, 1)
        await shows_nothing_of_the_other(two, load(str(tmp_path)), 2)
