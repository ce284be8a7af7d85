"""A hotel, end to end, on `rihla up`: an Arabic complaint on Kafka, a receiver that fails twice, a mail server, a
manager who takes and settles it by the link, a guest who is told and comes round; in order, and `rihla verify` agrees.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from aiosmtpd.controller import Controller

from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.clock import now_ms
from streams.embedded.ports import free_ports
from streams.kafka.batch_producer import BatchProducer
from streams.model.company import FOLDER
from streams.settings import Settings
from streams.sources.feeder import producing
from streams.sources.lines import frame_of
from tests.integration.test_run import rihla, rows
from tests.integration.test_up import owner_of, up
from tests.support.brokers import until
from tests.support.receiver import Receiver, receiving
from tests.support.waiting import PATIENCE

KEY = base64.b64encode(b"k" * 32).decode()
GUEST = "amina"
COMPLAINT = "أمي أغمي عليها في الغرفة ولم يأت أحد"  # my mother fainted in the room, and nobody came
ROUTES = """
[egress]
private = ["127.0.0.1"]
[targets.desk]
type = "webhook"
url = "{desk}"
insecure = true
keys_file = "keys"
retry = {{ first = "1s", longest = "1s" }}
[targets.manager]
type = "email"
host = "127.0.0.1"
port = {mail}
security = "none"
sender = "rihla@example.com"
to = ["manager@example.com"]
[targets.duty]
type = "webhook"
url = "{desk}"
insecure = true
keys_file = "keys"
[targets.messaging]
type = "webhook"
url = "{messaging}"
insecure = true
keys_file = "keys"
guests = true
[[escalations]]
after = "4s"
to = ["duty"]
rules = ["medical"]
[units.HTL-MAKKAH]
language = "ar"
[[routes]]
to = ["desk", "manager"]
rules = ["medical"]
[[routes]]
to = ["desk"]
kinds = ["message"]
[[routes]]
to = ["messaging"]
kinds = ["message"]
identifiers = true
"""


class Mailbox:
    """What an SMTP server took."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"

    def of(self, word: str) -> list[EmailMessage]:
        """Those whose subject has a word."""
        return [mail for mail in self.mails if word in mail["Subject"]]


@contextmanager
def mailing() -> Iterator[tuple[Mailbox, int]]:
    """A mail server, and its port."""
    mailbox, port = Mailbox(), free_ports(1)[0]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield mailbox, port
    finally:
        controller.stop()


def without_quiet_hours(folder: Path) -> str:
    """A model in which guests are written to at any hour: the test may run at night. Its folder."""
    folder.mkdir()
    lines = (FOLDER / "guests.toml").read_text("utf-8").splitlines()
    (folder / "guests.toml").write_text("\n".join(line for line in lines if not line.startswith("quiet =")), "utf-8")
    return str(folder)


def told(receiver: Receiver, type_: str) -> list[dict[str, Any]]:
    """The messages of a type that a receiver took."""
    return [request.body["data"] for request in receiver.taken if request.body["type"] == type_]


def said(number: int, channel: str, touchpoint: str, **more: Any) -> Mapping[str, Any]:
    """What the guest did or said, now."""
    return {
        "channel": channel,
        "event_id": f"00000000-0000-4000-8000-{number:012}",
        "occurred_at": now_ms(),
        "ids": [{"kind": "customer", "value": GUEST}],
        "booking_ref": "R1",
        "touchpoint": touchpoint,
        "medium": "chat",
        "unit": "HTL-MAKKAH",
        **more,
    }


async def send(settings: Settings, *lines: Mapping[str, Any]) -> None:
    """Produce events to the topics of their channels, as a hotel's own system would."""
    async with producing(settings) as producer:
        for line in lines:
            frame, keys = frame_of(line["channel"], [line])
            output = BatchProducer(producer, settings.topic(line["channel"].replace("_", "-")))
            await output.send(keys, BatchEncoder(line["channel"], LocalRegistry()).encode(frame))
            await output.flush()


