"""What a sink says at its start of a ClickHouse that cannot be reached, and how it waits for one that refuses."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from sinks.clickhouse.client import connect
from sinks.clickhouse.errors import ClickHouseRefusedError
from sinks.clickhouse.tables import TABLES
from sinks.clickhouse.writer import LONGEST_PAUSE, Writer
from sinks.reach import Reach
from tests.support.sink_rows import NOON, frame, journey


class Answers:
    """A client of a ClickHouse that has no tables for so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def command(self, sql: str) -> int:
        return int(self.looks <= 0)

    def close(self) -> None:
        self.looks -= 1


def test_a_wrong_address_and_missing_tables_are_said_once_each_and_looked_for_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client, pauses = Answers(3), list[float]()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    def found() -> Any:
        return connect("http://127.0.0.1:9/") if len(pauses) < 12 else client

    with caplog.at_level(logging.INFO, "sinks.reach"):
        asyncio.run(Reach(found, pause).look())
    lines = [record.getMessage() for record in caplog.records if record.name == "sinks.reach"]
    assert len(lines) == 3
    assert "ClickHouse does not answer at http://127.0.0.1:9" in lines[0]
    assert "rihla migrate" in lines[1]
    assert "is there" in lines[2]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE


def test_rows_wait_for_a_clickhouse_that_refuses_the_password() -> None:
    calls, stored = list[int](), list[Any]()

    class Client:
        write_compression = None

        def raw_insert(self, **sent: Any) -> None:
            stored.append(sent)

    def refusing() -> Any:
        calls.append(1)
        if len(calls) < 4:
            raise ClickHouseRefusedError("ClickHouse at http://x refuses the connection: AUTHENTICATION_FAILED")
        return Client()

    async def pause(seconds: float) -> None:
        return None

    writer = Writer(refusing, TABLES["journeys"], pause=pause)
    assert asyncio.run(writer.write(frame("journey", journey("c", "B1", NOON, NOON)), 1)) == 1
    assert (len(calls), len(stored)) == (4, 1)
    traced = {"traceparent": "00-1-2-01"}
    assert asyncio.run(writer.write(frame("journey", journey("c", "B1", NOON, NOON)), 1, traced)) == 1
    assert [one["transport_settings"] for one in stored] == [None, traced], "the trace goes on in ClickHouse"
