"""The desk when the connection goes, when one has asked for too much, and when a session ends: what it says, in two
directions, and that it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from streams.serve.sessions import IDLE
from streams.serve.tokens import LOOKUPS
from tests.support.desk import Hotel, go, hotel, signed_in

TEXTS = Path("streams/serve/desk/page")


class Said:
    """The sentences of a language."""

    def __init__(self, language: str) -> None:
        self._texts = json.loads((TEXTS / f"{language}.json").read_text("utf-8"))

    def __call__(self, key: str) -> str:
        return str(self._texts[key])

    def failure(self, kind: str) -> tuple[str, str]:
        """What is the matter, and what will be or is to be done."""
        return self(f"failure.{kind}"), self(f"failure.{kind}.hint")


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_a_connection_that_is_lost_and_comes_back(language: str, tmp_path: Path, browser: Browser) -> None:
    said = Said(language)
    async with hotel(tmp_path, browser) as served:
        page = await signed_in(browser, served, "agent", language=language)
        sign = page.locator("#live")
        await expect(sign).to_have_text(said("live.on"))
        await page.context.set_offline(True)
        await go(page, "today?unit=Makkah+Towers")
        for text in said.failure("offline"):
            await expect(page.get_by_role("alert")).to_contain_text(text)
        await page.context.set_offline(False)
        await expect(page.locator(".stays").first).to_be_visible()  # its script was asked for again, by itself
        await page.context.set_offline(True)
        await go(page, "inbox")
        await expect(page.get_by_role("alert")).to_contain_text(said.failure("offline")[0])
        await expect(sign).to_have_text(said("live.off"))
        await page.context.set_offline(False)
        await expect(page.locator(".inbox-lines")).to_be_visible()  # asked again by itself
        await expect(sign).to_have_text(said("live.on"))


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_an_answer_without_a_connection_is_not_lost(language: str, tmp_path: Path, browser: Browser) -> None:
    said = Said(language)
    async with hotel(tmp_path, browser) as served:
        page = await signed_in(browser, served, "agent", language=language, view="customer/C0000002")
        cases = page.locator("section", has=page.locator("#cases"))
        await cases.get_by_role("button", name=said("act.resolve"), exact=True).click()
        await page.context.set_offline(True)
        save = page.locator("dialog").get_by_role("button", name=said("act.send"), exact=True)
        await save.click()
        await expect(page.locator("dialog").get_by_role("alert")).to_contain_text(said.failure("offline")[0])
        assert served.answers == []
        await page.context.set_offline(False)
        await save.click()
        await expect(cases).to_contain_text(said("act.sent"))
        assert [one["touchpoint"] for one in served.answers] == ["stay.case_resolved"]


def spend(served: Hotel, name: str) -> None:
    """Let somebody have looked up as many customers as they may in a minute."""
    (bearer,) = [one for one in served.desk._tokens._bearers.values() if one.name == name]
    while bearer.wait(1) == 0:
        pass


def forgive(served: Hotel, name: str) -> None:
    """A minute later."""
    (bearer,) = [one for one in served.desk._tokens._bearers.values() if one.name == name]
    bearer._spent.clear()


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_too_many_customers_in_a_minute(language: str, tmp_path: Path, browser: Browser) -> None:
    """The page says so, and goes on by itself when the minute is over."""
    said = Said(language)
    assert LOOKUPS["agent"] > 0
    async with hotel(tmp_path, browser) as served:
        page = await signed_in(browser, served, "agent", language=language)
        await page.clock.install()
        spend(served, "agent")
        await go(page, "customer/C0000002")
        for text in said.failure("slow_down"):
            await expect(page.get_by_role("alert")).to_contain_text(text)
        await expect(page.locator(".person")).to_have_count(0)
        forgive(served, "agent")
        await page.clock.fast_forward(61_000)
        await expect(page.locator(".person")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_a_session_that_ends_in_the_middle_of_an_answer(language: str, tmp_path: Path, browser: Browser) -> None:
    said = Said(language)
    async with hotel(tmp_path, browser) as served:
        page = await signed_in(browser, served, "agent", language=language, view="customer/C0000002")
        cases = page.locator("section", has=page.locator("#cases"))
        await cases.get_by_role("button", name=said("act.resolve"), exact=True).click()
        for session in served.sessions._sessions.values():
            session.used -= IDLE
        await page.locator("dialog").get_by_role("button", name=said("act.send"), exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text(said("expired"))
        assert served.answers == []
        await page.evaluate("location.hash = '#/today?unit=Makkah+Towers'")
        await expect(page.get_by_role("alert").filter(has_text=said("expired")).last).to_be_visible()
        await page.fill("#token", "agent")
        await page.keyboard.press("Enter")
        await expect(page.locator("main.today")).to_be_visible()  # where one was going
        assert await page.evaluate("getComputedStyle(document.body).direction") == (
            "rtl" if language == "ar" else "ltr"
        )
