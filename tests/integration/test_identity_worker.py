"""The identity worker on real brokers: in whatever order links come and wherever it dies, cx.identities ends exact."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.embedded.tether import tethered
from streams.identity.graph import Link
from streams.kafka.partitioner import partitions_of
from streams.kafka.topics import ensure_topics
from streams.model.identifiers import customer_id
from streams.model.subjects import LINK_SCHEMA
from streams.settings import Settings
from streams.verify.identity import Identity, who_is_who
from tests.support.brokers import Broker, until
from tests.support.waiting import HUNG, PATIENCE

PARTITIONS = 2


@contextmanager
def identity_worker(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`rihla worker identity` as a process of its own; killed at the end if it still runs."""
    environment = {
        **os.environ,
        "RIHLA_PREFIX": settings.prefix,
        "RIHLA_EMBEDDED": str(settings.embedded).lower(),
        "RIHLA_MAX_POLL_RECORDS": str(settings.max_poll_records),
        "RIHLA_SESSION_TIMEOUT": str(settings.session_timeout),
    }
    command = [sys.executable, "-m", "streams.cli", "worker", "identity", "--brokers", settings.brokers]
    with log.open("ab") as output:
        process = subprocess.Popen(
            tethered([*command, "--metrics-port", "0"]), env=environment, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=settings.brokers, acks="all")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send(producer: AIOKafkaProducer, settings: Settings, links: Sequence[Link]) -> None:
    """Write links as enrich does."""
    frame = pl.DataFrame(links, schema=LINK_SCHEMA, orient="row")
    values = BatchEncoder("link", LocalRegistry()).encode(frame)
    for (subject, _, _), value in zip(links, values, strict=True):
        await producer.send(settings.topic("links"), value, key=subject.encode(), partition=0)
    await producer.flush()


class Reader:
    """A topic's records; of identities also what a table says: per key the highest version, of equal ones the last."""

    def __init__(self, settings: Settings, topic: str, record: str) -> None:
        self._topic = settings.topic(topic)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.brokers, group_id=None, auto_offset_reset="earliest"
        )
        self._decoder = BatchDecoder(record, LocalRegistry())
        self.records: list[tuple[Any, dict[str, Any]]] = []

    async def __aenter__(self) -> Reader:
        await self._consumer.start()
        self._consumer.assign([TopicPartition(self._topic, partition) for partition in range(PARTITIONS)])
        await self._consumer.seek_to_beginning()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._consumer.stop()

    async def read(self) -> None:
        """Take in what is there."""
        for records in (await self._consumer.getmany(timeout_ms=100)).values():
            decoded = self._decoder.decode([record.value for record in records])
            assert not decoded.errors
            self.records += zip(records, decoded.frame.to_dicts(), strict=True)

    async def found(self, count: int = 1) -> bool:
        """Whether there are so many records by now."""
        await self.read()
        return len(self.records) >= count

    def current(self) -> dict[str, Identity]:
        """What cx.identities says now."""
        latest: dict[str, dict[str, Any]] = {}
        for record, row in self.records:
            name = f"{row['kind']}:{row['value']}"
            assert record.key == name.encode()
            assert record.partition == partitions_of([record.key], PARTITIONS)[0]
            assert row["customer_id"] == customer_id(row["root"])
            if name not in latest or row["version"] >= latest[name]["version"]:
                latest[name] = row
        return {name: Identity(row["root"], row["shared"]) for name, row in latest.items()}

    async def says(self, expected: dict[str, Identity]) -> bool:
        """Whether the table is now this one."""
        await self.read()
        return self.current() == expected


def population(seed: int, size: int) -> list[Link]:
    """Links of a small world with shared devices, chains between customers, and bookings; not in order of time."""
    rng = random.Random(seed)
    people = [f"{kind}:{n}" for kind in ("customer", "loyalty", "email_sha256", "device") for n in range(size // 8)]
    links: list[Link] = []
    for at in range(size):
        booking = f"booking_ref:R{rng.randrange(size // 20)}"
        kiosk = "device:kiosk"
        one, other = rng.sample(people, 2)
        links += rng.choice([[(one, other, at)], [(one, kiosk, at)], [(one, booking, at)], [(booking, booking, at)]])
    return rng.sample(links, len(links)) + rng.sample(links, len(links) // 4)


async def test_identities_are_exact_whatever_happens_to_the_worker(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    """Killed once it has begun to publish, stopped, started again: the last word on everybody is that of all links."""
    settings = broker.settings(topic_prefix, partitions=PARTITIONS, max_poll_records=40, session_timeout=6.0)
    log = tmp_path / "worker.log"
    links = population(1, 600)
    parts = [links[:200], links[200:450], links[450:]]

    await ensure_topics(settings)
    async with producing(settings) as producer, Reader(settings, "identities", "identity") as reader:
        await send(producer, settings, parts[0])
        with identity_worker(settings, log) as worker:
            await until(reader.found, PATIENCE, "the first identities")
            worker.kill()
        await send(producer, settings, parts[1])
        with identity_worker(settings, log) as worker:
            await until(lambda: reader.says(who_is_who(parts[0] + parts[1])), PATIENCE, "the first two parts")
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(HUNG) == 0
        with identity_worker(settings, log):
            await send(producer, settings, parts[2])
            await until(lambda: reader.says(who_is_who(links)), PATIENCE, "all of it")
        assert max(row["version"] for _, row in reader.records) <= len(links)


async def test_what_is_no_link_goes_to_dead_letters_and_the_rest_is_taken(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = broker.settings(topic_prefix, partitions=PARTITIONS, session_timeout=6.0)
    links: list[Link] = [("customer:1", "device:d", 1), ("booking_ref:R", "device:d", 1), ("customer:1", "nothing", 1)]

    await ensure_topics(settings)
    async with producing(settings) as producer, Reader(settings, "dead-letters", "dead_letter") as letters:
        await producer.send(settings.topic("links"), b"\xc3\x01 no such schema", partition=0)
        await producer.send(settings.topic("links"), None, key=b"customer:1", partition=0)
        await send(producer, settings, links)
        async with Reader(settings, "identities", "identity") as reader:
            with identity_worker(settings, tmp_path / "worker.log"):
                await until(lambda: reader.says(who_is_who(links[:1])), PATIENCE, "the good link")
                await until(lambda: letters.found(4), PATIENCE, "dead letters")
        found = {row["offset"]: (row["reason"], row["topic"], row["payload"][:2]) for _, row in letters.records}
        bad = "undecodable", settings.topic("links")
        assert found == {0: (*bad, b"\xc3\x01"), 1: (*bad, b""), 3: (*bad, b"\xc3\x01"), 4: (*bad, b"\xc3\x01")}
