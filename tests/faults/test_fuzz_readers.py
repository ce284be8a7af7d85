"""Readers of payloads against a mutated corpus; `python -m tests.faults.fuzz` is the long form."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.mutations import corpus, mutated
from tests.faults.readers_fuzz import READERS, check_csv, check_jsonl
from tests.unit.test_sources_hotel_bookings import ROW, line

EXAMPLES = 60


@pytest.mark.parametrize("name", READERS)
def test_nothing_escapes_a_reader(name: str) -> None:
    folder, words, check = READERS[name]
    for payload in corpus(folder):
        check(payload)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(corpus(folder), words))
    def holds(payload: bytes) -> None:
        check(payload)

    holds()


HEADER = ",".join(ROW)
EVENT = b'{"channel": "stay", "event_id": "6f3c2a52-3d0e-4f6c-9a0f-1d1f0f7f0a02", "occurred_at": 1740000000000, %s}'


@pytest.mark.parametrize(
    ("check", "payload"),
    [
        (check_csv, f"{HEADER}\n{line(hotel=chr(34) + 'a' + chr(34) + 'b' + chr(13) + 'c')}\n".encode()),
        (check_csv, f"{HEADER}\n{line(hotel=chr(34) + 'a' * 200_000 + chr(34))}\n".encode()),
        (check_csv, b'hotel\r"is_canceled\n1,2\n'),
        (check_jsonl, EVENT % (b'"deep": ' + b"[" * 900 + b"]" * 900)),
        (check_jsonl, EVENT % (b'"deep": ' + b'{"a":' * 300 + b"1" + b"}" * 300)),
        (check_jsonl, gzip.compress(EVENT % b'"ids": []')[:-9]),
    ],
    ids=["line-end-in-a-field", "huge-field", "line-end-in-the-header", "deep-list", "deep-object", "cut-gzip"],
)
def test_what_once_escaped(check: Callable[[bytes], None], payload: bytes) -> None:
    check(payload)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=300))
def test_bytes_that_are_nothing_at_all(payload: bytes) -> None:
    for _, _, check in READERS.values():
        check(payload)
