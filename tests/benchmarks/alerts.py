"""From a complaint in Arabic about food that is not halal to its alert, and from what resolves it to the closing.

On the embedded pipeline as a user runs it, one complaint after the other, each of a customer of its own. From just
before the event is handed to the producer until a consumer of the topic of alerts has the record (published), until
the answer of the query that first shows it in the table (visible), and until the stream on which the desk's inbox
lives tells of it (told).
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from aiohttp import ClientConnectionError, ClientResponse, ClientSession, ClientTimeout
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.decode import BatchDecoder
from schemas.registry import LocalRegistry
from streams.embedded.pipeline import Pipeline
from streams.embedded.plan import Plan
from streams.registries import registry_of
from streams.sources import jsonl
from streams.sources.feeder import Feeder
from tests.benchmarks import calibration
from tests.benchmarks.pipeline import WITHIN
from tests.benchmarks.report import Outcome, say, tabulate

TEXT = "الطعام لم يكن حلالا، قدموا لنا لحم خنزير. تجربة سيئة جدا"
"""The food was not halal, they served us pork. A very bad experience."""
RULE = "halal_breach"
LIMIT = 2.0
"""Seconds from a complaint to its alert."""
TOLERATED = 3.0
"""A machine with other work to do stretches latencies: the run fails at so many times the limit."""
LOOK_EVERY = 0.02
"""Seconds between an answer and the next question."""
PERCENTILES = (50.0, 90.0, 99.0, 100.0)


def measure(complaints: int) -> Outcome:
    """Raise and close so many alerts."""
    seconds = asyncio.run(_all(complaints))
    table = [
        [what, len(took), *np.percentile(took, PERCENTILES).round(3).astype(str)] for what, took in seconds.items()
    ]
    longest = max(seconds["raised, published"])
    limit = LIMIT * max(1.0, calibration.slower(time.perf_counter))  # most of it is waiting, which no machine shortens
    figures: dict[str, Any] = {
        f"alert_{what.replace(', ', '_')}_s": {f"p{p:g}": round(float(np.percentile(took, p)), 3) for p in PERCENTILES}
        for what, took in seconds.items()
    }
    problems = []
    if longest > TOLERATED * limit:
        problems.append(f"alerts: one took {longest:.1f} s, more than {TOLERATED:g} times its limit of {limit:.1f} s")
    figures["alert_load_average"] = [round(one, 1) for one in os.getloadavg()]
    shown = tabulate(["alert", "alerts", *(f"p{p:g} s" for p in PERCENTILES)], table)
    return Outcome(f"{shown}\n\nload average {figures['alert_load_average'][0]}", figures, problems)


async def _all(complaints: int) -> dict[str, list[float]]:
    """Seconds that each took."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="rihla-benchmark-") as folder:
        async with (
            Pipeline(Plan(Path(folder) / "data", serves=True), "bench", lambda _: None) as pipeline,
            ClientSession(timeout=ClientTimeout(total=None)) as http,
            await _stream(pipeline, http) as stream,
        ):
            settings = pipeline.settings
            feeder = Feeder(pipeline.producer, settings, registry_of(settings))
            consumer = AIOKafkaConsumer(bootstrap_servers=settings.broker_list, auto_offset_reset="earliest")
            await consumer.start()
            try:
                topic = settings.topic("alerts")
                consumer.assign([TopicPartition(topic, partition) for partition in range(settings.partitions)])
                for number in range(complaints + 1):
                    customer = f"GUEST-{number}"
                    for what, touchpoint, said in (
                        ("raised", "stay.complaint_made", {"text": TEXT}),
                        ("closed", "stay.complaint_resolved", {}),
                    ):
                        began = time.monotonic()
                        event = _event(customer, touchpoint, **said)
                        await feeder.feed(jsonl.parse(iter([(1, [event])]), "<complaint>"))
                        moments = await asyncio.gather(
                            _published(pipeline, consumer, customer, what),
                            _visible(pipeline, customer, what),
                            asyncio.wait_for(_told(stream, customer, what), WITHIN),
                        )
                        if number:  # the first one waits until the workers have joined their groups
                            for where, moment in zip(("published", "visible", "told"), moments, strict=True):
                                found.setdefault(f"{what}, {where}", []).append(moment - began)
                    if not number:
                        say(f"alerts: {complaints} complaints, one after the other")
            finally:
                await consumer.stop()
    return found


async def _published(pipeline: Pipeline, consumer: AIOKafkaConsumer, customer: str, what: str) -> float:
    """The moment at which the record is read."""
    decoder = BatchDecoder("alert", LocalRegistry())
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        pipeline.check()
        for records in (await consumer.getmany(timeout_ms=500)).values():
            for row in decoder.decode([record.value for record in records]).frame.to_dicts():
                if row["customer_id"] == customer and row["rule"] == RULE and (row["closed_at"] or what != "closed"):
                    return time.monotonic()
    raise TimeoutError(f"no alert was {what} within {WITHIN:.0f} s")


async def _visible(pipeline: Pipeline, customer: str, what: str) -> float:
    """The moment at which the table shows it."""
    sql = "SELECT count() FROM alerts WHERE rule = {rule:String} AND customer_id = {customer:String}"
    if what == "closed":
        sql += " AND closed_at IS NOT NULL"
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        pipeline.check()
        rows = await asyncio.to_thread(pipeline.client.query, sql, {"rule": RULE, "customer": customer})
        if rows.result_rows[0][0]:
            return time.monotonic()
        await asyncio.sleep(LOOK_EVERY)
    raise TimeoutError(f"no alert was seen {what} within {WITHIN:.0f} s")


def _bearer(pipeline: Pipeline) -> dict[str, str]:
    assert pipeline.serve_token is not None
    return {"Authorization": f"Bearer {pipeline.serve_token.read_text().strip()}"}


async def _stream(pipeline: Pipeline, http: ClientSession) -> ClientResponse:
    """The desk's stream of alerts, as soon as there is a server."""
    deadline = time.monotonic() + WITHIN
    while True:
        try:
            return await http.get(
                f"{pipeline.server}/v1/alerts/events", headers=_bearer(pipeline), raise_for_status=True
            )
        except ClientConnectionError:
            if time.monotonic() > deadline:
                raise
            pipeline.check()
            await asyncio.sleep(LOOK_EVERY)


async def _told(stream: ClientResponse, customer: str, what: str) -> float:
    """The moment at which the desk is told. Of alerts that follow one another the stream has each in turn."""
    while True:
        line = await stream.content.readline()
        if not line:
            raise ConnectionError("the stream has ended")
        if line.startswith(b"data: "):
            told = orjson.loads(line.removeprefix(b"data: "))
            of_it = told.get("rule") == RULE and told.get("customer_id") == customer
            if of_it and (told.get("closed_at") or what != "closed"):
                return time.monotonic()


def _event(customer: str, touchpoint: str, **said: str) -> bytes:
    return orjson.dumps(
        {
            "channel": "stay",
            "event_id": str(uuid.uuid4()),
            "occurred_at": datetime.now(UTC).isoformat(),
            "ids": [{"kind": "customer", "value": customer}],
            "booking_ref": f"REF-{customer}",
            "case_id": f"CASE-{customer}",
            "touchpoint": touchpoint,
            "medium": "chat",
            "unit": "HTL-MAKKAH",
            **said,
        }
    )
