"""Brokers for tests: one in memory, the embedded one and Apache Kafka, one of each a run; each test has its own topics.

A test of a worker, or of what is built on the transport, asks for `memory_broker`: nobody waits there. One that holds
the transport to its contract asks for `any_broker`, and one about what only a real broker does for `broker`.
"""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streams.embedded.broker import BrokerError, BrokerProcess
from streams.embedded.kafka import Kafka
from streams.embedded.tansu import Tansu
from streams.settings import Settings
from tests.support.memory_broker import MemoryBroker
from tests.support.waiting import until, wait_until

__all__ = ["Broker", "embedded_broker", "kafka_broker", "memory_broker", "until", "wait_until"]

REQUIRE_KAFKA = "RIHLA_REQUIRE_KAFKA"

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Broker:
    """A running broker: its address, whether it is the embedded one, and the process (or what stands for it)."""

    address: str
    embedded: bool
    process: BrokerProcess | MemoryBroker

    def settings(self, prefix: str, **changes: Any) -> Settings:
        """Settings of a worker against this broker."""
        return Settings(brokers=self.address, embedded=self.embedded, prefix=prefix, **changes)


def _running(process: BrokerProcess | MemoryBroker, embedded: bool) -> Iterator[Broker]:
    asyncio.run(process.start())
    try:
        yield Broker(process.address, embedded, process)
    finally:
        asyncio.run(process.stop())


@pytest.fixture(scope="session")
def memory_broker() -> Iterator[Broker]:
    """The broker in memory of this run. For workers it is an Apache Kafka, not the embedded broker."""
    yield from _running(MemoryBroker(), False)


@pytest.fixture(scope="session")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The embedded broker of this run."""
    yield from _running(Tansu(tmp_path_factory.mktemp("tansu") / "broker.log"), True)


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The Apache Kafka of this run; the test is skipped where there is none, unless RIHLA_REQUIRE_KAFKA=1."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "kafka"
    folder.mkdir(exist_ok=True)
    yield from _shared(folder)


def _shared(folder: Path) -> Iterator[Broker]:
    """One Kafka for all processes of a run, as even an idle one takes a twentieth of a core. The first to come starts
    it, and stops it once nobody uses it any more.
    """
    port = folder / "port"
    with (folder / "start").open("w") as start, (folder / "users").open("w") as users:
        fcntl.flock(start, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        if port.exists():
            fcntl.flock(start, fcntl.LOCK_UN)
            process = Kafka(folder, port=int(port.read_text("ascii")))
            yield Broker(process.address, False, process)
            return
        process = Kafka(folder)
        try:
            process.command()
        except BrokerError as exc:
            if os.environ.get(REQUIRE_KAFKA) == "1":
                raise
            pytest.skip(f"no Apache Kafka here: {exc}")
        asyncio.run(process.start())
        try:
            port.write_text(str(process.port), "ascii")
            fcntl.flock(start, fcntl.LOCK_UN)
            yield Broker(process.address, False, process)
            fcntl.flock(users, fcntl.LOCK_EX)  # instead of its own share: once the others have given theirs back
        finally:
            asyncio.run(process.stop())


REAL = ("embedded", pytest.param("kafka", marks=pytest.mark.kafka))


def _named(request: pytest.FixtureRequest) -> Broker:
    found: Broker = request.getfixturevalue(f"{request.param}_broker")
    found.process.check()
    return found


@pytest.fixture(params=REAL)
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each of the two real brokers in turn."""
    return _named(request)


@pytest.fixture(params=["memory", *REAL])
def any_broker(request: pytest.FixtureRequest) -> Broker:
    """Each of the three brokers in turn: for what all of them must do alike."""
    return _named(request)


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test's topics and groups have."""
    return f"t{os.getpid()}-{next(_numbers)}"
