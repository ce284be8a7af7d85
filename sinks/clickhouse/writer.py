"""Writes batches into one ClickHouse table and returns once they are stored.

Delivery, step by step: the batch becomes Arrow (`tables.to_arrow`), goes out as one INSERT, and `write` returns when
ClickHouse has acknowledged it. Failure by failure:

- No connection, ClickHouse restarts or is overloaded: tried again, with growing pauses, for as long as it takes.
- The connection breaks after the rows were sent (unknown outcome): tried again. If the first one was stored
  after all, the rows are there twice, with the same key and version; the exact views show them once.
- The task is cancelled: an insert under way may still be stored; to write the batch again is harmless.
- ClickHouse refuses the rows: FinalInsertError; `write_splitting` finds the rows at fault and stores the others.
- ClickHouse refuses us (user, password, certificate, database): tried again, too, until a person has acted.
- ClickHouse refuses for another reason (no such table, access denied): FinalInsertError; a person must act.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache

import polars as pl
import pyarrow as pa
from clickhouse_connect.driver.client import Client

from sinks.clickhouse.arrow_body import ArrowBody
from sinks.clickhouse.errors import in_short, is_data_error, is_for_a_person, is_retriable
from sinks.clickhouse.quoting import identifier
from sinks.clickhouse.tables import Table, to_arrow
from streams.worker.sift import Sieve, described, is_of_record

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.2
"""Seconds before the second attempt; it doubles from there."""
LONGEST_PAUSE = 30.0
"""Seconds; no pause is longer, so that work goes on soon after ClickHouse is back."""

INSERT_SETTINGS = {
    # Acknowledged means stored, whatever the user's profile says.
    "async_insert": "0",
    "wait_end_of_query": "1",
    # By its former name, which every release knows: of a table in front of shards, once they have the rows.
    "insert_distributed_sync": "1",
    # A replicated table would drop a repeated insert, and not give it to materialised views, which may lack it.
    "insert_deduplicate": "0",
    # A batch has hardly any key twice, and FINAL removes those duplicates. This saves a third of an insert's CPU.
    "optimize_on_insert": "0",
}


class FinalInsertError(Exception):
    """ClickHouse refused an insert and will refuse it again.

    rows_at_fault: some row of the batch cannot be stored (else the set-up is wrong: no such table, access denied).
    raised: what our own code raised, before anything was sent; None where ClickHouse refused.
    """

    def __init__(self, message: str, *, rows_at_fault: bool, raised: BaseException | None = None) -> None:
        super().__init__(message)
        self.rows_at_fault, self.raised = rows_at_fault, raised


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be stored: its position in the frame, and the error.

    raised: what our own code raised; None where ClickHouse refused.
    """

    row: int
    error: str
    raised: BaseException | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Retry:
    """An attempt that failed: the error, how many have failed in a row, and the pause before the next, in seconds."""

    error: BaseException
    attempt: int
    pause: float


class Writer:
    """Writes frames into `table`, one at a time.

    connect: makes a client whose database has the table (see `client.connect`); called in a thread, at first use.
    on_retry: called for every failed attempt that is going to be repeated (metrics, logs).
    mark: called with the rows of every attempt, returns those to send (with a column of its own); in the thread.
    pause: how it waits, asyncio.sleep; tests pass another.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        table: Table,
        *,
        on_retry: Callable[[Retry], None] | None = None,
        mark: Callable[[pa.Table], pa.Table] | None = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.table = table
        self._connect = connect
        self._client: Client | None = None
        self._body: ArrowBody | None = None
        self._on_retry, self._mark = on_retry, mark
        self._pause = pause
        # A thread of its own: a table that hangs must not take the threads of the others.
        self._thread = ThreadPoolExecutor(1, f"write-{table.store}")

    async def write(self, frame: pl.DataFrame, epoch: int, headers: dict[str, str] | None = None) -> int:
        """Store a batch in the frame form of the table's schema; returns the number of rows sent, once they are stored.

        headers: further ones of the request, as those by which a trace goes on in ClickHouse.

        Never gives up on errors that can pass; cancel the task to stop it. Raises FinalInsertError.
        """
        if frame.is_empty():
            return 0
        attempt = 0
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._insert, frame, epoch, headers
                )
            except FinalInsertError:
                raise
            except Exception as error:
                if not is_retriable(error) and not is_for_a_person(error):
                    at_fault = is_data_error(error)
                    raise FinalInsertError(f"{self.table.store}: {in_short(error)}", rows_at_fault=at_fault) from error
                attempt += 1
                longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt - 1, 20))
                retry, why = Retry(error, attempt, longest * random.uniform(0.5, 1.0)), in_short(error)
            log.warning("%s: attempt %d failed, next in %.1f s: %s", self.table.store, attempt, retry.pause, why)
            if self._on_retry is not None:
                self._on_retry(retry)
            await self._pause(retry.pause)

    async def write_splitting(self, frame: pl.DataFrame, epoch: int) -> list[Rejected]:
        """Store as much of a batch as possible: where ClickHouse refuses rows, halve the batch until the faulty ones
        are found.

        One bad row in n costs about 2 log2(n) inserts. Returns the rows that were left out, in order.
        Raises FinalInsertError when the rows are not at fault.
        """
        rejected: list[Rejected] = []
        sieve = Sieve(frame.height)
        while (some := sieve.next()) is not None:
            try:
                await self.write(frame.slice(some.start, len(some)), epoch)
            except FinalInsertError as error:
                if not error.rows_at_fault:
                    raise
                sieve.failed(some, error)
                if len(some) == 1:
                    rejected.append(Rejected(some.start, str(error), error.raised))
        return rejected

    def close(self) -> None:
        """Drop the connection, once an insert under way is done; the writer cannot be used again."""
        self._thread.submit(self._disconnect)
        self._thread.shutdown(wait=False)

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _insert(self, frame: pl.DataFrame, epoch: int, headers: dict[str, str] | None) -> int:
        try:
            arrow = to_arrow(frame, self.table, epoch)
        except BaseException as error:  # Polars' panics are no Exceptions
            if not is_of_record(error):
                raise
            said = isinstance(
                error, (pl.exceptions.PolarsError, pa.ArrowException)
            )  # that a value does not fit its type
            raised = None if said else error
            message = in_short(error) if raised is None else described("insert", error)
            raise FinalInsertError(f"{self.table.store}: {message}", rows_at_fault=True, raised=raised) from error
        if self._mark is not None:
            arrow = self._mark(arrow)
        if self._client is None:
            self._client = self._connect()
            compression = self._client.write_compression
            self._body = ArrowBody(compression if compression in ("lz4", "zstd") else None)
        assert self._body is not None
        with self._body.of(arrow, statement(self.table.store, tuple(arrow.column_names))) as body:
            self._client.raw_insert(insert_block=body, settings=INSERT_SETTINGS, transport_settings=headers)
        return int(arrow.num_rows)


@cache
def statement(store: str, columns: tuple[str, ...]) -> bytes:
    """The INSERT that goes before the rows in a body. It names the columns: one that the table lacks is an error.

    In the URL, where clients put it, it would cost more than all else of a request: it is quoted there, twice.
    """
    return f"INSERT INTO {identifier(store)} ({', '.join(map(identifier, columns))}) FORMAT Arrow\n".encode()
