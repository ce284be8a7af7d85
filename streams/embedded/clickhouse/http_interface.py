"""ClickHouse's HTTP interface over the embedded engine, so that clickhouse-connect, curl and other clients of a
server work with it unchanged (https://clickhouse.com/docs/interfaces/http).

Every request names a user and its token (streams.embedded.clickhouse.access) in any of ClickHouse's ways, before
anything of a body is read; what the user may do is held by the engine's grants and by
streams.embedded.clickhouse.statement_rules. GET changes nothing, whatever the user may do.

Every request stands alone: session_id names nothing that outlives it, so what would need a session (SET, USE,
temporary tables) is refused with a sentence, and so are external tables. Answers go out as the client asks
(streams.embedded.clickhouse.answer_coding). A client stops its query by the id that it gave (running_queries).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from sinks.clickhouse.quoting import literal
from streams.door import Door, Limits
from streams.embedded.clickhouse.access import Tokens
from streams.embedded.clickhouse.admission import Admission
from streams.embedded.clickhouse.answer_coding import Coded, Coding, coding_of
from streams.embedded.clickhouse.credentials import authenticated
from streams.embedded.clickhouse.engine import Engine, Result, Stoppable
from streams.embedded.clickhouse.engine_error import EngineError, refusal
from streams.embedded.clickhouse.http_request import (
    BODY_LIMIT,
    Asked,
    asked_by,
    insert_ahead,
    read,
    spool_of,
    spooled,
)
from streams.embedded.clickhouse.result_stream import join, streamable
from streams.embedded.clickhouse.running_queries import RunningQueries, killed
from streams.embedded.clickhouse.spool import Spool, Spools
from streams.embedded.clickhouse.statements import Insert, format_of, gives_rows, needs_session, split_insert

T = TypeVar("T")

log = logging.getLogger(__name__)

_CONTENT_TYPES = (
    ("JSONEachRow", "application/x-ndjson; charset=UTF-8"),
    ("JSON", "application/json; charset=UTF-8"),
    ("TabSeparated", "text/tab-separated-values; charset=UTF-8"),
    ("TSV", "text/tab-separated-values; charset=UTF-8"),
    ("CSV", "text/csv; charset=UTF-8"),
    ("Pretty", "text/plain; charset=UTF-8"),
    ("Vertical", "text/plain; charset=UTF-8"),
)
# As ClickHouse's HTTPHandler maps error codes to statuses; all others are 500.
_STATUS = {
    **dict.fromkeys((516, 192, 193, 194, 195, 497), 403),
    **dict.fromkeys((6, 26, 27, 33, 38, 41, 43, 53, 62, 63, 69, 72, 117, 386, 456, 457), 400),
    **dict.fromkeys((16, 46, 47, 60, 73, 81, 115, 702), 404),
    241: 507,
    158: 400,
    159: 408,
    209: 408,
    202: 503,
    236: 503,
    48: 501,
}
_HELD = 4 << 20


@dataclass(frozen=True, slots=True)
class Served:
    """A running HTTP interface: its address, and how to stop it."""

    url: str
    port: int
    door: Door

    async def close(self) -> None:
        """Stop listening and end open requests. The engine stays open. Idempotent."""
        await self.door.close()


async def serve(
    engine: Engine,
    tokens: Tokens,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    middlewares: tuple[Middleware, ...] = (),
    limits: Limits | None = None,
) -> Served:
    """Answer HTTP for `engine` on host:port (0: a free one) until closed.

    tokens: who may ask. middlewares: aiohttp middlewares around every request; tests inject faults with them.
    Raises OSError when the port is taken.
    """
    limits = limits or Limits()
    # Request bodies are decoded here, lz4 included, so aiohttp must hand them over as they came; a client that goes
    # away cancels its handler, which stops the query.
    door = Door(
        application(engine, tokens, limits, middlewares),
        limits,
        auto_decompress=False,
        handler_cancellation=True,
        shutdown_timeout=1.0,
    )
    bound = await door.listen(host, port)
    return Served(f"http://{host}:{bound}", bound, door)


def application(
    engine: Engine, tokens: Tokens, limits: Limits, middlewares: tuple[Middleware, ...] = ()
) -> web.Application:
    """The aiohttp application that answers for `engine`; it does not own the engine."""
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=middlewares)
    handler = _Handler(engine, tokens, limits)
    app.router.add_get("/ping", _ok)
    app.router.add_get("/replicas_status", _ok)
    app.router.add_route("*", "/", handler.answer)
    app.on_cleanup.append(handler.close)
    return app


async def _ok(_: web.Request) -> web.Response:
    return web.Response(text="Ok.\n")


class _Handler:
    """Queries and inserts run in thread pools of their own, so that slow questions never keep rows waiting."""

    def __init__(self, engine: Engine, tokens: Tokens, limits: Limits) -> None:
        self._engine = engine
        self._tokens = tokens
        self._limits = limits
        self._admission = Admission(engine)
        self._running = RunningQueries(engine)
        self._queries = ThreadPoolExecutor(8, "engine-query")
        self._inserts = ThreadPoolExecutor(2, "engine-insert")
        self._spools = Spools()

    async def close(self, _: web.Application) -> None:
        self._queries.shutdown(wait=False, cancel_futures=True)
        self._inserts.shutdown(wait=False, cancel_futures=True)
        self._spools.close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = {
            "X-ClickHouse-Query-Id": _printable(request.query.get("query_id", "")) or str(uuid.uuid4()),
            "X-ClickHouse-Server-Display-Name": "rihla",
            "X-ClickHouse-Timezone": "UTC",
        }
        try:
            if request.method not in (hdrs.METH_GET, hdrs.METH_POST, hdrs.METH_PUT):
                raise refusal(48, "NOT_IMPLEMENTED", f"HTTP method {request.method} is not supported")
            if request.method == hdrs.METH_GET and not request.query:
                return web.Response(text="Ok.\n")
            role = authenticated(request, self._tokens)
            insert, ahead = await insert_ahead(request, role, self._limits)
            if insert is not None:
                # The usual case, and large: its rows go to the engine as they come, without a copy of the whole.
                asked = asked_by(request, {}, role)
                settings = await self._admit_insert(asked, insert)  # before its rows are read
                spool = await spooled(request, memoryview(ahead)[insert.data_from :], self._spools, self._limits)
                return await self._insert(asked, insert, settings, spool, headers)
            form, query, body = await read(request, b"" if request.query.get("query") else ahead, role, self._limits)
            return await self._run(request, asked_by(request, form, role), query, body, headers)
        except EngineError as error:
            headers["X-ClickHouse-Exception-Code"] = str(error.code)
            return web.Response(status=_STATUS.get(error.code, 500), text=_text(f"{error}\n"), headers=headers)

    async def _admit_insert(self, asked: Asked, insert: Insert) -> dict[str, str]:
        """The settings that an insert runs with. Raises EngineError where the user may not do it."""
        settings = asked.settings | {f"param_{name}": value for name, value in asked.params.items()}
        if not self._admission.has_admitted(insert, asked.role, settings):
            await _outcome(self._queries.submit(self._admission.admit_insert, insert, asked.role, settings))
        return settings

    async def _insert(
        self, asked: Asked, insert: Insert, settings: dict[str, str], spool: Spool, headers: dict[str, str]
    ) -> web.Response:
        run = partial(self._engine.insert_spool, insert.target, insert.format, spool, role=asked.role)
        work = self._inserts.submit(run, clause=insert.clause, database=asked.database, settings=settings)
        # Also when the client goes away, but not before the engine has finished.
        work.add_done_callback(lambda _: self._spools.give(spool))
        return _whole(headers, await _outcome(work))

    async def _run(
        self, request: web.Request, asked: Asked, query: bytes, body: bytes, headers: dict[str, str]
    ) -> web.StreamResponse:
        insert = split_insert(query or body) if asked.readonly == "0" else None
        if insert is not None:
            settings = await self._admit_insert(asked, insert)
            carrier = memoryview(query or body)[insert.data_from :]
            spool = spool_of([carrier, body] if query else [carrier])
            return await self._insert(asked, insert, settings, spool, headers)
        database, params, settings, role = asked.database, asked.params, asked.settings, asked.role
        text = query + b"\n" + body if query and body else query or body
        if not text.strip():
            raise refusal(62, "SYNTAX_ERROR", "Syntax error: Empty query")
        if needs_session(text):
            raise refusal(
                48,
                "NOT_IMPLEMENTED",
                "SET, USE and temporary tables would end with this request: give settings and the database with each "
                "request (in the URL), or in a SETTINGS clause",
            )
        coding = coding_of({**request.query}, request.headers.get(hdrs.ACCEPT_ENCODING, ""))
        named = request.query.get("query_id", "")
        if (wanted := killed(text)) is not None:
            return await self._kill(wanted, asked, coding, headers)
        # Clients repeat ids and comments, and none must die for another's.
        own = settings.get("log_comment") or headers["X-ClickHouse-Query-Id"]
        statement = Stoppable(f"{own} {uuid.uuid4()}")
        settings["log_comment"] = statement.name
        await _outcome(self._queries.submit(self._admission.admit, text, role, database, params, settings))
        if asked.readonly != "0":
            settings["readonly"] = asked.readonly  # the last one, because it forbids to set others
        fmt = asked.default_format or request.headers.get("X-ClickHouse-Format") or "TabSeparated"
        rows = gives_rows(text)
        if rows:
            fmt = format_of(text[-1000:].decode(errors="replace"), fmt)
            headers["X-ClickHouse-Format"] = _printable(fmt)
            headers[hdrs.CONTENT_TYPE] = _content_type(fmt)
        with self._running.during(named, role.name, statement):
            if rows and not asked.waits and streamable(fmt, text):
                pieces = self._engine.stream(
                    text, fmt, database=database, settings=settings, params=params, role=role, statement=statement
                )
                return await self._stream(request, headers, Coded(coding, fmt, join(fmt, pieces)), coding)
            run = partial(self._engine.query, text, fmt, role=role, statement=statement)
            result = await _outcome(self._queries.submit(run, database=database, settings=settings, params=params))
            data = await _outcome(self._queries.submit(coding.whole, fmt, result.data))
            if settings.get("send_progress_in_http_headers", "0") not in ("0", "false"):
                headers["X-ClickHouse-Progress"] = _summary(result)
            return _whole({**headers, **coding.headers}, replace(result, data=data))

    async def _kill(self, wanted: str, asked: Asked, coding: Coding, headers: dict[str, str]) -> web.Response:
        """Stop the queries of that id, of the user's own or, for who writes, of all; a row for each, as ClickHouse."""
        users = await self._running.stop(wanted, None if asked.role.writes else asked.role.name)
        listed = ", ".join(map(literal, users))
        fmt = asked.default_format or "TabSeparated"
        sql = (
            f"SELECT 'waiting' AS kill_status, {literal(wanted)} AS query_id, user FROM "
            f"(SELECT arrayJoin(CAST([{listed}], 'Array(String)')) AS user)"
        )
        result = await _outcome(self._queries.submit(self._engine.query, sql, fmt))
        data = await _outcome(self._queries.submit(coding.whole, fmt, result.data))
        headers = {**headers, **coding.headers, "X-ClickHouse-Format": fmt, hdrs.CONTENT_TYPE: _content_type(fmt)}
        return _whole(headers, replace(result, data=data))

    async def _stream(
        self, request: web.Request, headers: dict[str, str], pieces: Coded, coding: Coding
    ) -> web.StreamResponse:
        """Small results as one answer; larger ones as they come, never more than _HELD bytes at a time.

        An error after the first bytes is sent as ClickHouse does (since 25.11): its text between tags that the header
        announces, coded as the answer is, and a connection that ends without the last chunk, so that nobody takes the
        part for the whole.
        """
        loop = asyncio.get_running_loop()
        tag = uuid.uuid4().hex[:16]
        began = time.monotonic()
        headers = {**headers, **coding.headers}
        response = web.StreamResponse(headers={**headers, "X-ClickHouse-Exception-Tag": tag})

        async def send(data: bytes) -> None:
            if not response.prepared:
                await response.prepare(request)
            await response.write(data)

        def produce() -> Result | None:
            """All of a small result; None when it was sent."""
            held: list[bytes] = []
            rows = size = 0
            with contextlib.closing(pieces):
                for data, count in pieces:
                    held.append(data)
                    rows, size = rows + count, size + len(data)
                    if size > _HELD:
                        asyncio.run_coroutine_threadsafe(send(b"".join(held)), loop).result()
                        held.clear()
                        size = 0
            if not response.prepared:
                return Result(b"".join(held), rows, None, None, 0, 0, time.monotonic() - began)
            asyncio.run_coroutine_threadsafe(send(b"".join(held)), loop).result()
            return None

        try:
            whole = await _outcome(self._queries.submit(produce))
        except EngineError as error:
            if not response.prepared:
                raise
            log.warning("query %s failed after a part was sent: %s", headers["X-ClickHouse-Query-Id"], error)
            text = f"{error}\n"
            ending = f"{tag}\r\n{text}{len(text.encode())} {tag}"
            await response.write(pieces.last(f"\r\n__exception__\r\n{ending}\r\n__exception__\r\n".encode()))
            if request.transport is not None:
                request.transport.close()
            return response
        if whole is not None:
            return _whole(headers, whole)
        await response.write_eof()
        return response


