"""The service of the sink that has customers and journeys resolved: when it makes passes, and when it must not."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from sinks import resolving
from sinks.resolving import Resolving


class Database:
    """Counts marks and passes; the first call of those in `faults` raises. is_worked_on: whether somebody else takes
    marks, so that each look sees another one first."""

    def __init__(self, marks: int = 0, faults: int = 0, is_worked_on: bool = False) -> None:
        self.marks_left, self.faults, self.passes, self.looks = marks, faults, 0, 0
        self.is_worked_on, self.looked_often = is_worked_on, threading.Event()
        self.settled = threading.Event()

    def close(self) -> None: ...


class Passes:
    """What Resolver does, on a Database."""

    def __init__(self, client: Any, database: str) -> None:
        self._database: Database = client

    def marks(self) -> int:
        if self._database.faults:
            self._database.faults -= 1
            raise ConnectionError("away")
        return self._database.marks_left

    def first_mark(self) -> tuple[str, str, int] | None:
        self._database.looks += 1
        if self._database.looks == 5:
            self._database.looked_often.set()
        token = self._database.looks if self._database.is_worked_on else 0
        return ("customer:A", "", token) if self._database.marks_left else None

    def one_pass(self) -> int:
        self._database.passes += 1
        self._database.marks_left -= 1
        if not self._database.marks_left:
            self._database.settled.set()
        return 1


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "Resolver", Passes)
    for name in ("SOON", "LOOK", "LONGEST"):
        monkeypatch.setattr(resolving, name, 0.01)


async def served(database: Database, mine: list[bool]) -> None:
    """Run the service until no marks are left."""

    def connect() -> Any:
        return database

    service = Resolving(connect, "cx", lambda: mine[0])
    await service.start()
    try:
        service.stored("interactions")
        assert await asyncio.to_thread(database.settled.wait, 30)
    finally:
        await service.stop()


def test_it_makes_passes_until_there_are_no_marks() -> None:
    database = Database(marks=3)
    asyncio.run(served(database, [True]))
    assert database.passes == 3


def test_it_goes_on_when_clickhouse_is_there_again() -> None:
    database = Database(marks=1, faults=2)
    asyncio.run(served(database, [True]))
    assert database.passes == 1


def test_only_the_worker_whose_turn_it_is_makes_passes() -> None:
    database, mine = Database(marks=2), [False]

    async def turns() -> None:
        service = asyncio.ensure_future(served(database, mine))
        for _ in range(50):
            await asyncio.sleep(0)
        assert database.passes == 0
        mine[0] = True
        await service

    asyncio.run(turns())
    assert database.passes == 2


def test_another_worker_makes_passes_where_that_one_makes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As while the first partition is with a sink of an earlier release."""
    monkeypatch.setattr(resolving, "LEFT_LYING", 0.01)
    database = Database(marks=3)
    asyncio.run(served(database, [False]))
    assert database.passes == 3
    assert database.looks >= 2


def test_another_worker_makes_none_where_marks_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "LEFT_LYING", 0.01)
    database, mine = Database(marks=1, is_worked_on=True), [False]

    async def looks() -> None:
        service = asyncio.ensure_future(served(database, mine))
        assert await asyncio.to_thread(database.looked_often.wait, 30)
        assert database.passes == 0
        mine[0] = True
        await service

    asyncio.run(looks())
