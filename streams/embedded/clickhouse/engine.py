"""The embedded database: one process owns ClickHouse's engine (chDB) for one folder.

chDB allows one engine path per process and one process per path. Within them it is a full, concurrent
ClickHouse: every statement here gets a connection of its own (0.1 ms), or one that an insert of the same role,
database and settings has left, so neither settings nor `USE` of one statement reach another; and statements of several
threads run at the same time (the GIL is released while the engine works).
"""

from __future__ import annotations

import atexit
import fcntl
import logging
import os
import re
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinks.clickhouse.quoting import identifier, literal
from sinks.clickhouse.roles import Manager
from streams.embedded.clickhouse.access import DATABASE, Role, users_configuration
from streams.embedded.clickhouse.engine_error import EngineError as EngineError
from streams.embedded.clickhouse.engine_error import refusal
from streams.embedded.clickhouse.spool import Buffer, Spool

log = logging.getLogger(__name__)

MEGABYTE = 1 << 20

# For a machine that also runs the broker and four workers within 3 GiB. The caches are small because the page
# cache of the operating system holds the same files; the mark cache's own default is 5 GiB.
SERVER_OPTIONS: Mapping[str, str] = {
    "max_server_memory_usage": str(1400 * MEGABYTE),
    "mark_cache_size": str(64 * MEGABYTE),
    "primary_index_cache_size": str(32 * MEGABYTE),
    "index_mark_cache_size": str(16 * MEGABYTE),
}

# Of every table that does not say otherwise. Inserts are small here, and there are many: parts are merged in fewer
# steps (with ClickHouse's own base, 5, merges wrote 11 rows for each that came in small inserts; with 8 it is 6), and
# statistics of columns, from which no named query was seen to gain, are not made anew at every step.
MERGE_TREE: Mapping[str, str] = {"merge_selector_base": "8", "auto_statistics_types": ""}

# Of every connection; a statement may override them with its own settings.
QUERY_OPTIONS: Mapping[str, str] = {
    "max_threads": "2",
    "max_insert_threads": "1",
    "implicit_select": "0",  # clickhouse-local takes `selec 1` for an expression; a server refuses it, and so do we
    "max_memory_usage": str(1000 * MEGABYTE),
    "max_bytes_before_external_group_by": str(400 * MEGABYTE),
    "max_bytes_before_external_sort": str(400 * MEGABYTE),
}


KEPT_CONNECTIONS = 4
"""Connections of inserts that wait for the next one: both threads of the HTTP interface, for two kinds of inserts."""


class EngineBusyError(EngineError):
    """The folder is held by another process, or this process holds another folder."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a statement: bytes in the format asked for, number of rows; what it read (None: not known) and
    wrote, and seconds taken.
    """

    data: bytes
    rows: int
    rows_read: int | None
    bytes_read: int | None
    rows_written: int
    bytes_written: int
    elapsed: float


