"""`rihla forget` on a running pipeline and on a stopped one: nothing of the person is left, the others are exact."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.embedded.broker import BrokerError
from streams.embedded.datadir import Owner
from streams.embedded.kafka import Kafka
from tests.integration.test_up import WITHOUT_EDGES, owner_of, up
from tests.support.brokers import wait_until
from tests.support.exactness import rihla, view_rows
from tests.support.waiting import HUNG, PATIENCE

pytestmark = pytest.mark.slow
COMPACTED = ("identities", "journeys", "customers", "cases")
CHANGELOGS = ("cx-identity-links-changelog", "cx-stitch-state-changelog")


@contextmanager
def pipeline(data: Path, broker: str) -> Iterator[Owner]:
    """A pipeline that runs on the folder while the block does."""
    with up(data, "--broker", broker, *WITHOUT_EDGES) as process:
        yield owner_of(data)
        process.send_signal(signal.SIGINT)
        process.wait(HUNG)


def customers(data: Path) -> int:
    return int(view_rows(data, "SELECT count() AS n FROM customers")[0]["n"])


async def current(brokers: str, topics: list[str]) -> dict[str, dict[bytes, bytes]]:
    """Topic: what compaction leaves of it: the last value of each key, where there is one."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, group_id=None, auto_offset_reset="earliest")
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await consumer.start()
    await admin.start()
    try:
        found: dict[str, dict[bytes, bytes]] = {topic: {} for topic in topics}
        described = await admin.describe_topics(topics)
        every = [TopicPartition(one["topic"], part["partition"]) for one in described for part in one["partitions"]]
        assert {tp.topic for tp in every} == set(topics)
        consumer.assign(every)
        await consumer.seek_to_beginning(*every)
        while chunks := await consumer.getmany(timeout_ms=3000):
            for tp, records in chunks.items():
                for record in records:
                    if record.value is None:
                        found[tp.topic].pop(record.key, None)
                    else:
                        found[tp.topic][record.key] = record.value
        return found
    finally:
        await admin.close()
        await consumer.stop()


def holding(found: dict[str, dict[bytes, bytes]], words: list[bytes]) -> list[tuple[str, bytes]]:
    """(topic, key) of every record in which one of the words is."""
    return [
        (topic, key)
        for topic, records in found.items()
        for key, value in records.items()
        if any(word in key or word in value for word in words)
    ]


def leader_of_a_group(truth: Path, events: Path) -> tuple[str, list[str]]:
    """A customer who travels with others on one booking, begins it, and has many names; and the names."""
    named: dict[str, dict[str, int]] = {}
    for line in events.open("rb"):
        event = json.loads(line)
        of_customer = [one["value"] for one in event.get("ids", ()) if one["kind"] == "customer"]
        if of_customer and event.get("booking_ref"):
            firsts = named.setdefault(event["booking_ref"], {})
            firsts[of_customer[0]] = min(event["occurred_at"], firsts.get(of_customer[0], event["occurred_at"]))
    leads = {min(firsts, key=lambda who: firsts[who]) for firsts in named.values() if len(firsts) > 1}
    records = [json.loads(line) for line in truth.open("rb")]
    people = [record for record in records if record["record"] == "customer" and record["customer_id"] in leads]
    every = {one["value"] for record in records if record["record"] == "customer" for one in record["identifiers"]}
    people = [  # whose names do not stand in other names, so that they can be looked for in bytes
        record
        for record in people
        if not any(one["value"] in other != one["value"] for one in record["identifiers"] for other in every)
    ]
    chosen = max(people, key=lambda record: (len(record["identifiers"]), record["interactions"]))
    return chosen["customer_id"], [one["value"] for one in chosen["identifiers"]]


