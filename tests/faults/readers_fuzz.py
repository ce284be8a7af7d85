"""What readers make of any bytes at all: events, refusals with a reason, or the one error that they may raise.

Each `check_...` takes one payload and raises AssertionError, or what escaped, when something else comes of it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.records import CHANNELS
from schemas.registry import LocalRegistry
from schemas.wire import WireError, join, split
from streams.enrich.transform import Enricher
from streams.model.dead_letter import REASONS
from streams.model.subjects import subjects
from streams.sources import hotel_bookings, jsonl
from streams.sources.events import EventBatch, SourceError
from tests.faults.mutations import corpus
from tests.support import by_columns

NOW_MS = 1_790_000_000_000

AVRO_WORDS = (
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # -2**63
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # 2**63 - 1
    b"\x80\x80\x80\x80\x80\x01",
    b"\x80" * 12,
    b"\xc3\x01",
    b"\x00\x00\x00\x00\x01",
)
JSON_WORDS = (
    *(b"null", b"true", b"1e999", b"-0.0", b"1e18", b"NaN", b"[]", b"{}", b'"', b"\\", b"\\ud800", b"\\u0000"),
    *(
        b"[" * 3000,
        b'"deep": ' + b"[" * 300 + b"]" * 300 + b", ",
        b'"occurred_at": 1e300',
        b'"occurred_at": "9999-12-31T23:59:59+00:00"',
    ),
    *(b'"occurred_at": "0001-01-01T00:00:00+14:00"', b'"money": {"amount_minor": 9223372036854775808}'),
    *(b'"ids": [null]', b'"channel": "stay"', b'"event_id": ""', b"18446744073709551616", b'"attributes": {"a": 1}'),
)
CSV_WORDS = (b",", b'"', b'""', b"\n", b"NULL", b"1e999", b"NaN", b"-1", b"2.5", b"2015-02-30", b"February", b"inf")

REGISTRY = LocalRegistry()
os.environ["RUST_BACKTRACE"] = (
    "0"  # Polars' panics are caught; to write each one's stack down takes a tenth of a second
)
_DECODERS = {name: BatchDecoder(name, REGISTRY) for name in (*CHANNELS, "interaction", "dead_letter")}
_ENCODERS = {name: BatchEncoder(name, REGISTRY) for name in (*CHANNELS, "interaction")}
_ENRICHER, _ORACLE = Enricher(REGISTRY), by_columns.Enricher()


def check_decoder(payload: bytes) -> None:
    """Among good values a payload is a row or an error, and its neighbours are what they were."""
    good = corpus("avro")
    name = sorted(_DECODERS)[zlib.crc32(payload) % len(_DECODERS)]  # for each payload the same reader
    alone = _DECODERS[name].decode(good)
    found = _DECODERS[name].decode([payload, *good, payload])
    places = sorted([*found.rows.tolist(), *(at for at, _ in found.errors)])
    assert places == list(range(len(good) + 2)), f"{name}: a value is in no place, or in two"
    neighbours = [row for row, at in enumerate(found.rows.tolist()) if 0 < at <= len(good)]
    assert found.frame[neighbours].equals(alone.frame), f"{name}: a neighbour has changed"
    assert all(detail for _, detail in found.errors)
    if name in CHANNELS:
        _enrich(name, [payload, *good, payload])


def check_wire(payload: bytes) -> None:
    """A header is one of the two, and put together again it is what it was; or WireError."""
    try:
        header, datum = split(payload)
    except WireError:
        return
    assert join(header) + datum == payload


def check_jsonl(payload: bytes) -> None:
    """Every line of a JSON Lines file is an event or a bad line; SourceError where the file is broken gzip."""
    for batch in _read(jsonl.read, payload, "events.jsonl"):
        _feed(batch)


def check_csv(payload: bytes) -> None:
    """Every row of a file of hotel bookings is its events or a bad line; SourceError where it is no such file."""
    for batch in _read(hotel_bookings.read, payload, "bookings.csv"):
        _feed(batch)


READERS: dict[str, tuple[str, tuple[bytes, ...], Callable[[bytes], None]]] = {
    "decoder": ("avro", AVRO_WORDS, check_decoder),
    "wire": ("avro", AVRO_WORDS, check_wire),
    "json-lines": ("jsonl", JSON_WORDS, check_jsonl),
    "csv": ("csv", CSV_WORDS, check_csv),
}
"""Name: folder of the corpus, words to mutate with, what is checked."""


def _read(read: Callable[..., Iterator[EventBatch]], payload: bytes, name: str) -> Iterator[EventBatch]:
    with tempfile.TemporaryDirectory(prefix="rihla-fuzz-") as folder:
        file = Path(folder) / name
        file.write_bytes(payload)
        with contextlib.suppress(SourceError):
            yield from read(str(file), batch_size=3)


def _feed(batch: EventBatch) -> None:
    """What feeding and enrich do with a batch: write it, read it, judge it, write what is accepted."""
    for line in batch.bad:
        assert line.reason in REASONS
        assert line.detail
        line.detail.encode()
    if not batch.frame.height:
        return
    subjects(batch.frame)
    values = _ENCODERS[batch.channel].encode(batch.frame)
    assert not _DECODERS[batch.channel].decode(values).errors
    _enrich(batch.channel, values)


def _enrich(channel: str, values: Sequence[bytes]) -> None:
    enriched = _ENRICHER.enrich({channel: values}, NOW_MS)
    assert all(reason in REASONS for _, reason, _ in enriched.refused)
    assert sorted([*enriched.rows, *(at for at, _, _ in enriched.refused)]) == [*range(len(values))]
    oracle = _ORACLE.enrich({channel: _DECODERS[channel].decode(values).frame}, NOW_MS)
    assert enriched.values == _ENCODERS["interaction"].encode(oracle.interactions)
    assert not _DECODERS["interaction"].decode(enriched.values).errors
