"""Garbage among good values: the good ones always survive, exact, and the process too."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import records, single
from schemas.decode import BatchDecoder
from schemas.registry import LocalRegistry
from schemas.wire import CONFLUENT, SINGLE_OBJECT, Wire
from tests.properties.test_codec_roundtrip import values

REGISTRY = LocalRegistry()
DECODER = BatchDecoder("interaction", REGISTRY)
HEADER_SIZE: dict[Wire, int] = {CONFLUENT: 5, SINGLE_OBJECT: 10}
LENGTH_BOMBS = (
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # -2**63
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # 2**63 - 1
    b"\x80\x80\x80\x80\x80\x01",  # 2**34
    b"\x80" * 12,  # no number at all
)


def truncated(body: bytes, random: Random) -> bytes:
    return body[: random.randrange(len(body))]


def extended(body: bytes, random: Random) -> bytes:
    return body + random.randbytes(random.randrange(1, 20))


def repeated(body: bytes, random: Random) -> bytes:
    return body + body


def randomised(body: bytes, random: Random) -> bytes:
    return random.randbytes(random.randrange(300))


def bombed(body: bytes, random: Random) -> bytes:
    at = random.randrange(len(body))
    return body[:at] + random.choice(LENGTH_BOMBS) + body[at + 1 :]


def flipped(body: bytes, random: Random) -> bytes:
    at = random.randrange(len(body))
    return body[:at] + bytes([body[at] ^ 1 << random.randrange(8)]) + body[at + 1 :]


def cut_out(body: bytes, random: Random) -> bytes:
    start = random.randrange(len(body))
    return body[:start] + body[start + random.randrange(1, 30) :]


CORRUPTIONS = (truncated, extended, repeated, randomised, bombed, flipped, cut_out)


@st.composite
def corpora(draw: st.DrawFn) -> tuple[pl.DataFrame, list[bytes | None], set[int]]:
    """Good interactions, the batch that they become with some of them corrupted, and the positions of those."""
    record = values(records.inlined("interaction"))
    some = draw(st.lists(record, min_size=1, max_size=4))
    random = Random(draw(st.integers(0, 1 << 32)))
    rows = [random.choice(some) for _ in range(draw(st.sampled_from([1, 2, 7, 33, 100])))]
    payloads: list[bytes | None] = []
    bad = set(random.sample(range(len(rows)), draw(st.integers(0, min(5, len(rows))))))
    for position, row in enumerate(rows):
        wire: Wire = random.choice((CONFLUENT, SINGLE_OBJECT))
        payload = single.encode_one("interaction", row, REGISTRY, wire)
        if position in bad:
            size = HEADER_SIZE[wire]
            corrupt: Callable[[bytes, Random], bytes] = draw(st.sampled_from(CORRUPTIONS))
            whole = draw(st.sampled_from([None, b"", b"\0", payload[:3], payload[:size], random.randbytes(12)]))
            body = payload[:size] + corrupt(payload[size:], random)
            payloads.append(body if random.random() < 0.8 else whole)
        else:
            payloads.append(payload)
    return pl.DataFrame(rows, schema=records.polars_schema("interaction")), payloads, bad


@given(corpora())
@settings(deadline=None, max_examples=80)
def test_good_records_survive_whatever_is_among_them(corpus: tuple[pl.DataFrame, list[bytes | None], set[int]]) -> None:
    frame, payloads, bad = corpus
    decoded = DECODER.decode(payloads)
    rows, errors = decoded.rows.tolist(), dict(decoded.errors)

    assert sorted([*rows, *errors]) == list(range(len(payloads))), "each value is a row or an error, and once"
    assert rows == sorted(rows)
    assert set(errors) <= bad
    good = [position for position in rows if position not in bad]
    assert decoded.frame[[rows.index(position) for position in good]].equals(frame[good])
    for position in bad:  # a flip inside a value is data, but then it is the same data in any company
        alone = DECODER.decode([payloads[position]])
        assert bool(alone.errors) == (position in errors)
        if not alone.errors:
            assert decoded.frame[[rows.index(position)]].equals(alone.frame)


@pytest.mark.parametrize("size", [1, 32, 33, 700])
def test_a_batch_of_nothing_but_garbage_is_all_errors(size: int) -> None:
    random = Random(size)
    header = REGISTRY.header_for("interaction")
    decoded = DECODER.decode([header + random.randbytes(random.randrange(40)) for _ in range(size)])
    assert decoded.frame.schema == records.polars_schema("interaction")
    assert decoded.frame.height == 0
    assert [position for position, _ in decoded.errors] == list(range(size))
    assert all(detail for _, detail in decoded.errors)


@given(st.lists(st.none() | st.binary(max_size=40), max_size=20))
@settings(deadline=None, max_examples=200)
def test_no_bytes_raise(payloads: list[bytes | None]) -> None:
    header = REGISTRY.header_for("link")
    for batch in (payloads, [None if payload is None else header + payload for payload in payloads]):
        decoded = BatchDecoder("link", REGISTRY).decode(batch)
        assert len(decoded.rows) + len(decoded.errors) == len(batch)
