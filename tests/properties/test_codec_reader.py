"""The reader of columns against fastavro: what is good is the same record, what is not is left to fastavro."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl
import pytest
from fastavro import parse_schema
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from schemas import single
from schemas.columnar_reader import ColumnarReader, Found
from schemas.numbers import varint
from schemas.plan import NoPlanError, plan
from schemas.records import inline
from tests.properties.test_codec_corruption import CORRUPTIONS
from tests.properties.test_codec_roundtrip import batches, datum, evolutions, frame_of, read

Batch = tuple[dict[str, Any], list[dict[str, Any]]]
NUMBER = {"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}]}
TEXT = {"type": "record", "name": "R", "fields": [{"name": "t", "type": "string"}]}


def found(writer: dict[str, Any], some: list[bytes], names: list[str], header: bytes = b"") -> Found:
    """What the reader makes of datums in its own schema."""
    made = ColumnarReader(plan(writer, writer)).read([header + one for one in some], header, names)
    assert made is not None
    return made


def by_fastavro(schema: dict[str, Any], octets: bytes) -> dict[str, Any] | str:
    """The record, or what is wrong with it."""
    try:
        return single.read_datum(octets, schema, schema)
    except single.UndecodableError as error:
        return str(error)


@given(batches(), st.binary(max_size=10), st.data())
@settings(deadline=None, max_examples=150)
def test_good_datums(batch: Batch, header: bytes, data: st.DataObject) -> None:
    parsed = parse_schema(batch[0])
    writer, some = inline(parsed), [datum(parsed, row) for row in batch[1]]
    names = data.draw(st.lists(st.sampled_from([f["name"] for f in writer["fields"]]), min_size=1, unique=True))
    frame, unfit, refused = found(writer, some, names, header)
    assert_frame_equal(frame, frame_of(batch[0], batch[1])[names])
    assert not unfit
    assert not refused


@given(batches(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=200)
def test_a_datum_that_is_not_as_it_should_be_is_judged_as_fastavro_judges_it(batch: Batch, random: Random) -> None:
    parsed = parse_schema(batch[0])
    plain, some = single.without_logical_types(parsed), [datum(parsed, row) for row in batch[1]]
    at = random.randrange(len(some))
    some[at] = random.choice(CORRUPTIONS)(some[at] or b"\0", random)
    frame, positions, errors = read(parsed, parsed, some)
    assert sorted([*positions, *errors]) == list(range(len(some)))
    assert set(errors) <= {at}
    judged = by_fastavro(plain, some[at])
    if at in errors and isinstance(judged, str):  # an index past the symbols is said in other words
        assert errors[at] == judged or "no value that the schema allows" in errors[at]
    if at in positions and not isinstance(judged, str):
        assert_frame_equal(frame[[positions.index(at)]], pl.DataFrame([judged], schema=frame.schema))


@given(evolutions())
@settings(deadline=None, max_examples=100)
def test_usual_pairs_of_schemas_have_a_plan(
    evolution: tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]],
) -> None:
    writer, reader, _ = evolution
    made = plan(inline(parse_schema(writer)), inline(parse_schema(reader)))
    assert made.names == tuple(field["name"] for field in reader["fields"])


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        ({"type": "map", "values": "long"}, {"type": "map", "values": "long"}),
        (["null", "string", "long"], ["null", "string", "long"]),
        ("string", "long"),
        ("long", "int"),
        (["string"], "string"),
    ],
)
def test_unusual_ones_have_none(writer: Any, reader: Any) -> None:
    with pytest.raises(NoPlanError):
        plan(*({"type": "record", "name": "R", "fields": [{"name": "x", "type": one}]} for one in (writer, reader)))


@pytest.mark.parametrize(
    "octets", [b"\x80" * 9 + b"\x01", b"\xff" * 9 + b"\x01", b"\xfe" + b"\xff" * 8 + b"\x01", b"\x80\x00", b"\x7f"]
)
def test_a_long_of_any_length(octets: bytes) -> None:
    expected = single.read_datum(octets, parse_schema(NUMBER), parse_schema(NUMBER))
    assert found(NUMBER, [octets], ["n"]).frame.to_dicts() == [expected]


@pytest.mark.parametrize(
    "octets", [b"\xff" * 9 + b"\x02", b"\x80" * 10 + b"\x01", b"\x80" * 12, b"\x80", b"", b"\x00\x00"]
)
def test_what_is_no_long(octets: bytes) -> None:
    assert found(NUMBER, [octets], ["n"]).unfit == [0]


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 20, 21, 24, 1000])
@pytest.mark.parametrize("letter", ["a", "é", "€", "😀"])
def test_texts_of_any_length(size: int, letter: str) -> None:
    text = ("x" * (size % 4) + letter * size)[:size]
    rows = [{"t": text}, {"t": ""}, {"t": text + "end"}]
    some = [datum(parse_schema(TEXT), row) for row in rows]
    assert found(TEXT, some, ["t"]).frame.to_dicts() == rows


@pytest.mark.parametrize("place", [0, 5, 11, 12, 20, 63])
@pytest.mark.parametrize("size", [12, 13, 64])
def test_an_octet_that_is_no_text_is_seen_wherever_it_stands(place: int, size: int) -> None:
    octets = bytearray(b"x" * size)
    octets[min(place, size - 1)] = 0xFF
    assert found(TEXT, [varint(size) + bytes(octets)], ["t"]).unfit == [0]


def test_octets_of_a_known_number() -> None:
    fixed = {"type": "fixed", "name": "F", "size": 4}
    writer = {"type": "record", "name": "R", "fields": [{"name": "f", "type": fixed}]}
    made = found(writer, [b"abcd", b"abc", b"\xff" * 4, b"abcde"], ["f"])
    assert made.frame["f"].to_list() == [b"abcd", b"\xff" * 4]
    assert made.unfit == [1, 3]


def test_numbers_become_larger_ones() -> None:
    kinds = ["int", "long", "float"]
    writer = {"type": "record", "name": "R", "fields": [{"name": kind, "type": kind} for kind in kinds]}
    reader = {"type": "record", "name": "R", "fields": [{"name": kind, "type": "double"} for kind in kinds]}
    row = {"int": -5, "long": 1 << 60, "float": 0.5}
    made = ColumnarReader(plan(writer, reader)).read([datum(parse_schema(writer), row)], b"", kinds)
    assert made is not None
    assert made.frame.rows() == [(-5.0, float(1 << 60), 0.5)]


@pytest.mark.parametrize("count", [1 << 20, 1 << 61, -(1 << 61), (1 << 63) - 1, -(1 << 63)])
@pytest.mark.parametrize("items", ["double", "long", "string"])
@pytest.mark.parametrize("names", [["a"], ["n"], ["a", "n"]])
def test_an_array_or_text_that_says_it_is_larger_than_all(count: int, items: str, names: list[str]) -> None:
    array = {"name": "a", "type": {"type": "array", "items": items}}
    writer = {"type": "record", "name": "R", "fields": [array, {"name": "n", "type": "string"}]}
    bad = [varint(count) + b"\x02" * 40, b"\0" + varint(count) + b"\x02" * 40]
    good = datum(parse_schema(writer), {"a": [], "n": "n"})
    assert found(writer, [bad[0], good, bad[1]], names).unfit == [0, 2]


def test_a_payload_with_another_header() -> None:
    reader = ColumnarReader(plan(NUMBER, NUMBER))
    assert reader.read([b"h\x02", b"g\x02"], b"h", ["n"]) is None
    assert reader.read([b"h\x02", None], b"h", ["n"]) is None
