"""The view follows the topics: what is in them is in it, once, after a restart too, and nobody who was erased."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from schemas.single import encode_one
from streams.erasure.erased import Erased, Erasure
from streams.erasure.key import fingerprint, key_id
from streams.kafka.batch_producer import BatchProducer
from streams.kafka.topics import ensure_topics
from streams.registries import registry_of
from streams.serve.customer import document, find
from streams.serve.follow import Follower
from streams.serve.store import Store
from streams.settings import Settings
from tests.support.brokers import Broker, until
from tests.support.serving import alert, customer, identity
from tests.support.workers import producing

KEY = os.urandom(32)
ROWS = {
    "identities": ("identity", [(b"loyalty:L1", identity("loyalty:L1", "C1"))]),
    "customers": ("customer", [(b"C%d" % n, customer(f"C{n}")) for n in range(50)]),
    "alerts": ("alert", [(b"a1", alert("C1", "a1", unit="Towers"))]),
}


async def send(settings: Settings, rows: Mapping[str, Any]) -> None:
    """Send rows to their topics. A row of None is a tombstone."""
    async with producing(settings) as producer:
        for topic, (record, several) in rows.items():
            output = BatchProducer(producer, settings.topic(topic))
            for key, row in several:  # singly, so that the embedded broker tells the end rightly
                await output.send([key], [None if row is None else encode_one(record, row)])
                await output.flush()


@asynccontextmanager
async def following(settings: Settings, store: Store, erased: Erased) -> AsyncIterator[Follower]:
    """A follower, once the view holds what the topics do."""

    async def failed(error: BaseException) -> None:
        raise AssertionError from error

    follower = Follower(settings, registry_of(settings), store, erased, lambda rows: None, failed)
    await follower.start()
    try:
        await until(lambda: follower.age() < 30)
        yield follower
    finally:
        await follower.stop()


def found(store: Store, *identifiers: str) -> list[list[str]]:
    """Whom identifiers name."""
    with store.reading() as view:
        return [find(view, one) for one in identifiers]


async def test_the_view_holds_what_the_topics_do(any_broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    settings = any_broker.settings(topic_prefix)
    await ensure_topics(settings)
    await send(settings, ROWS)
    erased = Erased(KEY)
    store = Store(tmp_path)
    async with following(settings, store, erased) as follower:
        assert found(store, "C7", "L1") == [["C7"], ["C1"]]
        assert follower.records == 52
        with store.reading() as view:
            told = document(view, "C1")
        assert told is not None
        assert [one["alert_id"] for one in told["open_alerts"]] == ["a1"]
        await send(settings, {"customers": ("customer", [(b"C8", None), (b"C99", customer("C99"))])})
        await until(lambda: found(store, "C99") == [["C99"]])
        await until(lambda: found(store, "C8") == [[]])
    store.close()

    store = Store(tmp_path)  # a restart reads on where it was
    async with following(settings, store, erased) as follower:
        assert follower.records == 0
        assert found(store, "C7", "C99") == [["C7"], ["C99"]]
        erased.add([Erasure(fingerprint("customer:C7", KEY), key_id(KEY), None)])
        await until(lambda: found(store, "C7") == [[]])
    store.close()


async def test_a_view_of_other_topics_is_filled_anew(memory_broker: Broker, topic_prefix: str, tmp_path: Path) -> None:
    one, other = (memory_broker.settings(f"{topic_prefix}{name}") for name in "ab")
    for settings in (one, other):
        await ensure_topics(settings)
    await send(one, ROWS)
    await send(other, {"customers": ("customer", [(b"D1", customer("D1"))])})
    store = Store(tmp_path)
    async with following(one, store, Erased()):
        assert found(store, "C1") == [["C1"]]
    async with following(other, store, Erased()):
        assert found(store, "C1", "D1") == [[], ["D1"]]
    await asyncio.sleep(0)
    store.close()
