"""Who may send nothing to the collector can neither use up what it holds for others, nor be let in by a page."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from streams.collect import app, bodies
from streams.collect.configuration import Access, access_of
from streams.collect.throttle import Full, Lobby, Room, Unknown
from streams.settings import Settings
from tests.support.collector import TOKEN, Served, serving
from tests.support.waiting import until
from tests.unit.test_collect import EVENT
from tests.unit.test_collect_hooks import MAPPING, SECRET, hexadecimal


def with_webhooks(folder: Path) -> Access:
    (folder / "m.toml").write_text(MAPPING)
    (folder / "secret").write_bytes(SECRET)
    told = "".join(
        f'[webhooks.{scheme}]\nmapping = "m.toml"\nscheme = "{scheme}"\nsecret_file = "secret"\n'
        for scheme in ("stripe", "mews", "github")
    )
    (folder / "collect.toml").write_text(told)
    return access_of(Settings(collect_config=str(folder / "collect.toml"), collect_token=TOKEN))


def signed(body: bytes) -> dict[str, str]:
    now = int(time.time())
    return {"Stripe-Signature": f"t={now},v1={hexadecimal(b'%d.' % now + body)}"}


class Half(NamedTuple):
    """A connection on which a request was begun."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def readline(self) -> bytes:
        return await self.reader.readline()


