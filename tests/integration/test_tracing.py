"""Traces: one for an event, from the request that brought it to its rows in ClickHouse, at a real OTLP receiver."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest

from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from sinks import agent as sink
from streams.clock import now_ms
from streams.collect.configuration import access_of
from streams.collect.process import collecting
from streams.enrich import agent as enrich
from streams.kafka.app import build
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.sources.feeder import produce_files
from streams.sources.jsonl import parse
from streams.stitch import agent as stitch
from tests.support.brokers import Broker, until
from tests.support.clickhouse import ClickHouse
from tests.support.otlp import Receiver, receiving
from tests.support.workers import producing, running

TOKEN = "a-token-for-tests-only"
SECRET = "C-1001-only-in-the-event"
CREATE: dict[str, Callable[[Any, Settings], Any]] = {
    "enrich": enrich.create,
    "stitch": stitch.create,
    "sink": sink.create,
}


def line(customer: str = SECRET, **fields: Any) -> dict[str, Any]:
    event = {"channel": "stay", "event_id": str(uuid.uuid4()), "occurred_at": now_ms(), "touchpoint": "stay.arrived"}
    return event | {"ids": [{"kind": "customer", "value": customer}], "booking_ref": "UMR-77", "medium": "web"} | fields


@asynccontextmanager
async def pipeline(settings: Settings, *workers: str) -> AsyncIterator[None]:
    """Workers in this process; at the end their last spans are sent."""
    await ensure_topics(settings)
    async with AsyncExitStack() as stack:
        for name in workers:
            app = build(settings, name)
            io = CREATE[name](app, settings)
            if io.tracing is not None:
                stack.push_async_callback(io.tracing.stop)
            await stack.enter_async_context(running(app))
        yield


@asynccontextmanager
async def posting(settings: Settings) -> AsyncIterator[Callable[..., Any]]:
    """A collector, and how to post an event to it."""
    async with collecting(settings, access_of(settings)) as (port, _), aiohttp.ClientSession() as http:

        async def post(event: dict[str, Any], **headers: str) -> int:
            told = {"Authorization": f"Bearer {TOKEN}", **headers}
            async with http.post(f"http://127.0.0.1:{port}/v1/events", json=event, headers=told) as answer:
                return answer.status

        yield post


async def test_one_trace_from_the_request_to_the_table(
    memory_broker: Broker, topic_prefix: str, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A span of each worker, each the child of the one before; none of the events that nobody traces."""
    clickhouse.migrated()
    to = {"clickhouse": clickhouse.url, "database": clickhouse.database}
    settings = memory_broker.settings(
        topic_prefix, **to, trace_sample=0.0, collect_token=TOKEN, collect_port=0, partitions=2
    )
    trace, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    async with receiving(monkeypatch) as receiver:
        async with pipeline(settings, "enrich", "stitch", "sink"), posting(settings) as post:
            assert await post(line("C-2"), traceparent=f"00-{'1' * 32}-{caller}-00") == 202
            assert await post(line("C-3")) == 202
            assert await post(line(), traceparent=f"00-{trace}-{caller}-01", tracestate="vendor=opaque") == 202

            def stored() -> bool:
                rows = clickhouse.client.query("SELECT count() FROM customers").result_rows
                return rows == [(3,)] and len(receiver.of(trace)) >= 6

            await until(stored, what="three customers, and the spans")
        spans = receiver.of(trace)
        assert {span.trace for span in receiver.spans} == {trace}, "what nobody samples has no span"
        topic = settings.topic
        collected = spans["rihla-collect", "POST events"]
        enriched = spans["rihla-enrich", f"process {topic('stay')}"]
        stitched = spans["rihla-stitch", f"process {topic('interactions')}"]
        assert collected.parent == caller
        assert enriched.parent == collected.span
        assert stitched.parent == enriched.span
        assert spans["rihla-sink", f"process {topic('interactions')}"].parent == enriched.span
        for name in ("journeys", "customers"):
            assert spans["rihla-sink", f"process {topic(name)}"].parent == stitched.span
        assert stitched.attributes["messaging.system"] == "kafka"
        assert enriched.attributes["messaging.destination.name"] == topic("stay")
        assert all(span.began <= span.ended and not span.failed for span in receiver.spans)
        assert enriched.began >= collected.began
        assert not [body for body in receiver.bodies if SECRET.encode() in body], "who it is about is in no span"


async def test_a_trace_begins_in_enrich_where_the_producer_traces_nothing(
    memory_broker: Broker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sampled records, all of them here, have a span each; what becomes a dead letter has failed, and says why."""
    settings = memory_broker.settings(topic_prefix, trace_sample=1.0, partitions=1)
    async with receiving(monkeypatch) as receiver:
        async with pipeline(settings, "enrich", "stitch"), producing(settings) as producer:
            (batch,) = parse([(0, [orjson.dumps(line(f"C-{n}")) for n in range(3)])], "lines")
            values = BatchEncoder("stay", LocalRegistry()).encode(batch.frame)
            for value in (*values, b"\0\0\0\0\7none"):
                await producer.send(settings.topic("stay"), value, partition=0)

            def all_there() -> bool:
                return len([span for span in receiver.spans if span.service == "rihla-stitch"]) >= 3

            await until(all_there, what="the spans of stitch")
        enriched = [span for span in receiver.spans if span.service == "rihla-enrich"]
        assert [span.parent for span in enriched] == [""] * 4
        (failed,) = [span for span in enriched if span.failed]
        assert failed.attributes["rihla.refused"] == "undecodable"
        stitched = {span.trace for span in receiver.spans if span.service == "rihla-stitch"}
        assert stitched == {span.trace for span in enriched if not span.failed}


async def test_rihla_produce_begins_traces(
    memory_broker: Broker, topic_prefix: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = memory_broker.settings(topic_prefix, trace_sample=1.0, partitions=1)
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(orjson.dumps(line(f"C-{n}")) for n in range(3)))
    async with receiving(monkeypatch) as receiver:
        async with pipeline(settings, "enrich"):
            fed = await produce_files(settings, [str(file)], None)
            assert fed.total == 3
            await until(lambda: len(receiver.spans) >= 6, what="three spans of each")
        sent = {span.span: span for span in receiver.spans if span.service == "rihla-produce"}
        enriched = [span for span in receiver.spans if span.service == "rihla-enrich"]
        assert {span.parent for span in enriched} == sent.keys()
        assert {span.name for span in sent.values()} == {f"send {settings.topic('stay')}"}


async def test_a_collector_that_is_away_holds_nothing_up(
    memory_broker: Broker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens: events are handled all the same, and the worker's end waits for the spans as long as is said."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    settings = memory_broker.settings(topic_prefix, trace_sample=1.0, partitions=1, collect_token=TOKEN, collect_port=0)
    receiver = Receiver()
    async with pipeline(settings, "enrich"), posting(settings) as post:
        began = time.monotonic()
        assert await post(line()) == 202
        assert time.monotonic() - began < 3, "an answer waits for Kafka, not for the collector of traces"
    assert time.monotonic() - began < 20
    assert not receiver.spans
