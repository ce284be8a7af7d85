"""A hotel: an Arabic complaint, a receiver that fails twice, a link, a manager who takes it and settles it."""

from __future__ import annotations

import base64
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from streams.kafka.topics import ensure_topics
from streams.serve import tokens
from tests.integration.test_alerts import PARTITIONS, reading, send, stay, worker
from tests.integration.test_identity_worker import Reader
from tests.support.brokers import Broker, until
from tests.support.receiver import receiving
from tests.support.waiting import PATIENCE
from tests.support.workers import producing

KEY = base64.b64encode(b"k" * 32).decode()
ROUTES = """
[egress]
private = ["127.0.0.1"]
[targets.desk]
type = "webhook"
url = "{url}"
insecure = true
keys_file = "keys"
retry = {{ first = "1s", longest = "1s" }}
[targets.duty]
type = "webhook"
url = "{url}"
insecure = true
keys_file = "keys"
[[escalations]]
after = "4s"
to = ["duty"]
[units.HTL-MAKKAH]
language = "ar"
[[routes]]
to = ["desk"]
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def test_from_a_complaint_to_a_settled_case(
    memory_broker: Broker, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = memory_broker.settings(topic_prefix, partitions=PARTITIONS, session_timeout=6.0)
    await ensure_topics(settings)
    port = free_port()
    (tmp_path / "keys").write_text(KEY)
    (tmp_path / "tokens.toml").write_text(tokens.entry("desk", "agent", "secret"))
    for name, value in {
        "ROUTES": tmp_path / "routes.toml",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "LINK_KEYS_FILE": tmp_path / "keys",
        "SERVE_PORT": port,
        "SERVE_FOLDER": tmp_path / "view",
        "SERVE_TOKENS": tmp_path / "tokens.toml",
    }.items():
        monkeypatch.setenv(f"RIHLA_{name}", str(value))
    async with receiving(lambda number: (500 if number < 2 else 200, {})) as receiver:
        (tmp_path / "routes.toml").write_text(ROUTES.format(url=receiver.url))
        with (
            worker("enrich", settings, tmp_path),
            worker("stitch", settings, tmp_path),
            worker("deliver", settings, tmp_path),
            worker("serve", settings, tmp_path),
        ):
            async with (
                producing(settings) as producer,
                reading(settings) as alerts,
                ClientSession() as browser,
                Reader(settings, "cases", "case") as cases,
            ):
                text = "أمي أغمي عليها في الغرفة ولم يأت أحد"
                await send(producer, settings, stay(1, "stay.complaint_made", text=text, case_id="C1"))

                async def told(state: str) -> list[dict[str, Any]]:
                    bodies = [request.body for request in receiver.taken]
                    return [one["data"] for one in bodies if one["type"] == f"alert.{state}"]

                (first, *_) = await until(lambda: told("raised"), PATIENCE, "the receiver to be told")
                assert (first["rule"], first["case_id"], first.get("customer_id")) == ("medical", "C1", None)
                assert [request.status for request in receiver.requests[:3]] == [500, 500, 200]
                assert len({request.key for request in receiver.requests[:3]}) == 1
                link = first["link"]

                async def escalated() -> bool:
                    return any(one["escalation"] == 1 for one in await told("raised"))

                await until(escalated, PATIENCE, "the duty manager to be told")

                async def opened() -> str | None:
                    async with browser.get(link) as page:
                        return await page.text() if page.status == 200 else None

                page = await until(opened, PATIENCE, "the page")
                assert '<html lang="ar" dir="rtl">' in page
                assert "amina" not in page

                async def press(page: str, answer: str) -> None:
                    hidden = dict(re.findall(r'name="(version|click)" value="([^"]*)"', page))
                    for _ in range(2):  # a double click
                        form = {**hidden, "answer": answer, "person": "Fatima", "note": "with a doctor"}
                        async with browser.post(link, data=form, allow_redirects=False) as done:
                            assert done.status == 303

                await press(page, "take")
                (taken,) = await until(lambda: alerts.of("medical", acknowledged=True), PATIENCE, "the taking")
                assert (taken["handler"], taken["closed_at"]) == ("Fatima (desk)", None)
                await until(lambda: told("acknowledged"), PATIENCE, "the news that it is taken")

                async def held() -> str | None:
                    page = await opened()
                    return page if page and "Fatima (desk)" in page else None

                await press(await until(held, PATIENCE, "the page to say who has it"), "resolve")
                (closed,) = await until(lambda: alerts.of("medical", closed=True), PATIENCE, "the settling")
                assert (closed["alert_id"], closed["handler"]) == (taken["alert_id"], "Fatima (desk)")
                (last, *_) = await until(lambda: told("closed"), PATIENCE, "the news that it is settled")
                assert last["link"] is None

                async def resolved() -> bool:
                    await cases.read()
                    return any((row["case_id"], row["status"]) == ("C1", "resolved") for _, row in cases.records)

                await until(resolved, PATIENCE, "the case to be resolved")
                versions = [request.body["data"]["version"] for request in receiver.taken]
                assert [*dict.fromkeys(versions)] == sorted(set(versions))  # of both targets, in order
                answers = Reader(settings, "interactions", "interaction")
                async with answers:

                    async def recorded() -> bool:
                        await answers.read()
                        ids = {row["event_id"] for _, row in answers.records if ".case_" in row["touchpoint"]}
                        return len(ids) == 2

                    await until(recorded, PATIENCE, "two answers for four clicks")
