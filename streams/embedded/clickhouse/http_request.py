"""What a request to ClickHouse's HTTP interface asks for: its parameters, its statement, its body."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from aiohttp import hdrs, web

from streams.door import Limits, pieces
from streams.embedded.clickhouse import compressed_blocks
from streams.embedded.clickhouse.access import READER, Role
from streams.embedded.clickhouse.engine_error import EngineError, refusal
from streams.embedded.clickhouse.spool import Buffer, Spool, Spools
from streams.embedded.clickhouse.statements import Insert, first_word, split_insert

# Request parameters that are not settings of ClickHouse.
_TRANSPORT = frozenset(
    (
        *("query", "database", "default_format", "user", "password", "quota_key", "role", "query_id"),
        *("session_id", "session_timeout", "session_check", "close_session", "stacktrace"),
        *("wait_end_of_query", "buffer_size", "compress", "decompress", "client_protocol_version"),
        *("network_compression_method", "network_zstd_compression_level"),
    )
)
BODY_LIMIT = 1 << 30
_AHEAD = 1 << 20
_STATEMENT = 1 << 18
"""Bytes of a body in which an INSERT's data must begin to be passed on as they come: ClickHouse's max_query_size."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for besides its statement. readonly: "0", "1" or "2", as ClickHouse's setting."""

    database: str | None
    params: dict[str, str]
    settings: dict[str, str]
    readonly: str
    default_format: str | None
    waits: bool
    """Whether the answer is to be made as a whole before its first byte is sent, so that an error is an error."""
    role: Role
    """The role whose rights hold: that of the user, but a reader's for GET, which changes nothing."""


def asked_by(request: web.Request, form: Mapping[str, str], role: Role) -> Asked:
    """What the parameters and the form of a request ask for. Raises EngineError for what nothing here would do."""
    given = {**request.query, **form}
    if other := next((name for name in request.query.getall("role", ()) if name != role.name), None):
        raise refusal(512, "SET_NON_GRANTED_ROLE", f"{role.name} has no role {other}: each role has a user of its own")
    if _on(given, "session_check"):
        raise refusal(372, "SESSION_NOT_FOUND", "No session is kept here: every request stands alone")
    settings = {name: value for name, value in given.items() if name not in _TRANSPORT and name[:6] != "param_"}
    settings.pop("readonly", None)
    return Asked(
        database=given.get("database") or request.headers.get("X-ClickHouse-Database"),
        params={name[6:]: value for name, value in given.items() if name.startswith("param_")},
        settings=settings,
        readonly=_readonly(request, given, role),
        default_format=given.get("default_format"),
        waits=_on(given, "wait_end_of_query") or _on(given, "http_wait_end_of_query"),
        role=READER if request.method == hdrs.METH_GET else role,
    )


def _on(given: Mapping[str, str], name: str) -> bool:
    return given.get(name, "0") not in ("0", "false", "")


def _readonly(request: web.Request, given: Mapping[str, str], role: Role) -> str:
    readonly = given.get("readonly", "0")
    if readonly not in ("0", "1", "2"):
        raise refusal(72, "CANNOT_PARSE_NUMBER", "readonly is 0, 1 or 2")
    # As ClickHouse does: a link must not change data.
    return "2" if readonly == "0" and (request.method == hdrs.METH_GET or not role.writes) else readonly


def in_blocks(request: web.Request) -> bool:
    """Whether the body has ClickHouse's own compression."""
    return request.query.get("decompress", "0") not in ("0", "false")


async def insert_ahead(request: web.Request, role: Role, limits: Limits) -> tuple[Insert | None, bytes]:
    """The INSERT with which a request begins whose data are in the body as they are, or None; its beginning.

    The beginning is the parameter `query`, or, where there is none, as much of the body as was read to find out.
    """
    plain = request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower() in ("", "identity")
    if (
        not plain
        or in_blocks(request)
        or request.content_type == "multipart/form-data"
        or _readonly(request, request.query, role) != "0"
    ):
        return None, b""
    if query := request.query.get("query", "").encode():
        return split_insert(query), query
    request.content.set_read_chunk_size(_AHEAD)
    text = b""
    async for chunk in _pieces(request, BODY_LIMIT, limits):  # one piece may be as long as all that has come
        text += chunk
        insert = split_insert(text)
        if insert is not None and insert.data_from < len(text):  # else what comes may belong to it
            return insert, text
        if len(text) >= _STATEMENT or first_word(text) not in (b"INSERT", b""):
            break
    return None, text


