"""The writer against the real engine, with faults between them."""

from __future__ import annotations

import asyncio
import threading

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from sinks.clickhouse.client import connect
from sinks.clickhouse.errors import ClickHouseUnavailableError
from sinks.clickhouse.tables import TABLES
from sinks.clickhouse.writer import LONGEST_PAUSE, FinalInsertError, Rejected, Retry, Writer
from streams.embedded.clickhouse.http_interface import Served
from tests.support.clickhouse import ClickHouse, Faults
from tests.support.sink_rows import NOON, frame, journey
from tests.support.waiting import HUNG


class Journal:
    """Retries as reported, and the pauses that were asked for, which take no time."""

    def __init__(self) -> None:
        self.retries: list[Retry] = []
        self.pauses: list[float] = []

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


def journeys(count: int) -> pl.DataFrame:
    return frame("journey", *(journey("c", f"B{number}", NOON, NOON) for number in range(count)))


def writer(url: str, database: str, journal: Journal, topic: str = "journeys") -> Writer:
    return Writer(lambda: connect(url, database), TABLES[topic], on_retry=journal.retries.append, pause=journal.pause)


@pytest.mark.parametrize(
    "fault", ["lost before", "lost after", "bad gateway", "159", "202", "241", "242", "252", "319", "999"]
)
def test_passing_trouble_ends_in_one_copy(clickhouse: ClickHouse, faulty: Served, faults: Faults, fault: str) -> None:
    clickhouse.migrated()
    faults.plan = [fault] * 3
    journal = Journal()
    assert asyncio.run(writer(faulty.url, clickhouse.database, journal).write(journeys(100), 1)) == 100
    assert clickhouse.rows("SELECT count(), uniqExact(journey_id) FROM journeys") == [(100, 100)]
    # clickhouse-connect itself tries once more when a connection breaks, so fewer failures may reach the writer.
    assert 1 <= len(journal.retries) <= 3
    assert [retry.attempt for retry in journal.retries] == list(range(1, len(journal.retries) + 1))
    assert faults.plan == []


def test_pauses_grow_up_to_a_limit(clickhouse: ClickHouse, faulty: Served, faults: Faults) -> None:
    clickhouse.migrated()
    faults.plan = ["252"] * 12
    journal = Journal()
    asyncio.run(writer(faulty.url, clickhouse.database, journal).write(journeys(1), 1))
    assert len(journal.pauses) == 12
    assert journal.pauses[0] <= 0.2
    assert journal.pauses[2] > journal.pauses[0]
    assert LONGEST_PAUSE / 2 <= journal.pauses[-1] <= LONGEST_PAUSE
    assert [retry.pause for retry in journal.retries] == journal.pauses


def test_nothing_there_at_first(clickhouse: ClickHouse) -> None:
    """ClickHouse may come up after the worker."""
    clickhouse.migrated()
    journal = Journal()
    clients: list[Client] = []

    def later() -> Client:
        if len(journal.pauses) < 4:
            raise ClickHouseUnavailableError("not yet")
        clients.append(clickhouse.connect())
        return clients[-1]

    patient = Writer(later, TABLES["journeys"], on_retry=journal.retries.append, pause=journal.pause)
    asyncio.run(patient.write(journeys(3), 1))
    assert (len(journal.retries), len(clients)) == (4, 1)
    assert clickhouse.rows("SELECT count() FROM journeys") == [(3,)]


def test_waiting_can_be_cancelled(clickhouse: ClickHouse, faulty: Served, faults: Faults) -> None:
    clickhouse.migrated()
    faults.plan = ["252"] * 1000

    async def run() -> None:
        waiting = asyncio.Event()
        patient = Writer(
            lambda: connect(faulty.url, clickhouse.database), TABLES["journeys"], on_retry=lambda _: waiting.set()
        )
        task = asyncio.create_task(patient.write(journeys(3), 1))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert clickhouse.rows("SELECT count() FROM journeys") == [(0,)]


