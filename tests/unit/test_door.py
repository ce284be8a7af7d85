"""What is at the door of every HTTP endpoint: who may knock, for how long, and how many at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import make_mocked_request

from streams.door import Door, Limits, Visitors, pieces
from streams.worker.page import serve

SHORT = 0.05
LONG = 3600.0


async def read(request: web.Request) -> web.Response:
    """Answers with the size of the body, or 408."""
    try:
        size = sum([len(piece) async for piece in pieces(request.content, request.app[LIMITS])])
    except TimeoutError:
        return web.Response(status=408)
    return web.Response(text=str(size))


async def much(_: web.Request) -> web.Response:
    return web.Response(body=b"x" * (64 << 20))


LIMITS = web.AppKey("limits", Limits)


@asynccontextmanager
async def listening(**limits: Any) -> AsyncIterator[Door]:
    app = web.Application()
    app[LIMITS] = Limits(**{"head": LONG, "idle": LONG, "stall": LONG, "body": LONG, "answer": LONG} | limits)
    app.router.add_get("/", read)
    app.router.add_post("/", read)
    app.router.add_get("/much", much)
    app.router.add_get("/linked/a", read)
    app.router.add_post("/linked/a", read)
    door = Door(app, app[LIMITS], linked=("/linked/",), shutdown_timeout=0.1)
    await door.listen("127.0.0.1", 0)
    try:
        yield door
    finally:
        await door.close()


async def left_alone(door: Door, sent: bytes) -> bytes:
    """What comes back to one who sends this and then nothing, until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(sent)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def until(holds: Callable[[], bool]) -> None:
    """Return once a condition holds."""
    while not holds():  # noqa: ASYNC110  (nothing tells of it)
        await asyncio.sleep(0.001)


HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"


@pytest.mark.parametrize(
    "sent", [b"", b"G", HEAD, HEAD + b"X: y"], ids=["nothing", "a byte", "half a head", "a header"]
)
async def test_half_a_request_is_closed(sent: bytes) -> None:
    async with listening(head=SHORT) as door:
        assert (await left_alone(door, sent)).startswith(b"HTTP/1.1 408 ")
        assert not door.open