async def spooled(request: web.Request, first: Buffer, spools: Spools, limits: Limits) -> Spool:
    """What is left of a body, behind the data that were there with the statement.

    Raises web.HTTPRequestEntityTooLarge; EngineError when the body stops coming.
    """
    spool = spools.take(request.content_length or 0)
    request.content.set_read_chunk_size(_AHEAD)
    try:
        spool.write(first)
        async for chunk in _pieces(request, BODY_LIMIT - len(first), limits):  # to join them is one more copy of all
            spool.write(chunk)
        spool.end()
    except BaseException:
        spool.close()
        raise
    return spool


def spool_of(pieces: Sequence[Buffer]) -> Spool:
    """The pieces, one behind the other."""
    spool = Spool()
    try:
        for piece in pieces:
            spool.write(piece)
    except BaseException:
        spool.close()
        raise
    return spool


async def _pieces(request: web.Request, most: int, limits: Limits) -> AsyncIterator[bytes]:
    """A body as it comes. Raises web.HTTPRequestEntityTooLarge; EngineError when it stops coming."""
    size = 0
    try:
        async for piece in pieces(request.content, limits):
            size += len(piece)
            if size > most:
                raise web.HTTPRequestEntityTooLarge(most, size)
            yield piece
    except TimeoutError:
        raise refusal(209, "SOCKET_TIMEOUT", "The body of the request has stopped coming") from None


async def read(request: web.Request, ahead: bytes, role: Role, limits: Limits) -> tuple[dict[str, str], bytes, bytes]:
    """The form's fields, the parameter or field `query`, the body decompressed: the statement is query, then body.

    ahead: what was read of the body already. Raises web.HTTPRequestEntityTooLarge; EngineError when it stops coming.
    """
    query = request.query.get("query", "")
    form: dict[str, str] = {}
    if request.content_type == "multipart/form-data":
        for name, field in (await _form(request, role, limits)).items():
            if not isinstance(field, (str, bytes)):
                raise refusal(48, "NOT_IMPLEMENTED", "external tables are not supported")
            form[name] = field if isinstance(field, str) else field.decode(errors="replace")
        return form, form.pop("query", query).encode(), b""
    body = b"".join([ahead, *[piece async for piece in _pieces(request, role.body_limit - len(ahead), limits)]])
    if body and (encoding := request.headers.get(hdrs.CONTENT_ENCODING, "")):
        body = await asyncio.to_thread(_decompress, body, encoding, role.body_limit)
    if body and in_blocks(request):
        body, more = await asyncio.to_thread(compressed_blocks.decompress, body, role.body_limit)
        if more:
            raise web.HTTPRequestEntityTooLarge(role.body_limit, role.body_limit + 1)
    return form, query.encode(), body


async def _form(request: web.Request, role: Role, limits: Limits) -> Mapping[str, object]:
    try:
        async with asyncio.timeout(limits.stall):  # a form holds a statement and its parameters, no rows
            return await request.clone(client_max_size=role.body_limit).post()
    except web.HTTPException:  # too large
        raise
    except TimeoutError:
        raise refusal(209, "SOCKET_TIMEOUT", "The body of the request has stopped coming") from None
    except Exception as error:  # aiohttp has as many kinds as a form has ways to be broken
        raise refusal(36, "BAD_ARGUMENTS", f"Cannot read the form: {error or type(error).__name__}") from None


def _decompress(body: bytes, encoding: str, most: int) -> bytes:
    """The body, of which no more is made than may be."""
    try:
        match encoding.strip().lower():
            case "identity":
                return body
            case "gzip" | "deflate":
                made, rest = _inflate(body, most)
            case "lz4" | "zstd" | "br" as name:
                codec = "brotli" if name == "br" else name
                stream = pa.input_stream(pa.py_buffer(body), compression=codec)
                made = bytes(stream.read(most + 1))
                rest = len(made) > most
            case _:
                raise refusal(48, "NOT_IMPLEMENTED", f"Content-Encoding {encoding} is not supported")
        if rest:
            raise web.HTTPRequestEntityTooLarge(most, len(made))
        return made
    except (web.HTTPException, EngineError):
        raise
    except Exception as error:
        raise refusal(271, "CANNOT_DECOMPRESS", f"Cannot decompress the {encoding} body: {error}") from None


def _inflate(body: bytes, most: int) -> tuple[bytes, bool]:
    """The first bytes of a gzip or zlib body, up to a number of them, and whether there is more. Raises zlib.error."""
    reader = zlib.decompressobj(32 + zlib.MAX_WBITS)
    made = reader.decompress(body, most + 1)
    if len(made) <= most and not reader.eof:
        raise zlib.error("the stream ends too early")
    return made, len(made) > most