def test_a_refusal_that_is_not_the_rows_fault_is_not_split(
    clickhouse: ClickHouse, faulty: Served, faults: Faults
) -> None:
    journal = Journal()
    unmigrated = writer(faulty.url, clickhouse.database, journal)
    with pytest.raises(FinalInsertError, match="UNKNOWN_TABLE") as raised:
        asyncio.run(unmigrated.write_splitting(journeys(8), 1))
    assert not raised.value.rows_at_fault
    assert (faults.inserts, journal.retries) == (1, [])


def test_splitting_finds_the_rows_at_fault(clickhouse: ClickHouse, faulty: Served, faults: Faults) -> None:
    """The table itself refuses two of 1,000 rows; all others are stored, in few inserts."""
    clickhouse.migrated()
    clickhouse.client.command("ALTER TABLE journeys_store ADD CONSTRAINT c CHECK journey_id NOT IN ('c/B17', 'c/B999')")
    journal = Journal()
    rejected = asyncio.run(writer(faulty.url, clickhouse.database, journal).write_splitting(journeys(1000), 1))
    assert [reject.row for reject in rejected] == [17, 999]
    assert all(isinstance(reject, Rejected) and "VIOLATED_CONSTRAINT" in reject.error for reject in rejected)
    assert clickhouse.rows("SELECT count() FROM journeys") == [(998,)]
    assert faults.inserts <= 45
    assert journal.retries == []


def test_a_row_refused_in_passing_trouble_is_not_lost(clickhouse: ClickHouse, faulty: Served, faults: Faults) -> None:
    clickhouse.migrated()
    clickhouse.client.command("ALTER TABLE journeys_store ADD CONSTRAINT c CHECK journey_id != 'c/B3'")
    faults.plan = ["252", "", "lost after", "319", "", "lost before", "bad gateway"]
    rejected = asyncio.run(writer(faulty.url, clickhouse.database, Journal()).write_splitting(journeys(16), 1))
    assert [reject.row for reject in rejected] == [3]
    assert clickhouse.rows("SELECT count() FROM journeys") == [(15,)]


def test_write_raises_for_rows_at_fault(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    clickhouse.client.command("ALTER TABLE journeys_store ADD CONSTRAINT c CHECK journey_id != 'c/B3'")
    with pytest.raises(FinalInsertError, match=r"journeys_store: .*VIOLATED_CONSTRAINT") as raised:
        clickhouse.write("journeys", journeys(16))
    assert raised.value.rows_at_fault


def test_a_frame_of_another_form_is_refused(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    with pytest.raises(FinalInsertError) as raised:
        clickhouse.write("journeys", pl.DataFrame({"x": [1]}))
    assert raised.value.rows_at_fault


def test_empty_batches_cost_nothing(clickhouse: ClickHouse, faulty: Served, faults: Faults) -> None:
    journal = Journal()
    assert asyncio.run(writer(faulty.url, clickhouse.database, journal).write(journeys(0), 1)) == 0
    assert asyncio.run(writer(faulty.url, clickhouse.database, journal).write_splitting(journeys(0), 1)) == []
    assert faults.inserts == 0


def test_a_table_that_hangs_holds_up_no_other(clickhouse: ClickHouse) -> None:
    """Each writer has a thread of its own, however many of them are stuck."""
    clickhouse.migrated()
    released = threading.Event()

    def hang() -> Client:
        released.wait(HUNG)
        return clickhouse.connect()

    async def run() -> None:
        stuck = [asyncio.create_task(Writer(hang, TABLES["journeys"]).write(journeys(1), 1)) for _ in range(40)]
        await Writer(clickhouse.connect, TABLES["journeys"]).write(journeys(3), 1)
        assert not any(task.done() for task in stuck)
        released.set()
        await asyncio.gather(*stuck)

    asyncio.run(run())
    assert clickhouse.rows("SELECT count() FROM journeys") == [(3,)]
