"""The sink worker on the real engine, with faults between it and ClickHouse."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.records import polars_schema
from schemas.registry import LocalRegistry
from sinks import agent
from sinks.clickhouse import writer
from streams.embedded.clickhouse.http_interface import Served
from streams.kafka.app import QUEUED_BATCHES, App, build
from streams.kafka.batch_producer import BatchProducer
from streams.kafka.topics import ensure_topics
from streams.settings import Settings, environment
from streams.worker.batching import READ_AHEAD
from tests.support.brokers import Broker, until, wait_until
from tests.support.clickhouse import ClickHouse, Faults
from tests.support.sink_rows import NOON, frame, journey
from tests.support.workers import producing, running

BATCH = 100
ROWS = 1000


@asynccontextmanager
async def sink(settings: Settings) -> AsyncIterator[App]:
    """The sink worker in this process, with its topics."""
    await ensure_topics(settings)
    app = build(settings, "sink")
    agent.create(app, settings)
    async with running(app):
        yield app


async def send(settings: Settings, topic: str, rows: pl.DataFrame, record: str) -> None:
    """Write records as a worker would."""
    async with producing(settings) as producer:
        output = BatchProducer(producer, settings.topic(topic))
        await output.send([b"k%d" % n for n in range(rows.height)], BatchEncoder(record, LocalRegistry()).encode(rows))
        await output.flush()


def journeys(count: int) -> pl.DataFrame:
    return frame("journey", *(journey("c", f"B{number}", NOON, NOON) for number in range(count)))


def letter(topic: str, payload: bytes) -> pl.DataFrame:
    row: dict[str, Any] = {"topic": topic, "partition": 0, "offset": 1, "key": None, "payload": payload}
    row |= {"reason": "bad_time", "detail": "", "failed_at": NOON, "attempts": 1, "version": "0"}
    return pl.DataFrame([row], schema=polars_schema("dead_letter"))


async def test_while_clickhouse_is_away_kafka_keeps_the_rest(
    memory_broker: Broker,
    topic_prefix: str,
    clickhouse: ClickHouse,
    faulty: Served,
    faults: Faults,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is acked, reading stops at a bound, nothing is dropped; then all is stored, once."""
    clickhouse.migrated()
    count = 20_000
    monkeypatch.setattr(agent, "ROWS_PER_INSERT", ROWS)
    monkeypatch.setattr(writer, "LONGEST_PAUSE", 0.5)
    faults.plan = ["252", "lost after", "lost before", "bad gateway", "241"] * 2 + ["252"] * 1000
    settings = memory_broker.settings(
        topic_prefix, clickhouse=faulty.url, database=clickhouse.database, max_poll_records=BATCH
    )

    async with sink(settings) as app:
        await send(settings, "journeys", journeys(count), "journey")
        topic = settings.topic("journeys")

        def delivered() -> int:
            return sum(one.delivered for tp, one in app.consumer.progress.items() if tp.topic == topic)

        await until(lambda: faults.inserts >= 8, what="some attempts")
        seen = -1
        while seen != delivered():
            seen = delivered()
            await asyncio.sleep(1.0)
        # The insert at work, what was read ahead of it, the stream's buffer, a batch of each partition on its way.
        batches = ROWS // BATCH + 1 + READ_AHEAD + 1 + QUEUED_BATCHES + settings.partitions + 1
        assert 0 < seen <= batches * BATCH
        assert seen < count / 2, "reading must wait, too"
        assert not any(one.acked for tp, one in app.consumer.progress.items() if tp.topic == topic)
        faults.plan = []

        async def stored() -> bool:
            rows = await asyncio.to_thread(clickhouse.rows, "SELECT count(), uniqExact(journey_id) FROM journeys")
            return rows == [(count, count)]

        await until(stored, what="every row, once")


def test_a_worker_told_to_stop_stops_though_clickhouse_does_not_answer(
    memory_broker: Broker, topic_prefix: str, clickhouse: ClickHouse, faulty: Served, faults: Faults, tmp_path: Path
) -> None:
    clickhouse.migrated()
    faults.plan = ["hang"]
    settings = memory_broker.settings(topic_prefix, clickhouse=faulty.url, database=clickhouse.database)
    asyncio.run(ensure_topics(settings))
    asyncio.run(send(settings, "journeys", journeys(10), "journey"))
    command = [sys.executable, "-m", "streams.cli", "worker", "sink", "--metrics-port", "0"]
    with (tmp_path / "sink.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **environment(settings)}, stdout=log, stderr=log)
    try:
        wait_until(lambda: faults.inserts >= 1, what="an insert that hangs")
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: process.poll() is not None, what="the worker to stop")
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, (tmp_path / "sink.log").read_text()[-2000:]


