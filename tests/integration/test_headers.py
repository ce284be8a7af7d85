"""What stands in the headers of records is any producer's choice: none stops a worker, or takes a neighbour along."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import polars as pl
import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.kafka import fetch
from streams.kafka.app import build
from streams.kafka.batch_producer import RAISED, RECALLED, RESTORED
from streams.kafka.progress import SINCE
from streams.kafka.topics import ensure_topics
from streams.model.dead_letter import ATTEMPTS_HEADER
from streams.model.digits import number_of
from streams.settings import Settings
from streams.stitch import agent as stitch
from tests.integration.test_codecs import Written, enriching, event, numbers, send_raw
from tests.support.brokers import Broker, until
from tests.support.plain_workers import INTERACTION, interaction
from tests.support.workers import producing, running

SAID = (
    b"9" * 5000,
    b"9" * 400,
    b"9" * 19,
    b"-1",
    b"0",
    b"",
    "²".encode(),
    "٣".encode(),
    b"\xff\xfe",
    b"1e9",
    b"{}",
    b"[",
)
NAMES = (SINCE, ATTEMPTS_HEADER, RESTORED[0], RECALLED[0], RAISED, "rihla-transactional", "", "x" * 5000)
HEADERS: list[list[tuple[str, Any]]] = [
    *([(name, said)] for name in NAMES for said in SAID),
    *([(name, None)] for name in NAMES),
    [(RECALLED[0], b"last " + b"9" * 5000)],
    [(RAISED, json.dumps({"stay.halal_breach": [10**30, "x"]}).encode())],
    [(RAISED, b"[" * 5000)],
    [(SINCE, b"1"), (SINCE, b"x"), (SINCE, b"9" * 5000)],
    [(f"h{at}", b"v") for at in range(500)],
]


async def test_no_header_stops_enrich(memory_broker: Broker, topic_prefix: str) -> None:
    settings = memory_broker.settings(topic_prefix, partitions=1)
    topic = settings.topic("stay")
    async with enriching(settings) as app, producing(settings) as producer:
        sent: list[Any] = []
        for at, headers in enumerate(HEADERS):
            sent += [
                await producer.send(topic, value, partition=0, headers=headers)
                for value in (event(at), b"\0\0\0\0\7none")
            ]
            if at % 10 == 0:  # batches of some records, and such as begin with each kind
                await asyncio.gather(*sent)
        sent.append(await producer.send(topic, event(9999), partition=0))
        await asyncio.gather(*sent)
        async with Written(settings, "interactions") as interactions, Written(settings, "dead-letters") as letters:

            async def all_there() -> bool:
                assert not app.crashed
                there = numbers(await interactions.read()) == {*range(len(HEADERS)), 9999}
                return len(await letters.read()) == len(HEADERS) and there

            await until(all_there, what="an interaction and a letter of each")
        found = BatchDecoder("dead_letter", LocalRegistry()).decode(letters.values).frame
        assert found["reason"].unique().to_list() == ["undecodable"]


async def test_no_header_stops_stitch(memory_broker: Broker, topic_prefix: str) -> None:
    settings = memory_broker.settings(topic_prefix, partitions=1)
    await ensure_topics(settings)
    topic = settings.topic("interactions")
    rows = [interaction(at, ids=[("customer", f"c{at}")], subject=f"customer:c{at}") for at in range(len(HEADERS) + 1)]
    values = BatchEncoder("interaction", LocalRegistry()).encode(pl.DataFrame(rows, schema=INTERACTION))
    app = build(settings, "stitch")
    stitch.create(app, settings)
    async with running(app), producing(settings) as producer:
        said = [*HEADERS, []]
        sent = [
            await producer.send(topic, value, f"customer:c{at}".encode(), partition=0, headers=said[at])
            for at, value in enumerate(values)
        ]
        await asyncio.gather(*sent)

        def handled() -> bool:
            assert not app.crashed
            return len(values) in {progress.committed for progress in app.consumer.progress.values()}

        await until(handled, what="all of them to be handled")


@pytest.mark.parametrize("compiled", [False, True])
async def test_a_name_that_is_no_utf_8_takes_no_neighbour_along(
    compiled: bool, memory_broker: Broker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "COMPILED", compiled)
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 20)
    for at in range(5):
        builder.append(at, 1_770_000_000_000, None, event(at), [("XXXX", b"v")] if at == 2 else [])
    made = bytes(builder.build()).replace(b"XXXX", b"caf\xe9")  # as a client of librdkafka may send it
    batch = made[:17] + calc_crc32c(made[21:]).to_bytes(4) + made[21:]
    settings: Settings = memory_broker.settings(topic_prefix, partitions=1)
    async with enriching(settings), producing(settings) as producer:
        assert await send_raw(producer, settings.topic("stay"), batch) == 0
        async with Written(settings, "interactions") as interactions:

            async def all_there() -> bool:
                return numbers(await interactions.read()) == {*range(5)}

            await until(all_there, what="all five")


@pytest.mark.parametrize("said", ["", "²", "٣", "-1", "+1", " 1", "1_0", "1e3", "9" * 19, "9" * 5000, "x"])
def test_what_is_no_number(said: str) -> None:
    assert number_of(said) is None
    assert number_of(said.encode()) is None


def test_what_is_a_number() -> None:
    assert [number_of(said) for said in ("0", "007", "9" * 18, b"42")] == [0, 7, 10**18 - 1, 42]
