"""The record schemas of every topic: Avro form, field lists, and the column types of their frame form.

The *frame form* of a batch of events is a `polars.DataFrame` whose columns are the fields of a record, in order:
timestamp-millis as Int64 epoch milliseconds UTC, enum and string as String, double as Float64, int and long as Int64,
boolean as Boolean, bytes as Binary, record as Struct, array as List; a null is a null.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, Final

import polars as pl
from fastavro.schema import parse_schema

Schema = Any
"""An Avro schema as JSON data: a name, a list (union) or a dict."""

AVRO_DIR: Final = Path(__file__).parent / "avro"

CHANNELS: Final = ("booking", "check_in", "stay", "post_travel")
"""Names of the four channel input schemas."""

NAMES: Final = (
    *CHANNELS,
    "interaction",
    "link",
    "identity",
    "part",
    "journey",
    "customer",
    "case",
    "alert",
    "move",
    "segment",
    "next_action",
    "delivery",
    "redelivery",
    "dead_letter",
    "erasure",
    "recall",
    "unit",
    "rate",
    "lookup",
    "invitation",
    "message",
)
"""Names of all record schemas: one file `avro/NAME.avsc` each."""

INTERACTION_FIELDS: Final = (
    "event_id",
    "occurred_at",
    "ids",
    "booking_ref",
    "touchpoint",
    "medium",
    "unit",
    "agent_id",
    "locale",
    "country",
    "survey",
    "text",
    "money",
    "case_id",
    "attributes",
)
"""The fields with which every channel schema and the interaction schema begin."""

_PRIMITIVES: Final[dict[str, pl.DataType]] = {
    "boolean": pl.Boolean(),
    "int": pl.Int64(),
    "long": pl.Int64(),
    "float": pl.Float64(),
    "double": pl.Float64(),
    "string": pl.String(),
    "bytes": pl.Binary(),
    "null": pl.Null(),
}


def raw(name: str) -> dict[str, Any]:
    """The schema of the record `name` as its file has it, docs and defaults included. KeyError if there is none."""
    if name not in NAMES:
        raise KeyError(f"no schema {name!r}; there are {', '.join(NAMES)}")
    loaded: dict[str, Any] = json.loads((AVRO_DIR / f"{name}.avsc").read_text(encoding="utf-8"))
    return loaded


@functools.cache
def schema(name: str) -> dict[str, Any]:
    """The schema of the record `name`, parsed by fastavro (shared: do not change it). KeyError if there is none."""
    parsed: dict[str, Any] = parse_schema(raw(name))
    return parsed


@functools.cache
def inlined(name: str) -> dict[str, Any]:
    """The schema of the record `name` with every reference to a named type replaced by its definition."""
    resolved: dict[str, Any] = inline(schema(name))
    return resolved


@functools.cache
def fields(name: str) -> tuple[str, ...]:
    """Names of the fields of the record `name`, in order."""
    return tuple(field["name"] for field in schema(name)["fields"])


@functools.cache
def _polars_schema(name: str) -> tuple[tuple[str, pl.DataType], ...]:
    return tuple((field["name"], frame_type(field["type"])) for field in inlined(name)["fields"])


def polars_schema(name: str) -> dict[str, pl.DataType]:
    """Column types of the frame form of the record `name`, in field order."""
    return dict(_polars_schema(name))


def empty(name: str) -> pl.DataFrame:
    """A frame of no rows in the frame form of the record `name`."""
    return pl.DataFrame(schema=polars_schema(name))


def frame_type(type_: Schema) -> pl.DataType:
    """Column type, in the frame form, of an Avro type without references (see `inline`).

    Raises TypeError for a type that has no frame form (map, or a union of more than null and one type).
    """
    if isinstance(type_, list):
        others = [branch for branch in type_ if branch != "null"]
        if len(others) != 1:
            raise TypeError(f"a union of several types has no frame form: {type_}")
        return frame_type(others[0])
    kind = type_["type"] if isinstance(type_, dict) else type_
    if kind == "record":
        return pl.Struct([pl.Field(field["name"], frame_type(field["type"])) for field in type_["fields"]])
    if kind == "array":
        return pl.List(frame_type(type_["items"]))
    if kind == "enum":
        return pl.String()
    if kind == "fixed":
        return pl.Binary()
    if isinstance(kind, str) and kind in _PRIMITIVES:
        return _PRIMITIVES[kind]
    if isinstance(kind, (list, dict)):
        return frame_type(kind)
    raise TypeError(f"{kind!r} has no frame form")


def inline(parsed: Schema) -> Schema:
    """A parsed schema with references to named types replaced by their definitions, so that each part stands alone.

    Raises ValueError for a type that contains itself.
    """
    return _inline(parsed, {}, ())


def _inline(node: Schema, named: dict[str, Schema], inside: tuple[str, ...]) -> Schema:
    if isinstance(node, list):
        return [_inline(branch, named, inside) for branch in node]
    if isinstance(node, str):
        if node in inside:
            raise ValueError(f"type {node} contains itself")
        return named.get(node, node)
    kind = node["type"]
    if kind == "record" or kind == "error":
        result = {key: value for key, value in node.items() if not key.startswith("__")}
        within = (*inside, node["name"])
        result["fields"] = [{**field, "type": _inline(field["type"], named, within)} for field in node["fields"]]
        named[node["name"]] = result
        return result
    if kind == "enum" or kind == "fixed":
        named[node["name"]] = {key: value for key, value in node.items() if not key.startswith("__")}
        return named[node["name"]]
    if kind == "array":
        return {**node, "items": _inline(node["items"], named, inside)}
    if kind == "map":
        return {**node, "values": _inline(node["values"], named, inside)}
    return node if isinstance(kind, str) else _inline(kind, named, inside)
