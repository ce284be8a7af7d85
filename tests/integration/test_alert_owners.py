"""A review after the trip names no hotel, and reaches the guest's; a stranger's reaches the brand's care centre."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.clock import now_ms
from streams.kafka.batch_producer import BatchProducer
from streams.kafka.topics import ensure_topics
from streams.model.company import load
from streams.serve import view
from streams.serve.inbox import deadlines_of, inbox
from streams.serve.store import Store
from tests.integration.test_alerts import worker
from tests.support.alert_worlds import DAY, INTERACTION, NOW, event
from tests.support.brokers import Broker, until
from tests.support.delivering import KEY, following
from tests.support.receiver import Receiver, receiving
from tests.support.waiting import PATIENCE
from tests.support.workers import producing

MODEL = """
[[kind]]
name = "customer"
limit = 1

[[brand]]
name = "noor"
units = ["MAK-*"]
care_centre = "CARE-NOOR"
"""
ROUTES = """
[egress]
private = ["127.0.0.1"]
[targets.hotel]
type = "webhook"
url = "{hotel}"
insecure = true
keys_file = "keys"
[targets.care]
type = "webhook"
url = "{care}"
insecure = true
keys_file = "keys"
[[routes]]
to = ["hotel"]
units = ["MAK-1"]
identifiers = true
[[routes]]
to = ["care"]
units = ["CARE-*"]
identifiers = true
"""


def happened(number: int, days: int, who: str, touchpoint: str, **said: Any) -> dict[str, Any]:
    """An interaction of customer:WHO, so many days ago."""
    ids = [{"kind": "customer", "value": who}]
    return event(number, now_ms() - NOW - days * DAY, touchpoint, subject=f"customer:{who}", ids=ids, **said)


def told(receiver: Receiver) -> list[dict[str, Any]]:
    return [request.body["data"] for request in receiver.taken]


async def test_a_review_without_a_unit_reaches_who_has_to_act(
    memory_broker: Broker, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = memory_broker.settings(topic_prefix, partitions=2, session_timeout=6.0)
    await ensure_topics(settings)
    (tmp_path / "keys").write_text(KEY)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "identifiers.toml").write_text(MODEL)
    monkeypatch.setenv("RIHLA_ROUTES", str(tmp_path / "routes.toml"))
    monkeypatch.setenv("RIHLA_MODEL", str(tmp_path / "model"))
    store = Store(tmp_path / "store")
    review = {"reach": 5000, "score": -0.8, "medium": "social"}
    brand = [{"key": "brand", "value": "noor"}]
    rows = [
        happened(1, 9, "amina", "stay.arrived", booking_ref="R1", unit="MAK-1"),
        happened(2, 6, "amina", "stay.checked_out", booking_ref="R1", unit="MAK-1"),
        happened(3, 0, "amina", "post_travel.review_posted", **review),
        happened(4, 0, "stranger", "post_travel.review_posted", attributes=brand, **review),
    ]

    def take(row: dict[str, Any]) -> None:
        with store.writing() as writing:
            view.alert(writing, row)

    async with (
        receiving() as hotel,
        receiving() as care,
        producing(settings) as producer,
        following(settings, "alerts", "alert", take),
    ):
        (tmp_path / "routes.toml").write_text(ROUTES.format(hotel=hotel.url, care=care.url))
        with worker("stitch", settings, tmp_path), worker("deliver", settings, tmp_path):
            output = BatchProducer(producer, settings.topic("interactions"))
            values = BatchEncoder("interaction", LocalRegistry()).encode(pl.DataFrame(rows, schema=INTERACTION))
            await output.send([row["subject"].encode() for row in rows], values)
            await output.flush()
            began = time.monotonic()
            await until(lambda: hotel.taken and care.taken, PATIENCE, "both to be told")
            print(f"\nboth were told after {time.monotonic() - began:.1f} s")

            deadlines = deadlines_of(load(str(tmp_path / "model")))

            def lines(unit: str) -> list[dict[str, Any]]:
                with store.reading() as reading:
                    found: list[dict[str, Any]] = inbox(reading, deadlines, [unit])["items"]
                return found

            await until(lambda: lines("MAK-1") and lines("CARE-NOOR"), PATIENCE, "both inboxes")

    def whose(data: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(data[name] for name in ("rule", "customer_id", "unit", "unit_basis", "owner", "brand"))

    assert {whose(one) for one in told(hotel)} == {("negative_review", "amina", "MAK-1", "last_stay", "MAK-1", "noor")}
    assert {whose(one) for one in told(care)} == {("negative_review", "stranger", None, "none", "CARE-NOOR", "noor")}
    assert [(one["customer_id"], one["unit"]) for one in lines("MAK-1")] == [("amina", "MAK-1")]
    assert [(one["customer_id"], one["owner"]) for one in lines("CARE-NOOR")] == [("stranger", "CARE-NOOR")]
