"""ClickHouse's HTTP interface and a worker's page against mutated requests; tests.faults.fuzz is the long form."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.embedded.clickhouse.access import OWNER
from streams.worker.page import serve
from tests.faults.http_fuzz import HTTP_WORDS, check_requests, exceptions
from tests.faults.mutations import corpus, mutated
from tests.support.clickhouse import TOKENS, ClickHouse

EXAMPLES = 12
AT_ONCE = 12


def requests(folder: str) -> st.SearchStrategy[list[bytes]]:
    return st.lists(mutated(corpus(folder), HTTP_WORDS), min_size=AT_ONCE, max_size=AT_ONCE)


def test_the_clickhouse_interface_answers_whatever_comes(clickhouse: ClickHouse) -> None:
    clickhouse.engine.query("CREATE DATABASE fuzz")
    clickhouse.engine.query(
        "CREATE TABLE fuzz.t (a UInt64, s String, d DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY a"
    )

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(requests("clickhouse"))
    def holds(some: list[bytes]) -> None:
        asyncio.run(check_requests(clickhouse.address, "/ping", some))

    try:
        with exceptions() as found:
            asyncio.run(check_requests(clickhouse.address, "/ping", corpus("clickhouse")))
            holds()
        assert found == []
    finally:
        clickhouse.engine.query("DROP DATABASE fuzz")


def as_owner(request: bytes) -> bytes:
    """A request with the owner's token, in front of its first header."""
    line, _, rest = request.partition(b"\r\n")
    token = f"X-ClickHouse-User: {OWNER.name}\r\nX-ClickHouse-Key: {TOKENS[OWNER.name]}\r\n".encode()
    return line + b"\r\n" + token + rest


FORM = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: multipart/form-data%s\r\n"

POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        FORM % b"" + b"Content-Length: 2\r\n\r\n{}",
        FORM % b"; boundary=b" + b"Content-Length: 18\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
        FORM % b"; boundary=b" + b"Content-Length: 5\r\n\r\n--c\r\n",
        b"GET /?query=SELECT%201&query_id=%0d%0aX:%20y HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /?query=SELECT%201&default_format=%0d%0aX:%20y HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        POST % 25 + b"INSERT INTO t\xba FORMAT CSV",
        POST % 43 + b"SELECT throwIf(1, concat(unhex('C3'), 'x'))",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nOrigin: http://[\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nOrigin: http://\xec.org\r\n\r\n",
    ],
    ids=[
        *("no-boundary", "no-name", "no-start", "header-in-id", "header-in-format", "no-utf-8", "error-with-bytes"),
        *("origin-no-url", "origin-no-utf-8"),
    ],
)
def test_what_once_was_an_exception_of_the_interface(clickhouse: ClickHouse, request_: bytes) -> None:
    with exceptions() as found:
        asyncio.run(check_requests(clickhouse.address, "/ping", [as_owner(request_)]))
    assert found == []


def test_a_workers_page_answers_whatever_comes() -> None:
    async def check(some: list[bytes]) -> None:
        page = await serve("enrich", 0, lambda: {"inputs": {"cx.stay": {0: 1}}}, lambda: (False, "not yet"))
        try:
            await check_requests(page.url, "/healthz", some)
        finally:
            await page.stop()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(requests("page"))
    def holds(some: list[bytes]) -> None:
        asyncio.run(check(some))

    with exceptions() as found:
        asyncio.run(check(corpus("page")))
        holds()
    assert found == []
