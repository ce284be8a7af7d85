"""Columns to values: what is filled in, what is taken in another form, and what is refused, by name and row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from fastavro import parse_schema

from schemas import records, single
from schemas.encode import BatchEncoder, DatumWriter
from schemas.numbers import read_long, varint
from schemas.registry import LocalRegistry

REGISTRY = LocalRegistry()
LINK = {"subject": "customer:1", "identifier": "device:2", "occurred_at": 1_700_000_000_000, "kind": "link"}
BOOKING: dict[str, Any] = {
    "event_id": "6f1c1d0e-0000-4000-8000-000000000001",
    "occurred_at": 1_772_323_200_000,
    "touchpoint": "booking.confirmed",
    "medium": "web",
    "ids": [],
    "attributes": [],
}


def bookings(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([BOOKING | row for row in rows], schema=records.polars_schema("booking"))


def test_no_rows() -> None:
    assert BatchEncoder("link", REGISTRY).encode(records.empty("link")) == []
    assert BatchEncoder("interaction", REGISTRY).encode(records.empty("interaction")) == []


def test_columns_that_are_absent_take_their_defaults_and_order_does_not_matter() -> None:
    frame = pl.DataFrame([BOOKING] * 2).select("medium", "touchpoint", "occurred_at", "event_id")
    assert BatchEncoder("booking", REGISTRY).encode(frame) == [single.encode_one("booking", BOOKING, REGISTRY)] * 2


@pytest.mark.parametrize("size", [0, 63, 64, 8191, 8192, 70_000, 2_100_000])
def test_long_text_and_bytes(size: int) -> None:
    letter: dict[str, Any] = {"topic": "ق" * (size // 2), "partition": 0, "offset": 1, "payload": b"\xff" * size}
    letter |= {"reason": "undecodable", "detail": "", "failed_at": 1, "attempts": 1, "version": "0.1.0"}
    rows = [letter, letter | {"key": b"k" * size}, letter | {"payload": b""}]
    frame = pl.DataFrame(rows, schema=records.polars_schema("dead_letter"))
    expected = [single.encode_one("dead_letter", row, REGISTRY) for row in rows]
    assert BatchEncoder("dead_letter", REGISTRY).encode(frame) == expected


def test_longs_of_every_length() -> None:
    numbers = sorted({sign * ((1 << bits) + step) for bits in range(63) for step in (-1, 0, 1) for sign in (1, -1)})
    for number in [*numbers, (1 << 63) - 1, -(1 << 63)]:
        encoded = varint(number)
        rest = sum((octet & 127) << 7 * place for place, octet in enumerate(encoded))
        assert (rest >> 1) ^ -(rest & 1) == number
        assert [octet >> 7 for octet in encoded] == [1] * (len(encoded) - 1) + [0]
        assert read_long(encoded, 0) == (number, len(encoded))


def test_other_forms_of_the_same_values_are_taken() -> None:
    frame = bookings({"nights": 3, "party_size": None}, {"nights": 4, "party_size": None})
    other = frame.with_columns(
        pl.col("nights").cast(pl.UInt16),
        pl.col("medium").cast(pl.Categorical),
        pl.col("party_size").cast(pl.Null),
        pl.Series("ids", [[], []], dtype=pl.List(pl.Null)),  # what Polars makes of lists that are all empty
        pl.Series("survey", [None, {"instrument": "nps", "score": 9}]),
    )
    expected = frame.with_columns(pl.Series("survey", [None, {"instrument": "nps", "score": 9.0}]))
    encoder = BatchEncoder("booking", REGISTRY)
    assert encoder.encode(other) == encoder.encode(expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"touchpoint": None}, "Booking: field touchpoint, row 1: null"),
        ({"occurred_at": None}, "Booking: field occurred_at, row 1: null"),
        ({"medium": "pigeon"}, "Booking: field medium, row 1: 'pigeon' is none of web, app"),
        ({"attributes": None}, "Booking: field attributes, row 1: null"),
        (
            {"survey": {"instrument": "iq", "score": 1.0}},
            r"Booking: field survey\.instrument, row 1: 'iq' is none of nps",
        ),
        ({"survey": {"instrument": "nps", "score": None}}, r"Booking: field survey\.score, row 1: null"),
        (
            {"ids": [{"kind": "a", "value": "b"}, {"kind": None, "value": "b"}]},
            r"Booking: field ids\[\]\.kind, row 1: null",
        ),
        ({"ids": [None]}, r"Booking: field ids\[\], row 1: null"),
    ],
)
def test_a_value_that_the_schema_does_not_allow_is_named(change: dict[str, Any], message: str) -> None:
    good = {"ids": [{"kind": "a", "value": "b"}]}
    with pytest.raises(ValueError, match=message):
        DatumWriter(records.schema("booking")).write(bookings(good, good | change, good))


def test_the_row_is_the_frames_even_among_nulls_and_empty_lists() -> None:
    writer = DatumWriter(records.schema("booking"))
    strange = {"survey": {"instrument": "iq", "score": 1.0}}
    with pytest.raises(ValueError, match=r"survey\.instrument, row 3"):
        writer.write(bookings({}, {}, {}, strange, {}))
    full = {"ids": [{"kind": "a", "value": "b"}] * 3}
    half = {"ids": [{"kind": "a", "value": None}]}
    with pytest.raises(ValueError, match=r"ids\[\]\.value, row 4"):
        writer.write(bookings({}, full, {}, full, half, {}))


@pytest.mark.parametrize(
    ("type_", "value", "message"),
    [
        ("string", 5, "5 is no string"),
        ("string", b"text", "b'text' is no string"),
        ("bytes", "text", "'text' is no bytes"),
        ("long", "5", "'5' is no whole number"),
        ("long", 1.5, "1.5 is no whole number"),
        ("long", 1 << 63, "does not fit 64 bits"),
        ("int", -(1 << 31) - 1, "does not fit 32 bits"),
        ("double", "5", "'5' is no double"),
        ("boolean", "no", "'no' is no boolean"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "C", "'C' is none of A, B"),
        ({"type": "array", "items": "long"}, 5, "5 is no list"),
        ({"type": "record", "name": "P", "fields": [{"name": "y", "type": "long"}]}, (1, 2), r"\(1, 2\) is no P"),
    ],
)
@pytest.mark.parametrize("nullable", [False, True])
def test_a_row_with_a_value_of_another_type_is_named(type_: Any, value: Any, message: str, nullable: bool) -> None:
    field = {"name": "x", "type": ["null", type_] if nullable else type_}
    writer = DatumWriter(parse_schema({"type": "record", "name": "R", "fields": [field]}))
    with pytest.raises(ValueError, match=f"R: field x, row 0: .*{message}"):
        writer.write([(value,)])


@pytest.mark.parametrize(
    ("type_", "value", "other"),
    [
        ("long", True, 1),
        ("long", np.int64(5), 5),
        ("double", 5, 5.0),
        ("boolean", 1, True),
        ({"type": "array", "items": "long"}, (1, 2), [1, 2]),
        ({"type": "record", "name": "P", "fields": [{"name": "y", "type": "long"}]}, [1], (1,)),
    ],
)
def test_a_row_with_a_value_that_is_as_good_is_taken(type_: Any, value: Any, other: Any) -> None:
    schema = parse_schema({"type": "record", "name": "R", "fields": [{"name": "x", "type": type_}]})
    one, same = DatumWriter(schema).write([(other,), (value,)])
    assert one == same


def test_rows_have_a_value_for_each_field() -> None:
    encoder = BatchEncoder("link", REGISTRY)
    assert encoder.encode([]) == []
    rows = [tuple(LINK.values())] * 2
    assert encoder.encode(rows) == encoder.encode(pl.DataFrame([LINK] * 2))
    for wrong in ([*rows, rows[0][:2]], [rows[0][:2]], [(*rows[0], 1)]):
        with pytest.raises(ValueError, match="Link"):
            encoder.encode(wrong)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame([LINK | {"colour": "red"}]), "Link: no field colour"),
        (pl.DataFrame([LINK]).drop("subject"), "Link: missing field subject"),
        (pl.DataFrame([LINK | {"occurred_at": "today"}]), "Link: field occurred_at is String, where Int64 is due"),
        (
            pl.DataFrame([LINK | {"occurred_at": datetime.now(UTC)}]),
            "Link: field occurred_at is Datetime.*Int64 is due",
        ),
        (pl.DataFrame([LINK | {"occurred_at": 1.5}]), "Link: field occurred_at is Float64"),
        (pl.DataFrame([LINK | {"subject": 5}]), "Link: field subject is Int64"),
    ],
)
def test_columns_that_are_not_the_records_are_named(frame: pl.DataFrame, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BatchEncoder("link", REGISTRY).encode(frame)


def test_a_number_that_does_not_fit_is_refused() -> None:
    frame = pl.DataFrame([LINK | {"occurred_at": 1 << 63}], schema_overrides={"occurred_at": pl.UInt64})
    with pytest.raises(ValueError, match="Link"):
        BatchEncoder("link", REGISTRY).encode(frame)
    large = parse_schema({"type": "record", "name": "Large", "fields": [{"name": "x", "type": "long"}]})
    ends = [(1 << 63) - 1, -1 << 63]
    assert DatumWriter(large).write([(end,) for end in ends]) == [varint(end) for end in ends]
    small = parse_schema({"type": "record", "name": "Small", "fields": [{"name": "x", "type": "int"}]})
    with pytest.raises(ValueError, match="Small: field x, row 1: 2147483648 does not fit 32 bits"):
        DatumWriter(small).write(pl.DataFrame({"x": [1, 1 << 31]}))


@pytest.mark.parametrize("type_", ["float", {"type": "map", "values": "long"}, ["null", "string", "long"]])
def test_a_schema_without_columns_is_refused_at_once(type_: Any) -> None:
    schema = parse_schema({"type": "record", "name": "R", "fields": [{"name": "x", "type": type_}]})
    with pytest.raises(TypeError):
        DatumWriter(schema)


def test_a_union_of_one_type_has_no_null() -> None:
    schema = parse_schema({"type": "record", "name": "R", "fields": [{"name": "x", "type": ["string"]}]})
    assert DatumWriter(schema).write(pl.DataFrame({"x": ["a"]})) == [b"\x00\x02a"]
    with pytest.raises(ValueError, match="field x, row 1: null"):
        DatumWriter(schema).write(pl.DataFrame({"x": ["a", None]}))