class Stoppable:
    """A statement that another thread may stop, whether the engine has begun it or not (Engine.kill).

    name: a text that no other statement has; it has to run with it as its setting log_comment, where kill() looks.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._stopped = False
        self._running = False

    def stop(self) -> bool:
        """Let it not begin any more. Returns whether it runs, so that the engine has to stop it."""
        with self._lock:
            self._stopped = True
            return self._running

    @contextmanager
    def running(self) -> Iterator[None]:
        """While it runs. Raises EngineError, as ClickHouse for one that was stopped, where it may not begin."""
        with self._lock:
            if self._stopped:
                raise refusal(394, "QUERY_WAS_CANCELLED", "Query was cancelled")
            self._running = True
        try:
            yield
        finally:
            with self._lock:
                self._running = False


class Engine:
    """Owner of the engine files in `path` (created if absent). Blocking and thread-safe; call it from worker threads.

    options: further server settings of ClickHouse (see SERVER_OPTIONS), as text.
    database: that of the roles, and managers: who has one besides (see streams.embedded.clickhouse.access).
    Raises EngineBusyError when another process owns the folder; EngineError when it cannot be opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        options: Mapping[str, str] | None = None,
        *,
        database: str = DATABASE,
        managers: Sequence[Manager] = (),
    ) -> None:
        self.path = Path(path).resolve()
        if "?" in str(self.path):
            raise EngineError(f"the engine cannot live in a folder with a question mark in its name: {self.path}")
        self.path.mkdir(parents=True, exist_ok=True)
        _refuse_if_held(self.path)
        import chdb  # 260 MB of engine: only the process that owns one pays for it

        self._connect: Any = chdb._chdb.connect
        self._query_options = _options(QUERY_OPTIONS)
        self._lock = threading.Condition()
        self._running = 0
        self._closed = False
        self._kept: list[tuple[tuple[object, ...], Any]] = []
        try:
            # Held open for the engine's life: with its last connection chDB shuts the engine down.
            with Spool() as users, Spool() as configuration:  # read once, when the engine starts
                users.write(users_configuration(database, managers))
                configuration.write(_configuration(MERGE_TREE, users.path))
                given = {**SERVER_OPTIONS, "config-file": configuration.path, **(options or {})}
                self._keeper = self._connect(f"{self.path}?{_options(given)}&{self._query_options}")
        except Exception as error:
            if "already initialized" in str(error):
                raise EngineBusyError(f"this process already has an engine on another folder: {error}") from error
            _refuse_if_held(self.path)
            raise EngineError(f"cannot open the engine in {self.path}: {error}") from error
        atexit.register(self.close)  # the interpreter must not be taken down under a running engine

    def query(
        self,
        sql: str | bytes,
        fmt: str = "TabSeparated",
        *,
        database: str | None = None,
        settings: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        role: Role | None = None,
        statement: Stoppable | None = None,
    ) -> Result:
        """Run one statement; a FORMAT clause in it wins over `fmt`.

        role: whose grants and limits hold; None, for calls of this process's own, has every right.
        statement: this one, for kill().
        params: values of {name:Type} placeholders, escaped as in TSV (as ClickHouse's HTTP interface wants them).
        Raises EngineError.
        """
        with self._session(database, settings, role, statement) as connection:
            return _result(connection, sql, fmt, params)

    def stream(
        self,
        sql: str | bytes,
        fmt: str,
        *,
        database: str | None = None,
        settings: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        role: Role | None = None,
        statement: Stoppable | None = None,
    ) -> Generator[tuple[bytes, int], None, None]:
        """Run one SELECT, and yield its result block by block: bytes in `fmt`, and their rows. Parts as in query().

        Each block is formatted for itself (see result_stream). The last piece may have no rows, only what closes the
        result. Closing the iterator stops the statement. Raises EngineError, also between pieces.
        """
        with self._session(database, settings, role, statement) as connection:
            stream = None
            try:
                stream = connection.send_query(sql, fmt, params=dict(params or {}))
                rows = 1
                while rows:
                    piece = connection.streaming_fetch_result(stream)
                    rows = piece.rows_read() if piece is not None else 0
                    data = piece.bytes() if piece is not None else None
                    if data:
                        yield data, rows
                stream = None
            except GeneratorExit:
                raise
            except Exception as error:
                stream = None
                raise EngineError.of(error) from None
            finally:
                if stream is not None:
                    connection.streaming_cancel_query(stream)

    def insert(
        self,
        target: str,
        fmt: str,
        data: Sequence[Buffer],
        *,
        clause: str = "",
        database: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Result:
        """Store the rows of one body in `fmt`, given in pieces; returns once they are stored.

        target: `INSERT INTO ...` with its columns, up to where FORMAT or VALUES would stand, without SETTINGS.
        clause: its SETTINGS clause, or nothing.
        Raises EngineError; then parts of a body of more than max_insert_block_size rows may be stored, as on a server.
        """
        with Spool() as spool:
            for piece in data:
                spool.write(piece)
            return self.insert_spool(target, fmt, spool, clause=clause, database=database, settings=settings)

    def insert_spool(
        self,
        target: str,
        fmt: str,
        spool: Spool,
        *,
        clause: str = "",
        database: str | None = None,
        settings: Mapping[str, str] | None = None,
        role: Role | None = None,
    ) -> Result:
        """Store the rows that were spooled; everything else as in insert(), role as in query().

        The data go through a file in memory, because neither of chDB 4.4's other ways is safe. Behind the statement,
        data are searched for further statements: a text with a semicolon in it is cut there, and what follows is run.
        Connection.send_insert reports rows as written that a constraint, a default or the storage refused.

        To open a connection and to give it role, database and settings takes half as long as a small insert, and is the
        same for each: so connections are kept for inserts alike. An INSERT changes nothing of its session; one with a
        SETTINGS clause, or that failed, is not relied on for that.
        """
        with self._session(database, settings, role, keep=not clause) as connection:
            return _result(connection, insert_statement(target, fmt, spool.path, clause), "TabSeparated", None)

    def kill(self, statement: Stoppable) -> bool:
        """Stop a statement; does not wait for its end. Returns whether it still runs: then call this again.

        One may have been let in, but not begun in the engine, when it is asked to stop what runs there.
        """
        if not statement.stop():
            return False
        try:
            with self._session(None, None) as connection:
                named = literal(statement.name)
                connection.query(f"KILL QUERY WHERE Settings['log_comment'] = {named} ASYNC", "Null")
        except Exception as error:
            log.warning("could not stop query %s: %s", statement.name, error)
        return True

    def close(self) -> None:
        """Stop what runs, wait for it, and release the folder. Idempotent; afterwards every call raises EngineError."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            # Again and again: a statement may have been let in but not begun when the others were stopped.
            while not self._lock.wait_for(lambda: self._running == 0, timeout=0.2):
                self._keeper.query("KILL QUERY WHERE query NOT ILIKE 'KILL QUERY%' ASYNC", "Null")
            kept, self._kept = self._kept, []
        for _, connection in kept:
            connection.close()
        self._keeper.close()
        atexit.unregister(self.close)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _session(
        self,
        database: str | None,
        settings: Mapping[str, str] | None,
        role: Role | None = None,
        statement: Stoppable | None = None,
        *,
        keep: bool = False,
    ) -> Iterator[Any]:
        """A connection for one statement. keep: it changes nothing of its session, which the next one may have."""
        session = (role and role.name, database, *(settings or {}).items())
        with self._lock:
            if self._closed:
                raise EngineError("the engine is closed", 236)  # ABORTED
            self._running += 1
            place = next((place for place, one in enumerate(self._kept) if keep and one[0] == session), None)
            connection = None if place is None else self._kept.pop(place)[1]
        try:
            with nullcontext() if statement is None else statement.running():
                if connection is None:
                    connection = self._connect(f"{self.path}?{self._query_options}")
                    _prepare(connection, database, settings, role)
                yield connection
            if keep:
                with self._lock:
                    self._kept.append((session, connection))
                    connection = self._kept.pop(0)[1] if len(self._kept) > KEPT_CONNECTIONS else None
        finally:
            if connection is not None:
                connection.close()
            with self._lock:
                self._running -= 1
                self._lock.notify_all()


def _prepare(connection: Any, database: str | None, settings: Mapping[str, str] | None, role: Role | None) -> None:
    """Give a connection its role, first of all, its database and its settings. Raises EngineError."""
    try:
        if role is not None:
            connection.query(f"SET ROLE {identifier(role.name)}", "Null")
            settings = {**role.limits, **(settings or {})}
        if database:
            connection.query(f"USE {identifier(database)}", "Null")
        if settings:
            assignments = ", ".join(f"{identifier(key)} = {literal(value)}" for key, value in settings.items())
            connection.query(f"SET {assignments}", "Null")
    except Exception as error:
        raise EngineError.of(error) from None


def _result(connection: Any, sql: str | bytes, fmt: str, params: Mapping[str, str] | None) -> Result:
    """What a statement gives on a connection. Raises EngineError."""
    try:
        result = connection.query(sql, fmt, params=dict(params or {}))
    except Exception as error:
        raise EngineError.of(error) from None
    return Result(
        result.bytes() or b"",
        result.rows_read(),  # chDB's name for the rows of the result
        result.storage_rows_read(),
        result.storage_bytes_read(),
        result.rows_written(),
        result.bytes_written(),
        result.elapsed(),
    )


def insert_statement(target: str, fmt: str, path: str, clause: str = "") -> str:
    """The statement that stores the rows of a file; parts as in Engine.insert."""
    return f"{target} FROM INFILE {literal(path)} COMPRESSION 'none' {clause} FORMAT {fmt}"


def _options(options: Mapping[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in options.items())


def _configuration(merge_tree: Mapping[str, str], users: str) -> bytes:
    """ClickHouse's configuration file: these settings cannot be given in any other way, but with each table."""
    settings = "".join(f"<{name}>{value}</{name}>" for name, value in merge_tree.items())
    return (
        f"<clickhouse><users_config>{users}</users_config><merge_tree>{settings}</merge_tree></clickhouse>"
    ).encode()


def _refuse_if_held(path: Path) -> None:
    """Raise EngineBusyError if a process holds the folder: ClickHouse locks the file `status`, which names it."""
    try:
        status = os.open(path / "status", os.O_RDWR)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = re.search(rb"PID: (\d+)", os.read(status, 200))
        who = f"process {int(holder.group(1))}" if holder else "another process"
        raise EngineBusyError(
            f"{path} is in use by {who}; one process at a time may own it. "
            "While `rihla up` runs there, query it over HTTP instead."
        ) from None
    finally:
        os.close(status)
