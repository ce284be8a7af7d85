"""Fields that only the writer's record has: plain values are kept as attributes, under the field's name.

A text is kept as it is, any other value as JSON, as in the reader of JSON Lines (streams.sources.jsonl). A null is not
kept, and neither is a field with the name of one of the record's own attributes: the attribute wins.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import orjson
import polars as pl

from schemas.plan import sources
from schemas.records import Schema, frame_type

ATTRIBUTES = "attributes"
"""The field that extras are kept in: an array of {key, value}."""
_PLAIN = ("boolean", "int", "long", "float", "double", "string")


class Within(NamedTuple):
    """What is lost inside a value: a record, or the records of an array."""

    own: int
    """Number of fields of each record that cannot be kept."""
    parts: tuple[tuple[str, Within], ...]
    """The same for those of the record's fields that are read."""


class Extras(NamedTuple):
    """How a reader handles the fields of a writer's record that it does not have."""

    reader: dict[str, Any]
    """The reader's schema, with the fields that are kept at its end."""
    kept: tuple[str, ...]
    """Their names, in the writer's order."""
    lost: int
    """How many fields cannot be kept."""
    within: tuple[tuple[str, Within], ...] = ()
    """The reader's fields that contain records with fields that cannot be kept."""


def extras(writer: dict[str, Any], reader: dict[str, Any]) -> Extras:
    """What is kept of the fields of a writer's record; both are record schemas without references."""
    own = {field["name"] for field in reader["fields"]}
    read = {*sources(writer, reader).values()}
    named = _names(reader)
    kept, lost = [], 0
    for field in writer["fields"]:
        if field["name"] in read:
            continue
        kind = _plain(field["type"], named)
        if kind is None or field["name"] in own:
            lost += 1
        else:
            kept.append({"name": field["name"], "type": kind})
    extended = {**reader, "fields": [*reader["fields"], *kept]} if kept else reader
    return Extras(extended, tuple(field["name"] for field in kept), lost, _parts(writer, reader))


def _parts(writer: dict[str, Any], reader: dict[str, Any]) -> tuple[tuple[str, Within], ...]:
    """Of the reader's fields that are read, those in which something is lost."""
    written, read = ({field["name"]: field["type"] for field in record["fields"]} for record in (writer, reader))
    both = sources(writer, reader).items()
    found = [(name, _within(written[source], read[name])) for name, source in both]
    return tuple((name, within) for name, within in found if within is not None)


def _within(writer: Schema, reader: Schema) -> Within | None:
    """What is lost of a value of the writer's type; None: nothing, or it is read record by record, by fastavro."""
    writer, reader = _one(writer), _one(reader)
    if not (isinstance(writer, dict) and isinstance(reader, dict)) or writer["type"] != reader["type"]:
        return None
    if writer["type"] == "array":
        return _within(writer["items"], reader["items"])
    if writer["type"] != "record":
        return None
    own, parts = len(writer["fields"]) - len({*sources(writer, reader).values()}), _parts(writer, reader)
    return Within(own, parts) if own or parts else None


def _one(type_: Schema) -> Schema:
    """The one branch of a union that is not null."""
    if not isinstance(type_, list):
        return type_
    others = [branch for branch in type_ if branch != "null"]
    return others[0] if len(others) == 1 else None


def lost_within(column: pl.Series, within: Within) -> int:
    """How many values were lost inside those of a column that was read."""
    while isinstance(column.dtype, pl.List):
        column = column.drop_nulls().explode()
    column = column.drop_nulls()
    if not len(column):
        return 0
    return within.own * len(column) + sum(lost_within(column.struct.field(name), one) for name, one in within.parts)


def fold(frame: pl.DataFrame, kept: tuple[str, ...]) -> tuple[pl.DataFrame, int]:
    """A frame whose columns `kept` are in its attributes, and how many values were not kept because of their names."""
    if not kept:
        return frame, 0
    texts = [_text(frame[name]) for name in kept]
    own = pl.col(ATTRIBUTES).list.eval(pl.element().struct.field("key"))
    dtype = frame.schema[ATTRIBUTES]
    assert isinstance(dtype, pl.List)
    frame = frame.with_columns(texts)
    taken = frame.select((own.list.contains(pl.lit(name)) & pl.col(name).is_not_null()).alias(name) for name in kept)
    pairs = [
        pl.when(pl.col(name).is_not_null() & ~own.list.contains(pl.lit(name))).then(
            pl.struct(pl.lit(name).alias("key"), pl.col(name).alias("value"))
        )
        for name in kept
    ]
    more = pl.concat_list(pairs).list.drop_nulls().cast(dtype)
    folded = frame.with_columns(pl.concat_list(pl.col(ATTRIBUTES), more).alias(ATTRIBUTES)).drop(kept)
    return folded, sum(int(column.sum()) for column in taken)


def _plain(type_: Schema, named: dict[str, Schema]) -> Schema | None:
    """A type whose values are kept, as the reader may have it; None for another.

    named: the reader's named types; one of that name has to be the same, and is then referred to.
    """
    if isinstance(type_, list):
        others = [branch for branch in type_ if branch != "null"]
        kind = _plain(others[0], named) if len(others) == 1 and not isinstance(others[0], list) else None
        return None if kind is None else [kind if branch != "null" else "null" for branch in type_]
    kind = type_["type"] if isinstance(type_, dict) else type_
    if kind in _PLAIN:
        return kind
    if kind != "enum":
        return None
    known = named.get(type_["name"])
    if known is not None:
        return type_["name"] if known == type_["symbols"] else None
    named[type_["name"]] = type_["symbols"]
    return {"type": "enum", "name": type_["name"], "symbols": type_["symbols"]}


def _names(node: Schema) -> dict[str, Schema]:
    """The named types in a schema: the symbols of enums, None of others."""
    found: dict[str, Schema] = {}
    if isinstance(node, list):
        for branch in node:
            found |= _names(branch)
    elif isinstance(node, dict):
        if "name" in node and node.get("type") in ("record", "enum", "fixed", "error"):
            found[node["name"]] = node.get("symbols")
        for part in (*(field["type"] for field in node.get("fields", ())), node.get("items"), node.get("values")):
            found |= _names(part)
        if not isinstance(node.get("type"), str):
            found |= _names(node.get("type"))
    return found


def _text(column: pl.Series) -> pl.Series:
    """The values of a column as texts."""
    if column.dtype == pl.String:
        return column
    if column.dtype == pl.Float64:
        return pl.Series(column.name, [_number(value) for value in column.to_list()], dtype=pl.String)
    if column.dtype == pl.Boolean:
        return column.replace_strict({True: "true", False: "false"}, return_dtype=pl.String)
    return column.cast(pl.String)


def _number(value: float | None) -> str | None:
    if value is None or math.isfinite(value):
        return None if value is None else orjson.dumps(value).decode()
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def types(made: Extras) -> dict[str, pl.DataType]:
    """Column types of the fields that are kept."""
    fields = {field["name"]: field["type"] for field in made.reader["fields"]}
    return {name: frame_type(_defined(fields[name])) for name in made.kept}


def _defined(type_: Schema) -> Schema:
    """The type with a reference to a named type, which is an enum, replaced by a text."""
    if isinstance(type_, list):
        return [_defined(branch) for branch in type_]
    return "string" if isinstance(type_, str) and type_ not in (*_PLAIN, "null") else type_