@pytest.mark.parametrize("broker", ["tansu", pytest.param("kafka", marks=pytest.mark.kafka)])
def test_a_person_is_forgotten_while_events_flow(tmp_path: Path, broker: str) -> None:
    if broker == "kafka":
        try:
            Kafka(tmp_path / "kafka").command()
        except BrokerError as error:
            pytest.skip(f"no Apache Kafka here: {error}")
    events, truth, data = tmp_path / "events.jsonl", tmp_path / "truth.jsonl", tmp_path / "data"
    rihla("simulate", "--customers", "150", "--seed", "5", "--duplicates", "0.2", "--disorder", "1",
          "--out", str(events), "--truth", str(truth))  # fmt: skip
    there = sum(json.loads(line)["record"] == "customer" for line in truth.open("rb"))
    person, values = leader_of_a_group(truth, events)
    words = [value.encode() for value in values]
    with pipeline(data, broker) as owner:
        rihla("produce", str(events), "--data", str(data))
        wait_until(lambda: customers(data) == there, PATIENCE, "all customers")
        before = asyncio.run(current(str(owner.brokers), [f"cx.{name}" for name in COMPACTED] + [*CHANGELOGS]))
        assert {topic for topic, _ in holding(before, words)} >= {"cx.identities", *CHANGELOGS}

        told = rihla("forget", person, "--data", str(data), "--reference", "ticket 1").decode()
        assert "no table holds a name" in told
        after = asyncio.run(current(str(owner.brokers), list(before)))
        assert holding(after, words) == []
        rihla("verify", "--data", str(data))

        rihla("produce", str(events), "--data", str(data))  # all of it again, the person's events too
        rihla("verify", "--data", str(data))
        assert _receipt(data, words)["later_events"] == "refuse"
        assert customers_named(data, values) == []
    if broker == "kafka":
        return
    with pipeline(data, broker):  # state is rebuilt from the tables, and erasures with it
        rihla("verify", "--data", str(data))
        rihla("produce", str(events), "--data", str(data))
        rihla("verify", "--data", str(data))
        assert customers_named(data, values) == []


def test_a_stopped_pipeline_forgets_and_lets_somebody_begin_anew(tmp_path: Path) -> None:
    data = tmp_path / "data"
    event: dict[str, Any] = {"channel": "booking", "touchpoint": "booking.searched", "medium": "web"}
    carla = [{"kind": "customer", "value": "CARLA77"}, {"kind": "device", "value": "phone-of-carla"}]
    omar = [{"kind": "customer", "value": "OMAR88"}]
    uuid = "10000000-0000-4000-8000-00000000000"
    first = {**event, "event_id": f"{uuid}1", "occurred_at": "2024-01-01T00:00:00Z", "ids": carla}
    other = {**event, "event_id": f"{uuid}2", "occurred_at": "2024-01-02T00:00:00Z", "ids": omar}
    old = write(tmp_path / "old.jsonl", [first, other])
    rihla("run", old, "--data", str(data))
    rihla("forget", "device:phone-of-carla", "--data", str(data), "--later-events", "anew")
    assert _receipt(data, [b"CARLA77", b"phone-of-carla"])["kinds"] == {"customer": 1, "device": 1}

    rihla("run", old, "--data", str(data))  # exit 0: what is refused is accounted for
    assert customers_named(data, ["CARLA77", "phone-of-carla"]) == []
    assert customers(data) == 1
    until = _receipt(data, [])["refused_until"]
    later = {**first, "event_id": f"{uuid}3", "occurred_at": until + 1}
    rihla("run", write(tmp_path / "new.jsonl", [first, later]), "--data", str(data))
    (row,) = customers_named(data, ["CARLA77"])
    assert (row["interactions"], row["first_event_at"]) == (1, until + 1)


def write(file: Path, events: list[dict[str, Any]]) -> str:
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    return str(file)


def customers_named(data: Path, values: list[str]) -> list[dict[str, Any]]:
    names = ", ".join(f"'{value}'" for value in values)
    return view_rows(data, f"SELECT * FROM customers WHERE arrayExists(one -> one.value IN ({names}), identifiers)")


def _receipt(data: Path, words: list[bytes]) -> dict[str, Any]:
    """The one receipt, which must not name anybody."""
    (row,) = view_rows(data, "SELECT * FROM erasures")
    assert row["done_at"] is not None
    assert not any(word in json.dumps(row).encode() for word in words)
    return row
