"""Customer 360 over HTTP: who may ask what, what is shown, what is written down, and how old it may be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from streams.door import Door
from streams.serve import lookups, tokens
from streams.serve.api import ROUTES, Api
from streams.serve.lookups import Lookups
from streams.serve.openapi import document
from streams.serve.store import Store
from streams.serve.view import APPLY
from tests.support.serving import alert, customer, identity, interaction, journey

SHA = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"


class Served:
    """The API over some rows, and those who may ask it."""

    def __init__(self, session: ClientSession, url: str, api: Api, store: Store, written: list[lookups.Row]) -> None:
        self.session, self.url, self.api, self.store, self.written = session, url, api, store, written
        self.age = 0.5

    async def get(self, path: str, who: str | None = "desk", **headers: str) -> tuple[int, Any, Any]:
        """Status, JSON and headers of an answer."""
        if who is not None:
            headers["Authorization"] = f"Bearer {who}"
        async with self.session.get(self.url + path, headers=headers) as answer:
            body = await answer.read()
            return answer.status, json.loads(body) if body else None, answer.headers

    def apply(self, record: str, row: dict[str, Any]) -> None:
        """Take a row in, as the follower does."""
        with self.store.writing() as view:
            APPLY[record](view, row)
        self.api.changed({record: [row]})


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Served]:
    """The API on a port of its own."""
    said = (("desk", "agent", ()), ("hotel", "manager", ("Towers",)), ("ops", "operations", ()), ("sql", "analyst", ()))
    file = folder / "tokens.toml"
    file.write_text("\n".join(tokens.entry(name, role, name, units) for name, role, units in said))
    written: list[lookups.Row] = []

    async def send(rows: Sequence[lookups.Row]) -> None:
        written.extend(rows)

    store = Store(folder / "view")
    with store.writing() as view:
        APPLY["identity"](view, identity(f"email_sha256:{SHA}", "C1"))
        for row in (customer("C1"), customer("C2")):
            APPLY["customer"](view, row)
        APPLY["journey"](view, journey("C1", "B1"))
        APPLY["interaction"](
            view,
            interaction("customer:C1", "e1", booking_ref="B1", unit="Towers", arrival_date="2026-03-01", score=-0.5),
        )
        APPLY["alert"](view, alert("C1", "a1", unit="Towers"))
        APPLY["alert"](view, alert("C2", "a2", unit="Desk", severity="critical"))
    looked = Lookups(send)
    api = Api(store, tokens.load(file), looked, lambda: served.age)
    door = Door(api.app)
    port = await door.listen("127.0.0.1", 0)
    await looked.start()
    async with ClientSession() as session:
        served = Served(session, f"http://127.0.0.1:{port}", api, store, written)
        yield served
    await looked.stop()
    await door.close()
    store.close()


async def test_a_customer_is_shown_masked_until_a_reason_is_given(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        status, told, headers = await served.get(f"/v1/customers/{SHA}")
        assert (status, told["customer_id"]) == (200, "C1")
        assert {"kind": "email_sha256", "value": "…42d8"} in told["identifiers"]
        assert {"kind": "customer", "value": "C1"} in told["identifiers"]
        assert (await served.get("/v1/customers/C1", **{"If-None-Match": headers["ETag"]}))[0] == 304
        assert (await served.get("/v1/customers/C1?reveal=true"))[0] == 422
        _, told, _ = await served.get("/v1/customers/B1?reveal=true&reason=lost+bag")
        assert {"kind": "email_sha256", "value": SHA} in told["identifiers"]
    looks = [(bearer, role, asked, who, why) for _, _, bearer, role, asked, who, why in served.written]
    assert looks == [("desk", "agent", "customer", "C1", None)] * 2 + [("desk", "agent", "customer", "C1", "lost bag")]


async def test_who_may_ask_what(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for path in (
            "/v1/customers/C1", "/v1/customers/C1/events", "/v1/search?q=C", "/v1/alerts", "/v1/alerts/events",
            "/v1/units/Towers/arrivals?date=2026-03-01",
        ):  # fmt: skip
            assert (await served.get(path, None))[0] == 401, path
            assert (await served.get(path, "nobody"))[0] == 401, path
            assert (await served.get(path, "sql"))[0] == 403, path
        assert (await served.get("/v1/customers/C1", "hotel"))[0] == 200
        assert (await served.get("/v1/customers/C2", "hotel"))[0] == 403  # a guest of others
        assert (await served.get("/v1/customers/C2/events", "hotel"))[0] == 403
        assert (await served.get("/v1/units/Desk/arrivals?date=2026-03-01", "hotel"))[0] == 403
        assert (await served.get("/v1/alerts?unit=Desk", "hotel"))[0] == 403
        alerts = {who: (await served.get("/v1/alerts", who))[1]["alerts"] for who in ("hotel", "ops")}
        assert [[one["alert_id"] for one in several] for several in alerts.values()] == [["a1"], ["a2", "a1"]]
        async with served.session.post(
            f"{served.url}/v1/lookup", json={"identifiers": ["C1"]}, headers={"Authorization": "Bearer desk"}
        ) as answer:
            assert answer.status == 403  # one customer at a time


async def test_a_batch_a_search_and_a_day(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        headers = {"Authorization": "Bearer ops"}
        url = f"{served.url}/v1/lookup"
        async with served.session.post(url, json={"identifiers": ["B1", "C9", "C2"]}, headers=headers) as answer:
            told = await answer.json()
        assert [[one["customer_id"] for one in each["customers"]] for each in told["answers"]] == [["C1"], [], ["C2"]]
        for body, status in ((b"{", 400), (b"[]", 422), (json.dumps({"identifiers": ["x"] * 501}).encode(), 422)):
            async with served.session.post(url, data=body, headers=headers) as answer:
                assert answer.status == status
        _, told, _ = await served.get("/v1/search?q=b")
        assert told["found"] == [{"kind": "booking_ref", "value": "B1", "customer_id": "C1"}]
        for typed, shown in ((SHA[:5], "…42d8"), (SHA, SHA)):
            _, told, _ = await served.get(f"/v1/search?q={typed}")
            assert told["found"] == [{"kind": "email_sha256", "value": shown, "customer_id": "C1"}]
        _, told, _ = await served.get("/v1/search?q=C", "hotel")
        assert [one["customer_id"] for one in told["found"]] == ["C1"]  # C2 is a guest of others
        _, told, _ = await served.get("/v1/units/Towers/arrivals?date=2026-03-01")
        assert [(one["booking_ref"], one["needs_care"]) for one in told["arrivals"]] == [("B1", True)]
        assert (await served.get("/v1/units/Towers/arrivals?date=1+March"))[0] == 422


async def test_nothing_is_answered_that_is_too_old(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.age = float("inf")
        status, told, headers = await served.get("/v1/customers/C1")
        assert (status, headers["Retry-After"], told["title"]) == (503, "2", "the view is being filled")
        served.age = 61.0
        assert (await served.get("/v1/search?q=C"))[0] == 503
        served.age = 7.0
        status, told, headers = await served.get("/v1/customers/C1")
        assert (status, headers["Age"]) == (200, "7")
        assert served.url
        assert (await served.get("/v1/customers/C3"))[0] == 404


async def test_who_looks_at_too_many_is_stopped(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        statuses = [(await served.get("/v1/customers/C1"))[0] for _ in range(tokens.LOOKUPS["agent"] + 1)]
        assert statuses == [200] * tokens.LOOKUPS["agent"] + [429]


async def test_who_works_for_a_unit_learns_nothing_of_others_guests_by_asking_often(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for name, customer_id in (("loyalty:7", "C1"), ("device:7", "C2")):
            served.apply("identity", identity(name, customer_id))
        assert sorted((await served.get("/v1/customers/7", "ops"))[1]["customers"]) == ["C1", "C2"]
        status, told, _ = await served.get("/v1/customers/7", "hotel")
        assert (status, told["customer_id"]) == (200, "C1")
        for path in ("/v1/customers/C2", "/v1/customers/C2/events", "/v1/customers/C9"):
            left = tokens.LOOKUPS["manager"]
            bearer = served.api._tokens.bearer("Bearer hotel")
            assert bearer is not None
            bearer._spent.clear()
            assert bearer.wait(left - 1) == 0.0
            assert (await served.get(path, "hotel"))[0] in (403, 404)
            assert (await served.get(path, "hotel"))[0] == 429, "that somebody is not theirs is an answer, too"


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "1969-12-31", "1+March"])
async def test_a_day_at_the_end_of_the_calendar_is_refused(tmp_path: Path, day: str) -> None:
    async with serving(tmp_path) as served:
        assert (await served.get(f"/v1/units/Towers/arrivals?date={day}"))[0] == 422


async def test_alerts_come_as_they_are_raised(tmp_path: Path) -> None:
    async with (
        serving(tmp_path) as served,
        served.session.get(f"{served.url}/v1/alerts/events", headers={"Authorization": "Bearer hotel"}) as stream,
    ):
        assert await stream.content.readline() == b": connected\n"
        served.apply("alert", alert("C2", "a3", unit="Desk"))  # not one of theirs
        served.apply("alert", alert("C1", "a4", unit="Towers"))
        lines = [await asyncio.wait_for(stream.content.readline(), 60) for _ in range(3)]
        assert lines[1] == b"event: alert\n"
        assert json.loads(lines[2].removeprefix(b"data: "))["alert_id"] == "a4"


@pytest.mark.parametrize("at", [2**63 - 1, -(2**63), 253_402_300_800_000])
async def test_a_time_that_no_calendar_has_is_one_field_and_not_the_answer(tmp_path: Path, at: int) -> None:
    async with serving(tmp_path) as served:
        served.apply("alert", alert("C1", "odd", unit="Towers", occurred_at=at, raised_at=at))
        served.apply("customer", customer("C1", 2, first_event_at=at, last_event_at=at))
        for path in ("/v1/alerts", "/v1/customers/C1", "/v1/units/Towers/arrivals?date=2026-03-01"):
            assert (await served.get(path, "ops"))[0] == 200
        shown = (await served.get("/v1/customers/C1", "ops"))[1]
        assert shown["last_event_at"] is None
        assert {one["alert_id"] for one in shown["open_alerts"]} == {"a1", "odd"}


async def test_a_request_that_is_no_http_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(tmp_path) as served:
        _, _, port = served.url.rpartition(":")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(b"GET /v1/customers/amina@example.com\xff HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 400 " in await asyncio.wait_for(reader.readline(), 60)
        writer.close()
    assert "amina" not in caplog.text


async def test_the_document_has_every_route(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        status, told, _ = await served.get("/openapi.json", None)
    assert (status, sorted(told["paths"])) == (200, sorted(ROUTES))
    assert told == json.loads(json.dumps(document()))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no"),
        ("[[token]]\nname = 1", "name is missing"),
        ('[[token]]\nname = "a"\nrole = "god"', "role is 'god'"),
        ('[[token]]\nname = "a"\nrole = "agent"\nsha256 = "secret"', "64 hexadecimal digits"),
        (tokens.entry("a", "agent", "t") + 'unit = "x"', "there is no unit"),
        (tokens.entry("a", "agent", "t") + 'units = "x"', "units is not a list"),
        ("[[token", "no TOML"),
    ],
)
def test_a_file_of_tokens_that_cannot_be_used_says_why(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(tokens.TokensError, match=why):
        tokens.load(tmp_path / "t.toml")
