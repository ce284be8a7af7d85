"""A short part of the fault suite, on the whole pipeline; `python -m tests.faults` is the whole (make faults)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from streams.kafka.batch_producer import BatchProducer
from tests.faults import clock
from tests.faults.broken import BREAKS, SHOWN_BY
from tests.faults.failpoints import Failpoint
from tests.faults.proxy import proxy
from tests.faults.suite import faults
from tests.faults.trial import ROOT
from tests.support.brokers import Broker
from tests.support.waiting import HUNG

CUSTOMERS = "150"  # some 1,200 events


def suite(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and last line of one run of the suite: in a process of its own, since it has an engine of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--runs", "1", "--customers", CUSTOMERS, *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=HUNG, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert told["errors"] == 0, done.stderr
    return done.returncode, told


@pytest.mark.long
@pytest.mark.kafka
def test_nothing_is_lost_when_one_worker_of_each_kind_dies_in_mid_batch(kafka_broker: Broker) -> None:
    status, told = suite("--only", "kill-at-points")
    assert (status, told["differences"], told["runs"]) == (0, 0, 1), told
    assert told["events"] > 1000


@pytest.mark.long
@pytest.mark.kafka
def test_partitions_added_to_a_topic_stop_all_workers_and_are_mended(kafka_broker: Broker) -> None:
    status, told = suite("--only", "partitions-added")
    assert (status, told["differences"], told["runs"]) == (0, 0, 1), told


@pytest.mark.long
@pytest.mark.kafka
def test_the_account_shows_what_is_lost(kafka_broker: Broker) -> None:
    status, told = suite("--break", "ack-before-insert")
    assert status == 1
    assert told["differences"] > 0


def test_every_fault_has_a_name_and_every_break_a_fault_that_shows_it() -> None:
    found = faults()
    assert SHOWN_BY.keys() == BREAKS.keys()
    assert set(SHOWN_BY.values()) <= found.keys()
    assert all(name == fault.name for name, fault in found.items())


def test_a_failpoint_waits_for_its_hit_and_happens_once_for_all_lives_of_a_worker(tmp_path: Path) -> None:
    done = tmp_path / "done"
    waits = Failpoint("before-insert", 2, "0.5", done)
    assert [waits.pass_by(point) for point in ("before-insert", "after-insert")] == [0.0, 0.0]
    assert not done.exists()
    assert waits.pass_by("before-insert") == 0.5
    assert done.exists()
    assert Failpoint("before-insert", 1, "kill", done).pass_by("before-insert") == 0.0  # it has died of it before


def test_a_bent_clock_follows_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, plain = tmp_path / "clock", time.time
    monkeypatch.setattr(time, "time", time.time)
    monkeypatch.setattr(time, "time_ns", time.time_ns)
    monkeypatch.setattr(BatchProducer, "send", BatchProducer.send)
    clock.set_ahead(file, 86_400)
    clock.bend({clock.VARIABLE: str(file)})
    assert 86_000 < time.time() - plain() < 87_000


async def test_a_cut_connection_ends_on_both_sides() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionResetError):
            while block := await reader.read(100):
                writer.write(block)
        ended.set()
        writer.close()

    ended = asyncio.Event()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, proxy(server.sockets[0].getsockname()[1]) as way:
        reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        assert (way.cut(), way.cut()) == (2, 0)
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        await asyncio.wait_for(ended.wait(), HUNG)
