"""Schemas are had before batches are decoded, from a service that is there, lags, is away or lets nobody in."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from schemas import records
from schemas.registry import HttpRegistry, UnknownSchemaError
from schemas.wire import CONFLUENT, WireHeader
from streams.worker import schema_lookup
from streams.worker.schema_lookup import Lookup
from tests.support.registries import serving
from tests.support.waiting import until

LINK = {"schema": json.dumps(records.raw("link"))}


def value(id_: int) -> bytes:
    """A value with the header of this id."""
    return b"\0" + id_.to_bytes(4, "big") + b"datum"


class Looking:
    """A lookup, and what it has kept and been told."""

    def __init__(self, url: str, **options: Any) -> None:
        self.registry = HttpRegistry(url, timeout=2)
        self.kept: dict[int, str] = {}
        self.elsewhere: dict[int, str] = {}
        self.stopping = False
        self.lookup = Lookup(self.registry, self._refresh, self._keep, lambda: self.stopping, **options)

    async def _keep(self, learned: Mapping[int, str]) -> None:
        self.kept |= learned

    async def _refresh(self) -> None:
        for id_, schema in self.elsewhere.items():
            self.registry.keep(id_, schema)

    def known(self, id_: int) -> bool:
        """Whether there is a schema of this id, as far as is known without asking."""
        try:
            return bool(self.registry.writer_schema(WireHeader(CONFLUENT, id_)))
        except UnknownSchemaError:
            return False


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits longer than it has to."""
    monkeypatch.setattr(schema_lookup, "AGAIN", (0.01, 0.01, 0.01))
    monkeypatch.setattr(schema_lookup, "PAUSES", (0.01,))
    monkeypatch.setattr(schema_lookup, "LOOK_EVERY", 0.01)


def test_what_was_learned_is_kept_and_what_needs_no_service_does_not_ask_it() -> None:
    with serving(by_id={7: LINK, 8: LINK}) as service:
        looking = Looking(service.url)
        batch = [value(7), None, b"", b"\0\0", b"{}", value(8), value(7), value(2**32 - 1), b"\xc3\x01" + bytes(9)]
        assert asyncio.run(looking.lookup.prepare([batch, batch]))
        assert [path for _, path in service.requests] == ["/schemas/ids/7", "/schemas/ids/8"]
        assert looking.kept == {7: LINK["schema"], 8: LINK["schema"]}
        assert asyncio.run(looking.lookup.prepare([batch]))
        assert len(service.requests) == 2


def test_an_unknown_id_is_asked_for_again_for_a_while_and_then_not_for_every_batch() -> None:
    with serving() as service:
        looking = Looking(service.url)
        assert asyncio.run(looking.lookup.prepare([[value(7)]]))
        assert not looking.known(7)
        assert len(service.requests) == 1 + len(schema_lookup.AGAIN)
        assert asyncio.run(looking.lookup.prepare([[value(7), value(8)]]))
        assert len(service.requests) == 2 + len(schema_lookup.AGAIN)


def test_garbage_asks_the_service_little_and_does_not_hide_a_new_schema() -> None:
    with serving(by_id={20: LINK}) as service:
        looking = Looking(service.url)
        garbage = [value(1000 * number) for number in range(1, 8000)]
        assert asyncio.run(looking.lookup.prepare([garbage, [value(20)]]))
        assert looking.known(20)
        assert len(service.requests) < 100
        assert asyncio.run(looking.lookup.prepare([garbage]))
        assert len(service.requests) < 100


@pytest.mark.parametrize(("status", "said"), [(500, "answered 500"), (429, "429"), (401, "RIHLA_REGISTRY")])
async def test_records_wait_for_the_end_of_an_outage(status: int, said: str, caplog: pytest.LogCaptureFixture) -> None:
    with serving() as service, caplog.at_level(logging.ERROR):
        looking = Looking(service.url)
        looking.registry.keep(7, LINK["schema"])
        service.broken = (status, b"no")
        waiting = asyncio.ensure_future(looking.lookup.prepare([[value(8)]]))
        assert await looking.lookup.prepare([[value(7)]]), "what is known does not wait"
        await until(lambda: said in caplog.text, what="word of it")
        assert not waiting.done()
        service.by_id[8], service.broken = LINK, None
        assert await waiting
        assert looking.known(8)


def test_in_an_outage_another_worker_may_know() -> None:
    with serving() as service:
        url = service.url
    looking = Looking(url)
    looking.elsewhere[8] = LINK["schema"]
    assert asyncio.run(looking.lookup.prepare([[value(8)]]))
    assert looking.known(8)


def test_in_an_outage_garbage_does_not_wait_and_nothing_waits_for_ever() -> None:
    with serving() as service:
        url = service.url
    looking = Looking(url, patience=0.1)
    looking.registry.keep(7, LINK["schema"])
    assert asyncio.run(looking.lookup.prepare([[value(7 + schema_lookup.NEAR + 1)], [value(8)]]))
    for id_, why in ((7 + schema_lookup.NEAR + 1, "far above"), (8, "nobody could say")):
        with pytest.raises(UnknownSchemaError, match=why):
            looking.registry.writer_schema(WireHeader(CONFLUENT, id_))


async def test_who_is_to_stop_does_not_wait() -> None:
    with serving() as service:
        url = service.url
    looking = Looking(url)
    waiting = asyncio.ensure_future(looking.lookup.prepare([[value(8)]]))
    await asyncio.sleep(0)
    looking.stopping = True
    assert not await waiting