def test_a_sink_without_tables_says_so_in_sentences_and_ends_at_the_first_row(
    embedded_broker: Broker, topic_prefix: str, clickhouse: ClickHouse, tmp_path: Path
) -> None:
    settings = embedded_broker.settings(topic_prefix, clickhouse=clickhouse.url, database=clickhouse.database)
    asyncio.run(ensure_topics(settings))
    asyncio.run(send(settings, "journeys", journeys(10), "journey"))
    command = [sys.executable, "-m", "streams.cli", "worker", "sink", "--metrics-port", "0"]
    with (tmp_path / "sink.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **environment(settings)}, stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None, what="the worker to stop")
    finally:
        process.kill()
        process.wait()
    said = (tmp_path / "sink.log").read_text()
    assert process.returncode == 1, said
    assert "ClickHouse has no table interactions_store: rihla migrate makes what is missing" in said
    assert "worker stopped: journeys_store: " in said
    assert "what to do: mend it in ClickHouse: rihla doctor looks, rihla migrate makes what is missing" in said
    assert "Traceback" not in said
    assert "Event loop is closed" not in said


async def test_a_row_that_clickhouse_refuses_becomes_a_letter_and_its_neighbours_are_stored(
    memory_broker: Broker, topic_prefix: str, clickhouse: ClickHouse, faulty: Served
) -> None:
    clickhouse.migrated()
    clickhouse.client.command("ALTER TABLE journeys_store ADD CONSTRAINT c CHECK journey_id NOT IN ('c/B7', 'c/B900')")
    settings = memory_broker.settings(topic_prefix, clickhouse=faulty.url, database=clickhouse.database)
    counts = "SELECT count() FROM journeys UNION ALL SELECT count() FROM dead_letters"
    told = "SELECT topic, reason, position(detail, 'VIOLATED_CONSTRAINT') > 0, attempts, key FROM dead_letters"

    async with sink(settings):
        await send(settings, "journeys", journeys(1000), "journey")

        async def all_is_stored() -> bool:
            found = await asyncio.to_thread(clickhouse.rows, counts)
            return sorted(found) == [(2,), (998,)]

        await until(all_is_stored, what="998 rows and 2 letters")
    topic = settings.topic("journeys")
    assert sorted(clickhouse.rows(told)) == [(topic, "unstorable", 1, 1, "k7"), (topic, "unstorable", 1, 1, "k900")]


async def test_a_letter_that_is_refused_is_told_once_and_then_a_person_must_act(
    memory_broker: Broker,
    topic_prefix: str,
    clickhouse: ClickHouse,
    faulty: Served,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without an end to it, each refusal would make a larger letter, for ever."""
    clickhouse.migrated()
    clickhouse.client.command("ALTER TABLE dead_letters_store ADD CONSTRAINT c CHECK position(payload, 'ugly') = 0")
    settings = memory_broker.settings(topic_prefix, clickhouse=faulty.url, database=clickhouse.database)

    async with sink(settings) as app:
        await send(settings, "dead-letters", letter("cx.stay", b"good"), "dead_letter")
        await send(settings, "dead-letters", letter("cx.stay", b"ugly"), "dead_letter")
        await until(lambda: app.given_up is not None, what="the worker to give up")
        assert "a letter about a letter" in str(app.given_up)
    assert "Event loop is closed" not in caplog.text, "what the person is told is not buried"
    assert clickhouse.rows("SELECT payload FROM dead_letters") == [("good",)]


async def test_where_no_letter_can_be_read_each_is_told_of_once(
    memory_broker: Broker, topic_prefix: str, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where modules of two versions are mixed: letters about letters about letters had no end."""
    clickhouse.migrated()
    settings = memory_broker.settings(
        topic_prefix, clickhouse=clickhouse.url, database=clickhouse.database, partitions=1
    )
    decode = BatchDecoder.decode

    def broken(decoder: BatchDecoder, payloads: Any, columns: Any = None) -> Any:
        if decoder._name == "dead_letter" and payloads:
            raise AttributeError("of the other version")
        return decode(decoder, payloads, columns)

    monkeypatch.setattr(BatchDecoder, "decode", broken)
    async with sink(settings) as app:
        for number in range(3):
            await send(settings, "dead-letters", letter("cx.stay", b"%d" % number), "dead_letter")
        topic = settings.topic("dead-letters")

        def handled() -> bool:
            assert not app.crashed
            return 6 in {one.committed for tp, one in app.consumer.progress.items() if tp.topic == topic}

        await until(handled, what="three letters, and one about each, to be handled")
        output = app.producer._ensure_producer()  # nothing follows them: what is written now is the seventh record
        told = await output.send_and_wait(topic, b"the next", partition=0)
        assert told.offset == 6
