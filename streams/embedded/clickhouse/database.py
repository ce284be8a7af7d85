"""The embedded database of a data folder: ClickHouse's engine in this process, answering HTTP from its own thread."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType

import uvloop
from clickhouse_connect import get_client

from sinks.clickhouse import roles
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.roles import make_views
from streams.embedded.clickhouse.access import DATABASE, Role
from streams.embedded.clickhouse.engine import Engine
from streams.embedded.clickhouse.http_interface import Served, serve
from streams.embedded.keys import managers_of, tokens_of, url_for
from streams.errors import RihlaError

USUAL_PORT = 8123
"""ClickHouse's own port, which clients try first."""


def of_engine(engine: Engine) -> roles.Database:
    """The engine as sinks.clickhouse.roles asks it."""

    def ask(sql: str) -> list[list[object]]:
        return [json.loads(line) for line in engine.query(sql, "JSONCompactEachRow").data.splitlines()]

    def insert(table: str, row: Mapping[str, int]) -> None:
        values = ",".join(map(str, row.values())).encode()
        engine.insert(f"INSERT INTO {table} ({', '.join(row)})", "CSV", [values])

    return roles.Database(ask, engine.query, insert)


class Database:
    """The engine in `path`, answering on `url` while the `with` block runs, to the users whose tokens are in `keys`.

    port: a port, 0 for a free one, or None for ClickHouse's usual one where that is free. The HTTP interface has its
    own event loop in its own thread, so a busy parent does not keep questions waiting. `engine` is for this process's
    own calls, which have every right. database: the one that the roles are about.
    """

    def __init__(self, path: Path, keys: Path, port: int | None = 0, database: str = DATABASE) -> None:
        self._path, self._keys, self._port, self._database = path, keys, port, database
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="clickhouse-http", daemon=True)
        self.url = ""

    def __enter__(self) -> Database:
        """Raises streams.embedded.clickhouse.engine.EngineBusyError, EngineError; RihlaError when the port is taken."""
        self._managers = managers_of(self._keys)
        self._tokens = tokens_of(self._keys, self._managers)
        self.engine = Engine(self._path, database=self._database, managers=self._managers)
        self._thread.start()
        try:
            self._served = self._serve()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.url = self._served.url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.url:
            asyncio.run_coroutine_threadsafe(self._served.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.engine.close()

    def url_of(self, role: Role) -> str:
        """The URL with which a client asks as a user of ours; it names the file of the token, not the token."""
        return url_for(self.url, self._keys, role.name)

    def migrate(self, database: str) -> None:
        """Bring a database to this version's schema, then make the views of analysts and managers.

        Over HTTP each statement would be judged first, which takes longer than to run it.
        """
        with closing(get_client(interface="chdb", path=str(self.engine.path), database="")) as client:
            migrate(client, database)
        make_views(of_engine(self.engine), self._database, self._managers)

    def _serve(self) -> Served:
        try:
            return self._listen(USUAL_PORT if self._port is None else self._port)
        except OSError as error:
            if self._port is None:
                return self._listen(0)
            raise RihlaError(
                f"the database cannot answer on port {self._port}: {error.strerror}", "choose another with --http-port"
            ) from error

    def _listen(self, port: int) -> Served:
        serving = serve(self.engine, self._tokens, "127.0.0.1", port)
        return asyncio.run_coroutine_threadsafe(serving, self._loop).result()
