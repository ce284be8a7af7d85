"""Reports and breaches by a deliver worker that is killed: from ClickHouse to a webhook that fails and to a mailbox."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_string, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Handler

from sinks.clickhouse import models
from streams.embedded.ports import free_ports
from streams.kafka.topics import ensure_topics
from streams.model.company import built_in
from streams.model.targets import Target
from streams.report import pdf
from tests.integration.test_targets import FIRST, told
from tests.support.brokers import Broker, until
from tests.support.clickhouse import ClickHouse
from tests.support.delivering import KEY, deliver
from tests.support.receiver import receiving
from tests.support.sink_rows import DAY, frame
from tests.support.waiting import PATIENCE


class Mailbox(Handler):
    """What an SMTP server was sent."""

    def __init__(self) -> None:
        super().__init__(EmailMessage)
        self.mails: list[Any] = []

    def handle_message(self, message: Any) -> None:
        self.mails.append(message_from_string(message.as_string(), policy=policy.default))


@contextlib.contextmanager
def mailbox() -> Iterator[tuple[int, Mailbox]]:
    box, (port,) = Mailbox(), free_ports(1)
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port, box
    finally:
        controller.stop()


def write(folder: Path, url: str, port: int, attach: str = "html") -> None:
    (folder / "keys").write_text(KEY)
    (folder / "routes.toml").write_text(
        f"""
[egress]
private = ["127.0.0.1"]

[targets.hook]
type = "webhook"
url = "{url}"
insecure = true
keys_file = "keys"
retry = {{ first = "1s", longest = "1s" }}

[targets.box]
type = "email"
host = "127.0.0.1"
port = {port}
security = "none"
sender = "rihla@example.com"
to = ["gm@example.com"]

[units.MAK-1]
language = "ar"

[[reports]]
name = "yesterday"
period = "day"
at = "00:00"
units = ["MAK-1"]
attach = "{attach}"
to = ["hook", "box"]

[[routes]]
to = ["hook"]
kinds = ["breach"]
units = ["MAK-*"]
"""
    )


@pytest.fixture
def missed(clickhouse: ClickHouse) -> ClickHouse:
    """Two units that miss their target of CSAT beyond doubt."""
    clickhouse.migrated()
    for unit in ("MAK-1", "JED_1"):
        clickhouse.write("interactions", frame_of(unit))
    wanted = (Target("csat", "year", 90.0, ("*",), 2),)
    models.record_targets(clickhouse.client, replace(built_in(), targets=wanted), 1)
    return clickhouse


def frame_of(unit: str) -> Any:
    return frame("interaction", *told("csat", unit, FIRST + DAY, *[1.0] * 20))


async def test_a_report_and_a_breach_once_though_it_is_killed(
    memory_broker: Broker, topic_prefix: str, missed: ClickHouse, tmp_path: Path
) -> None:
    settings = replace(
        memory_broker.settings(topic_prefix, partitions=2, session_timeout=6.0),
        clickhouse=missed.url,
        database=missed.database,
    )
    await ensure_topics(settings)
    async with receiving(lambda number: (500 if number < 3 else 200, {})) as receiver:
        with mailbox() as (port, box):
            write(tmp_path, receiver.url, port)
            with deliver(settings, tmp_path):
                await until(lambda: len(receiver.requests) >= 2 and box.mails, PATIENCE, "the first attempts")
            with deliver(settings, tmp_path):  # killed in between
                await until(lambda: len({one.key for one in receiver.taken}) == 2, PATIENCE, "report and breach")
            by_type = {one.body["type"]: one.body["data"] for one in receiver.taken}
            assert by_type.keys() == {"report.made", "breach.observed"}
            assert len({one.key for one in receiver.requests}) == 2, "the same keys as before it was killed"
            assert by_type["breach.observed"]["unit"] == "MAK-1"
            report = by_type["report.made"]
            page = base64.b64decode(report["document"]["base64"]).decode()
            assert 'lang="ar" dir="rtl"' in page
            assert "MAK-1" in page
            (mail,) = {one["Message-ID"]: one for one in box.mails}.values()
            (file,) = mail.iter_attachments()
            assert file.get_content() == page, "one document for all targets and attempts"
            assert report["summary"] in mail.get_body().get_content()


@pytest.mark.skipif(
    not any(map(shutil.which, pdf.NAMES)) and os.environ.get("RIHLA_REQUIRE_CHROMIUM") != "1",
    reason="Chromium is missing (Debian package chromium)",
)
async def test_a_report_that_chromium_has_printed(
    memory_broker: Broker, topic_prefix: str, missed: ClickHouse, tmp_path: Path
) -> None:
    """Both targets get one PDF, which says whose report it is and in which language."""
    settings = replace(memory_broker.settings(topic_prefix), clickhouse=missed.url, database=missed.database)
    await ensure_topics(settings)
    async with receiving(lambda number: (200, {})) as receiver:
        with mailbox() as (port, box):
            write(tmp_path, receiver.url, port, attach="pdf")
            with deliver(settings, tmp_path):
                await until(lambda: len(receiver.taken) >= 2 and box.mails, PATIENCE, "report and breach")
            (report,) = (one.body["data"] for one in receiver.taken if one.body["type"] == "report.made")
            (mail,) = {one["Message-ID"]: one for one in box.mails}.values()
    (file,) = mail.iter_attachments()
    assert (file.get_content_type(), report["document"]["type"]) == ("application/pdf", "application/pdf")
    assert file.get_filename() == report["document"]["name"] == f"yesterday-{report['since']}.pdf"
    printed = file.get_content()
    assert printed == base64.b64decode(report["document"]["base64"])
    assert printed.startswith(b"%PDF-")
    assert printed.endswith(b"%%EOF\n")
    assert b"/Lang (ar)" in printed
    assert "MAK-1".encode("utf-16-be").hex().upper().encode() in printed, "it stands in the title"
