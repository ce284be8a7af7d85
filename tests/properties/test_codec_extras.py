"""Fields that only the writer's schema has become attributes, whichever way a batch is decoded."""

from __future__ import annotations

import copy
import io
import json
import math
import struct
from typing import Any

import orjson
import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import records
from schemas.decode import BatchDecoder, Decoded
from schemas.registry import LocalRegistry
from schemas.wire import WireHeader
from streams.enrich.transform import Enricher
from streams.sources.jsonl import parse

COLOUR = {"type": "enum", "name": "Colour", "symbols": ["RED", "GREEN"]}
NOT_PLAIN = {"type": "record", "name": "Inner", "fields": [{"name": "a", "type": "int"}]}
PLAIN: dict[str, Any] = {
    "string": st.text(max_size=20),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "colour": st.sampled_from(COLOUR["symbols"]),
}
OTHER: dict[str, tuple[Any, Any]] = {
    "array": ({"type": "array", "items": "int"}, st.lists(st.integers(0, 9), max_size=2)),
    "record": (NOT_PLAIN, st.fixed_dictionaries({"a": st.integers(0, 9)})),
    "bytes": ("bytes", st.binary(max_size=5)),
    "map": ({"type": "map", "values": "int"}, st.just({"a": 1})),
    "several": (["null", "string", "int"], st.none() | st.text(max_size=3) | st.integers(0, 9)),
}
"""Not kept; the last two make fastavro read the records one by one."""
KEYS = [f"x{number}" for number in range(4)]


class One:
    """A registry of one schema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema

    def writer_schema(self, header: WireHeader) -> dict[str, Any]:
        """It, whatever is asked for."""
        return self._schema

    def header_for(self, name: str, wire: Any = None) -> bytes:
        """Nothing is written here."""
        raise AssertionError(name)


def text(kind: str, value: Any) -> str | None:
    """The attribute of a value."""
    if value is None or isinstance(value, str):
        return value
    if kind in ("float", "double"):
        number = struct.unpack("f", struct.pack("f", value))[0] if kind == "float" else value
        return orjson.dumps(number).decode() if math.isfinite(number) else "Infinity" if number > 0 else "-Infinity"
    return json.dumps(value)


@st.composite
def written(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]], list[tuple[str, str]], int]:
    """A writer's schema of stays, records of it, the name and kind of the fields that are kept, how many are not."""
    schema = copy.deepcopy(records.raw("stay"))
    kinds = draw(st.lists(st.sampled_from(sorted(PLAIN)), max_size=4))
    others = draw(st.lists(st.sampled_from(sorted(OTHER)), max_size=2, unique=True))
    values: dict[str, Any] = {}
    defined = False
    fields = []
    for name, kind in zip(KEYS, kinds, strict=False):
        type_: Any = kind if kind != "colour" else "Colour" if defined else COLOUR
        defined |= kind == "colour"
        order = draw(st.sampled_from([None, 0, 1]))
        values[name] = PLAIN[kind] if order is None else st.none() | PLAIN[kind]
        fields.append({"name": name, "type": type_ if order is None else ["null", type_] if order else [type_, "null"]})
    for kind in others:
        fields.append({"name": kind, "type": OTHER[kind][0]})
        values[kind] = OTHER[kind][1]
    at = draw(st.integers(0, len(schema["fields"])))
    schema["fields"][at:at] = fields
    attributes = st.lists(
        st.fixed_dictionaries({"key": st.sampled_from(KEYS), "value": st.text(max_size=5)}), max_size=2
    )
    rows = draw(st.lists(st.fixed_dictionaries({**values, "attributes": attributes}), min_size=1, max_size=6))
    return schema, rows, list(zip(KEYS, kinds, strict=False)), len(others)


def event(number: int, **said: Any) -> dict[str, Any]:
    return {
        "event_id": f"7b0c2ad4-6a0e-4c1d-9a49-{number:012}",
        "occurred_at": 1_770_000_000_000,
        "ids": [{"kind": "customer", "value": "C1"}],
        "touchpoint": "stay.arrived",
        "medium": "web",
        **said,
    }


