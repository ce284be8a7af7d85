"""The real engine for tests: one a run (chDB allows one a process), served over HTTP; a database for each test.

And faults on the way to it, for those who ask for `faulty`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from clickhouse_connect.driver.client import Client

from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.resolved import Resolver
from sinks.clickhouse.roles import Manager
from sinks.clickhouse.tables import TABLES
from sinks.clickhouse.writer import Writer
from streams.embedded.clickhouse.access import OWNER, READER, ROLES, Role, Tokens, roles_of
from streams.embedded.clickhouse.engine import Engine
from streams.embedded.clickhouse.http_interface import Served, serve
from tests.support.loop_thread import LoopThread

TOKENS = {
    **{name: f"the-token-of-tests-by-{name}" for name in ROLES},
    READER.name: "the-token-of-tests-that-read",
    OWNER.name: "the-token-of-tests-that-write",
}
"""Of every interface that tests serve; the corpus of tests.faults has the owner's."""
MANAGERS = (
    Manager("makkah", ("MAKKAH-01",)),
    Manager("both", ("MADINAH-01", "MAKKAH-01")),
    Manager("care", ("CARE-NOOR",)),
)
"""Managers of units, and of a care centre, of the test engine, whose roles are about the database `cx`."""

_numbers = itertools.count(1)


def url_as(role: Role, address: str) -> str:
    """The URL for sinks.clickhouse.client.connect of an interface that tests serve."""
    return address.replace("://", f"://{role.name}:{token_of(role.name)}@", 1)


def token_of(role: str) -> str:
    """The token of a role's user."""
    return TOKENS.get(role, f"the-token-of-tests-by-{role}")


class Spares:
    """Databases that have this version's schema and no rows, each given to one test at a time.

    Migrating takes 1.7 s of CPU, emptying 0.1 s: what a test leaves as it was made serves the next one.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._schemas: dict[str, str] = {}
        self._free: list[str] = []

    def take(self) -> str | None:
        """The name of a free one, if there is any."""
        return self._free.pop() if self._free else None

    def add(self, database: str) -> None:
        """From now on this one, just migrated, is known as it is."""
        self._schemas[database] = self._schema(database)

    def give_back(self, database: str) -> None:
        """Empty a database for the next test; drop it where the test has changed its schema, or never migrated it."""
        if self._schemas.get(database, "") != self._schema(database):
            self._engine.query(f"DROP DATABASE IF EXISTS {database}")
            return
        stores = self._lines(
            f"SELECT name FROM system.tables WHERE database = '{database}' AND total_rows > 0 "
            "AND name != 'schema_migrations'"
        )
        for name in stores.split():
            self._engine.query(f"TRUNCATE TABLE {database}.`{name}` SYNC")
        self._free.append(database)

    def _schema(self, database: str) -> str:
        """What differs where tables, views or the migrations on record do, or rows are being changed still."""
        if not int(self._lines(f"EXISTS TABLE {database}.schema_migrations")):
            return "not migrated"
        return self._lines(
            f"SELECT (SELECT sum(cityHash64(name, create_table_query)) FROM system.tables "
            f"WHERE database = '{database}'), "
            f"(SELECT sum(cityHash64(name, checksum)) FROM {database}.schema_migrations FINAL), "
            f"(SELECT countIf(NOT is_done) FROM system.mutations WHERE database = '{database}')"
        )

    def _lines(self, sql: str) -> str:
        return self._engine.query(sql).data.decode().strip()


@dataclass
class ClickHouse:
    """A place to write to: the engine's address, the same for connect() as the owner, and a database of the test's own
    (empty until migrated)."""

    address: str
    url: str
    database: str
    engine: Engine
    client: Client
    spares: Spares | None = None

    def connect(self) -> Client:
        """One more client on the test's database."""
        return connect(self.url, self.database)

    def migrated(self) -> ClickHouse:
        """Itself, with this version's schema in the database, which may be another one than before."""
        spare = self.spares.take() if self.spares and not self.rows("SHOW TABLES") else None
        if spare:
            self.engine.query(f"DROP DATABASE {self.database}")
            self.database = self.client.database = spare
            return self
        migrate(self.client, self.database)
        if self.spares:
            self.spares.add(self.database)
        return self

    def write(
        self,
        topic: str,
        frame: pl.DataFrame,
        epoch: int = 0,
        mark: Callable[[pa.Table], pa.Table] | None = None,
        settle: bool = True,
    ) -> None:
        """Store a frame of a topic's records. mark: as of Writer. settle: whether customers and journeys are resolved,
        as the sink does soon after."""
        writer = Writer(self.connect, TABLES[topic], mark=mark)
        try:
            asyncio.run(writer.write(frame, epoch))
        finally:
            writer.close()
        if settle and topic in ("interactions", "identities", "journeys"):
            self.settle()

    def settle(self) -> None:
        """Resolve customers and journeys."""
        Resolver(self.client, self.database).settle()

    def without_interactions(self) -> None:
        """Empty what interactions are stored in."""
        for table in (
            "interactions_store",
            "interactions_by_time_store",
            "interaction_days_store",
            "interactions_resolved_store",
        ):
            self.client.command(f"TRUNCATE TABLE {table}")

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """The rows that `sql` gives."""
        return [tuple(row) for row in self.client.query(sql).result_rows]