async def test_a_thousand_half_requests_do_not_stay_nor_keep_others_out() -> None:
    async with listening(head=SHORT, connections=50) as door:
        ends = await asyncio.gather(*(left_alone(door, HEAD) for _ in range(1000)))
        assert {end[:13] for end in ends} <= {b"HTTP/1.1 408 ", b"HTTP/1.1 503 ", b""}
        assert (await left_alone(door, HEAD + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("limits", [{"stall": SHORT}, {"body": SHORT}], ids=["stalls", "takes too long"])
async def test_a_body_that_does_not_come_is_given_up(limits: dict[str, float]) -> None:
    async with listening(idle=SHORT, **limits) as door:
        assert (await left_alone(door, POST + b"12345")).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"Authorization: Bearer \xff\xfe\r\n", 400),
        (HEAD + b"Cookie: rihla_desk=\xed\xa0\x80\r\n", 400),
        (HEAD + "User-Agent: Ł".encode("iso8859-2") + b"\r\n", 200),
        (HEAD + "Authorization: Bearer é".encode() + b"\r\n", 200),
        (HEAD.replace(b"GET", b"POST") + b"Content-Encoding: zstd\r\nContent-Length: 4\r\n", 400),
        (HEAD.replace(b"GET", b"POST") + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n", 400),
    ],
    ids=["no UTF-8", "a surrogate", "a header nobody reads", "UTF-8", "not zstd", "not gzip"],
)
async def test_octets_that_say_nothing_are_refused_and_not_logged(
    sent: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening() as door:
        answer = await left_alone(door, sent + b"Connection: close\r\n\r\n" + b"xxxx" * (b"POST" in sent))
        assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert not caplog.messages


async def test_an_idle_connection_and_half_a_second_request_are_closed() -> None:
    async with listening(idle=SHORT) as door:
        for after in (b"", b"GET / HT"):
            assert (await left_alone(door, HEAD + b"\r\n" + after)).count(b"HTTP/1.1 200 OK") == 1


async def test_one_who_does_not_take_an_answer_is_left() -> None:
    async with listening(answer=SHORT) as door:
        _, writer = await asyncio.open_connection("127.0.0.1", door.port, limit=1)
        writer.write(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: bool(door.open))
        await until(lambda: not door.open)
        writer.close()


async def test_beyond_the_bound_connections_are_told_so() -> None:
    async with listening(connections=1) as door:
        _, first = await asyncio.open_connection("127.0.0.1", door.port)
        await until(lambda: bool(door.open))
        assert (await left_alone(door, b"")).startswith(b"HTTP/1.1 503 ")
        first.close()
        await until(lambda: not door.open)
        assert (await left_alone(door, HEAD + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_lines_and_headers_have_a_bound() -> None:
    async with listening(line=1000, header=1000, headers=10) as door:
        for sent in (
            b"GET /?" + b"x" * 2000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            HEAD + b"X: " + b"y" * 2000 + b"\r\n\r\n",
            HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(50)) + b"\r\n",
        ):
            assert (await left_alone(door, sent))[8:13] in (b" 400 ", b" 431 ")


def refuses(host: str, names: frozenset[str] | None, **headers: str) -> bool:
    door = Door(web.Application())
    door._visitors = Visitors("127.0.0.1", names is None)
    given = {"Host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return door.refuses(make_mocked_request("GET", "/", headers=given)) is not None


HERE = frozenset(("localhost", "127.0.0.1", "::1"))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8123", "127.0.0.1:8123", "127.0.0.1", "[::1]:8123", "[::1]"])
def test_this_machines_names_are_let_in_at_any_port(host: str) -> None:
    assert not refuses(host, HERE)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "10.0.0.1", "a@b"]
)
def test_other_names_are_not_let_in(host: str) -> None:
    assert refuses(host, HERE)


@pytest.mark.parametrize(
    "host", ["10.1.2.3:9100", "stitch:9100", "rihla.ns.svc.cluster.local", "[fd00::1]:9100", "prometheus.internal"]
)
def test_where_all_addresses_are_listened_on_names_of_a_network_are_let_in(host: str) -> None:
    assert not refuses(host, None)
    assert refuses("evil.example:9100", None)


def test_pages_of_other_sites_are_not_let_in() -> None:
    assert refuses("localhost:1", HERE, Origin="http://evil.example")
    assert refuses("localhost:1", HERE, Origin="null")
    assert refuses("localhost:1", HERE, Sec_Fetch_Site="cross-site")
    assert not refuses("localhost:1", HERE, Origin="http://localhost:1", Sec_Fetch_Site="same-origin")


@pytest.mark.parametrize(
    ("host", "origin", "refused"),
    [
        ("desk.example.com", "https://desk.example.com", False),
        ("desk.example.com", "https://evil.example", True),
        ("evil.example", "https://evil.example", True),
        ("localhost:1", "https://desk.example.com", False),  # a proxy that asks by its own name for us
        ("desk.example.com:444", "https://desk.example.com:444", False),  # its own page, at another port of the proxy
        ("desk.example.com", "https://desk.example.com:444", True),
    ],
)
def test_the_public_address_is_let_in_and_its_pages_are(host: str, origin: str, refused: bool) -> None:
    door = Door(web.Application(), names=["desk.example.com"])
    door._visitors = Visitors("127.0.0.1", others=["desk.example.com"])
    request = make_mocked_request("POST", "/", headers={"Host": host, "Origin": origin})
    assert (door.refuses(request) is not None) == refused


async def test_a_workers_page_has_the_same_door() -> None:
    page = await serve("enrich", 0, dict, lambda: (True, "ready"))
    try:
        door = page._door
        assert door is not None
        for path in ("metrics", "healthz", "readyz", "progress"):
            head = f"GET /{path} HTTP/1.1\r\nConnection: close\r\nHost: ".encode()
            assert (await left_alone(door, head + b"localhost\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert (await left_alone(door, head + b"evil.example\r\n\r\n")).startswith(b"HTTP/1.1 403 ")
            for method in (b"POST", b"PUT", b"DELETE"):
                other = method + head.removeprefix(b"GET") + b"localhost\r\nContent-Length: 0\r\n\r\n"
                assert (await left_alone(door, other)).startswith(b"HTTP/1.1 405 ")
    finally:
        await page.stop()


FOLLOWED = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/linked/a", FOLLOWED, 200),
        ("GET", "/", FOLLOWED, 403),
        ("POST", "/linked/a", FOLLOWED, 403),
        ("GET", "/linked/a", FOLLOWED | {"Sec-Fetch-Dest": "iframe"}, 403),
        ("GET", "/linked/a", FOLLOWED | {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
        ("POST", "/linked/a", {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 403),
    ],
)
async def test_another_site_may_link_to_a_page_that_is_made_for_it(
    method: str, path: str, headers: dict[str, str], status: int
) -> None:
    async with (
        listening() as door,
        ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{door.port}{path}", headers=headers) as answer,
    ):
        assert answer.status == status
