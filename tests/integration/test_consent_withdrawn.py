"""Consent that is withdrawn in mid-flight: invitations, segments and deliver know it, each after the one before it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.kafka.topics import ensure_topics
from tests.integration.test_alerts import PARTITIONS, send, stay, worker
from tests.integration.test_identity_worker import Reader
from tests.support.brokers import Broker, until
from tests.support.delivering import KEY
from tests.support.receiver import Receiver, receiving
from tests.support.waiting import PATIENCE
from tests.support.workers import producing

GUESTS = """
every = "1d"
[[invitation]]
name = "stay"
after = ["stay.checked_out"]
delay = "1s"
ask = ["nps"]
"""
SEGMENTS = """
[mailable]
when = [{ consents = { marketing = ["email"] } }]
"""
ROUTES = """
[egress]
private = ["127.0.0.1"]
[targets.crm]
type = "webhook"
url = "{crm}"
insecure = true
keys_file = "keys"
[targets.messaging]
type = "webhook"
url = "{messaging}"
insecure = true
keys_file = "keys"
guests = true
retry = {{ first = "1s", longest = "1s" }}
[[routes]]
to = ["crm"]
kinds = ["segment"]
identifiers = true
[[routes]]
to = ["messaging"]
kinds = ["invitation"]
identifiers = true
"""


def said(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in pairs]


def told(receiver: Receiver) -> list[str]:
    return [request.body["type"] for request in receiver.taken]


async def test_withdrawn_in_mid_flight(
    memory_broker: Broker, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = memory_broker.settings(topic_prefix, partitions=PARTITIONS, session_timeout=6.0)
    await ensure_topics(settings)
    (tmp_path / "keys").write_text(KEY)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "guests.toml").write_text(GUESTS)
    (tmp_path / "model" / "segments.toml").write_text(SEGMENTS)
    monkeypatch.setenv("RIHLA_ROUTES", str(tmp_path / "routes.toml"))
    monkeypatch.setenv("RIHLA_MODEL", str(tmp_path / "model"))
    is_up = False
    async with (
        receiving() as crm,
        receiving(lambda number: (200 if is_up else 503, {})) as messaging,
        producing(settings) as producer,
        Reader(settings, "stay", "stay") as events,
        Reader(settings, "segments", "segment") as segments,
        Reader(settings, "invitations", "invitation") as invitations,
        Reader(settings, "deliveries", "delivery") as deliveries,
    ):
        (tmp_path / "routes.toml").write_text(ROUTES.format(crm=crm.url, messaging=messaging.url))

        async def first(reader: Reader, holds: Callable[[dict[str, Any]], bool]) -> int:
            """When the broker took the first record of which something holds, epoch ms."""

            async def found() -> int | None:
                await reader.read()
                return next((record.timestamp for record, row in reader.records if holds(row)), None)

            return int(await until(found, PATIENCE, "a record"))

        with (
            worker("enrich", settings, tmp_path),
            worker("stitch", settings, tmp_path),
            worker("deliver", settings, tmp_path),
        ):
            for number, purpose in enumerate(("survey", "marketing"), start=1):
                agreed = said(("purpose", purpose), ("channel", "email"))
                await send(producer, settings, stay(number, "stay.consent_given", attributes=agreed))
            await send(producer, settings, stay(3, "stay.checked_out"))
            await until(lambda: told(crm) == ["segment.entered"], PATIENCE, "the segment to be pushed")
            await until(lambda: messaging.requests, PATIENCE, "the invitation to be tried")

            await send(producer, settings, stay(4, "stay.consent_withdrawn"))  # of everything, by every channel
            await until(lambda: told(crm) == ["segment.entered", "segment.left"], PATIENCE, "the segment to be left")
            withheld = await first(deliveries, lambda row: row["status"] == "withheld")
            is_up = True  # whatever still waited would go out before what comes now
            agreed = said(("purpose", "survey"), ("channel", "email"))
            other = {"ids": [{"kind": "customer", "value": "bilal"}], "booking_ref": "R2"}
            await send(producer, settings, stay(5, "stay.consent_given", attributes=agreed, **other))
            await send(producer, settings, stay(6, "stay.checked_out", **other))
            await until(lambda: messaging.taken, PATIENCE, "the other guest to be asked")

            withdrawn = await first(events, lambda row: row["touchpoint"] == "stay.consent_withdrawn")
            left = await first(segments, lambda row: not row["member"])
            void = await first(invitations, lambda row: row["status"] == "withheld")
            (version,) = {row["version"] for _, row in segments.records if not row["member"]}
            pushed = await first(
                deliveries,
                lambda row: (row["kind"], row["thing_version"], row["status"]) == ("segment", version, "delivered"),
            )
            assert withdrawn <= left <= pushed
            assert withdrawn <= void <= withheld
            assert {request.body["data"]["customer_id"] for request in messaging.taken} == {"bilal"}
            print(f"\nms after the withdrawal: left {left - withdrawn}, withheld {void - withdrawn}")
            print(f"deliver: told {pushed - withdrawn}, withheld {withheld - withdrawn}")
