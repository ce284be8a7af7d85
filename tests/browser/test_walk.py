"""A guest who cannot pray where she was told she could, from her words to her coming round: `rihla up`, the desk in a
browser, the duty manager's webhook and the guest's messages. Each click is an event, and `rihla verify` agrees."""

from __future__ import annotations

import json
import time
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from streams.clock import now_ms
from streams.embedded.ports import free_ports
from streams.serve import tokens
from streams.settings import Settings
from tests.integration.test_hotel import KEY, command, said, send, told, without_quiet_hours
from tests.integration.test_up import owner_of, up
from tests.support.brokers import until
from tests.support.desk import go, new_context
from tests.support.hotel import PRAYER_ROOM
from tests.support.receiver import receiving
from tests.support.stored import answers
from tests.support.waiting import PATIENCE

UNIT, GUEST = "HTL-MAKKAH", "amina"
LONG = PATIENCE * 1000  # milliseconds
ROUTES = """
[egress]
private = ["127.0.0.1"]
[targets.duty]
type = "webhook"
url = "{duty}"
insecure = true
keys_file = "keys"
[targets.messaging]
type = "webhook"
url = "{messaging}"
insecure = true
keys_file = "keys"
guests = true
[[routes]]
to = ["duty"]
rules = ["halal_breach"]
[[routes]]
to = ["duty"]
kinds = ["message"]
[[routes]]
to = ["messaging"]
kinds = ["message"]
identifiers = true
"""


async def press(page: Page, part: str, verb: str) -> None:
    """A button of an answer on the customer's page, and of the dialog that it opens. part: alerts or cases."""
    section = page.locator("section", has=page.locator(f"#{part}"))
    await section.locator(f"[data-verb={verb}]").click()
    await page.locator("dialog").get_by_role("button", name="Save").click()


