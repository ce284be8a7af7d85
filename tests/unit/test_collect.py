"""The collector's answers: what is taken, in which forms, from whom, and what is said of the rest."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import orjson
import pytest

from streams.collect import app, bodies, server
from streams.collect.configuration import access_of
from streams.settings import Settings, SettingsError
from streams.sources.event_ids import NAMESPACE
from tests.support.collector import TOKEN, Served, serving
from tests.support.waiting import until

DATA = Path(__file__).parent / "data"
EVENT = {
    "channel": "booking",
    "event_id": "6f3c2a52-3d0e-4f6c-9a0f-1d1f0f7f0a01",
    "occurred_at": "2025-02-01T09:30:00Z",
    "ids": [{"kind": "customer", "value": "C-1001"}],
    "touchpoint": "booking.confirmed",
    "medium": "web",
}


def served(test: Callable[[Served], Awaitable[None]], **how: Any) -> None:
    """Run a test on a collector."""

    async def run() -> None:
        async with serving(**how) as found:
            await test(found)

    asyncio.run(run())


def hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def uuid_of(source: str, name: str) -> str:
    return str(uuid5(uuid5(NAMESPACE, source), name))


def pairs(event: dict[str, Any], what: str = "ids", first: str = "kind") -> list[tuple[str, str]]:
    return [(one[first], one["value"]) for one in event[what]]


def test_one_an_array_and_json_lines_also_gzipped_are_the_same() -> None:
    async def test(on: Served) -> None:
        one = json.dumps(EVENT)
        forms = [
            (one, "application/json", {}),
            (f"[{one}]", "application/json; charset=utf-8", {}),
            (f"{one}\n\n", "application/x-ndjson", {}),
            (gzip.compress(f"[{one}]".encode()), "application/json", {"Content_Encoding": "gzip"}),
        ]
        for body, kind, headers in forms:
            assert await on.post("/v1/events", body, kind, **headers) == (
                202,
                {"accepted": 1, "refused": 0, "errors": []},
            )
        events = on.kept.events("booking")
        assert len(events) == 4
        assert all(event == events[0] for event in events)
        assert events[0]["event_id"] == EVENT["event_id"]
        assert {tuple(part.keys) for part in on.kept.parts} == {(b"customer:C-1001",)}

    served(test)


def test_spellings_of_json_that_mean_the_same() -> None:
    async def test(on: Served) -> None:
        of_maps = {**EVENT, "ids": {"customer": "C-1001", "loyalty": 7}, "attributes": {"floor": 3, "view": "sea"}}
        cloud = {
            "specversion": "1.0",
            "id": "e",
            "source": "/p",
            "type": "booking.confirmed",
            "time": EVENT["occurred_at"],
        }
        packed = base64.b64encode(json.dumps({"ids": EVENT["ids"]}).encode()).decode()
        for body, kind in (
            (json.dumps(of_maps), "application/json"),
            (b"\xef\xbb\xbf" + json.dumps(EVENT).encode(), "application/json"),
            (json.dumps({**EVENT, "occurred_at": "2025-02-01 09:30:00 UTC"}), "application/json"),
            (json.dumps({**cloud, "data_base64": packed}), "application/cloudevents+json"),
        ):
            assert (await on.post("/v1/events", body, kind))[0] == 202
        first, *others = on.kept.events("booking")
        assert pairs(first) == [("customer", "C-1001"), ("loyalty", "7")]
        assert pairs(first, "attributes", "key") == [("floor", "3"), ("view", "sea")]
        assert {event["occurred_at"] for event in others} == {first["occurred_at"]}
        assert all(pairs(event) == [("customer", "C-1001")] for event in others)
        wrong = {**EVENT, "ids": {"customer": ["C-1"]}}
        assert (await on.post("/v1/events", json.dumps(wrong)))[0] == 400
        unpacked = {**cloud, "data_base64": "!"}
        assert (await on.post("/v1/events", json.dumps(unpacked), "application/cloudevents+json"))[0] == 400

    served(test)


def test_each_event_that_is_none_is_told_by_its_place_and_the_others_are_taken() -> None:
    async def test(on: Served) -> None:
        sent = [
            EVENT,
            {**EVENT, "event_id": None},
            {**EVENT, "survey": {"instrument": "nps", "score": 11}},
            {**EVENT, "ids": []},
            {**EVENT, "ids": [{"kind": "social", "value": "amina@example.com"}]},
            {**EVENT, "ids": [{"kind": "phone", "value": "what?"}]},
            {**EVENT, "occurred_at": "1999-01-01T00:00:00Z"},
            "no event",
            {**EVENT, "channel": "stay", "touchpoint": "stay.arrived"},
        ]
        status, told = await on.post("/v1/events", orjson.dumps(sent))
        assert (status, told["accepted"], told["refused"]) == (202, 2, 7)
        assert [(one["index"], one["reason"]) for one in told["errors"]] == [
            (1, "bad_event_id"),
            (2, "bad_survey"),
            (3, "no_identifier"),
            (4, "clear_identifier"),
            (5, "clear_identifier"),
            (6, "bad_time"),
            (7, "undecodable"),
        ]
        assert "amina" not in json.dumps(told)
        assert sorted(part.topic for part in on.kept.parts) == ["booking", "stay"]
        status, told = await on.post("/v1/events", orjson.dumps(sent[1:2]))
        assert (status, told["accepted"]) == (400, 0)

    served(test)


def test_addresses_and_numbers_reach_nobody_in_clear() -> None:
    async def test(on: Served) -> None:
        event = {
            **EVENT,
            "ids": [
                {"kind": "E-Mail", "value": " Amina@Example.COM "},
                {"kind": "phone", "value": "050 123 4567"},
                {"kind": "email_sha256", "value": "Amina@example.com"},
                {"kind": "phone_sha256", "value": hashed("+966501234567").upper()},
            ],
            "text": "write to amina@example.com",
            "attributes": [{"key": "contact", "value": "+966 50 123 4567"}],
        }
        assert (await on.post("/v1/events", orjson.dumps(event)))[0] == 202
        (kept,) = on.kept.events("booking")
        assert sorted(set(pairs(kept))) == [
            ("email_sha256", hashed("amina@example.com")),
            ("phone_sha256", hashed("+966501234567")),
        ]
        assert (kept["text"], kept["attributes"][0]["value"]) == ("write to [email]", "[phone]")
        every = b"".join(value for part in on.kept.parts for value in (*part.values, *(part.keys)) if value)
        assert b"mina" not in every
        assert b"4567" not in every

    served(test)


def test_other_spellings_and_ids_of_any_form() -> None:
    async def test(on: Served) -> None:
        sent = [
            {
                **EVENT,
                "event_id": 4711,
                "touchpoint": "Booking Confirmed",
                "medium": "Web",
                "country": "sa",
                "unit": "",
            },
            {**EVENT, "event_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "money": {"amount_minor": "100", "currency": "sar"}},
        ]
        assert (await on.post("/v1/events?source=erp", orjson.dumps(sent)))[0] == 202
        first, second = (
            on.kept.events("booking")
            if len(on.kept.parts) == 1
            else sorted(on.kept.events("booking"), key=lambda event: event["country"] is None)
        )
        assert first["event_id"] == uuid_of("erp", "4711")
        assert (first["touchpoint"], first["medium"], first["country"], first["unit"]) == (
            "booking.confirmed", "web", "SA", None,
        )  # fmt: skip
        assert pairs(first, "attributes", "key") == [("source_event_id", "4711")]
        assert second["event_id"] == uuid_of("erp", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
        assert second["money"] == {"amount_minor": 100, "currency": "SAR"}

    served(test)


def test_cloudevents_in_their_three_modes() -> None:
    data = {"ids": EVENT["ids"], "booking_ref": "R-7", "room": "204"}
    about = {"specversion": "1.0", "id": "e-1", "source": "/pms", "type": "com.example.booking.confirmed",
             "time": "2025-02-01T09:30:00Z", "subject": "stay 7"}  # fmt: skip

    async def test(on: Served) -> None:
        one = {**about, "data": data}
        assert (await on.post("/v1/events", orjson.dumps(one), "application/cloudevents+json"))[0] == 202
        batch = orjson.dumps([one, {**one, "specversion": "0.3"}])
        _, told = await on.post("/v1/events", batch, "application/cloudevents-batch+json")
        assert (told["accepted"], told["errors"][0]["index"]) == (1, 1)
        headers = {f"ce-{name}": value.replace(" ", "%20") for name, value in about.items()}
        assert (await on.post("/v1/events", orjson.dumps(data), **headers))[0] == 202
        events = on.kept.events("booking")
        assert len(events) == 3
        assert all(event == events[0] for event in events)
        assert events[0]["event_id"] == uuid_of("/pms", "e-1")
        assert (events[0]["touchpoint"], events[0]["booking_ref"], events[0]["medium"]) == (
            "booking.confirmed", "R-7", "system",
        )  # fmt: skip
        assert ("subject", "stay 7") in pairs(events[0], "attributes", "key")
        assert ("room", "204") in pairs(events[0], "attributes", "key")
        assert (await on.post("/v1/events", batch, "application/cloudevents+json"))[0] == 400

    served(test)


def test_the_requests_of_segments_libraries() -> None:
    """As @segment/analytics-node 3.1.0 and analytics-python 2.4.0 sent them to a collector."""

    async def test(on: Served) -> None:
        basic = "Basic " + base64.b64encode(f"{TOKEN}:".encode()).decode()
        for name in ("segment-analytics-node-3.1.0.json", "segment-analytics-python-2.4.0.json"):
            on.kept.parts.clear()
            body = (DATA / name).read_bytes()
            for sent, headers in ((body, {}), (gzip.compress(body), {"Content_Encoding": "gzip"})):
                status, told = await on.post("/v1/batch", sent, Authorization=basic, **headers)
                assert (status, told["success"]) == (200, True), told
                assert told["errors"] == []
            events = on.kept.events("booking")
            half = len(events) // 2
            assert events[:half] == events[half:], "sent again, it has the same ids"
            by_name = {}
            for event in events[:half]:
                by_name.setdefault(event["touchpoint"], []).append(event)
            (confirmed,) = by_name["booking.confirmed"]
            assert confirmed["money"] == {"amount_minor": 20500, "currency": "KWD"}
            assert confirmed["medium"] == "system"
            assert len(by_name["booking.page_viewed"]) == 2  # page, screen
            assert len(by_name["identity.linked"]) == 3  # identify, group, alias
            assert {"email_sha256", "device", "customer"} <= {
                kind for event in by_name["identity.linked"] for kind, _ in pairs(event)
            }

    served(test)


def test_a_call_on_its_own_route_and_what_cannot_be_read_of_it() -> None:
    call = {"userId": 7, "event": "Nights Booked", "messageId": "m-1", "timestamp": "2025-02-01T09:30:00Z",
            "context": {"library": {"name": "analytics.js"}, "locale": "ar-SA"},
            "properties": {"channel": "booking", "nights": "many", "party_size": "2", "text": 5}}  # fmt: skip

    async def test(on: Served) -> None:
        assert (await on.post("/v1/track", orjson.dumps(call)))[0] == 200
        (event,) = on.kept.events("booking")
        assert (event["touchpoint"], event["medium"], event["locale"], event["party_size"]) == (
            "Nights Booked", "web", "ar-SA", 2,
        )  # fmt: skip
        assert (event["nights"], event["text"]) == (None, None)
        assert {("nights.unread", "many"), ("text.unread", "5")} <= {*pairs(event, "attributes", "key")}
        for fault in ({"messageId": None}, {"timestamp": None}, {"properties": {}}, {"event": None}):
            assert (await on.post("/v1/track", orjson.dumps({**call, **fault})))[0] == 400

    served(test)


def test_who_may_send_what_and_how_much(tmp_path: Path) -> None:
    (tmp_path / "web").write_text("token-of-the-website\n")
    (tmp_path / "collect.toml").write_text(
        '[tokens.web]\nsecret_file = "web"\nsources = ["site", "app"]\nrate = 2\nchannel = "booking"\n'
        'touchpoints = {"Order Completed" = "booking.confirmed"}\n'
    )
    access = access_of(Settings(collect_config=str(tmp_path / "collect.toml")))

    async def test(on: Served) -> None:
        mine = {"Authorization": "Bearer token-of-the-website"}
        one = {**EVENT, "event_id": "1"}
        assert (await on.post("/v1/events", orjson.dumps(one)))[0] == 401
        assert (await on.post("/v1/events", orjson.dumps(one), Authorization="Basic %%%"))[0] == 401
        assert (await on.post("/v1/events", orjson.dumps(one), **mine))[0] == 202
        assert (await on.post("/v1/events", orjson.dumps(one), **mine, Rihla_Source="app"))[0] == 202
        assert (await on.post("/v1/events", orjson.dumps(one), **mine, Rihla_Source="erp"))[0] == 403
        ids = [event["event_id"] for event in on.kept.events("booking")]
        assert ids == [uuid_of("site", "1"), uuid_of("app", "1")]
        call = {"userId": "7", "event": "Order Completed", "messageId": "m", "timestamp": EVENT["occurred_at"]}
        assert (await on.post("/v1/track", orjson.dumps(call), **mine))[0] == 200
        assert on.kept.events("booking")[-1]["touchpoint"] == "booking.confirmed"
        many = orjson.dumps([one] * 100)
        assert (await on.post("/v1/events", many, **mine))[0] == 202
        async with on.http.post(
            f"{on.url}/v1/events", data=many, headers={**mine, "Content-Type": "application/json"}
        ) as later:
            assert later.status == 429
            assert 40 <= int(later.headers["Retry-After"]) <= 50  # about 100 events at two a second, less what was left

    served(test, access=access)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nobody may send anything"),
        ("[tokens.a]\nsecret_file='none'", "none cannot be read"),
        ("[tokens.a]\nsecret_file='short'", "at least 16"),
        ("[tokens.a]\nsecret_file='good'\nchannel='rail'", "channel 'rail' is none of"),
        ("[tokens.a]\nsecret_file='good'\ncountry='XX'", "country 'XX'"),
        ("[tokens.a]\nsecret_file='good'\nrate=0", "rate 0 is not"),
        ("[tokens.a]\nsecret_file='good'\n[tokens.b]\nsecret_file='good'", "the same token as that of 'a'"),
        ("[webhooks.a]\nmapping='m.toml'\nscheme='rot13'\nsecret_file='good'", "scheme 'rot13' is none of"),
        ("[webhooks.a]\nmapping='m.toml'\nscheme='stripe'\nsecret_file='good'", "m.toml cannot be read"),
        ("[tokens]\na=1", "collect.toml: Expected"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("short")
    (tmp_path / "good").write_text("long-enough-to-be-a-secret")
    (tmp_path / "collect.toml").write_text(text)
    with pytest.raises(SettingsError, match=said):
        access_of(Settings(collect_config=str(tmp_path / "collect.toml")))


def test_what_is_not_acknowledged_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(on: Served) -> None:
        on.kept.fails = True
        status, told = await on.post("/v1/events", orjson.dumps(EVENT))
        assert (status, on.kept.parts) == (503, [])
        on.kept.fails, on.kept.held = False, asyncio.Event()
        asked = asyncio.create_task(on.post("/v1/events", orjson.dumps(EVENT)))
        await until(lambda: on.app._held.held)
        monkeypatch.setattr(on.app._held, "limit", 10)
        assert (await on.post("/v1/events", orjson.dumps(EVENT)))[0] == 503, "there is no room for a second one"
        assert not asked.done(), "no answer before the acknowledgement"
        on.kept.held.set()
        assert (await asked)[0] == 202
        assert on.app._held.held == 0
        monkeypatch.setattr(on.app._held, "limit", 1 << 20)
        on.kept.most = 50
        status, told = await on.post("/v1/events", orjson.dumps(EVENT))
        assert (status, told["errors"][0]["reason"]) == (400, "too_long")

    served(test)


def test_bodies_that_are_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY", 2000)
    monkeypatch.setattr(bodies, "MAX_UNZIPPED", 10_000)
    monkeypatch.setattr(bodies, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(app, "MOST_EVENTS", 3)

    async def test(on: Served) -> None:
        zipped = {"Content_Encoding": "gzip"}
        bomb = gzip.compress(b" " * 1_000_000)
        whole = gzip.compress(orjson.dumps(EVENT))
        assert (await on.post("/v1/events", b" " * 3000))[0] == 413
        assert (await on.post("/v1/events", bomb, **zipped))[0] == 413
        assert (await on.post("/v1/events", whole[:-20], **zipped))[0] == 400
        assert (await on.post("/v1/events", whole + b"more", **zipped))[0] == 400
        assert (await on.post("/v1/events", b"{}", **zipped))[0] == 400
        assert (await on.post("/v1/events", b"{}", Content_Encoding="br"))[0] == 415
        assert (await on.post("/v1/events", b"{}", "text/plain"))[0] == 415
        assert (await on.post("/v1/events", b"[" * 1500))[0] == 400
        assert (await on.post("/v1/events", b"[1,2,3,4]"))[0] == 413
        assert (await on.post("/v1/nothing", b"{}"))[0] == 404
        reader, writer = await asyncio.open_connection("127.0.0.1", int(on.url.rpartition(":")[2]))
        writer.write(
            f"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: application/json\r\nContent-Length: 5\r\n\r\n{".encode()
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        assert b"connection: close" in (await reader.readuntil(b"\r\n\r\n")).lower()
        writer.close()

    served(test)


def test_connections_that_say_nothing_or_too_much_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(server, "CONNECTIONS", 3)

    async def test(on: Served) -> None:
        port = int(on.url.rpartition(":")[2])

        async def said(first: bytes) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(first)
            found = await reader.read()
            writer.close()
            return found.partition(b"\r\n")[0]

        assert await said(b"") == b"HTTP/1.1 408 Request Timeout"
        assert await said(b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\n") == b"HTTP/1.1 408 Request Timeout"
        assert (
            await said(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000) == b"HTTP/1.1 431 Request Header Fields Too Large"
        )
        monkeypatch.setattr(server, "HEAD_SECONDS", 60)
        open_ = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        assert await said(b"") == b"HTTP/1.1 503 Service Unavailable"
        for _, writer in open_:
            writer.close()

    served(test)


def test_ids_are_uuids() -> None:
    assert UUID(uuid_of("a", "b")).version == 5
