"""Alerts of real workers on the embedded broker: an Arabic complaint raises one, and what resolves it closes it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.records import polars_schema
from schemas.registry import LocalRegistry
from streams.clock import now_ms
from streams.embedded.tether import tethered
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.integration.test_identity_worker import Reader
from tests.support.brokers import Broker, until
from tests.support.waiting import HUNG, PATIENCE
from tests.support.workers import producing

PARTITIONS = 2
STAY = polars_schema("stay")


@contextlib.contextmanager
def worker(kind: str, settings: Settings, folder: Path, port: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """A worker as a process of its own; killed at the end if it still runs."""
    environment = {
        **os.environ,
        "RIHLA_PREFIX": settings.prefix,
        "RIHLA_EMBEDDED": str(settings.embedded).lower(),
        "RIHLA_PARTITIONS": str(settings.partitions),
        "RIHLA_SESSION_TIMEOUT": str(settings.session_timeout),
        "RIHLA_ALERT_RULES": settings.alert_rules or "",
    }
    command = [
        sys.executable,
        "-m",
        "streams.cli",
        "worker",
        kind,
        "--brokers",
        settings.brokers,
        "--metrics-port",
        str(port),
    ]
    with (folder / f"{kind}.log").open("ab") as output:
        process = subprocess.Popen(tethered(command), env=environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def stay(number: int, touchpoint: str, **said: Any) -> dict[str, Any]:
    """An event of the stay channel, now."""
    return {
        **dict.fromkeys(STAY),
        "event_id": str(UUID(int=number, version=4)),
        "occurred_at": now_ms(),
        "ids": [{"kind": "customer", "value": "amina"}],
        "booking_ref": "R1",
        "touchpoint": touchpoint,
        "medium": "chat",
        "unit": "HTL-MAKKAH",
        "attributes": [],
        **said,
    }


async def send(producer: AIOKafkaProducer, settings: Settings, *rows: dict[str, Any]) -> None:
    for value in BatchEncoder("stay", LocalRegistry()).encode(pl.DataFrame(list(rows), schema=STAY)):
        await producer.send(settings.topic("stay"), value)
    await producer.flush()


class Alerts:
    """What cx.alerts says: per id the latest version."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._decoder = BatchDecoder("alert", LocalRegistry())
        self.current: dict[str, dict[str, Any]] = {}

    async def of(self, rule: str, **how: bool) -> list[dict[str, Any]]:
        """Alerts of a rule; closed, acknowledged: whether they must be."""
        for records in (await self._consumer.getmany(timeout_ms=50)).values():
            for row in self._decoder.decode([record.value for record in records]).frame.to_dicts():
                known = self.current.get(row["alert_id"])
                if known is None or row["version"] >= known["version"]:
                    self.current[row["alert_id"]] = row
        return [
            row
            for row in self.current.values()
            if row["rule"] == rule and all((row[f"{name}_at"] is not None) == wanted for name, wanted in how.items())
        ]


@contextlib.asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Alerts]:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.brokers, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(
            [TopicPartition(settings.topic("alerts"), partition) for partition in range(settings.partitions)]
        )
        await consumer.seek_to_beginning()
        yield Alerts(consumer)
    finally:
        await consumer.stop()


async def test_an_arabic_halal_complaint_raises_an_alert_in_time_and_its_resolution_closes_it(
    embedded_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = embedded_broker.settings(topic_prefix, partitions=PARTITIONS, session_timeout=6.0)

    await ensure_topics(settings)
    with worker("enrich", settings, tmp_path), worker("stitch", settings, tmp_path) as stitch:
        async with producing(settings) as producer, reading(settings) as alerts:
            # The workers are up when a first customer's alert is there.
            first = stay(1, "stay.halal_breach", ids=[{"kind": "customer", "value": "warm-up"}])
            await send(producer, settings, first)
            await until(lambda: alerts.of("halal_breach"), PATIENCE, "the workers")

            text = "الطعام لم يكن حلالا، قدموا لنا لحم خنزير. تجربة سيئة جدا"
            await send(producer, settings, stay(2, "stay.complaint_made", text=text, case_id="C1"))

            async def raised() -> list[dict[str, Any]]:
                return [row for row in await alerts.of("halal_breach") if row["customer_id"] == "amina"]

            (alert,) = await until(raised, PATIENCE, "the alert")
            assert (alert["severity"], alert["unit"], alert["journey_id"]) == ("critical", "HTL-MAKKAH", "amina/R1")
            assert alert["closed_at"] is None

            await send(producer, settings, stay(3, "stay.complaint_answered", case_id="C1"))
            await until(lambda: alerts.of("halal_breach", acknowledged=True), PATIENCE, "the acknowledgement")
            await send(producer, settings, stay(4, "stay.complaint_resolved", case_id="C1"))
            (closed,) = await until(lambda: alerts.of("halal_breach", closed=True), PATIENCE, "the closing")
            assert closed["alert_id"] == alert["alert_id"]
            assert closed["raised_at"] == alert["raised_at"]
            stitch.send_signal(signal.SIGTERM)
            assert stitch.wait(HUNG) == 0


async def test_a_case_that_nobody_answers_raises_an_alert_also_after_its_worker_was_killed(
    embedded_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[quick]\nseverity = "low"\nreason = "nobody answered {touchpoint}"\nscope = "case"\nafter = "8s"\n'
        'when = [{ case_roles = ["open"] }]\nclose.case_roles = ["response", "resolve"]\n'
    )
    settings = embedded_broker.settings(
        topic_prefix, partitions=PARTITIONS, session_timeout=6.0, alert_rules=str(rules)
    )

    await ensure_topics(settings)
    with worker("enrich", settings, tmp_path):
        async with producing(settings) as producer, reading(settings) as alerts:
            with worker("stitch", settings, tmp_path) as stitch:
                await send(producer, settings, stay(1, "stay.complaint_made", case_id="C0", booking_ref="R0"))
                await until(lambda: alerts.of("quick"), PATIENCE, "the worker")
                await send(
                    producer,
                    settings,
                    stay(2, "stay.complaint_made", case_id="C1"),
                    stay(3, "stay.complaint_made", case_id="C2"),
                    stay(4, "stay.complaint_answered", case_id="C2"),
                )
                async with Reader(settings, "cases", "case") as cases:

                    async def stored() -> bool:
                        await cases.read()
                        return {"C0", "C1", "C2"} <= {row["case_id"] for _, row in cases.records}

                    await until(stored, PATIENCE, "the cases")
                stitch.kill()
                stitch.wait()
            assert len(alerts.current) == 1
            with worker("stitch", settings, tmp_path):

                async def both() -> bool:
                    return len(await alerts.of("quick")) == 2

                await until(both, PATIENCE, "the alert of the case that was left alone")
                found = {row["reason"]: row for row in await alerts.of("quick", closed=False)}
                assert {*found} == {"nobody answered stay.complaint_made"}
