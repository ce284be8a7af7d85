"""What a worker's io makes of records that cannot be processed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.kafka.progress import RecordBatch, Records
from streams.model.dead_letter import DeadLetter
from streams.settings import Settings
from streams.worker.io import WorkerIO
from tests.support.columns import columns


def records(topic: str, *values: bytes) -> Records:
    made = columns((10 + at, None, value) for at, value in enumerate(values))
    return Records([RecordBatch(made, topic, 0, 1)])


@pytest.fixture
def io() -> WorkerIO:
    return WorkerIO(None, Settings(), "sink")


def links(count: int) -> list[bytes]:
    return BatchEncoder("link", LocalRegistry()).encode(
        [(f"customer:{n}", "device:1", n, "link") for n in range(count)]
    )


def test_a_decoder_that_raises_costs_the_record(io: WorkerIO, monkeypatch: pytest.MonkeyPatch) -> None:
    decode, calls = BatchDecoder.decode, []

    def raising(decoder: BatchDecoder, payloads: Any, columns: Any = None) -> Any:
        calls.append(len(payloads))
        if any(b"customer:70" in payload for payload in payloads):
            raise RuntimeError("customer:70")
        return decode(decoder, payloads, columns)

    values = links(100)
    values[3] = b"garbage"
    whole, refused = io.read("link", records("cx.links", *values))
    assert (whole.frame.height, len(refused)) == (99, 1)
    monkeypatch.setattr(BatchDecoder, "decode", raising)
    decoded, refused = io.read("link", records("cx.links", *values))
    good = [at for at in range(100) if at not in (3, 70)]
    assert decoded.rows.tolist() == good
    assert decoded.frame.equals(whole.frame.filter(whole.frame["occurred_at"] != 70))
    assert [(at, reason) for _, at, reason, _ in refused] == [(3, "undecodable"), (70, "unprocessable")]
    assert "customer" not in refused[1][3]
    assert len(calls) < 20


def test_where_nothing_can_be_decoded_there_is_a_frame_without_rows(
    io: WorkerIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(decoder: BatchDecoder, payloads: Any, columns: Any = None) -> Any:
        raise RuntimeError

    monkeypatch.setattr(BatchDecoder, "decode", raising)
    decoded, refused = io.read("link", records("cx.links", *links(3)), ["subject"])
    assert (decoded.frame.columns, decoded.frame.height, len(refused)) == (["subject"], 0, 3)


def test_a_letter_at_which_the_code_raises_is_told_of_and_not_sent_whole(
    io: WorkerIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[DeadLetter] = []

    async def take(letters: Iterable[DeadLetter]) -> None:
        sent.extend(letters)

    monkeypatch.setattr(io, "refuse_letters", take)
    for topic in ("cx.dead-letters", "cx.journeys"):
        asyncio.run(io.refuse([(records(topic, b"whole"), 0, "unprocessable", "said")]))
    assert [(letter.topic, letter.offset, letter.payload) for letter in sent] == [
        ("cx.dead-letters", 10, b""),
        ("cx.journeys", 10, b"whole"),
    ]