@dataclass
class Faults:
    """What goes wrong with the next inserts, in order; "" lets one pass. Then everything passes."""

    plan: list[str] = field(default_factory=list)
    inserts: int = 0

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Content-Type") != "application/octet-stream":  # that of inserts, and of nothing else
            return await handler(request)
        self.inserts += 1
        match self.plan.pop(0) if self.plan else "":
            case "lost before":  # the connection breaks before ClickHouse has seen anything
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "lost after":  # it breaks after the rows were stored: for the client the outcome is unknown
                await handler(request)
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "hang":  # no answer, for as long as the test runs
                await asyncio.sleep(3600)
                return web.Response()
            case "bad gateway":
                return web.Response(status=502, text="Bad gateway")
            case "":
                return await handler(request)
            case code:
                text = f"Code: {code}. DB::Exception: injected. (INJECTED)"
                return web.Response(status=500, text=text, headers={"X-ClickHouse-Exception-Code": code})


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    """An event loop that runs beside the tests."""
    thread = LoopThread()
    yield thread
    thread.close()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine of this test run, in a temporary folder."""
    with Engine(Path(tmp_path_factory.mktemp("clickhouse")), managers=MANAGERS) as engine:
        yield engine


@pytest.fixture(scope="session")
def served(engine: Engine, loop_thread: LoopThread) -> Iterator[Served]:
    """The engine's HTTP interface on a free port."""
    tokens = {**TOKENS, **{manager.role: token_of(manager.role) for manager in MANAGERS}}
    served = loop_thread.run(serve(engine, Tokens(tokens, roles_of(managers=MANAGERS))))
    yield served
    loop_thread.run(served.close())


@pytest.fixture(scope="session")
def spares(engine: Engine) -> Spares:
    """Databases that tests have used, migrated and empty again."""
    return Spares(engine)


@pytest.fixture
def clickhouse(engine: Engine, served: Served, spares: Spares) -> Iterator[ClickHouse]:
    """The engine over HTTP, with a fresh, empty database; afterwards it is emptied, or dropped."""
    database = f"test_{next(_numbers)}"
    engine.query(f"CREATE DATABASE {database}")
    url = url_as(OWNER, served.url)
    client = connect(url, database)
    given = ClickHouse(served.url, url, database, engine, client, spares)
    yield given
    client.close()
    spares.give_back(given.database)


@pytest.fixture
def faults() -> Faults:
    """What is to go wrong between the test and the engine: nothing, until the test says."""
    return Faults()


@pytest.fixture
def faulty(engine: Engine, loop_thread: LoopThread, faults: Faults) -> Iterator[Served]:
    """The engine behind the faults."""
    served = loop_thread.run(serve(engine, Tokens(TOKENS), middlewares=(faults.middleware,)))
    yield replace(served, url=url_as(OWNER, served.url))
    loop_thread.run(served.close())