async def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = await asyncio.to_thread(rihla, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


async def test_from_a_complaint_to_a_guest_who_came_round(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_ports(1)[0]
    (tmp_path / "keys").write_text(KEY)
    variables = {
        "RIHLA_MODEL": without_quiet_hours(tmp_path / "model"),
        "RIHLA_ROUTES": str(tmp_path / "routes.toml"),
        "RIHLA_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "RIHLA_LINK_KEYS_FILE": str(tmp_path / "keys"),
    }

    async def found(sql: str) -> list[dict[str, Any]]:
        return await asyncio.to_thread(rows, data, sql)

    async with (
        receiving(lambda number: (500 if number < 2 else 200, {})) as desk,
        receiving() as messaging,
        ClientSession() as browser,
    ):
        with mailing() as (mailbox, mail):
            (tmp_path / "routes.toml").write_text(ROUTES.format(desk=desk.url, messaging=messaging.url, mail=mail))
            with up(data, "--without", "collect", "--serve-port", str(port), **variables):
                brokers = owner_of(data).brokers
                assert brokers is not None
                settings = Settings(brokers=brokers, embedded=True, partitions=1)

                # The guest complains; the desk's system is down twice, and is told all the same, once.
                await send(
                    settings,
                    said(1, "stay", "stay.survey_answered", survey={"instrument": "csat", "score": 1.0}),
                    said(2, "stay", "stay.complaint_made", text=COMPLAINT, case_id="C1"),
                )
                (first, *_) = await until(lambda: told(desk, "alert.raised"), PATIENCE, "the desk to be told")
                assert (first["rule"], first["case_id"], first.get("customer_id")) == ("medical", "C1", None)
                assert [request.status for request in desk.requests[:3]] == [500, 500, 200]
                assert len({request.key for request in desk.requests[:3]}) == 1

                # Nobody takes it: the duty manager hears of it. The manager opens the link of the mail.
                await until(
                    lambda: any(one["escalation"] == 1 for one in told(desk, "alert.raised")), PATIENCE, "the duty"
                )
                (letter,) = await until(lambda: mailbox.of("medical"), PATIENCE, "the mail")
                link = re.findall(r"http://\S+", letter.get_content())[-1]
                assert link.startswith(variables["RIHLA_PUBLIC_URL"])

                async def opened(words: str, link: str = link) -> str | None:
                    async with browser.get(link) as page:
                        text = await page.text()
                    return text if page.status == 200 and words in text else None

                async def press(page: str, answer: str, link: str = link) -> None:
                    hidden = dict(re.findall(r'name="(version|click)" value="([^"]*)"', page))
                    for _ in range(2):  # a double click
                        form = {**hidden, "answer": answer, "person": "Fatima", "note": "with a doctor"}
                        async with browser.post(link, data=form, allow_redirects=False) as done:
                            assert done.status == 303

                page = await until(lambda: opened('<html lang="ar" dir="rtl">'), PATIENCE, "the page")
                assert GUEST not in page
                await press(page, "take")
                (taken, *_) = await until(lambda: told(desk, "alert.acknowledged"), PATIENCE, "the news: taken")
                assert taken["handler"] == "Fatima (manager)"
                await press(await until(lambda: opened("Fatima (manager)"), PATIENCE, "who has it"), "resolve")
                (closed, *_) = await until(lambda: told(desk, "alert.closed"), PATIENCE, "the news: settled")
                assert (closed["id"], closed["handler"], closed["link"]) == (first["id"], "Fatima (manager)", None)

                # What is written to the guest is a draft until somebody approves it.
                (draft, *_) = await until(lambda: told(desk, "message.raised"), PATIENCE, "the draft")
                assert (draft["case_id"], draft["language"]) == ("C1", "ar")
                assert messaging.requests == []
                page = await until(lambda: opened("<blockquote", draft["link"]), PATIENCE, "the page of the draft")
                await press(page, "approve", draft["link"])
                (sent,) = await until(lambda: messaging.taken, PATIENCE, "the guest to be told")
                assert sent.body["data"]["customer_id"] == GUEST
                assert sent.body["data"]["text"] in draft["text"]
                await until(lambda: told(desk, "message.closed"), PATIENCE, "the news: told")

                # The guest comes round.
                profile = f"SELECT profile, open_cases FROM customers WHERE customer_id = '{GUEST}'"
                assert await found(profile) == [{"profile": "negative", "open_cases": 0}]
                await send(
                    settings,
                    said(3, "stay", "stay.survey_answered", survey={"instrument": "csat", "score": 5.0}),
                    said(4, "post_travel", "post_travel.nps_answered", survey={"instrument": "nps", "score": 10.0}),
                )

                async def recovered() -> bool:
                    return (await found(profile))[0]["profile"] == "advocate"

                await until(recovered, PATIENCE, "the guest to come round")

                # You said, we did: once, however often it is said.
                mended = ("guests", "told", "staff", "--since", "2026-01-01", "--done", "two more nurses")
                assert "1  drafts" in (await command(*mended, "--data", str(data))).stdout
                drafts = "SELECT text FROM messages WHERE kind = 'mended' AND status = 'draft'"
                await until(lambda: found(drafts), PATIENCE, "the draft of what was mended")
                assert "0  drafts" in (await command(*mended, "--data", str(data))).stdout

                # Once each, in order, and exactly so.
                story = await found("SELECT touchpoint FROM interactions ORDER BY occurred_at, event_id")
                assert [one["touchpoint"] for one in story] == [
                    "stay.survey_answered",
                    "stay.complaint_made",
                    "stay.case_taken",
                    "stay.case_resolved",
                    "post_travel.message_approved",
                    "post_travel.improvement_told",
                    "stay.survey_answered",
                    "post_travel.nps_answered",
                    "post_travel.improvement_made",
                ]
                for receiver, kinds in ((desk, ("alert", "message")), (messaging, ("message",))):
                    for kind in kinds:
                        numbers = [
                            one.body["data"]["version"] for one in receiver.taken if one.body["data"]["kind"] == kind
                        ]
                        assert [*dict.fromkeys(numbers)] == sorted({*numbers})
                states = [mail["Message-ID"] for mail in mailbox.mails]
                assert len(states) == len({*states}) == 3  # raised, taken, settled
                moves = await found("SELECT from_profile, to_profile FROM moves ORDER BY occurred_at, event_id")
                assert (moves[0]["to_profile"], moves[-1]["to_profile"]) == ("negative", "advocate")
                told_ = await found(
                    "SELECT status, judged_by, told_at IS NOT NULL AS told FROM messages WHERE kind = 'resolved'"
                )
                assert told_ == [{"status": "told", "judged_by": "Fatima (desk)", "told": 1}]
                undone = await found("SELECT * FROM deliveries WHERE status NOT IN ('delivered', 'withheld')")
                assert undone == []
                report = json.loads((await command("verify", "--data", str(data), "--format", "json")).stdout)
                assert report["differences"] == 0
