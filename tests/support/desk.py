"""The desk over a small hotel, and a browser that looks at it: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from streams.door import Door
from streams.model.company import built_in
from streams.serve import lookups, tokens
from streams.serve.answering import NotRecorded
from streams.serve.api import Api
from streams.serve.desk.figures import Figures, FiguresUnavailableError
from streams.serve.desk.pipeline import Pipeline
from streams.serve.desk.routes import DESK, Desk
from streams.serve.inbox import deadlines_of
from streams.serve.lookups import Lookups
from streams.serve.openid import Accounts
from streams.serve.openid_provider import Provider
from streams.serve.sessions import Sessions
from streams.serve.store import Store
from streams.serve.view import APPLY
from tests.support import hotel as data

CHROMIUM = "/usr/bin/chromium"
BEARERS: Sequence[tuple[str, str, Sequence[str]]] = (
    ("agent", "agent", (data.TOWERS,)),
    ("ops", "operations", ()),
    ("analyst", "analyst", ()),
    ("manager", "manager", (data.TOWERS,)),
    ("nobody", "agent", ("Empty House",)),
)
"""Token (and name), role, units."""


class Hotel:
    """A served desk. Change `age`, `fails` and rows to see what the page makes of it."""

    def __init__(self, url: str, api: Api, store: Store, sessions: Sessions) -> None:
        self.url, self.api, self.store, self.sessions = url, api, store, sessions
        self.age = 0.2
        self.fails = False
        self.desk: Desk
        self.written: list[lookups.Row] = []
        self.answers: list[dict[str, Any]] = []
        self.asked: list[Mapping[str, str]] = []

    def apply(self, record: str, *rows: dict[str, Any]) -> None:
        """Take rows in, as the follower does."""
        with self.store.writing() as view:
            for row in rows:
                APPLY[record](view, row)
        self.desk.changed({record: rows})
        self.api.changed({record: rows})

    async def record(self, event: Mapping[str, Any]) -> None:
        """Take an answer, as the brokers do."""
        if self.fails:
            raise NotRecorded("no brokers")
        self.answers.append(dict(event))

    def ask(self, sql: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        """What ClickHouse would answer."""
        if self.fails:
            raise FiguresUnavailableError("no ClickHouse")
        self.asked.append(parameters)
        return data.figures(sql, parameters)


@asynccontextmanager
async def hotel(
    folder: Path,
    browser: Browser | None = None,
    rows: Sequence[tuple[str, dict[str, Any]]] | None = None,
    company: tuple[Provider, Accounts] | None = None,
) -> AsyncIterator[Hotel]:
    """The desk on a port of its own. browser: its pages are closed before the desk is."""
    file = folder / "tokens.toml"
    file.write_text("\n".join(tokens.entry(name, role, name, units) for name, role, units in BEARERS))
    allowed, sessions, store = tokens.load(file), Sessions(), Store(folder / "view")
    with store.writing() as view:
        for record, row in data.rows(int(time.time() * 1000)) if rows is None else rows:
            APPLY[record](view, row)

    async def send(some: Sequence[lookups.Row]) -> None:
        served.written.extend(some)

    looked = Lookups(send)
    api = Api(store, allowed, looked, lambda: served.age, sessions=sessions)
    served = Hotel("", api, store, sessions)
    lags = Pipeline(data.ends, served.ask, lambda: served.age, "cx.", built_in().hash)
    figures = Figures(served.ask)
    served.desk = Desk(
        api, store, allowed, sessions, deadlines_of(built_in()), figures, lags, served.record, company=company
    )
    door = Door(api.app, linked=(DESK,))
    served.url = f"http://127.0.0.1:{await door.listen('127.0.0.1', 0)}"
    await looked.start()
    try:
        yield served
    finally:
        for context in [] if browser is None else list(browser.contexts):
            await context.close()
        await looked.stop()
        await door.close()
        store.close()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser. It asks nobody: what a page asks for, the tests see."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"],
        )
        try:
            yield browser
        finally:
            await browser.close()


async def signed_in(
    browser: Browser,
    served: Hotel,
    token: str = "ops",
    *,
    language: str = "en",
    phone: bool = False,
    view: str = "inbox",
) -> Page:
    """A page at a view, of a context of its own; `page.context.close()` ends it."""
    context = await new_context(browser, language=language, phone=phone)
    page = await context.new_page()
    await page.goto(f"{served.url}/desk#token={token}")
    await page.wait_for_selector("main#main")
    await go(page, view)
    return page


async def new_context(browser: Browser, *, language: str = "en", phone: bool = False) -> BrowserContext:
    """A browser's profile: its language, and the size of a phone or a laptop."""
    size = {"width": 390, "height": 844} if phone else {"width": 1200, "height": 800}
    context = await browser.new_context(locale=language, viewport=size, timezone_id="Asia/Riyadh")
    context.set_default_timeout(15_000)
    return context


async def go(page: Page, view: str) -> None:
    """Open a view (`customer/C1`) and wait until it has something to show."""
    await page.evaluate("hash => { location.hash = hash }", f"#/{view}")
    await page.wait_for_function(
        "name => document.querySelector('main')?.className === name && !document.querySelector('[aria-busy=true]')",
        arg=view.partition("/")[0].partition("?")[0],
    )