async def _outcome(work: Future[T]) -> T:
    """The result of work in a thread. When the caller is cancelled, so is the work, unless it has begun."""
    waiting = asyncio.wrap_future(work)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        work.cancel()
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody else will ask
        raise


def _content_type(fmt: str) -> str:
    return next((kind for prefix, kind in _CONTENT_TYPES if fmt.startswith(prefix)), "application/octet-stream")


def _whole(headers: dict[str, str], result: Result) -> web.Response:
    return web.Response(body=result.data, headers={**headers, "X-ClickHouse-Summary": _summary(result)})


def _printable(text: str) -> str:
    """What of a client's text may stand in a header: nothing that ends a line."""
    return "".join(character for character in text if character.isprintable())


def _text(text: str) -> str:
    """A text that can be sent: a client's header that is no UTF-8 may be quoted in it."""
    return text.encode(errors="replace").decode()


def _summary(result: Result) -> str:
    counters = {
        "read_rows": result.rows_read,
        "read_bytes": result.bytes_read,
        "written_rows": result.rows_written,
        "written_bytes": result.bytes_written,
        "total_rows_to_read": 0,
        "result_rows": result.rows,
        "result_bytes": len(result.data),
        "elapsed_ns": int(result.elapsed * 1e9),
    }
    return json.dumps({name: str(value) for name, value in counters.items() if value is not None})