async def test_a_complaint_about_the_prayer_room(tmp_path: Path, browser: Browser) -> None:
    """Prints how long it took to the inbox and to the webhook (pytest -s)."""
    data, port = tmp_path / "data", free_ports(1)[0]
    (tmp_path / "keys").write_text(KEY)
    (tmp_path / "tokens.toml").write_text(tokens.entry("Fatima", "agent", "fatima", (UNIT,)))
    variables = {
        "RIHLA_MODEL": without_quiet_hours(tmp_path / "model"),
        "RIHLA_ROUTES": str(tmp_path / "routes.toml"),
        "RIHLA_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "RIHLA_LINK_KEYS_FILE": str(tmp_path / "keys"),
        "RIHLA_SERVE_TOKENS": str(tmp_path / "tokens.toml"),
    }
    async with receiving() as duty, receiving() as messaging:
        (tmp_path / "routes.toml").write_text(ROUTES.format(duty=duty.url, messaging=messaging.url))
        with up(data, "--without", "collect", "--serve-port", str(port), **variables):
            brokers = owner_of(data).brokers
            assert brokers is not None
            settings = Settings(brokers=brokers, embedded=True, partitions=1)
            context = await new_context(browser)
            context.set_default_timeout(LONG)
            page = await context.new_page()
            await page.goto(f"http://127.0.0.1:{port}/desk#token=fatima")
            await expect(page.locator(".empty")).to_contain_text("Nothing waits for you", timeout=LONG)
            await expect(page.locator("#live")).to_contain_text("Live", timeout=LONG)

            # She arrives, and says in Urdu that the prayer room is closed.
            await send(settings, said(1, "check_in", "check_in.completed", medium="in_person"))
            began, clock = time.perf_counter(), now_ms()
            complaint = {"text": PRAYER_ROOM, "case_id": "C1", "medium": "in_person", "locale": "ur-PK"}
            await send(settings, said(2, "check_in", "check_in.complaint_made", **complaint))

            # It is in the inbox of her hotel, without anybody's asking, and with the duty manager.
            line = page.locator(".inbox-lines > li", has_text="Halal or prayer promise broken")
            await expect(line).to_contain_text(UNIT, timeout=LONG)
            seen = time.perf_counter() - began
            (alarm, *_) = await until(lambda: told(duty, "alert.raised"), PATIENCE, "the duty manager to be told")
            heard = (duty.taken[0].at - clock) / 1000
            print(f"\nin the inbox after {seen:.1f} s, at the webhook after {heard:.1f} s")
            assert (alarm["rule"], alarm["unit"], alarm["case_id"]) == ("halal_breach", UNIT, "C1")

            # Taken in the inbox, answered and settled on her page, where her own words are.
            await line.get_by_role("button", name="Take").click()
            await expect(line).to_contain_text("With Fatima", timeout=LONG)
            await line.locator("a.row").click()
            await expect(page.locator("blockquote[lang=ur]")).to_have_text(PRAYER_ROOM, timeout=LONG)
            chip = page.locator(".person .chip")
            await expect(chip).to_have_text("Negative", timeout=LONG)
            said_so = page.locator(".contact", has=page.locator("blockquote[lang=ur]"))
            await said_so.get_by_role("button", name="neutral").click()
            await expect(said_so.locator(".corrected")).to_have_text("Fatima says: it is neutral.", timeout=LONG)
            await press(page, "cases", "answer")
            await expect(page.locator(".contacts")).to_contain_text("Customer answered", timeout=LONG)
            await press(page, "alerts", "resolve")
            await expect(page.locator("section", has=page.locator("#alerts"))).to_contain_text("None", timeout=LONG)
            await until(lambda: told(duty, "alert.closed"), PATIENCE, "the news that it is settled")

            # What she is told is a draft until somebody approves it.
            (draft, *_) = await until(lambda: told(duty, "message.raised"), PATIENCE, "the draft")
            assert (draft["case_id"], draft["language"], messaging.requests) == ("C1", "ur", [])
            letter = await context.new_page()

            async def is_there() -> bool:
                answer = await letter.goto(draft["link"])
                return answer is not None and answer.ok

            await until(is_there, PATIENCE, "the page of the draft")
            await letter.locator("[name=person]").fill("Fatima")
            await letter.locator("[value=approve]").click()
            await expect(letter.get_by_role("status")).to_be_visible()
            (sent,) = await until(lambda: messaging.taken, PATIENCE, "the guest to be told")
            assert sent.body["data"]["customer_id"] == GUEST
            assert sent.body["data"]["text"] in draft["text"]
            await expect(page.locator(".contacts")).to_contain_text("Told what we changed", timeout=LONG)

            # She comes round, while one looks.
            scores = {"csat": 5.0, "nps": 10.0}
            asked = [
                said(number, "post_travel", f"post_travel.{name}_answered", survey={"instrument": name, "score": score})
                for number, (name, score) in enumerate(scores.items(), 3)
            ]
            await send(settings, *asked)
            await expect(chip).to_have_text("Advocate", timeout=LONG)
            await go(page, "inbox")
            await expect(page.locator(".empty")).to_contain_text("Nothing waits for you", timeout=LONG)
            await context.close()

            async def story() -> list[tuple[str, str | None]]:
                sql = "SELECT touchpoint, agent_id FROM interactions ORDER BY occurred_at, event_id"
                return answers(data, sql)[0].rows()

            async def is_whole() -> bool:
                return len(await story()) == 10

            await until(is_whole, PATIENCE, "all of it in the tables")
            clicks = [(name, by) for name, by in await story() if by is not None]
            assert clicks == [
                ("check_in.case_taken", "Fatima"),
                ("check_in.sentiment_corrected", "Fatima"),
                ("check_in.case_answered", "Fatima"),
                ("check_in.case_resolved", "Fatima"),
                ("post_travel.message_approved", "Fatima (duty)"),
            ]
            report = json.loads((await command("verify", "--data", str(data), "--format", "json")).stdout)
            assert report["differences"] == 0