def payload(schema: dict[str, Any], row: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    schemaless_writer(out, schema, row)
    return b"\0\0\0\0\7" + out.getvalue()


def attributes(decoded: Decoded) -> list[list[tuple[str, str]]]:
    return [[(each["key"], each["value"]) for each in some] for some in decoded.frame["attributes"].to_list()]


@given(written())
@settings(deadline=None, max_examples=60)
def test_plain_values_become_attributes_and_the_others_are_counted(
    made: tuple[dict[str, Any], list[dict[str, Any]], list[tuple[str, str]], int],
) -> None:
    schema, rows, kept, others = made
    parsed = parse_schema(json.loads(json.dumps(schema)))
    expected, lost = [], 0
    for row in rows:
        own = [(each["key"], each["value"]) for each in row["attributes"]]
        names = {key for key, _ in own}
        more = [(name, text(kind, row[name])) for name, kind in kept if row[name] is not None]
        expected.append(own + [(name, value) for name, value in more if name not in names])
        lost += others + sum(name in names for name, _ in more)
    payloads = [payload(parsed, event(number, **row)) for number, row in enumerate(rows)]
    decoder = BatchDecoder("stay", One(parsed))
    for times in (1, 60):  # few, and so many that another way is taken
        decoded = decoder.decode(payloads * times)
        assert not decoded.errors
        assert decoded.frame.columns == list(records.fields("stay"))
        assert attributes(decoded) == expected * times
        assert decoded.lost == lost * times
        garbled = decoder.decode([*payloads, b"\0\0\0\0\7garbage", *payloads])
        assert attributes(garbled) == expected * 2
        assert decoder.decode(payloads * times, ["event_id"]).frame.columns == ["event_id"]


def test_they_are_those_of_a_line_of_json_and_reach_the_interaction() -> None:
    schema = copy.deepcopy(records.raw("stay"))
    said = {"floor": 3, "mood": "GREEN", "vip": True, "note": "späť", "rate": 1e16, "mine": "theirs"}
    types = ["int", COLOUR, ["null", "boolean"], "string", "double", "string"]
    schema["fields"] += [{"name": name, "type": type_} for name, type_ in zip(said, types, strict=True)]
    parsed = parse_schema(json.loads(json.dumps(schema)))
    made = event(1, **said, attributes=[{"key": "mine", "value": "own"}])
    (batch,) = parse([(1, [orjson.dumps({"channel": "stay", **made})])], "lines")
    expected = batch.frame["attributes"].to_list()[0]
    assert [each["key"] for each in expected] == ["mine", "floor", "mood", "vip", "note", "rate"]

    class Both(One):
        def header_for(self, name: str, wire: Any = None) -> bytes:
            return LocalRegistry().header_for(name)

        def writer_schema(self, header: WireHeader) -> dict[str, Any]:
            return parsed if header.id == 7 else LocalRegistry().writer_schema(header)

    enriched = Enricher(Both(parsed)).enrich({"stay": [payload(parsed, made)]}, 1_770_000_000_001)
    assert not enriched.refused
    assert enriched.lost == {"stay": 1}
    decoded = BatchDecoder("interaction", LocalRegistry()).decode(enriched.values)
    assert decoded.frame["attributes"].to_list()[0] == expected


@pytest.mark.parametrize("octet", [0, 1, 2, 9])
def test_a_symbol_that_there_is_not_is_no_event_in_any_way(octet: int) -> None:
    schema = copy.deepcopy(records.raw("stay"))
    schema["fields"].append({"name": "mood", "type": COLOUR})
    parsed = parse_schema(json.loads(json.dumps(schema)))
    good = payload(parsed, event(1, mood="RED"))
    bad = good[:-1] + bytes([2 * octet])
    for others in (0, 1, 200):
        decoded = BatchDecoder("stay", One(parsed)).decode([*[good] * others, bad])
        assert len(decoded.errors) == (octet > 1)


def test_fields_inside_records_and_arrays_are_counted_where_they_are_lost() -> None:
    schema = copy.deepcopy(records.raw("stay"))
    types = {field["name"]: field["type"] for field in schema["fields"]}
    types["ids"]["items"]["fields"].append({"name": "issuer", "type": "string"})
    (money,) = [branch for branch in types["money"] if branch != "null"]
    money["fields"] += [{"name": "tax", "type": "long"}, {"name": "fee", "type": ["null", "long"]}]
    rows = [
        {"ids": [{"kind": "customer", "value": "c", "issuer": "x"}] * 2, "money": None},
        {"ids": [], "money": {"amount_minor": 1, "currency": "SAR", "tax": 1, "fee": None}},
        {"ids": [], "money": None},
    ]
    plain = {"event_id": "e", "occurred_at": 0, "touchpoint": "t", "medium": "web", "attributes": []}
    parsed, payloads = parse_schema(schema), []
    for row in rows:
        out = io.BytesIO()
        schemaless_writer(out, parsed, {**plain, **row})
        payloads.append(b"\0\0\0\0\1" + out.getvalue())
    for copies in (1, 200):  # by blocks, and by columns
        decoder = BatchDecoder("stay", One(parsed))
        assert decoder.decode(payloads * copies).lost == copies * (2 + 2)
    assert BatchDecoder("stay", One(parsed)).decode(payloads, ["ids"]).lost == 2
    assert BatchDecoder("stay", One(parsed)).decode(payloads, ["event_id"]).lost == 0
