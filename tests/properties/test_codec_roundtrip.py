"""The codec against fastavro: the same bytes out, the same records in; schemas in use and random ones."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import records, single
from schemas.datums import DatumReader
from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder, DatumWriter
from schemas.registry import LocalRegistry
from schemas.wire import CONFLUENT, SINGLE_OBJECT

REGISTRY = LocalRegistry()
LONGS = st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-200, 200)

PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "int": st.integers(-(1 << 31), (1 << 31) - 1),
    "long": LONGS,
    "double": st.floats(),
    "string": st.text(max_size=8) | st.text(alphabet="ق", min_size=60, max_size=70),
    "bytes": st.binary(max_size=8),
}


def values(type_: Any) -> st.SearchStrategy[Any]:
    """Values, in frame form, of a type without references."""
    if isinstance(type_, list):
        return st.one_of(*(st.none() if branch == "null" else values(branch) for branch in type_))
    kind = type_["type"] if isinstance(type_, dict) else type_
    if kind == "record":
        return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in type_["fields"]})
    if kind == "array":
        return st.lists(values(type_["items"]), max_size=3)
    if kind == "enum":
        return st.sampled_from(type_["symbols"])
    return PRIMITIVES[kind]


def types(depth: int) -> st.SearchStrategy[Any]:
    """Types that have a frame form; named ones get their names in `record_schemas`."""
    simple = st.sampled_from([*PRIMITIVES, {"type": "long", "logicalType": "timestamp-millis"}])
    enum = st.integers(1, 4).map(lambda n: {"type": "enum", "symbols": [f"S{i}" for i in range(n)]})
    plain = simple | enum
    if depth:
        inner = types(depth - 1)
        plain |= inner.filter(lambda t: not isinstance(t, list)).map(lambda t: {"type": "array", "items": t})
        plain |= inner.map(lambda t: {"type": "array", "items": t})
        plain |= st.lists(inner, min_size=1, max_size=3).map(record)
    return plain | plain.flatmap(lambda t: st.sampled_from([["null", t], [t, "null"]]))


def record(inner: list[Any]) -> dict[str, Any]:
    return {"type": "record", "fields": [{"name": f"f{i}", "type": t} for i, t in enumerate(inner)]}


def named(type_: Any, names: Any) -> Any:
    """A copy of the type in which every named type has a name of its own."""
    if isinstance(type_, list):
        return [named(branch, names) for branch in type_]
    if not isinstance(type_, dict):
        return type_
    type_ = dict(type_)
    if type_["type"] in ("record", "enum"):
        type_["name"] = f"N{next(names)}"
    if "items" in type_:
        type_["items"] = named(type_["items"], names)
    if "fields" in type_:
        type_["fields"] = [{**field, "type": named(field["type"], names)} for field in type_["fields"]]
    return type_


record_schemas = st.lists(types(2), min_size=1, max_size=5).map(lambda inner: named(record(inner), iter(range(1000))))


@st.composite
def batches(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    schema = draw(record_schemas)
    return schema, draw(st.lists(values(schema), min_size=1, max_size=6))


def frame_of(schema: dict[str, Any], rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={field["name"]: records.frame_type(field["type"]) for field in schema["fields"]})


def as_tuple(type_: Any, value: Any) -> Any:
    """A value as a row has it: records as tuples."""
    if value is None:
        return None
    if isinstance(type_, list):
        return as_tuple(next(branch for branch in type_ if branch != "null"), value)
    kind = type_["type"] if isinstance(type_, dict) else type_
    if kind == "record":
        return tuple(as_tuple(field["type"], value[field["name"]]) for field in type_["fields"])
    return [as_tuple(type_["items"], item) for item in value] if kind == "array" else value


def datum(schema: Any, row: dict[str, Any]) -> bytes:
    """What fastavro writes."""
    out = io.BytesIO()
    schemaless_writer(out, single.without_logical_types(schema), row)
    return out.getvalue()


def read(writer: Any, reader: Any, datums: Sequence[bytes]) -> tuple[pl.DataFrame, list[int], dict[int, str]]:
    """What the reader makes of datums: frame, positions of its rows, errors."""
    schema = {field["name"]: records.frame_type(field["type"]) for field in records.inline(reader)["fields"]}
    errors: dict[int, str] = {}
    parts = DatumReader(writer, reader).read(datums, b"", schema, errors)
    assert parts is not None
    frame = pl.concat([part for part, _ in parts])
    rows = np.concatenate([positions for _, positions in parts])
    order = np.argsort(rows)
    return frame[order], rows[order].tolist(), errors


@given(batches())
@settings(deadline=None, max_examples=150)
def test_random_schemas_are_written_as_fastavro_writes_and_read_back(
    batch: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    schema, rows = batch[0], batch[1]
    parsed, frame = parse_schema(schema), frame_of(schema, rows)
    expected = [datum(parsed, row) for row in rows]
    writer = DatumWriter(parsed)
    assert writer.write(frame) == expected
    assert writer.write([as_tuple(schema, row) for row in rows]) == expected

    again, positions, errors = read(parsed, parsed, expected)
    assert positions == list(range(len(rows)))
    assert not errors
    assert again.schema == frame.schema
    assert DatumWriter(parsed).write(again) == expected  # bytes, because a NaN is not equal to itself


@given(batches(), st.integers(0, 6), st.integers(0, 6))
@settings(deadline=None, max_examples=60)
def test_slices_and_chunks_are_written_as_their_rows_are(
    batch: tuple[dict[str, Any], list[dict[str, Any]]], start: int, length: int
) -> None:
    schema, rows = batch[0], batch[1]
    frame = frame_of(schema, rows)
    writer = DatumWriter(parse_schema(schema))
    whole = writer.write(frame)
    assert writer.write(frame[start : start + length]) == whole[start : start + length]
    assert writer.write(pl.concat([frame[start:], frame[:start]], rechunk=False)) == whole[start:] + whole[:start]


@pytest.mark.parametrize("name", records.NAMES)
@given(data=st.data(), wire=st.sampled_from([CONFLUENT, SINGLE_OBJECT]))
@settings(deadline=None, max_examples=12)
def test_schemas_in_use_are_written_as_fastavro_writes_and_read_back(name: str, wire: Any, data: st.DataObject) -> None:
    rows = data.draw(st.lists(values(records.inlined(name)), min_size=1, max_size=5))
    frame = pl.DataFrame(rows, schema=records.polars_schema(name))
    payloads = BatchEncoder(name, REGISTRY, wire).encode(frame)
    assert payloads == [single.encode_one(name, row, REGISTRY, wire) for row in rows]

    decoded = BatchDecoder(name, REGISTRY).decode(payloads)
    assert not decoded.errors
    assert decoded.rows.tolist() == list(range(len(rows)))
    assert decoded.frame.schema == records.polars_schema(name)
    assert BatchEncoder(name, REGISTRY, wire).encode(decoded.frame) == payloads
    assert decoded.frame.equals(frame)


@st.composite
def evolutions(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """A writer's schema, a later schema of the same record, and records of the first."""
    writer, rows = draw(batches())

    def later(type_: Any) -> Any:
        if isinstance(type_, list):
            return [later(branch) for branch in type_]
        if type_ == "long":
            return draw(st.sampled_from(["long", "double"]))
        if type_ == "int":
            return draw(st.sampled_from(["int", "long", "double"]))
        if type_ == "string":
            return draw(st.sampled_from(["string", "bytes"]))
        if type_ == "bytes":
            return draw(st.sampled_from(["bytes", "string"]))
        if not isinstance(type_, dict):
            return type_
        type_ = dict(type_)
        if type_["type"] == "enum":
            symbols = draw(st.permutations(["NEW", *type_["symbols"]]))
            type_["symbols"] = symbols[draw(st.integers(0, 1)) :]
            if draw(st.booleans()):
                type_["default"] = type_["symbols"][0]
        if "items" in type_:
            type_["items"] = later(type_["items"])
        if "fields" in type_:
            kept = [{**f, "type": later(f["type"])} for f in type_["fields"] if draw(st.integers(0, 3))]
            for field in kept:
                if not isinstance(field["type"], list) and draw(st.booleans()):
                    field["type"] = ["null", field["type"]]
            added = [{"name": "since", "type": ["null", "string"], "default": None}]
            added += [{"name": "many", "type": {"type": "array", "items": "long"}, "default": []}]
            added += [{"name": "count", "type": "long", "default": 7}]
            type_["fields"] = draw(st.permutations(kept + draw(st.sampled_from([[], added]))))
            if not type_["fields"]:
                type_["fields"] = added
        return type_

    return writer, later(writer), rows


@given(evolutions())
@settings(deadline=None, max_examples=150)
def test_an_older_writers_records_are_resolved_as_fastavro_resolves_them(
    evolution: tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]],
) -> None:
    writer, reader, rows = evolution
    old, new = parse_schema(writer), parse_schema(reader)
    datums = [datum(old, row) for row in rows]
    expected, refused = [], []
    for position, payload in enumerate(datums):
        try:
            plain = single.without_logical_types(new)
            expected.append(schemaless_reader(io.BytesIO(payload), single.without_logical_types(old), plain))
        except Exception:
            refused.append(position)
    frame, positions, errors = read(old, new, datums)
    assert sorted(errors) == refused
    assert positions == [position for position in range(len(datums)) if position not in refused]
    assert DatumWriter(new).write(frame) == [datum(new, row) for row in expected]
