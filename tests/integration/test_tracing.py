"""Traces: one for an event, from the request that brought it to its rows in ClickHouse, at a real OTLP receiver."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
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
from streams.deliver import agent as deliver
from streams.enrich import agent as enrich
from streams.identity import agent as identity
from streams.kafka.app import build
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.sources.feeder import produce_files
from streams.sources.jsonl import parse
from streams.stitch import agent as stitch
from tests.support import receiver as webhooks
from tests.support.brokers import Broker, until
from tests.support.clickhouse import ClickHouse
from tests.support.delivering import write_routes
from tests.support.otlp import Receiver, Seen, receiving
from tests.support.waterfall import svg, tree
from tests.support.workers import producing, running

TOKEN = "a-token-for-tests-only"
SECRET = "C-1001-only-in-the-event"
CREATE: dict[str, Callable[[Any, Settings], Any]] = {
    "enrich": enrich.create,
    "identity": identity.create,
    "stitch": stitch.create,
    "deliver": deliver.create,
    "sink": sink.create,
}
RULES = """
[unanswered]
severity = "high"
reason = "nobody answered {touchpoint}"
scope = "case"
after = "1h"
when = [{ case_roles = ["open"] }]
close.case_roles = ["response", "resolve"]

[detractor]
severity = "high"
reason = "answered {answer:g}"
scope = "customer"
when = [{ instrument = "nps", answer_at_most = 6 }]
"""
HOUR = 3_600_000
INSERTED = ("interactions", "identities", "journeys", "customers", "cases", "moves", "alerts", "deliveries")


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


async def test_one_trace_from_the_request_to_the_tables(
    memory_broker: Broker, topic_prefix: str, clickhouse: ClickHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A span of each step, each the child of the one before, by way of links, identities, an alert and its delivery;
    what a timer raises later has a trace of its own, linked to it. None of the events that nobody traces."""
    clickhouse.migrated()
    to = {"clickhouse": clickhouse.url, "database": clickhouse.database}
    (tmp_path / "rules.toml").write_text(RULES)
    files = {"alert_rules": str(tmp_path / "rules.toml"), "routes": str(tmp_path / "routes.toml")}
    settings = memory_broker.settings(
        topic_prefix, **to, **files, trace_sample=0.0, collect_token=TOKEN, collect_port=0, partitions=2
    )
    topic = settings.topic
    trace, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    async with receiving(monkeypatch) as receiver, webhooks.receiving() as hook:
        write_routes(tmp_path, hook.url)
        async with pipeline(settings, *CREATE), posting(settings) as post:
            complaint = {"touchpoint": "stay.complaint_made", "case_id": "C-1", "booking_ref": None}
            soon = now_ms() - HOUR + 2_000  # when its timer goes off, by the rule
            email = {"kind": "email_sha256", "value": "a" * 64}
            ids = [{"kind": "customer", "value": SECRET}, email]
            assert await post(line("C-2"), traceparent=f"00-{'1' * 32}-{caller}-00") == 202
            assert await post(line("C-3", **complaint, occurred_at=soon)) == 202
            told = line(ids=ids, **complaint, occurred_at=soon, survey={"instrument": "nps", "score": 0.0})
            assert await post(told, traceparent=f"00-{trace}-{caller}-01", tracestate="vendor=opaque") == 202

            def of_timer() -> list[Seen]:
                return [span for span in receiver.spans if span.trace != trace]

            def stored() -> bool:
                rows = clickhouse.client.query("SELECT count() FROM customers").result_rows
                seen = {name for _, name in receiver.of(trace)} >= {f"insert {name}_store" for name in INSERTED}
                sent = [span for span in receiver.spans if span.name == "deliver to living"]
                parents = {span.parent for span in receiver.spans if span.name == f"process {topic('deliveries')}"}
                return rows == [(3,)] and seen and len(sent) == 2 and {span.span for span in sent} <= parents

            try:
                await until(stored, what="three customers, their alerts delivered, and the spans")
            finally:
                print(tree(receiver.spans))
        spans, later = receiver.of(trace), {(span.service, span.name): span for span in of_timer()}
        (tmp_path / "trace.svg").write_text(svg(receiver.spans, "One complaint, and the timer that it set"), "utf-8")

        def child(of: Seen, service: str, name: str) -> Seen:
            wanted = (of.trace, f"rihla-{service}", name, of.span)
            found = [span for span in receiver.spans if (span.trace, span.service, span.name, span.parent) == wanted]
            assert found, f"{service}: {name} under {of.name}"
            return found[0]

        def stored_from(of: Seen, *names: str) -> None:
            for name in names:
                child(child(of, "sink", f"process {topic(name)}"), "sink", f"insert {name}_store")

        collected = spans["rihla-collect", "POST events"]
        assert collected.parent == caller
        enriched = child(collected, "enrich", f"process {topic('stay')}")
        stitched = child(enriched, "stitch", f"process {topic('interactions')}")
        identified = child(enriched, "identity", f"process {topic('links')}")
        child(identified, "stitch", f"process {topic('identities')}")
        stored_from(enriched, "interactions")
        stored_from(identified, "identities")
        stored_from(stitched, "journeys", "customers", "cases", "moves", "alerts")
        taken = child(stitched, "deliver", f"process {topic('alerts')}")
        sent, refused = child(taken, "deliver", "deliver to living"), child(taken, "deliver", "deliver to dead")
        assert (sent.failed, refused.failed) == (False, True)
        assert sent.attributes["http.response.status_code"] == 200
        stored_from(sent, "deliveries")
        timer = later["rihla-stitch", "timer stitch"]
        assert (timer.parent, timer.links) == ("", (trace,))
        assert {span.trace for span in of_timer()} == {timer.trace}, "what nobody samples has no span"
        stored_from(timer, "alerts")
        stored_from(
            child(child(timer, "deliver", f"process {topic('alerts')}"), "deliver", "deliver to living"), "deliveries"
        )
        assert stitched.attributes["messaging.system"] == "kafka"
        assert enriched.attributes["messaging.destination.name"] == topic("stay")
        assert all(span.began <= span.ended for span in receiver.spans)
        assert {span.name for span in receiver.spans if span.failed} == {"deliver to dead"}
        assert enriched.began >= collected.began
        said = [SECRET.encode(), b"a" * 64]
        assert not [body for body in receiver.bodies if any(one in body for one in said)], "who it is about is not said"


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
