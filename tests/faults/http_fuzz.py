"""What HTTP servers make of any bytes at all: an answer in HTTP's own form, never an exception, and they go on.

ClickHouse's interface answers what it cannot do with its error code in a header (as ClickHouse does, with status 500,
too); a worker's page with a status of 4xx. What is no request gets 400, or a closed connection.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from aiohttp.http_exceptions import HttpProcessingError

ANSWER_SECONDS = 1.0
"""A request that is not whole waits for its rest: it is left after so long."""

HTTP_WORDS = (
    *(
        b"Content-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\r\n\r\n",
        b"0\r\n\r\n",
    ),
    *(b"Content-Encoding: lz4\r\n", b"Content-Encoding: zstd\r\n", b"Content-Encoding: \xff\r\n", b"ffffffff\r\n"),
    *(b"Content-Type: multipart/form-data\r\n", b"Content-Type: multipart/form-data; boundary=b\r\n", b"%", b"%00"),
    *(b"GET ", b"HEAD ", b"OPTIONS ", b"/..", b"?query=", b"&", b"&readonly=1", b"&readonly=x", b"&database=%60"),
    *(b"&param_x=%C3", b"&max_threads=banana", b"&compress=1", b"&default_format=Nope", b"&query_id=%0d%0aX:%20y"),
    *(b" FORMAT JSON", b" FORMAT ", b" SETTINGS ", b"FORMAT Arrow", b"unhex('C3')", b";", b"/*", b"--", b"'", b"`"),
    *(b"Origin: null\r\n", b"Origin: http://[\r\n", b"Host: \r\n", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n"),
)

_STATUS = re.compile(rb"HTTP/\d\.\d (\d{3}) ")
_LOGGERS = ("aiohttp.server", "aiohttp.web", "asyncio")


async def answer(url: str, request: bytes) -> bytes:
    """What comes back for raw bytes, up to the end of the connection or of our patience."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    got = bytearray()
    try:
        writer.write(request)
        async with asyncio.timeout(ANSWER_SECONDS):
            while chunk := await reader.read(1 << 16):
                got += chunk
                if b"\r\n\r\n" in got and b"Connection: close" not in got:
                    break  # kept alive: the head tells enough
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return bytes(got)


def check_answer(request: bytes, got: bytes) -> None:
    """Raise AssertionError where an answer is none that a server may give."""
    if not got:
        return
    found = _STATUS.match(got)
    assert found, f"no HTTP: {got[:200]!r} to {request!r}"
    status = int(found[1])
    if status >= 500:
        head = got.partition(b"\r\n\r\n")[0]
        told = b"X-ClickHouse-Exception-Code:" in head or b'"ok":false' in got
        assert told, f"{status} without a code: {got[:600]!r} to {request!r}"
    assert b"Traceback" not in got, f"a stack in an answer to {request!r}"


@contextmanager
def exceptions() -> Iterator[list[str]]:
    """What servers in this process log as exceptions of theirs within the block."""
    found: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            if record.levelno >= logging.ERROR and not isinstance(error, HttpProcessingError):  # those get their 400
                found.append(f"{record.getMessage()}: {error!r}")

    keeper = Keeper()
    for name in _LOGGERS:
        logging.getLogger(name).addHandler(keeper)
    try:
        yield found
    finally:
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(keeper)


async def check_requests(url: str, alive: str, requests: list[bytes]) -> None:
    """Send raw requests side by side; each must be answered properly, and `alive` as before."""
    for request, got in zip(requests, await asyncio.gather(*(answer(url, one) for one in requests)), strict=True):
        check_answer(request, got)
    got = await answer(url, f"GET {alive} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 200 "), f"{alive} answers {got[:200]!r} after {requests!r}"
