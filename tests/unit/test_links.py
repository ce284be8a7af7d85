"""Links by which people answer: their signature, and the pages behind them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientResponse, ClientSession

from schemas.records import fields
from streams.deliver.message import opaque
from streams.door import Door
from streams.loop import page
from streams.loop.answers import letters
from streams.loop.links import PATH, BadLink, Link, Signer, opened, signer, token
from streams.serve.answering import NotRecorded
from streams.serve.api import Api
from streams.serve.links import Links
from streams.serve.lookups import Lookups
from streams.serve.store import Store
from streams.serve.tokens import Tokens
from streams.serve.view import APPLY
from tests.support.serving import NOON, alert, case

NEW, OLD = b"n" * 32, b"o" * 32
ID = "0123456789abcdef0123456789abcdef"
LINK = Link("alert", bytes.fromhex(ID), NOON // 1000 + 60, "duty", "Fatima")


def test_a_token_says_what_it_was_made_of() -> None:
    assert opened(token(LINK, NEW), [NEW], NOON) == LINK


def test_keys_are_changed_without_a_link_becoming_void() -> None:
    old = token(LINK, OLD)
    assert opened(old, [NEW, OLD], NOON) == LINK
    with pytest.raises(BadLink, match="not genuine"):
        opened(old, [NEW], NOON)


def test_it_expires() -> None:
    with pytest.raises(BadLink) as bad:
        opened(token(LINK, NEW), [NEW], NOON + 60_000)
    assert bad.value.expired


@pytest.mark.parametrize("odd", ["", ".", "a.b", "é.é", "x" * 5000, "=.=", "AAAA.AAAA"])
def test_what_is_no_token(odd: str) -> None:
    with pytest.raises(BadLink):
        opened(odd, [NEW], NOON)


def test_every_changed_character_voids_it() -> None:
    good = token(LINK, NEW)
    for at, letter in enumerate(good):
        if letter == ".":
            continue
        changed = good[:at] + ("A" if letter != "A" else "B") + good[at + 1 :]
        try:
            assert opened(changed, [NEW], NOON) == LINK  # the last letter has bits that count for nothing
            assert at in (good.index(".") - 1, len(good) - 1)
        except BadLink:
            pass


def test_the_address_is_that_of_the_settings() -> None:
    assert signer(None, "x") is None
    made = signer("https://rihla.example.com/", "whsec_" + "A" * 40)
    assert isinstance(made, Signer)
    assert made.address(LINK).startswith("https://rihla.example.com/a/")
    assert ID not in made.address(LINK)


def test_all_languages_say_the_same_things() -> None:
    words = page.words()
    assert set(words) == set(page.LANGUAGES)
    for language, said in words.items():
        assert said.keys() == words["en"].keys(), language
        for key, text in said.items():
            assert re.findall(r"\{\w+\}", text) == re.findall(r"\{\w+\}", words["en"][key]), (language, key)


@pytest.mark.parametrize(
    ("asked", "sent", "accepted", "language"),
    [
        ("ur", "ar", "fr", "ur"),
        (None, "ar", "fr", "ar"),
        (None, None, "de, fr-CA;q=0.8", "fr"),
        ("xx", None, "ms", "id"),
        (None, None, "", "en"),
    ],
)
def test_the_language(asked: str | None, sent: str | None, accepted: str, language: str) -> None:
    assert page.language_of(asked, sent, accepted) == language


class World:
    def __init__(self, session: ClientSession, url: str, store: Store) -> None:
        self.session, self.url, self.store = session, url, store
        self.events: list[Mapping[str, Any]] = []
        self.fails = False

    async def record(self, event: Mapping[str, Any]) -> None:
        if self.fails:
            raise NotRecorded("away")
        self.events.append(event)

    async def get(self, link: Link, query: str = "", **headers: str) -> tuple[ClientResponse, str]:
        async with self.session.get(f"{self.url}{PATH}{token(link, NEW)}{query}", headers=headers) as answer:
            return answer, await answer.text()

    async def post(self, link: Link, **form: str) -> tuple[ClientResponse, str]:
        address = f"{self.url}{PATH}{token(link, NEW)}"
        async with self.session.post(address, data=form, allow_redirects=False) as answer:
            return answer, await answer.text()


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[World]:
    store = Store(folder / "view")
    row = alert("C-1", ID, unit="<b>Towers</b>", event_id="11111111-2222-4333-8444-555555555555", touchpoint="stay.x")
    with store.writing() as view:
        APPLY["alert"](view, row)
        APPLY["case"](view, case("C-1", "K-1", touchpoint="stay.complaint_made"))

    async def send(rows: Any) -> None:
        raise AssertionError(rows)

    async with ClientSession() as session:
        world = World(session, "", store)
        links = Links(store, [NEW, OLD], world.record, lambda: NOON)
        door = Door(Api(store, Tokens({}), Lookups(send), lambda: 0.0, links).app)
        world.url = f"http://127.0.0.1:{await door.listen('127.0.0.1', 0)}"
        yield world
        await door.close()
    store.close()


def trial(folder: Path, work: Any) -> None:
    async def run() -> None:
        async with serving(folder) as world:
            await work(world)

    asyncio.run(run())


def test_get_shows_and_post_answers(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        answer, text = await world.get(LINK)
        assert answer.status == 200
        assert "NPS 2" in text
        assert "C-1" not in text
        assert "<b>Towers" not in text
        assert not world.events  # whatever opens links by itself has answered nothing
        click = re.search(r'name="click" value="([^"]+)"', text)
        version = re.search(r'name="version" value="([^"]+)"', text)
        assert click is not None
        assert version is not None
        for _ in range(2):  # a double click
            answer, _ = await world.post(LINK, answer="take", click=click[1], version=version[1], note="on my way")
            assert answer.status == 303
        first, again = world.events
        assert first == again
        assert (first["touchpoint"], first["agent_id"]) == ("stay.case_taken", "Fatima")
        answer, text = await world.get(LINK, "?done=taken")
        assert "Recorded: taken" in text
        assert "<form" not in text

    trial(tmp_path, work)


def test_nothing_is_let_in_and_nothing_told(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        for query in ("", "?lang=ar", "?done=%3Cscript%3E"):
            answer, text = await world.get(LINK, query)
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; style-src 'sha256-")
            assert "unsafe" not in policy
            assert (answer.headers["Referrer-Policy"], answer.headers["Cache-Control"]) == ("same-origin", "no-store")
            assert "Set-Cookie" not in answer.headers
            assert not re.search(r"<(script|img|link|iframe)|https?://", text)

    trial(tmp_path, work)


@pytest.mark.parametrize("language", page.LANGUAGES)
def test_six_languages(tmp_path: Path, language: str) -> None:
    async def work(world: World) -> None:
        _, text = await world.get(LINK, f"?lang={language}")
        assert f'<html lang="{language}" dir="{"rtl" if language in ("ar", "ur") else "ltr"}">' in text
        assert page.words()[language]["take"] in text.replace("&#x27;", "'")

    trial(tmp_path, work)


def test_of_a_channel_the_page_asks_who_it_is(tmp_path: Path) -> None:
    link = Link("alert", LINK.id, LINK.until, "channel")

    async def work(world: World) -> None:
        _, text = await world.get(link)
        assert 'name="person"' in text
        assert (await world.post(link, answer="take", version="1"))[0].status == 400
        assert (await world.post(link, answer="take", version="1", person="a@example.com"))[0].status == 400
        assert (await world.post(link, answer="assign", version="1", person="Omar"))[0].status == 400
        assert (await world.post(link, answer="forget", version="1", person="Omar"))[0].status == 400
        assert not world.events
        assert (await world.post(link, answer="assign", version="1", person="Omar", to="Fatima"))[0].status == 303
        assert world.events[0]["agent_id"] == "Omar (channel)"
        assert {"key": "assigned_to", "value": "Fatima"} in world.events[0]["attributes"]

    trial(tmp_path, work)


def test_a_case(tmp_path: Path) -> None:
    link = Link("case", bytes.fromhex(opaque("case", "C-1/K-1")), LINK.until, "duty", "Fatima")

    async def work(world: World) -> None:
        answer, text = await world.get(link)
        assert (answer.status, "stay.complaint_made" in text) == (200, True)
        assert (await world.post(link, answer="snooze", version="1"))[0].status == 303
        (event,) = world.events
        assert (event["case_id"], event["touchpoint"]) == ("K-1", "stay.case_snoozed")

    trial(tmp_path, work)


def test_a_draft_to_a_guest_is_approved(tmp_path: Path) -> None:
    id_ = letters(ID)
    link = Link("message", bytes.fromhex(ID), LINK.until, "desk", None, "ar")
    row = {
        **dict.fromkeys(fields("message")),
        "message_id": id_, "customer_id": "C-1", "kind": "resolved", "case_id": "K-1", "aspect": "staff",
        "unit": "<b>", "language": "ar", "channel": "chat", "text": "شكرا <script>", "status": "draft",
        "event_id": "11111111-2222-4333-8444-555555555555", "occurred_at": NOON, "version": 1,
    }  # fmt: skip

    async def work(world: World) -> None:
        assert (await world.get(link))[0].status == 410
        with world.store.writing() as view:
            APPLY["message"](view, row)
        answer, text = await world.get(link)
        assert answer.status == 200
        assert "شكرا &lt;script&gt;" in text
        assert "C-1" not in text
        assert (await world.post(link, answer="approve", version="None"))[0].status == 400, "nobody says who"
        assert (await world.post(link, answer="take", version="None", person="Omar"))[0].status == 400
        assert not world.events
        assert (await world.post(link, answer="approve", version="None", person="Omar"))[0].status == 303
        (event,) = world.events
        assert (event["touchpoint"], event["agent_id"]) == ("post_travel.message_approved", "Omar (desk)")
        assert event["ids"] == [{"kind": "customer", "value": "C-1"}]
        assert page.words()["ar"]["approved"] in (await world.get(link, "?done=approved"))[1]
        with world.store.writing() as view:
            APPLY["message"](view, {**row, "status": "told", "version": 2})
        assert (await world.get(link))[0].status == 410, "there is nothing to decide any more"

    trial(tmp_path, work)


def test_what_is_not_to_be_had(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        assert (await world.get(Link("alert", bytes(16), LINK.until, "duty")))[0].status == 410
        old = Link("alert", LINK.id, NOON // 1000, "duty", None, "fr")
        answer, text = await world.get(old, **{"Accept-Language": "fr"})
        assert (answer.status, "a expiré" in text) == (410, True)
        assert (await world.post(old, answer="take"))[0].status == 410
        async with world.session.get(f"{world.url}{PATH}nonsense") as answer:
            assert answer.status == 404
        async with world.session.head(f"{world.url}{PATH}{token(LINK, NEW)}") as answer:
            assert answer.status in (200, 405)
        world.fails = True
        answer, _ = await world.post(LINK, answer="take", version="1")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
        assert not world.events

    trial(tmp_path, work)


def test_an_address_is_of_the_public_host_alone() -> None:
    parts = urlsplit(Signer("https://r.example", [NEW]).address(LINK))
    assert (parts.netloc, parts.query) == ("r.example", "")
