"""The desk over a small hotel, and a browser that looks at it: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from streams.door import Door
from streams.serve import lookups, tokens
from streams.serve.answering import NotRecorded
from streams.serve.api import Api
from streams.serve.desk.figures import Figures
from streams.serve.desk.pipeline import Pipeline
from streams.serve.desk.routes import Desk
from streams.serve.lookups import Lookups
from streams.serve.sessions import Sessions
from streams.serve.store import Store
from streams.serve.view import APPLY
from tests.support.serving import alert, case, customer, identity, interaction, journey

CHROMIUM = "/usr/bin/chromium"
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
TOWERS, CORNICHE = "Makkah Towers", "Jeddah Corniche"
BEARERS = (("agent", "agent", (TOWERS,)), ("ops", "operations", ()), ("analyst", "analyst", ()), ("none", "agent", ("Empty",)))
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
            raise OSError("no ClickHouse")
        return figures(sql, parameters)


def figures(sql: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of the named queries, as a hotel of some months has them."""
    by_unit = parameters.get("by") == "unit"
    if "'nps'" in sql:
        rows = [("all", 412, 31.8, 6.9)] if not by_unit else [(TOWERS, 231, 12.6, 9.4), (CORNICHE, 178, 56.2, 8.8), ("Madinah Garden", 3, 100.0, None)]
        return [{"segment": a, "n": b, "promoters": 1, "nps": c, "margin": d} for a, b, c, d in rows]
    if "'csat'" in sql:
        rows = [("all", 386, 81.3, 3.9)] if not by_unit else [(TOWERS, 210, 74.8, 5.9), (CORNICHE, 176, 89.2, 4.6)]
        return [{"segment": a, "n": b, "csat": c, "margin": d, "mean": 4.1} for a, b, c, d in rows]
    if "'ces'" in sql:
        return [{"segment": "all", "n": 97, "ces": 5.4, "margin": 0.3, "easy": 78.0}]
    if "mention" in sql:
        rows = [("prayer", TOWERS, 61, -0.42, 0.11), ("cleanliness", TOWERS, 48, -0.21, 0.14), ("halal_food", CORNICHE, 33, 0.38, 0.12), ("staff", CORNICHE, 88, 0.55, 0.07)]
        return [{"aspect": a, "segment": s, "volume": v, "scored": v, "score": x, "margin": m, "negative_share": (1 - x) / 2} for a, s, v, x, m in rows]
    if "dead_letters" in sql:
        return [{"topic": "cx.stay", "reason": "bad_survey", "letters": 4, "last_failed_at": datetime(2026, 3, 1, 8)}]
    if "deliveries" in sql:
        return [{"target": "duty-manager", "status": "delivered", "deliveries": 18, "attempts": 19, "p99_s": 0.8}]
    if "stage" in sql:
        steps = (("booked", 940), ("checked_in", 871), ("in_stay", 866), ("completed", 702), ("post_travel", 388))
        return [{"stage": stage, "journeys": n, "of_booked": round(n / 9.4, 1), "of_previous": None} for stage, n in steps]
    shares = (("negative", 61, 8.1), ("non_committal", 402, 53.6), ("advocate", 287, 38.3))
    return [{"profile": name, "customers": n, "share": share, "spend": {}} for name, n, share in shares]


async def ends() -> Any:
    """What the brokers would answer."""
    interactions, cases = TopicPartition("cx.interactions", 0), TopicPartition("cx.cases", 0)
    return {interactions: 48_210, cases: 312}, {"stitch": {interactions: 48_170}, "sink": {interactions: 48_210, cases: 312}}


