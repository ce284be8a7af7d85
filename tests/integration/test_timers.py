"""Timers of two stitch workers: pending ones move when a worker joins and when one is killed; each goes off once."""

from __future__ import annotations

import contextlib
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from aiokafka import AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.clock import now_ms
from streams.embedded.ports import free_ports
from streams.kafka.batch_producer import BatchProducer
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from tests.integration.test_alerts import PATIENCE, Alerts, reading, worker
from tests.support.alert_worlds import HOUR, INTERACTION, NOW, event
from tests.support.brokers import Broker, until
from tests.support.waiting import HUNG
from tests.support.workers import producing

RULES = """
[unanswered]
severity = "high"
reason = "nobody answered {touchpoint}"
scope = "case"
after = "1h"
when = [{ case_roles = ["open"] }]
close.case_roles = ["response", "resolve"]
"""
CASES = 18  # in each of two rounds; a third of them is answered
DUE_IN = 10_000  # ms from a complaint's arrival to its timer: long enough for what happens to the workers meanwhile


def complaint(number: int, due: int, touchpoint: str = "stay.complaint_made") -> dict[str, Any]:
    """Of a customer of its own, in a case of its own; due: when its timer goes off, epoch ms."""
    at = due - HOUR - NOW + (1 if touchpoint != "stay.complaint_made" else 0)
    row = event(number, at, touchpoint, subject=f"customer:c{number % 1000}", case_id=f"C{number % 1000}")
    return {**row, "ids": [{"kind": "customer", "value": f"c{number % 1000}"}]}


async def send(producer: AIOKafkaProducer, settings: Settings, rows: list[dict[str, Any]]) -> None:
    output = BatchProducer(producer, settings.topic("interactions"))
    values = BatchEncoder("interaction", LocalRegistry()).encode(pl.DataFrame(rows, schema=INTERACTION))
    await output.send([row["subject"].encode() for row in rows], values)
    await output.flush()


class Worker:
    """A stitch worker and what it tells Prometheus."""

    def __init__(self, process: Any, port: int) -> None:
        self.process, self._url = process, f"http://127.0.0.1:{port}/metrics"

    def metric(self, name: str) -> float:
        """The sum of a metric's series; 0 while there is no answer."""
        try:
            with urllib.request.urlopen(self._url, timeout=HUNG) as answer:
                families = list(text_string_to_metric_families(answer.read().decode()))
        except OSError:
            return 0.0
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)


@contextlib.contextmanager
def stitch(settings: Settings, folder: Path, name: str) -> Iterator[Worker]:
    (folder / name).mkdir()
    port = free_ports(1)[0]
    with worker("stitch", settings, folder / name, port) as process:
        yield Worker(process, port)


async def test_pending_timers_survive_a_join_and_a_kill_and_go_off_once(
    memory_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    settings = memory_broker.settings(topic_prefix, partitions=4, session_timeout=6.0, alert_rules=str(rules))
    due_at: dict[str, int] = {}

    await ensure_topics(settings)
    async with producing(settings) as producer, reading(settings) as alerts:

        async def round_of(first: int, workers: list[Worker], everyone_busy: bool) -> None:
            """Complaints, a third of them answered; returns while the timers of the others are pending."""
            due = now_ms() + DUE_IN
            numbers = range(first, first + CASES)
            await send(producer, settings, [complaint(number, due) for number in numbers])
            answered = [
                complaint(1000 + number, due, "stay.complaint_answered") for number in numbers if number % 3 == 0
            ]
            await send(producer, settings, answered)
            due_at.update({f"c{number}": due for number in numbers if number % 3})

            def pending() -> bool:
                each = [one.metric("rihla_timers_pending") for one in workers]
                return sum(each) == CASES * 2 // 3 and (all(each) or not everyone_busy)

            async def seen() -> bool:  # on a machine so slow that they have gone off, what follows comes later
                return pending() or await raised(alerts) >= due_at.keys()

            await until(seen, PATIENCE, "the timers")

        with stitch(settings, tmp_path, "a") as a:
            await round_of(0, [a], everyone_busy=True)
            with stitch(settings, tmp_path, "b") as b:  # joins while timers are pending
                await until(lambda: raised_all(alerts, due_at), PATIENCE, "the alerts of the first round")
                await until(lambda: b.metric("rihla_alerts_open") > 0, PATIENCE, "partitions of the second worker")
                await round_of(100, [a, b], everyone_busy=True)
                a.process.kill()
                a.process.wait()
                await until(lambda: raised_all(alerts, due_at), PATIENCE, "the alerts of the second round")
                count = len(due_at)
                await until(lambda: b.metric("rihla_alerts_open") == count, PATIENCE, "all of them where they are now")
                closing = [
                    complaint(2000 + n, due_at[f"c{n}"], "stay.complaint_resolved") for n in range(CASES) if n % 3
                ]
                await send(producer, settings, closing)
                left = count - len(closing)
                await until(lambda: b.metric("rihla_alerts_open") == left, PATIENCE, "the closing")
                await until(lambda: b.metric("rihla_alerts_closed_total") == len(closing), PATIENCE, "its count")
                assert b.metric("rihla_timer_delay_seconds_count") > 0
        per_customer = Counter(row["customer_id"] for row in alerts.current.values())
        assert per_customer == dict.fromkeys(due_at, 1)
        assert all(row["raised_at"] >= due_at[row["customer_id"]] for row in alerts.current.values())
        late = sorted(row["raised_at"] - due_at[row["customer_id"]] for row in alerts.current.values())
        print(f"{len(late)} timers, late by {late[0]} to {late[-1]} ms, median {late[len(late) // 2]} ms")


async def raised(alerts: Alerts) -> set[str]:
    return {row["customer_id"] for row in await alerts.of("unanswered")}


async def raised_all(alerts: Alerts, due_at: dict[str, int]) -> bool:
    return await raised(alerts) >= due_at.keys()
