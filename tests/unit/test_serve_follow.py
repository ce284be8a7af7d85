"""The follower of Customer 360: a record at which its code raises stops neither it nor the records around it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from schemas.registry import LocalRegistry
from schemas.single import encode_one
from streams import metrics
from streams.erasure.erased import Erased
from streams.kafka.record_batch import RecordColumns, Unreadable
from streams.serve import follow
from streams.serve.store import Store, digest
from streams.settings import Settings
from tests.support.serving import alert
from tests.support.waiting import until


async def _ignored(error: BaseException) -> None:
    pass


@pytest.mark.parametrize("stage", ["decode", "apply"])
def test_a_record_at_which_the_code_raises_is_left_out(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "view")
    settings = Settings()
    follower = follow.Follower(settings, LocalRegistry(), store, Erased(), lambda rows: None, _ignored)
    rows = {name: alert("C1", name) for name in ("good", "bad", "last")}

    def decoded(record: str, records: list[Any]) -> dict[int, Any]:
        if stage == "decode" and any(one.value == b"bad" for one in records):
            raise ValueError("no such row")
        return {at: rows[one.value.decode()] for at, one in enumerate(records)}

    def applied(view: Any, row: Any) -> None:
        if stage == "apply" and row["alert_id"] == "bad":
            raise ValueError("no such alert")
        follow_alert(view, row)

    follow_alert = follow.APPLY["alert"]
    monkeypatch.setattr(follower, "_rows", decoded)
    monkeypatch.setattr(follow, "APPLY", {**follow.APPLY, "alert": applied})
    topic = settings.topic("alerts")
    records = [
        SimpleNamespace(topic=topic, partition=0, offset=at, key=name.encode(), value=name.encode())
        for at, name in enumerate(rows)
    ]
    told = follower._apply({TopicPartition(topic, 0): records})
    assert [row["alert_id"] for row in told["alert"]] == ["good", "last"]
    with store.reading() as view:
        assert {name for name in rows if view.get(b"x" + digest(name))} == {"good", "last"}
    store.close()


async def test_the_view_is_fresh_at_an_end_that_is_no_record(tmp_path: Path) -> None:
    """Behind the last record there may be the end of a transaction: the view waited for ever, and answered 503."""
    store, settings = Store(tmp_path / "view"), Settings()
    follower = follow.Follower(settings, LocalRegistry(), store, Erased(), lambda rows: None, _ignored)
    partition = TopicPartition(settings.topic("alerts"), 0)
    follower._positions, follower._fresh = {partition: 4}, {partition: float("-inf")}

    class Consumer:
        """Nothing is fetched any more, and the position is behind the mark."""

        async def getmany(self, **_: Any) -> dict[TopicPartition, Any]:
            await asyncio.sleep(0.01)
            return {}

        async def position(self, one: TopicPartition) -> int:
            return 5

        async def end_offsets(self, some: list[TopicPartition]) -> dict[TopicPartition, int]:
            return dict.fromkeys(some, 5)

    consumer: Any = Consumer()
    tasks = [
        asyncio.ensure_future(follower._follow(consumer)),
        asyncio.ensure_future(follower._look(consumer, [partition])),
    ]
    async with asyncio.timeout(60):
        while follower.age() == float("inf"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    store.close()


async def test_a_batch_that_cannot_be_read_is_counted_and_the_others_are_in_the_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store, settings = Store(tmp_path / "view"), Settings(prefix="unread.")
    rows: list[Any] = []
    follower = follow.Follower(settings, LocalRegistry(), store, Erased(), lambda some: rows.append(some), _ignored)
    partition = TopicPartition(settings.topic("alerts"), 0)
    follower._positions = {partition: 0}
    columns, last = RecordColumns(), RecordColumns()
    columns.append(0, 0, b"one", encode_one("alert", alert("C1", "one")))
    columns.give_up(1, 0, Unreadable(11, b"...", "a batch of 10 records cannot be read: unknown codec 7"))
    columns.append(11, 0, b"two", encode_one("alert", alert("C1", "two")))
    last.give_up(12, 0, Unreadable(13, b"...", "a batch of 1 record cannot be read: garbage"))
    waiting = [columns, last]

    class Consumer:
        """Two fetches, and no more."""

        async def getmany(self, **_: Any) -> dict[TopicPartition, Any]:
            await asyncio.sleep(0.01)
            return {partition: waiting.pop(0)} if waiting else {}

        async def position(self, _: TopicPartition) -> int:
            return 13

    consumer: Any = Consumer()
    counted = metrics.BATCHES_UNREADABLE.labels(partition.topic)
    before = counted._value.get()
    task = asyncio.ensure_future(follower._follow(consumer))
    await until(lambda: counted._value.get() == before + 2)
    await until(lambda: follower.records == 2)
    task.cancel()
    with store.reading() as view:
        assert all(view.get(b"x" + digest(name)) for name in ("one", "two"))
    assert "unknown codec 7; the view is without" in caplog.text
    store.close()
