"""Whatever stage of a worker raises at a record, the record becomes a dead letter, and its neighbours and the worker go
on; what is left out is left out of all tables, and verify knows it; a replay after the mending brings it in."""

from __future__ import annotations

import json
import signal
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.dead_letters.replay import Choice
from streams.dead_letters.resend import replay
from streams.embedded.clickhouse.access import OWNER
from streams.embedded.clickhouse.http_interface import Served
from streams.sources import jsonl
from streams.verify.topics import read
from streams.verify.verify import verify
from tests.faults import raising
from tests.faults import world as worlds
from tests.faults.raising import STAGES
from tests.faults.world import KINDS, PATIENCE, World, page, sample, world
from tests.support.brokers import Broker, until
from tests.support.clickhouse import url_as

pytestmark = pytest.mark.slow

NEIGHBOURS = 3


def made(number: int, name: str, hours_ago: float = 30 * 24, **changes: Any) -> tuple[str, dict[str, Any]]:
    """A stay's event of the customer of that name."""
    event = {
        "channel": "stay",
        "event_id": str(UUID(int=number)),
        "occurred_at": datetime.fromtimestamp(time.time() - hours_ago * 3600, UTC).isoformat(),
        "ids": [{"kind": "customer", "value": name}],
        "booking_ref": f"B-{name}",
        "touchpoint": "stay.arrived",
        "medium": "web",
        **changes,
    }
    return str(event["event_id"]), event


def poisoned() -> dict[str, dict[str, Any]]:
    """An event for each stage; by the stage's name."""
    stages = [stage for worker in KINDS for stage in STAGES[worker]]
    events = {}
    for number, stage in enumerate(stages):
        changes: dict[str, Any] = {"unit": stage}
        if stage in ("raise-at-sending", "raise-at-link", "raise-at-identity"):
            ids = [{"kind": "customer", "value": "of-links"}, {"kind": "device", "value": stage}]
            changes = {"ids": ids}
        elif stage == "raise-at-journey":
            changes = {"booking_ref": stage}
        elif stage == "raise-at-score":
            changes = {"text": f"{stage}: the room was dirty"}
        elif stage == "raise-at-timer":
            changes = {"ids": [{"kind": "customer", "value": stage}], "touchpoint": "stay.complaint_made"}
        hours = 30 if stage == "raise-at-timer" else 700
        _, events[stage] = made(9000 + number, name_of(stage), hours, **changes)
    return events


def name_of(stage: str) -> str:
    """A customer for a stage, at whose name it does not raise."""
    return stage.removeprefix("raise-")


async def send(world: World, events: list[dict[str, Any]]) -> None:
    (batch,) = jsonl.parse([(0, [json.dumps(event).encode() for event in events])], "test")
    await world.send("stay", [None] * len(events), BatchEncoder("stay", LocalRegistry()).encode(batch.frame))


async def unprocessable(world: World, worker: str) -> dict[str, float]:
    """What the metric of a worker says, by stage."""
    found: dict[str, float] = {}
    for address in world.addresses()[worker]:
        text = await page(f"{address}/metrics")
        assert text is not None
        for stage in ("decode", "enrich", "link", "fold", "insert", "timer", "state"):
            found[stage] = found.get(stage, 0) + sample(text, "rihla_unprocessable_total", worker=worker, stage=stage)
    return {stage: count for stage, count in found.items() if count}


def verified(world: World, log: Any = None) -> list[Any]:
    return verify(world.client, log).differences.rows()


async def test_a_stage_that_raises_costs_its_record_and_nothing_else(
    embedded_broker: Broker, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worlds, "CUSTOMERS", 5)
    bad = poisoned()
    good = [
        event
        for at, stage in enumerate(bad)
        for _, event in (made(100 + 10 * at + n, name_of(stage), 700 - n) for n in range(NEIGHBOURS))
    ]

    async with world(
        embedded_broker.address, 1, clickhouse=url_as(OWNER, served.url), embedded=True, partitions=1
    ) as here:
        for kind in KINDS:
            await here.start(kind, **{raising.VARIABLE: kind})
        await here.reading()
        good.append(made(1, "of-today", 0.1)[1])  # by which the clock of timers goes
        await send(here, [*good[::2], *bad.values(), *good[1::2]])

        async def timed() -> bool:
            return "timer" in await unprocessable(here, "stitch")

        await until(timed, PATIENCE, "a timer to raise")
        await here.settled()
        assert here.deaths == []

        letters = here.client.query(
            "SELECT topic, reason, detail, count() FROM dead_letters GROUP BY 1, 2, 3 ORDER BY 1, 3"
        ).result_rows
        assert {reason for _, reason, *_ in letters} == {"unprocessable"}
        assert all("raised RaisedError (" in detail and "raise-" not in detail for _, _, detail, _ in letters)
        by_topic: dict[str, int] = {}
        for topic, _, _, count in letters:
            by_topic[topic.partition(".")[2]] = by_topic.get(topic.partition(".")[2], 0) + count
        # enrich refuses four events; stitch four interactions, and the sink two others; identity two links
        assert by_topic == {"stay": 4, "interactions": 6, "links": 2}
        assert await unprocessable(here, "enrich") == {"enrich": 4}
        assert await unprocessable(here, "identity") == {"link": 2}
        assert await unprocessable(here, "stitch") == {"decode": 1, "fold": 3, "timer": 1}
        assert await unprocessable(here, "sink") == {"decode": 1, "insert": 1}

        rows = here.client.query("SELECT customer_id, interactions FROM journeys ORDER BY 1").result_rows
        folded = {"raise-at-timer", "raise-at-row", "raise-at-insert"}
        for stage in bad:
            if stage != "raise-at-timer" and "link" not in stage and stage != "raise-at-identity":
                assert (name_of(stage), NEIGHBOURS + (stage in folded)) in rows, stage
        stored = {row[0] for row in here.client.query("SELECT DISTINCT unit FROM interactions").result_rows}
        assert not stored & {*bad}, "in no table"
        assert verified(here) == []
        log = await read(here.settings)
        assert verified(here, lambda: log) == []

        # The defects are mended: workers are started anew, and the letters are sent again.
        for child in here.children():
            del child.spec.environment[raising.VARIABLE]  # type: ignore[attr-defined]
            here.kill(child, signal.SIGTERM)
        sent = await replay(here.client, here.settings, Choice())
        assert sent.total == 12
        await here.stored(len(good) + len(bad))
        await here.reading()
        await here.settled(looks=6)
        assert here.client.command("SELECT count() FROM interactions") == len(good) + len(bad)
        assert here.client.command("SELECT count() FROM left_out") == 0
        assert here.client.command("SELECT count() FROM dead_letters") == 12
        assert verified(here) == []
