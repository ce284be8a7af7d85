"""One record at a time."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import records, single
from schemas.wire import CONFLUENT, SINGLE_OBJECT, Wire

LINK: dict[str, Any] = {"subject": "customer:1", "identifier": "device:2", "occurred_at": 1_700_000_000_000}
CASE: dict[str, Any] = {"case_id": "7", "customer_id": "1", "status": "open", "touchpoint": "stay.halal_breach"}
CASE |= {"contacts": 1, "version": 1}


@pytest.mark.parametrize("wire", [CONFLUENT, SINGLE_OBJECT])
def test_there_and_back_with_defaults(wire: Wire) -> None:
    decoded = single.decode_one(single.encode_one("case", CASE, wire=wire), "case")
    assert decoded == dict.fromkeys(records.fields("case")) | CASE | {"withdrawn": False}
    assert tuple(decoded) == records.fields("case")


@pytest.mark.parametrize(
    "record",
    [
        {"subject": "customer:1"},
        LINK | {"occurred_at": None},
        LINK | {"occurred_at": "now"},
        LINK | {"subject": 5},
        LINK | {"colour": "red"},
        LINK | {"occurred_at": 1 << 70},
    ],
)
def test_what_is_no_record_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no link record"):
        single.encode_one("link", record)


def test_a_symbol_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="no case record"):
        single.encode_one("case", CASE | {"status": "asleep"})


GOOD = single.encode_one("link", LINK)
HEADER = GOOD[:10]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "no bytes"),
        (b"{}", "7b 7d"),
        (b"\0\0\0\x12\x67", "schema id 4711"),
        (GOOD[:-1], "rihla.Link: EOFError"),
        (GOOD + b"!", "1 of"),
        (HEADER + b"\x01", "rihla.Link: EOFError: a length of -1"),
        (HEADER + b"\x04\xff\xff" + GOOD[11:], "rihla.Link: UnicodeDecodeError"),
        (single.encode_one("case", CASE), "rihla.Link"),
    ],
)
def test_bytes_that_are_no_link(payload: bytes, message: str) -> None:
    with pytest.raises(single.UndecodableError, match=message):
        single.decode_one(payload, "link")
