"""Typed rows of an event schema: a msgspec Struct made from the Avro schema, and rows turned into columns.

The Struct judges what a JSON object may be (types, enum symbols, unknown fields); it follows the .avsc files, so a
new field needs no change here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
import polars as pl
import pyarrow as pa

from schemas.records import fields, polars_schema

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

_SCALARS: dict[str, Any] = {
    "string": str,
    "double": float,
    "boolean": bool,
    "bytes": bytes,
    "long": Annotated[int, msgspec.Meta(ge=INT64_MIN, le=INT64_MAX)],
}
_ARROW: dict[str, pa.DataType] = {
    "string": pa.string(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "bytes": pa.binary(),
    "long": pa.int64(),
}

Column = Callable[[Sequence[Any]], pa.Array]


@cache
def row_type(channel: str) -> type[msgspec.Struct]:
    """The Struct of one event of a channel: the schema's fields by name, and "channel" as msgspec's tag.

    Fields without an Avro default are required, except arrays. occurred_at is int, float or str: the reader of the
    format makes it epoch milliseconds. Unknown fields are refused, in nested records too.
    """
    named: dict[str, Any] = {}
    members: list[Any] = []
    for avro in fields(channel):
        python = _python_type(avro["type"], named)
        if _is_array(avro["type"]):
            members.append((avro["name"], python | None, None))
        elif "default" in avro:
            members.append((avro["name"], python, avro["default"]))
        else:
            members.append((avro["name"], python))
    return msgspec.defstruct(
        f"Row_{channel}", members, tag=channel, tag_field="channel", forbid_unknown_fields=True, kw_only=True, gc=False
    )


@cache
def _columns(channel: str) -> tuple[tuple[str, Column], ...]:
    named: dict[str, Any] = {}
    return tuple((avro["name"], _column(avro["type"], named)) for avro in fields(channel))


def rows_to_frame(channel: str, rows: Sequence[msgspec.Struct]) -> pl.DataFrame:
    """Rows of `row_type(channel)`, occurred_at as epoch milliseconds, in the frame form of the channel's schema."""
    arrays = {name: column(list(map(attrgetter(name), rows))) for name, column in _columns(channel)}
    frame = pl.from_arrow(pa.table(arrays))
    assert isinstance(frame, pl.DataFrame)
    return frame.cast(polars_schema(channel))  # type: ignore[arg-type]


def _is_array(avro: Any) -> bool:
    return isinstance(avro, dict) and avro["type"] == "array"


def _python_type(avro: Any, named: dict[str, Any]) -> Any:
    """The Python type that msgspec checks for an Avro type; named collects records and enums for later mentions."""
    if isinstance(avro, list):
        [inner] = [branch for branch in avro if branch != "null"]
        return _python_type(inner, named) | None
    if isinstance(avro, str):
        return named[avro] if avro in named else _SCALARS[avro]
    if avro.get("logicalType") == "timestamp-millis":
        return int | float | str
    kind = avro["type"]
    if kind == "array":
        return list[_python_type(avro["items"], named)]  # type: ignore[misc]
    if kind == "enum":
        named[avro["name"]] = Literal[tuple(avro["symbols"])]
        return named[avro["name"]]
    if kind == "record":
        members = [(member["name"], _python_type(member["type"], named)) for member in avro["fields"]]
        named[avro["name"]] = msgspec.defstruct(
            avro["name"].rpartition(".")[2], members, forbid_unknown_fields=True, gc=False
        )
        return named[avro["name"]]
    return _SCALARS[kind]


def _column(avro: Any, named: dict[str, Any]) -> Column:
    """The function that makes an Arrow array of a list of Python values of an Avro type (None: null)."""
    if isinstance(avro, list):
        [inner] = [branch for branch in avro if branch != "null"]
        return _column(inner, named)
    if isinstance(avro, str):
        return named[avro] if avro in named else _scalar(_ARROW[avro])
    kind = avro["type"]
    if kind == "array":
        return _list(_column(avro["items"], named))
    if kind == "enum":
        named[avro["name"]] = _scalar(pa.string())
        return named[avro["name"]]
    if kind == "record":
        named[avro["name"]] = _struct({m["name"]: _column(m["type"], named) for m in avro["fields"]})
        return named[avro["name"]]
    return _scalar(_ARROW[kind])


def _scalar(dtype: pa.DataType) -> Column:
    return lambda values: pa.array(values, dtype)


def _struct(members: dict[str, Column]) -> Column:
    getters = {name: attrgetter(name) for name in members}

    def build(values: Sequence[Any]) -> pa.Array:
        present = [value for value in values if value is not None]
        children = [column(list(map(getters[name], present))) for name, column in members.items()]
        dense = pa.StructArray.from_arrays(children, list(members))
        if len(present) == len(values):
            return dense
        # Positions into the dense array; a null position is a null record.
        positions = accumulate((value is not None for value in values), initial=0)
        return dense.take(
            pa.array(
                [at if value is not None else None for at, value in zip(positions, values, strict=False)], pa.int64()
            )
        )

    return build


def _list(items: Column) -> Column:
    def build(values: Sequence[Any]) -> pa.Array:
        offsets = list(accumulate((len(value) if value else 0 for value in values), initial=0))
        flat = [item for value in values if value for item in value]
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items(flat))

    return build