def hotel_rows(now: int) -> list[tuple[str, dict[str, Any]]]:
    """A day at two hotels. now: epoch milliseconds."""
    today = datetime.fromtimestamp(now / 1000, UTC).date()
    rows: list[tuple[str, dict[str, Any]]] = []

    def guest(number: int, unit: str, arrival: date, nights: int, status: str, **said: Any) -> str:
        name, booking = f"C{number:07d}", f"RH{number:05d}"
        rows.append(("customer", customer(name, first_event_at=now - 200 * DAY, last_event_at=now - HOUR, interactions=12, **said)))
        rows.append(("journey", journey(name, booking, status=status, started_at=now - 9 * DAY, last_event_at=now - HOUR)))
        plan = {"unit": unit, "arrival_date": arrival.isoformat(), "nights": nights, "room": str(400 + number), "party_size": 1 + number % 4}
        rows.append(("interaction", interaction(f"customer:{name}", f"{number:04d}-plan", now - 9 * DAY, channel="booking", touchpoint="booking.confirmed", medium="web", booking_ref=booking, **plan)))
        return name

    amina = guest(2, TOWERS, today - timedelta(days=2), 5, "in_stay", profile="negative", sentiment_7d=-0.62, sentiment_30d=-0.41, sentiment_90d=-0.08, evidence=4.6,
                  preferences=[{"key": "diet", "value": "halal", "evidence": 6, "last_at": now - 2 * DAY}, {"key": "room_floor", "value": "low", "evidence": 2, "last_at": now - 90 * DAY}])
    for name, at in (("loyalty:RH-GOLD-8812", 1), ("phone_sha256:" + "5e88" * 16, 2)):
        rows.append(("identity", identity(name, amina, at)))
    said = (
        (60 * DAY, "post_travel", "post_travel.nps_answered", "email", None, 0.7, "survey", {"instrument": "nps", "score": 9.0}, None),
        (40 * DAY, "booking", "booking.page_viewed", "web", None, None, None, None, None),
        (8 * DAY, "booking", "booking.payment_failed", "app", None, -0.5, "implicit", None, None),
        (2 * DAY, "check_in", "check_in.completed", "in_person", None, None, None, None, None),
        (30 * HOUR, "stay", "stay.breakfast_served", "in_person", "ar", 0.35, "text", None, "الفطور كان لذيذًا والموظفون ودودون."),
        (5 * HOUR, "stay", "stay.wifi_failed", "app", None, -0.4, "implicit", None, None),
        (22 * MINUTE, "stay", "stay.complaint_made", "in_person", "ur", -0.8, "text", None, "نماز کا کمرہ بند تھا اور کسی نے راستہ نہیں بتایا۔ بہت افسوس ہوا۔"),
    )
    for number, (ago, channel, touchpoint, medium, language, score, source, survey, text) in enumerate(said):
        rows.append(("interaction", interaction(f"customer:{amina}", f"amina-{number}", now - ago, channel=channel, touchpoint=touchpoint, medium=medium, language=language, score=score, score_source=source, survey=survey, text=text, unit=TOWERS, booking_ref="RH00002", case_id="K-1042" if text and language == "ur" else None)))
    rows.append(("alert", alert(amina, "prayer", severity="critical", rule="halal_breach", unit=TOWERS, raised_at=now - 20 * MINUTE, occurred_at=now - 22 * MINUTE, reason="stay.complaint_made: what was promised halal, or the way to pray, was not there")))
    rows.append(("case", case(amina, "K-1042", touchpoint="stay.complaint_made", unit=TOWERS, opened_at=now - 22 * MINUTE, contacts=2)))

    yusuf = guest(3, TOWERS, today, 3, "booked", profile="negative", sentiment_7d=-0.3, sentiment_30d=-0.3, sentiment_90d=-0.28, evidence=2.1)
    rows.append(("alert", alert(yusuf, "nps", unit=TOWERS, raised_at=now - 2 * HOUR, occurred_at=now - 2 * HOUR, reason="answered 3 of 10 to whether they would recommend us", acknowledged_at=now - HOUR)))
    siti = guest(4, TOWERS, today, 7, "booked", profile="advocate", sentiment_7d=0.6, sentiment_30d=0.55, sentiment_90d=0.5, evidence=8.0)
    rows.append(("case", case(siti, "K-0993", touchpoint="booking.refund_requested", unit=TOWERS, opened_at=now - 30 * HOUR)))
    guest(5, TOWERS, today - timedelta(days=4), 4, "in_stay", profile="advocate", sentiment_7d=0.4, sentiment_30d=0.4, sentiment_90d=0.4, evidence=3.0)
    guest(6, TOWERS, today - timedelta(days=1), 6, "in_stay")
    fatma = guest(7, CORNICHE, today, 2, "booked")
    rows.append(("alert", alert(fatma, "stalled", severity="medium", rule="journey_stalled", unit=CORNICHE, raised_at=now - 3 * HOUR, occurred_at=now - 9 * HOUR, reason="booking.payment_failed, and nothing has come of the booking within 6h")))
    for number in range(20, 32):
        name = guest(number, TOWERS, today - timedelta(days=1), 9, "in_stay")
        rows.append(("alert", alert(name, f"bus-{number}", rule="negative_review", unit=TOWERS, raised_at=now - 50 * MINUTE - number, occurred_at=now - HOUR, reason="a review or mention of score -0.60 that reaches 240 people")))
    return rows


@asynccontextmanager
async def hotel(folder: Path, rows: Sequence[tuple[str, dict[str, Any]]] | None = None) -> AsyncIterator[Hotel]:
    """The desk on a port of its own."""
    file = folder / "tokens.toml"
    file.write_text("\n".join(tokens.entry(name, role, name, units) for name, role, units in BEARERS))
    allowed, sessions, store = tokens.load(file), Sessions(), Store(folder / "view")
    now = int(datetime.now(UTC).timestamp() * 1000)
    with store.writing() as view:
        for record, row in hotel_rows(now) if rows is None else rows:
            APPLY[record](view, row)

    async def send(some: Sequence[lookups.Row]) -> None:
        served.written.extend(some)

    looked = Lookups(send)
    api = Api(store, allowed, looked, lambda: served.age, sessions)
    served = Hotel("", api, store, sessions)
    lags = Pipeline(ends, served.ask, lambda: served.age, "cx.")
    served.desk = Desk(api, store, allowed, sessions, Figures(served.ask), lags, served.record)
    door = Door(api.app)
    served.url = f"http://127.0.0.1:{await door.listen('127.0.0.1', 0)}"
    await looked.start()
    try:
        yield served
    finally:
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
    browser: Browser, served: Hotel, token: str = "ops", *, language: str = "en", phone: bool = False, view: str = "inbox"
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
        "name => document.querySelector('main')?.classList.contains(name) && !document.querySelector('[aria-busy=true]')",
        arg=view.partition("/")[0].partition("?")[0],
    )
    await asyncio.sleep(0)