async def half(on: Served, head: str, body: bytes) -> Half:
    """A request of which only this part is sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(on.url.rpartition(":")[2]))
    writer.write(f"{head}\r\nHost: localhost\r\nContent-Type: application/json\r\n\r\n".encode() + body)
    return Half(reader, writer)


def garbage() -> str:
    """A header with a signature of now that is wrong."""
    return f"Stripe-Signature: t={int(time.time())},v1={'0' * 64}"


def test_unsigned_halves_of_requests_do_not_keep_out_who_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "UNKNOWN_BYTES", 1 << 20)
    body = json.dumps({"id": "r-1", "state": "Optional", "note": "x" * 300_000}).encode()

    async def run() -> None:
        async with serving(with_webhooks(tmp_path)) as on:
            head = f"POST /v1/webhooks/stripe HTTP/1.1\r\n{garbage()}\r\nContent-Length: 4000000"
            halves = [await half(on, head, b" " * 400_000) for _ in range(8)]
            await until(lambda: on.app._lobby.held > 700_000)
            assert on.app._lobby.held <= 1 << 20
            for _ in range(5):
                assert (await on.post("/v1/webhooks/stripe", body, **signed(body)))[0] == 202
            assert (await on.post("/v1/events", orjson.dumps(EVENT)))[0] == 202, "nothing is taken of what tokens have"
            assert on.app._held.held == 0
            for one in halves[:4]:
                assert (await one.readline()).startswith(b"HTTP/1.1 503"), "the oldest gave way"
            for one in halves:
                one.writer.close()
            await until(lambda: on.app._lobby.held == 0)

    asyncio.run(run())


def test_what_can_be_refused_without_a_body_is(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(with_webhooks(tmp_path)) as on:
            for route, header, status in (
                ("stripe", "X: y", 401),
                ("stripe", "Stripe-Signature: t=1,v1=00", 401),
                ("mews?token=wrong-wrong-wrong-wrong", "X: y", 401),
                ("github", "X-Hub-Signature-256: md5=00", 401),
                ("nobody", "X: y", 404),
            ):
                one = await half(on, f"POST /v1/webhooks/{route} HTTP/1.1\r\n{header}\r\nContent-Length: 4000000", b"{")
                assert (await one.readline()).startswith(f"HTTP/1.1 {status}".encode()), route
                assert on.app._lobby.held == 0
                one.writer.close()

    asyncio.run(run())


def test_bombs_and_bodies_of_megabytes_that_nobody_signed(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(with_webhooks(tmp_path)) as on:
            bomb = gzip.compress(b" " * 16_000_000)
            status, _ = await on.post("/v1/webhooks/stripe", bomb, Content_Encoding="gzip", **signed(bomb))
            assert status == 415, "what is signed is not unzipped"
            head = f"POST /v1/webhooks/stripe HTTP/1.1\r\n{garbage()}\r\n"
            for said in ("Content-Length: 20000000", f"Content-Length: {'9' * 40}"):
                one = await half(on, head + said, b"")
                assert (await one.readline())[9:12] in (b"413", b"400")
                one.writer.close()
            chunks = (b"%x\r\n" % (1 << 20) + b" " * (1 << 20) + b"\r\n") * 20
            one = await half(on, head + "Transfer-Encoding: chunked", chunks)
            assert (await one.readline()).startswith(b"HTTP/1.1 413")
            one.writer.close()
            assert on.app._lobby.held == 0

    asyncio.run(run())


def test_a_signed_body_that_comes_slowly_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "UNKNOWN_SECONDS", 0.2)

    async def run() -> None:
        async with serving(with_webhooks(tmp_path)) as on:
            head = f"POST /v1/webhooks/stripe HTTP/1.1\r\n{garbage()}\r\nContent-Length: 4000000"
            one = await half(on, head, b"{")
            assert (await one.readline()).startswith(b"HTTP/1.1 408")
            one.writer.close()

    asyncio.run(run())


def test_pages_of_other_sites_and_other_names_are_refused_as_everywhere() -> None:
    async def run() -> None:
        async with serving() as on:
            port = on.url.rpartition(":")[2]
            body = orjson.dumps(EVENT)
            for headers in (
                {"Host": "evil.example"},
                {"Host": f"localhost.evil.example:{port}"},
                {"Origin": "http://evil.example"},
                {"Origin": "null"},
                {"Host": "evil.example", "Origin": "http://evil.example"},
                {"Sec_Fetch_Site": "cross-site"},
            ):
                status, told = await on.post("/v1/events", body, **headers)
                assert (status, told["status"]) == (403, 403), headers
            for headers in ({"Host": f"localhost:{port}"}, {"Host": "127.0.0.1", "Origin": "http://127.0.0.1"}):
                assert (await on.post("/v1/events", body, **headers))[0] == 202, headers
            assert len(on.kept.parts) == 2

    asyncio.run(run())


def test_a_proxy_in_front_has_names_of_its_own() -> None:
    async def run() -> None:
        async with serving(names="events.example.com, other.example") as on:
            body = orjson.dumps(EVENT)
            for headers in ({"Host": "events.example.com"},
                            {"Host": "events.example.com", "Origin": "https://events.example.com"}):  # fmt: skip
                assert (await on.post("/v1/events", body, **headers))[0] == 202
            assert (await on.post("/v1/events", body, Host="evil.example"))[0] == 403

    asyncio.run(run())


def test_a_sender_has_no_more_than_half_of_what_is_held() -> None:
    room = Room(100)
    room.take(50, "a")
    with pytest.raises(Full):
        room.take(1, "a")
    room.take(50, "b")
    room.release(50, "a")
    room.take(40, "c")
    with pytest.raises(Full):
        room.take(11, "a")


def test_who_holds_most_gives_way_with_its_oldest() -> None:
    gone: list[str] = []
    lobby = Lobby(100)

    def coming(name: str, address: str) -> Unknown:
        return Unknown(address, lambda: gone.append(name))

    slow, next_, other = coming("slow", "x"), coming("next", "x"), coming("other", "y")
    lobby.take(slow, 40)
    lobby.take(next_, 40)
    lobby.take(other, 20)
    lobby.take(coming("new", "z"), 20)
    assert gone == ["slow"]
    with pytest.raises(Full):
        lobby.take(slow, 1)
    lobby.leave(slow)
    assert lobby.held == 80
    lobby.leave(next_)
    lobby.leave(other)
    assert lobby.held == 20


def test_trailers_are_no_headers_and_what_stands_beside_a_body_is_bounded(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(with_webhooks(tmp_path)) as on:
            body = b'{"id": "r-1"}'
            (name, value), *_ = signed(body).items()
            late = f"{name}: {value}\r\n\r\n".encode()
            head = "POST /v1/webhooks/stripe HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close"
            one = await half(on, head, b"%x\r\n%b\r\n0\r\n" % (len(body), body) + late)
            assert (await one.readline()).startswith(b"HTTP/1.1 401"), "a signature belongs into the head"
            one.writer.close()
            for begin, more in (
                (b"0\r\n", b"X: " + b"y" * 2000 + b"\r\n"),
                (b"0\r\nX: ", b"y" * 2000),
                (b"5;", b"y" * 2000),
            ):
                one = await half(on, f"{head}\r\n{garbage()}", begin + more * 100)
                assert (await one.readline()).startswith(b"HTTP/1.1 400"), begin
                one.writer.close()
            octets = b"".join(b"1\r\n%c\r\n" % octet for octet in body) + b"0\r\n\r\n"
            one = await half(on, f"{head}\r\n{name}: {value}", octets)
            assert (await one.readline()).startswith(b"HTTP/1.1 202"), "small chunks are chunks"
            one.writer.close()

    asyncio.run(run())


def test_a_signed_request_has_no_more_items_than_others(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(with_webhooks(tmp_path)) as on:
            body = b"[" + b"{}," * 100_000 + b"{}]"
            status, told = await on.post("/v1/webhooks/stripe", body, **signed(body))
            assert (status, told["detail"]) == (413, "there are 100001 events in one request; 10000 are taken")

    asyncio.run(run())
