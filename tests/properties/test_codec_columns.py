"""What is read column by column is what is read of the same datums in the other ways, or nothing."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from fastavro import parse_schema
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from schemas import columnwise, datums, records
from schemas.block import Block
from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.numbers import COMPILED, varint
from schemas.records import inline
from schemas.registry import LocalRegistry
from schemas.wire import SINGLE_OBJECT
from tests.properties.test_codec_corruption import CORRUPTIONS
from tests.properties.test_codec_roundtrip import batches, datum, frame_of, values

pytestmark = pytest.mark.skipif(not COMPILED, reason="nothing is read so where it is not compiled")

Batch = tuple[dict[str, Any], list[dict[str, Any]]]


def block(parsed: dict[str, Any], some: list[bytes], names: list[str]) -> pl.DataFrame | None:
    """What the usual reader says of the datums, None where some is an error."""
    errors: dict[int, str] = {}
    schema = {field["name"]: records.frame_type(field["type"]) for field in inline(parsed)["fields"]}
    wanted = {name: schema[name] for name in names}
    frames = datums.DatumReader(parsed, parsed).read(some, np.arange(len(some)), wanted, errors)
    return None if errors else pl.concat([frame for frame, _ in sorted(frames, key=lambda found: found[1][0])])


def columns(writer: dict[str, Any], some: list[bytes], names: list[str], header: bytes = b"") -> pl.DataFrame | None:
    return columnwise.Columns(writer["fields"]).read([header + one for one in some], header, names)


@given(batches(), st.binary(max_size=10), st.data())
@settings(deadline=None, max_examples=200)
def test_good_datums(batch: Batch, header: bytes, data: st.DataObject) -> None:
    parsed = parse_schema(batch[0])
    writer, some = inline(parsed), [datum(parsed, row) for row in batch[1]]
    names = data.draw(st.lists(st.sampled_from([f["name"] for f in writer["fields"]]), min_size=1, unique=True))
    expected = block(parsed, some, names)
    found = columns(writer, some, names, header)
    assert found is not None
    assert expected is not None
    assert_frame_equal(found, expected)


@given(batches(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=400)
def test_a_datum_that_is_not_as_it_should_be(batch: Batch, random: Random) -> None:
    parsed = parse_schema(batch[0])
    writer, some = inline(parsed), [datum(parsed, row) for row in batch[1]]
    at = random.randrange(len(some))
    some[at] = random.choice(CORRUPTIONS)(some[at] or b"\0", random)
    names = [field["name"] for field in writer["fields"]]
    names = random.sample(names, random.randint(1, len(names)))
    found = columns(writer, some, names)
    if found is not None:
        expected = block(parsed, some, names)
        assert expected is not None
        assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    "octets", [b"\x80" * 9 + b"\x01", b"\xff" * 9 + b"\x01", b"\xfe" + b"\xff" * 8 + b"\x01", b"\x80\x00", b"\x7f"]
)
def test_a_long_of_any_length(octets: bytes) -> None:
    writer = {"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}]}
    expected = block(parse_schema(writer), [octets], ["n"])
    found = columns(writer, [octets], ["n"])
    assert expected is not None
    assert found is not None
    assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    "octets", [b"\xff" * 9 + b"\x02", b"\x80" * 10 + b"\x01", b"\x80" * 12, b"\x80", b"", b"\x00\x00"]
)
def test_what_is_no_long(octets: bytes) -> None:
    writer = {"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}]}
    assert columns(writer, [octets], ["n"]) is None


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 20, 21, 24, 1000])
@pytest.mark.parametrize("letter", ["a", "é", "€", "😀"])
def test_texts_of_any_length(size: int, letter: str) -> None:
    writer = {"type": "record", "name": "R", "fields": [{"name": "t", "type": "string"}]}
    text = ("x" * (size % 4) + letter * size)[:size]
    rows = [{"t": text}, {"t": ""}, {"t": text + "end"}]
    some = [datum(parse_schema(writer), row) for row in rows]
    found = columns(writer, some, ["t"])
    assert found is not None
    assert found["t"].to_list() == [row["t"] for row in rows]


@pytest.mark.parametrize("place", [0, 5, 11, 12, 20, 63])
@pytest.mark.parametrize("size", [12, 13, 64])
def test_an_octet_that_is_no_text_is_seen_wherever_it_stands(place: int, size: int) -> None:
    writer = {"type": "record", "name": "R", "fields": [{"name": "t", "type": "string"}]}
    octets = bytearray(b"x" * size)
    octets[min(place, size - 1)] = 0xFF
    some = datum(parse_schema({**writer, "fields": [{"name": "t", "type": "bytes"}]}), {"t": bytes(octets)})
    assert columns(writer, [some], ["t"]) is None


def test_a_type_that_is_no_column() -> None:
    fixed = {"name": "f", "type": {"type": "fixed", "name": "F", "size": 4}}
    with pytest.raises(TypeError, match="fixed"):
        columnwise.Columns([fixed])


@given(st.data())
@settings(deadline=None, max_examples=3)
def test_many_interactions_are_read_so(data: st.DataObject) -> None:
    registry = LocalRegistry()
    encoder = BatchEncoder("interaction", registry, SINGLE_OBJECT)
    schema = records.inlined("interaction")
    rows = [data.draw(values(schema))] * datums._MANY
    frame = frame_of(schema, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Block, "read", None)  # whoever calls it fails
        decoded = BatchDecoder("interaction", registry).decode(encoder.encode(frame))
    assert decoded.errors == []
    assert decoded.rows.tolist() == list(range(len(rows)))
    assert_frame_equal(decoded.frame, frame)


@pytest.mark.parametrize("count", [1 << 20, 1 << 61, -(1 << 61), (1 << 63) - 1, -(1 << 63)])
@pytest.mark.parametrize("items", ["double", "long", "string"])
@pytest.mark.parametrize("names", [["a"], ["n"], ["a", "n"]])
def test_an_array_or_text_that_says_it_is_larger_than_all(count: int, items: str, names: list[str]) -> None:
    array = {"name": "a", "type": {"type": "array", "items": items}}
    writer = {"type": "record", "name": "R", "fields": [array, {"name": "n", "type": "string"}]}
    assert columns(writer, [varint(count) + b"\x02" * 40], names) is None
    assert columns(writer, [b"\0" + varint(count) + b"\x02" * 40], names) is None
