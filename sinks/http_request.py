"""What a request to ClickHouse's HTTP interface asks for: its parameters, its statement, its body."""

from __future__ import annotations

import asyncio
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from aiohttp import hdrs, web

from sinks.engine import EngineError
from sinks.spool import Buffer, Spool, Spools
from sinks.statements import Insert, first_word, split_insert

# Request parameters that are not settings of ClickHouse.
_TRANSPORT = frozenset(
    (
        *("query", "database", "default_format", "user", "password", "quota_key", "role", "query_id"),
        *("session_id", "session_timeout", "session_check", "close_session", "stacktrace"),
        *("wait_end_of_query", "buffer_size", "compress", "decompress", "client_protocol_version"),
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


def asked_by(request: web.Request, form: Mapping[str, str], headers: Mapping[str, str]) -> Asked:
    """What the parameters and the form of a request ask for; headers: of the answer, with its query id."""
    given = {**request.query, **form}
    settings = {name: value for name, value in given.items() if name not in _TRANSPORT and name[:6] != "param_"}
    # Marks the statement for Engine.kill; clients repeat query ids, and a repeated one must not die for the first.
    settings.setdefault("log_comment", f"{headers['X-ClickHouse-Query-Id']} {uuid.uuid4()}")
    settings.pop("readonly", None)
    return Asked(
        database=given.get("database") or request.headers.get("X-ClickHouse-Database"),
        params={name[6:]: value for name, value in given.items() if name.startswith("param_")},
        settings=settings,
        readonly=_readonly(request, given),
        default_format=given.get("default_format"),
    )


def _readonly(request: web.Request, given: Mapping[str, str]) -> str:
    readonly = given.get("readonly", "0")
    # As ClickHouse does: a link must not change data.
    return "2" if request.method == hdrs.METH_GET and readonly == "0" else readonly


def refuse_blocks(request: web.Request) -> None:
    """Raise EngineError for a request that wants, or has, ClickHouse's block compression."""
    for name in ("compress", "decompress"):
        if request.query.get(name, "0") not in ("0", "false"):
            raise refusal(48, "NOT_IMPLEMENTED", f"{name}=1 is not supported; use Content-Encoding, or nothing")


async def insert_ahead(request: web.Request) -> tuple[Insert | None, bytes]:
    """The INSERT with which a request begins whose data are in the body as they are, or None; its beginning.

    The beginning is the parameter `query`, or, where there is none, as much of the body as was read to find out.
    """
    plain = request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower() in ("", "identity")
    if not plain or request.content_type == "multipart/form-data" or _readonly(request, request.query) != "0":
        return None, b""
    if query := request.query.get("query", "").encode():
        return split_insert(query), query
    request.content.set_read_chunk_size(_AHEAD)
    text = b""
    async for chunk, _ in request.content.iter_chunks():
        text += chunk
        insert = split_insert(text)
        if insert is not None and insert.data_from < len(text):  # else what comes may belong to it
            return insert, text
        if len(text) >= _STATEMENT or first_word(text) not in (b"INSERT", b""):
            break
    return None, text


async def spooled(request: web.Request, first: Buffer, spools: Spools) -> Spool:
    """What is left of a body, behind the data that were there with the statement.

    Raises web.HTTPRequestEntityTooLarge.
    """
    spool, size = spools.take(request.content_length or 0), len(first)
    request.content.set_read_chunk_size(_AHEAD)
    try:
        spool.write(first)
        async for chunk, _ in request.content.iter_chunks():  # as they are: to join them first is one more copy of all
            size += len(chunk)
            if size > BODY_LIMIT:
                raise web.HTTPRequestEntityTooLarge(BODY_LIMIT, size)
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


async def read(request: web.Request, ahead: bytes) -> tuple[dict[str, str], bytes, bytes]:
    """The form's fields, the parameter or field `query`, the body decompressed: the statement is query, then body.

    ahead: what was read of the body already. Raises web.HTTPRequestEntityTooLarge.
    """
    query = request.query.get("query", "")
    form: dict[str, str] = {}
    if request.content_type == "multipart/form-data":
        for name, field in (await _form(request)).items():
            if not isinstance(field, (str, bytes)):
                raise refusal(48, "NOT_IMPLEMENTED", "external tables are not supported")
            form[name] = field if isinstance(field, str) else field.decode(errors="replace")
        return form, form.pop("query", query).encode(), b""
    body = await _whole(request, ahead) if ahead else await request.read()
    if body and (encoding := request.headers.get(hdrs.CONTENT_ENCODING, "")):
        body = await asyncio.to_thread(_decompress, body, encoding)
    return form, query.encode(), body


async def _whole(request: web.Request, ahead: bytes) -> bytes:
    """A body of which a part was read."""
    pieces, size = [ahead], len(ahead)
    while chunk := await request.content.readany():
        size += len(chunk)
        if size > BODY_LIMIT:
            raise web.HTTPRequestEntityTooLarge(BODY_LIMIT, size)
        pieces.append(chunk)
    return b"".join(pieces)


async def _form(request: web.Request) -> Mapping[str, object]:
    try:
        return await request.post()
    except web.HTTPException:  # too large
        raise
    except Exception as error:  # aiohttp has as many kinds as a form has ways to be broken
        raise refusal(36, "BAD_ARGUMENTS", f"Cannot read the form: {error or type(error).__name__}") from None


def _decompress(body: bytes, encoding: str) -> bytes:
    try:
        match encoding.strip().lower():
            case "identity":
                return body
            case "gzip" | "deflate":
                return zlib.decompress(body, 32 + zlib.MAX_WBITS)
            case "lz4" | "zstd" | "br" as name:
                codec = "brotli" if name == "br" else name
                return bytes(pa.input_stream(pa.py_buffer(body), compression=codec).read())
    except Exception as error:
        raise refusal(271, "CANNOT_DECOMPRESS", f"Cannot decompress the {encoding} body: {error}") from None
    raise refusal(48, "NOT_IMPLEMENTED", f"Content-Encoding {encoding} is not supported")


def refusal(code: int, name: str, message: str) -> EngineError:
    """An error in ClickHouse's own words, with one of its codes (https://clickhouse.com/docs/interfaces/http)."""
    return EngineError(f"Code: {code}. DB::Exception: {message}. ({name})", code)
