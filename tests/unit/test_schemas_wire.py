"""Headers of values, and the fingerprints in them."""

from __future__ import annotations

import pytest

from schemas.fingerprint import crc64
from schemas.wire import CONFLUENT, SINGLE_OBJECT, WireError, WireHeader, join, parse, prefix, split


def test_fingerprints_are_those_of_the_avro_reference_implementation() -> None:
    # share/test/data/schema-tests.txt of Apache Avro
    assert crc64("int") == 8247732601305521295
    assert crc64({"type": "int"}) == 8247732601305521295
    assert crc64("string") == -8142146995180207161 & (1 << 64) - 1


def test_docs_and_defaults_do_not_change_a_fingerprint() -> None:
    plain = {"type": "record", "name": "R", "fields": [{"name": "x", "type": ["null", "long"]}]}
    field = {"name": "x", "type": ["null", "long"], "default": None, "doc": "x"}
    assert crc64(plain) == crc64({"type": "record", "name": "R", "doc": "A record.", "fields": [field]})


@pytest.mark.parametrize(
    ("header", "raw"),
    [
        (WireHeader(CONFLUENT, 1), b"\0\0\0\0\1"),
        (WireHeader(CONFLUENT, (1 << 32) - 1), b"\0\xff\xff\xff\xff"),
        (WireHeader(SINGLE_OBJECT, 0x7275D51A3F395C8F), bytes.fromhex("c301 8f5c393f1ad57572")),
    ],
)
def test_headers(header: WireHeader, raw: bytes) -> None:
    assert join(header) == raw
    assert prefix(raw + b"datum") == raw
    assert parse(raw) == header
    assert split(raw + b"datum") == (header, b"datum")
    assert split(raw) == (header, b"")


@pytest.mark.parametrize(
    "payload", [b"", b"\0\0\0\1", b"\xc3\x01\1\2\3\4\5\6\7", b'{"event_id": 1}', b"\xc3\x02" + b"0" * 20]
)
def test_what_has_no_header(payload: bytes) -> None:
    with pytest.raises(WireError):
        split(payload)


@pytest.mark.parametrize(
    "header",
    [WireHeader(CONFLUENT, 1 << 32), WireHeader(SINGLE_OBJECT, -1), WireHeader("json", 1)],  # type: ignore[arg-type]
)
def test_ids_that_fit_no_header(header: WireHeader) -> None:
    with pytest.raises(ValueError, match="wire format"):
        join(header)
